"""Libraries that the catalogue wraps: DuckDB reads tables, ruamel reads manifests, rjieba cuts words."""
