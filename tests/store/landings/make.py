"""Writes the rows of a lived-in database at this version's revision: `python -m tests.store.landings.make`.

Run once for each landing, when its last migration is in; the file is named after the revision and stays as it is from
then on.  Every table has rows in it.
"""

import sys
from datetime import timedelta
from pathlib import Path

from service import migrations
from service.audit import jobs as audit
from service.base import clock, db, state
from service.grants import jobs as grants
from service.notices import jobs as notices
from service.people import actions as people
from service.people.actions import NewUnit, RegisterFacts
from tests import servers, world
from tests.store import rows

FOLDER = Path(__file__).parent
CAUSE = "收到投诉，先行暂停核查"
FIRST_TILE = 200  # so many events more, and the log's tree has its first whole tile of 256
CLOSE_TO_THE_END = timedelta(days=100)  # the demo's grant lasts 120 days


def main() -> None:
    servers.open_folder()
    try:
        with world.entered() as lived:
            live(lived)
            found = rows.read()
            empty = [table for table, lines in found.items() if not lines]
            if empty:
                raise SystemExit(f"nothing in {empty}: let something happen there, in live()")
            file = FOLDER / f"{migrations.current()}.jsonl.gz"
            rows.save(found, file)
            sys.stdout.write(f"{file.name}: {sum(map(len, found.values()))} rows, {file.stat().st_size} bytes\n")
    finally:
        servers.close_folder()


def live(lived: world.World) -> None:
    """Let happen, through the product's own acts, what leaves rows behind."""
    _apply(lived)
    _dispute(lived)
    following = lived.login("tide-apply").post("/datasets/parking-records/following", data={"follow": "yes"})
    assert following.status_code == 303, following.text
    assert lived.rows(lived.token()).status_code == 200
    assert "column-not-granted" in lived.rows(lived.token(), "?select=plate").text  # read: then it is kept
    lived.another_grant("parking-records", ["lot_id"], tasks=[({"kind": "training_register"}, lived.now().date())])
    clock.set_shift(CLOSE_TO_THE_END)
    grants.remind_of_expiry()
    notices.deliver()
    manager = lived.login("lake-manager")
    notice = lived.found("select id from notice where unit_id = 'firm-lake' order by id limit 1")[0].id
    assert manager.post(f"/notices/{notice}/reading").status_code == 303
    _hand_back(lived)
    with db.writing() as session:
        for _ in range(FIRST_TILE):
            people.record_facts(session, "firm-tide", RegisterFacts(credit="good"), by="demo", now=clock.now(session))
    audit.seal(lived.settings.home)
    lived.suspend(CAUSE)  # told, not yet sealed
    with db.writing() as session:
        state.shut(session, by="landing")


def _apply(lived: world.World) -> None:
    """Submit a second request, with a column that the lists prohibit and an objection to that."""
    firm = lived.login("tide-apply")
    draft = {
        "dataset": "parking-records", "columns": ["lot_id", "plate"], "objections": {"plate": "号牌为研究所必需"},
        "purpose": "analytics.operations", "statement": "分析停车场周转率。", "delivery": "download",
        "ends_on": (lived.now() + timedelta(days=90)).date().isoformat(), "cross_border": "no", "onward_sharing": "no",
        "security_officer": "演示管理员甲", "mlps": "mlps3", "storage": "杭州市（境内）", "incidents": "no",
        "members": "演示申请人甲",
    }  # fmt: skip
    made = firm.post("/api/v1/applications", json=draft)
    assert made.status_code == 201, made.text
    answer = firm.post(f"/api/v1/applications/{made.json['id']}/submission", json={"version": 0})
    assert answer.status_code == 201, answer.text
    assert firm.post("/api/v1/applications", json=draft).status_code == 201  # stays a draft


def _hand_back(lived: world.World) -> None:
    """Give a grant back before its end."""
    grant = lived.another_grant("road-traffic-15min", ["road_name"])
    answer = lived.login("lake-manager").post(f"/grants/{grant}/handback", data={"reason": "项目结束"})
    assert answer.status_code == 303, answer.text


def _dispute(lived: world.World) -> None:
    """Register another unit under a code that is held already."""
    person = people.new_person("somebody-else", "演示登记人", "a password")
    unit = NewUnit("enterprise", "示例同码有限公司", "Example Same Code Ltd", "91330100MA0TDE001C")
    with db.writing() as session:
        people.register_unit(session, unit, person, now=clock.now(session))


if __name__ == "__main__":
    main()
