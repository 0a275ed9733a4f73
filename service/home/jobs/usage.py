"""The reads of one of the demo's grants: through the gate and from the released view, as a client's, day by day."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.base import blobs, db
from service.base.roles import Role
from service.base.settings import Settings
from service.data import engine, gate
from service.data import store as usage
from service.data.gate import Asked
from service.home.jobs.cast import actor, moment
from service.home.jobs.playing import grant_of
from service.oauth import actions as clients
from service.oauth import store as client_store
from service.oauth.rules import Usable


def read_as_client(settings: Settings, case: Mapping[str, Any], at: datetime) -> None:
    """Make the client of a case once, and let it read what the cast says: so many pages on each working day."""
    with db.writing() as session:
        grant, manager = grant_of(session, case), actor(session, Role.MANAGER, unit=case["unit"])
        if client_store.clients_of_grant(session, grant.id):
            return
        client, _secret = clients.create_client(
            session, unit_id=manager.unit_id, grant_id=grant.id, name=case["client"], pepper=settings.pepper(),
            by=manager.person_id, now=grant.created_at,
        )  # fmt: skip
        secret_id = client_store.secrets_in_use(session, client.id)[0].id
        usable = Usable(grant.id, grant.dataset_id, tuple(grant.columns), grant.ends_at)
    pages: list[int] = case["reads"]
    for days, count in zip(range(len(pages), 0, -1), pages, strict=True):
        now = moment(at, days, 6)
        if now > grant.created_at:
            _read(settings, client.id, secret_id, usable, count, now)


def _read(settings: Settings, client_id: str, secret_id: str, usable: Usable, count: int, now: datetime) -> None:
    """Read the first `count` pages with a token of the day."""
    location = f"{settings.base_url}/api/v1"
    with db.writing() as session:
        token, _row = clients.issue(session, client_id, secret_id, (usable,), location=location, now=now)
        asked = Asked(usable.dataset_id, f"Bearer {token}", None, "api")
        admitted = gate.admit(session, asked, now=now)
        with blobs.as_file(admitted.files["parquet"].key) as file:
            for page in range(count):
                rows = engine.rows(file, admitted.columns, start=page * PAGE, limit=PAGE)
                usage.note_usage(
                    session, now=now, dataset_id=usable.dataset_id, grant_id=usable.grant_id, client_id=client_id,
                    view_id=admitted.view.id, face="rows", rows=len(rows), size=len(json.dumps(rows)), whole=True,
                )  # fmt: skip


PAGE = 100
