"""The number plate leaves by no door: every address asked by every account and client, every released byte read.

What must not appear are the values themselves, collected from the raw data: number plates of the car parks, the road
cameras and the ordered rides, tail numbers of the flights.
"""

import csv
import hashlib
import io
import itertools
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.applications.rules import StepName
from service.base.errors import Refusal
from service.data import rules as data_rules
from service.grants.engine import footer
from service.home.rules import kinds_of
from service.oauth.web import SCRIPTS
from tests.world import basic_header

PLATE = re.compile(r"[一-鿿][A-Z]·?[A-Z][0-9]{4}")
PLATE_BYTES = re.compile(rb"[\xe4-\xe9][\x80-\xbf]{2}[A-Z](?:\xc2\xb7)?[A-Z][0-9]{4}")
TAIL = re.compile(r"[A-Z0-9]{4,7}")
HIDDEN = {
    "parking-records": "plate", "passing-records": "plate", "ride-hailing-orders": "plate", "flights": "tailnum",
}  # fmt: skip
PLATED = [name for name, column in HIDDEN.items() if column == "plate"]
ACCOUNTS = (
    "tide-apply", "tide-manager", "lake-apply", "lake-manager", "transport-1", "transport-2", "health-1", "authority-1",
    "authority-2", "auditor-1", "operator-1", "cloud-manager",
)  # fmt: skip
CLIENTS = ("client", "client by Basic", "client of another firm")
TOUR = ["lot_id", "entry_time", "exit_time", "duration_min", "vehicle_type"]
_clean: set[tuple[str, bool]] = set()  # digests of bodies that were searched already, and whether for tail numbers too
_raw: dict[str, set[str]] = {}  # hidden values by the key of the object that has them


class Searched:
    """The values that must not be found, and the search for them."""

    def __init__(self, world) -> None:
        self.plates = {plain(value) for name in PLATED for value in raw(world, name)}
        self.tails = raw(world, "flights")
        assert len(self.plates) > 8_000 and len(self.tails) > 4_000
        assert all(PLATE.fullmatch(plate) for plate in self.plates)
        assert all(TAIL.fullmatch(tail) and re.search("[A-Z]", tail) for tail in self.tails)

    def demand_clean(self, body: bytes, where: str) -> None:
        """Fail when a body holds one of the values: as text, or as a Parquet file's raw bytes or rows."""
        flights = "flights" in where
        if (digest := (hashlib.sha256(body).hexdigest(), flights)) in _clean:
            return
        if body[:4] == b"PAR1":
            self._demand_clean_table(pq.read_table(pa.BufferReader(body)), where)
        assert not self.in_bytes(body), where
        text = body.decode(errors="replace")
        assert "\\u6d59" not in text, where  # the plates' first letter in another writing
        if flights:
            assert not self.tails.intersection(TAIL.findall(text)), where
        _clean.add(digest)

    def in_bytes(self, body: bytes) -> set[str]:
        """Return the plates in raw bytes; without the dot they are none the less plates."""
        return self.plates.intersection(plain(found.decode()) for found in PLATE_BYTES.findall(body))

    def _demand_clean_table(self, table: pa.Table, where: str) -> None:
        for column in table.columns:
            if pa.types.is_string(column.type):
                values = {plain(value) for value in column.unique().to_pylist() if value}
                assert not values & (self.plates | self.tails), where


def plain(plate: str) -> str:
    return plate.replace("·", "")


def raw(world, dataset) -> set[str]:
    """Return the values of a dataset's hidden column in its raw data."""
    ((key,),) = world.found("select blob_key from datasetpart where dataset_id = :id", id=dataset)
    if key not in _raw:
        table = pq.read_table(world.settings.home / "store" / key, columns=[HIDDEN[dataset]])
        _raw[key] = set(table.column(0).unique().to_pylist()) - {None}
    return _raw[key]


def asking(world, browser, *, columns, **changes):
    """Draft an application for parking records as the tour does; return the answer."""
    draft = {
        "dataset": "parking-records", "columns": columns, "purpose": "analytics.operations", "delivery": "download",
        "statement": "分析停车场周转，优化车位引导", "cross_border": "no", "onward_sharing": "no", "mlps": "mlps3",
        "security_officer": "负责人", "storage": "本市机房", "incidents": "no", "members": "甲",
    }  # fmt: skip
    return browser.post("/api/v1/applications", json=draft | changes)


def contested(world) -> str:
    """Submit an application that keeps the plate with a written objection; return its id."""
    firm = world.login("tide-apply")
    made = asking(world, firm, columns=["plate", *TOUR], objections={"plate": "号牌用于识别同一车辆的多次停放。"})
    assert made.status_code == 201, made.text
    case = made.json["id"]
    assert firm.post(f"/api/v1/applications/{case}/submission", json={"version": 0}).status_code == 201
    return str(case)


def decided(world, login, case, **body):
    officer = world.login(login)
    here = officer.get(f"/api/v1/applications/{case}").json
    body = {"version": here["version"], "lists": here["lists"], "reason": "依据负面清单"} | body
    return officer.post(f"/api/v1/applications/{case}/decisions", json=body)


# ---- asking for it ---------------------------------------------------------------------------------------------------


def test_the_plate_is_marked_prohibited_with_its_clause(world):
    page = world.login("tide-apply").get("/datasets/parking-records").text
    row = page[page.index("<code>plate</code>") :]
    row = row[: row.index("</tr>")]
    assert "禁止提供" in row and re.search(r"[A-Z]{2}-\d{3}", row)


def test_the_plate_can_be_asked_for_with_an_objection_only(world):
    firm = world.login("tide-apply")
    case = asking(world, firm, columns=["plate", *TOUR]).json["id"]
    refused = firm.post(f"/api/v1/applications/{case}/submission", json={"version": 0})
    assert refused.status_code == 422 and "plate" in refused.text
    contested(world)


def test_no_officer_can_approve_the_plate_and_the_refusal_wins_nothing(world):
    case = contested(world)
    grants = len(world.found('select 1 from "grant"'))
    for columns in (None, ["plate"], ["plate", "lot_id"]):
        verb = {"verb": "approve"} if columns is None else {"verb": "narrow", "columns": columns}
        assert decided(world, "transport-1", case, **verb).status_code in (409, 422)
    assert decided(world, "transport-1", case, verb="refuse").status_code == 201
    assert world.login("tide-apply").get(f"/api/v1/applications/{case}").json["state"] == "refused"
    assert len(world.found('select 1 from "grant"')) == grants
    assert not world.found("select 1 from releasedview where columns like '%plate%'")


def test_not_even_a_grant_of_the_plate_that_came_from_nowhere_is_served(world):
    grant = world.another_grant("parking-records", ["lot_id"])
    token = world.token()
    world.change('update "grant" set columns = :columns where id = :grant', columns='["lot_id", "plate"]', grant=grant)
    answer = world.rows(token, f"?grant={grant}&select=plate")
    assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (403, "column-not-granted")
    assert list(world.rows(token, f"?grant={grant}").json["rows"][0]) == ["lot_id"]


# ---- every address, every caller -------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", [*ACCOUNTS, "visitor", *CLIENTS])
def test_no_address_shows_a_plate_to(world, who):
    searched, case = Searched(world), contested(world)
    tide = world.another_client(world.another_grant("parking-records", TOUR, unit="firm-tide"))
    world.another_grant("road-traffic-15min", ["road_name", "period_start", "vehicles"])
    ask = asker(world, who, tide)
    statuses = []
    for address in itertools.chain(addresses(world, case), data_addresses(world)):
        answer = ask(address)
        waiting = answer.headers.get("Qiantang-Problem") == "view-building"  # a format that nobody has wanted yet
        assert answer.status_code < 500 or waiting, address
        statuses.append(answer.status_code)
        if not known_file(answer, address):
            searched.demand_clean(answer.data, address)
        answer.close()
    assert statuses.count(200) > 20, "the walk must reach pages"


def known_file(answer, address) -> bool:
    """Whether an answer promises, by its ETag, the very file that was searched for another caller."""
    return (answer.headers.get("ETag", "").strip('"'), "flights" in address) in _clean


def asker(world, who, other_client):
    """Return a function that asks for an address as `who`."""
    if who in ACCOUNTS:
        return world.login(who).get
    if who == "visitor":
        return world.visitor().get
    token = world.token() if "another" not in who else world.ask_token(basic=other_client).json["access_token"]
    header = basic_header(f"any:{token}") if who == "client by Basic" else f"Bearer {token}"
    return lambda address: world.visitor().get(address, headers={"Authorization": header})


def addresses(world, case):
    """Yield every address that a GET route has, its blanks filled with all that exists."""
    filled = {
        "dataset_id": names(world, "dataset"), "grant_id": names(world, '"grant"'),
        "id": names(world, "application"), "unit_id": names(world, "unit"), "notice_id": ["1"],
        "event_id": names(world, "event")[:3], "domain": ["transport", "common", "tourism"], "code": ["en", "zh"],
        "filename": ["plain.css"], "name": [*SCRIPTS, *data_rules.FILES, "applicant", "developer", "dark"],
        "step": list(StepName), "edition": ["2026-1"], "request_id": [*refused_requests(world), "1"],
        "recall_id": ["1"], "run_id": ["1"], "upload_id": ["1"],
        "number": [number for (number,) in world.found("select number from application where number is not null")],
    }  # fmt: skip
    assert case in filled["id"]
    for rule in sorted(world.app.url_map.iter_rules(), key=str):
        if "GET" in (rule.methods or ()):
            blanks = sorted(rule.arguments)
            fitting = filled | ({"number": ["1"]} if "<int:number>" in rule.rule else {})  # of a part, of a version
            for values in itertools.product(*(fitting[blank] for blank in blanks)):
                yield str(rule.build(dict(zip(blanks, values, strict=True)))[1])  # type: ignore[index]
    yield from ("/applications/new?dataset=parking-records", "/datasets?q=号牌", "/audit/events?kind=grant:issue")
    yield from (f"/problems/{kind.code}" for kind in itertools.islice(kinds_of(Refusal), 5))


def refused_requests(world):
    return [id for (id,) in world.found("select id from refused_request order by id")]


def data_addresses(world):
    """Yield the data plane's addresses that ask for what is hidden."""
    grants = ["", *(f"&grant={grant}" for grant in names(world, '"grant"'))]
    for dataset, column in HIDDEN.items():
        every = world.found("select name from datasetcolumn where dataset_id = :id order by position", id=dataset)
        for chosen in (column, ",".join(name for (name,) in every), column.upper(), f"lot_id,{column}"):
            yield from (f"/api/v1/datasets/{dataset}/rows?select={chosen}{grant}" for grant in grants)
        for name in (*data_rules.FILES, f"{column}.csv", "raw.parquet"):
            yield from (f"/api/v1/datasets/{dataset}/files/{name}?columns={column}{grant}" for grant in grants)


def names(world, table):
    return [name for (name,) in world.found(f"select id from {table} order by id")]


# ---- every byte ------------------------------------------------------------------------------------------------------


def test_no_released_byte_holds_a_plate_or_the_name_of_its_column(world):
    searched = Searched(world)
    views = sorted((world.settings.home / "store" / "views").iterdir())
    assert len([view for view in views if view.suffix == ".parquet"]) >= 5
    restricted = {key for (key,) in world.found(
        "select part.key from releasedview join view_part part on part.view_id = releasedview.id"
        " where grant_id is not null"
    )}  # fmt: skip
    assert restricted <= {f"views/{view.name}" for view in views}
    for view in views:
        searched.demand_clean(view.read_bytes(), f"flights {view.name}" if view.suffix == ".parquet" else view.name)
        if view.suffix == ".parquet":
            demand_clean_footer(view, searched)
        else:
            header = next(csv.reader(io.StringIO(view.read_bytes()[:4096].decode(errors="ignore"))))
            assert not {"plate", "tailnum"} & set(header)


def demand_clean_footer(view, searched):
    """Check the footer: its bytes, the schema and the statistics of every column chunk."""
    held = footer(view)
    assert b"plate" not in held and b"tailnum" not in held and not searched.in_bytes(held)
    metadata = pq.read_metadata(view)
    assert not {"plate", "tailnum"} & set(metadata.schema.names)
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            found = metadata.row_group(group).column(column).statistics
            if found is not None and found.has_min_max:
                ends = {plain(str(end)) for end in (found.min, found.max)}
                assert not ends & (searched.plates | searched.tails)


def test_the_search_finds_what_it_looks_for(world):
    searched = Searched(world)
    plate, tail = sorted(raw(world, "parking-records"))[0], sorted(searched.tails)[0]
    table = io.BytesIO()
    pq.write_table(pa.table({"lot": [plate]}), table, compression="zstd")
    for body, where in (
        (f"<p>{plate}</p>".encode(), "a"),
        (f'["{tail}"]'.encode(), "flights"),
        (table.getvalue(), "b"),
    ):
        with pytest.raises(AssertionError):
            searched.demand_clean(body, where)
