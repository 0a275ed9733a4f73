"""Settings: read once at start from QIANTANG_* variables; nothing else reads the environment."""

import os
import secrets
from functools import cache
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SHORTEST_SECRET = 20  # characters
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class BadSetting(Exception):
    """A setting that cannot be used.  The text names it and says why, never its value: a URL may hold a password."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"QIANTANG_{name.upper()}: {why}")


class Settings(BaseSettings):
    """What an operator may set.  URLs choose the engines: SQLite, folder and in-process cache are the defaults."""

    model_config = SettingsConfigDict(env_prefix="QIANTANG_", frozen=True, extra="ignore")

    home: Path = Path("var")
    database_url: str = ""
    cache_url: str = "memory://"
    store_url: str = ""
    base_url: str = ""
    port: int = 8000
    mail_url: str = ""
    policies: Path | None = None
    trusted_hosts: str = ""
    offload: str = ""
    log_level: str = "INFO"
    secret_key: SecretStr = SecretStr("")
    now: str = ""
    demo: bool = False

    @model_validator(mode="before")
    @classmethod
    def fill(cls, given: dict[str, object]) -> dict[str, object]:
        """Derive what was left out from HOME and the port, so that one variable is enough for a laptop."""
        home = Path(str(given.get("home") or "var")).resolve()
        port = given.get("port") or 8000
        return {
            **given,
            "home": home,
            "database_url": given.get("database_url") or f"sqlite:///{home}/qiantang.db",
            "store_url": given.get("store_url") or f"file://{home}/store",
            "base_url": str(given.get("base_url") or f"http://127.0.0.1:{port}").rstrip("/"),
        }

    @field_validator("log_level")
    @classmethod
    def known_level(cls, given: str) -> str:
        if given.upper() not in LEVELS:
            raise ValueError(f"one of {', '.join(LEVELS)}")
        return given.upper()

    @field_validator("offload")
    @classmethod
    def known_server(cls, given: str) -> str:
        if given not in ("", "nginx"):
            raise ValueError("empty or nginx")
        return given

    @field_validator("base_url")
    @classmethod
    def web_address(cls, given: str) -> str:
        parts = urlsplit(given)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
            raise ValueError("http://… or https://…, without a path")
        return given

    @property
    def secure(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def hosts(self) -> frozenset[str]:
        """Host names (without port) that a request may name; everything else is refused."""
        listed = {host.strip() for host in self.trusted_hosts.split(",") if host.strip()}
        own = urlsplit(self.base_url).hostname or ""
        return frozenset(listed | {own} | (LOOPBACK if own in LOOPBACK else set()))

    @property
    def policy_folder(self) -> Path:
        """The operator's own policies, else those that came with the service."""
        return self.policies or resource_dir("policies")

    def make_home(self) -> None:
        """Make HOME when it is missing, for its owner alone: database and keys lie in it.  BadSetting when it fails."""
        try:
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as fault:
            raise BadSetting("home", fault.strerror or type(fault).__name__) from None

    def pepper(self) -> bytes:
        """Return the server secret; made once and kept in HOME when none is set.

        Raises ValueError when the service is public (https) and no secret was given, or one short enough to be tried
        out from a cursor: a secret that lives beside the data it protects is for a laptop only.
        """
        if given := self.secret_key.get_secret_value():
            if self.secure and len(given) < SHORTEST_SECRET:
                raise ValueError(f"QIANTANG_SECRET_KEY must have at least {SHORTEST_SECRET} characters")
            return given.encode()
        if self.secure:
            raise ValueError("QIANTANG_SECRET_KEY is required when QIANTANG_BASE_URL is https")
        return _kept_secret(self.home / "keys" / "secret.key").encode()


def _kept_secret(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as new:
            new.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text()


@cache
def resource_dir(name: str) -> Path:
    """Return the folder `templates` or `policies`: the checkout's where there is one, else the copy in the wheel.

    The checkout wins because an editable install leaves stale copies behind.
    """
    service = Path(str(resources.files("service")))
    checkout = service.parent / name
    if checkout.is_dir() and (service.parent / "pyproject.toml").is_file():
        return checkout
    return service / "_bundled" / name
