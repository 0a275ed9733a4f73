"""The application of the http suite, for the walks over its routes."""

from tests.http.conftest import app, application, browser, sqlite_app, visitor

__all__ = ["app", "application", "browser", "sqlite_app", "visitor"]
