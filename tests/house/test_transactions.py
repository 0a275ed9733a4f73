"""Only base/db.py begins, commits and rolls back."""

import ast

from tests.house.scan import ROOT, sources

VERBS = {"commit", "rollback", "begin", "begin_nested"}
ALLOWED = {"service/base/db.py"}


def test_only_the_database_module_ends_a_transaction():
    bad = []
    for path, tree in sources():
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in VERBS:
                bad.append(f"{name}:{node.lineno}: {node.func.attr}")
    assert not [entry for entry in bad if entry.split(":")[0] not in ALLOWED]


def test_a_function_takes_no_session_out_of_thin_air():
    bad = []
    for path, tree in sources():
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Session":
                bad.append(f"{name}:{node.lineno}")
    assert not [entry for entry in bad if entry.split(":")[0] not in ALLOWED]
