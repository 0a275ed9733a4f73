"""Synthetic tables for the demonstration: generated from a fixed seed, about nobody.

Only `random()` of the generator is used: its sequence for a seed is promised to stay the same, so the same seed gives
the same bytes on every machine.
"""

from bisect import bisect
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from service.base.beijing import BEIJING
from service.catalogue.engine.hangzhou import CAR_PARKS, CHECKPOINTS, CLINICS, DEPARTMENTS, HOTELS, ORIGINS, SURNAMES

T = TypeVar("T")
Rows = dict[str, list[Any]]

FIRST_DAY = date(2026, 3, 2)  # a Monday
PARKING_DAYS, PARKING_ROWS = 28, 20_000
PASSING_DAYS, PASSING_ROWS = 3, 60_000
VISITS, CHECK_INS = 8_000, 6_000
SMALLEST_CELL = 10
# Relative traffic by hour of the day, from midnight.
BY_HOUR = (2, 1, 1, 1, 1, 3, 8, 16, 18, 12, 10, 10, 11, 10, 10, 11, 13, 18, 16, 11, 8, 6, 4, 3)
VEHICLES = (("小型汽车", 70), ("新能源小型汽车", 24), ("大型汽车", 4), ("挂车", 2))


class Chance:
    """Draws that depend on nothing but the seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def below(self, limit: int) -> int:
        """Return a whole number from 0 up to but not including `limit`."""
        return int(self._random.random() * limit)

    def one(self, things: Sequence[T]) -> T:
        return things[self.below(len(things))]

    def weighted(self, things: Sequence[T], ends: Sequence[int]) -> T:
        """Return one of `things`; `ends` are their running totals of weight."""
        return things[bisect(ends, self.below(ends[-1]))]


_HOUR_ENDS = list(accumulate(BY_HOUR))
_VEHICLE_NAMES = [name for name, _weight in VEHICLES]
_VEHICLE_ENDS = list(accumulate(weight for _name, weight in VEHICLES))


def write(name: str, seed: int, folder: Path) -> Path:
    """Generate the table `name` into `folder` and return its Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = GENERATORS[name](Chance(seed))
    file = folder / "generated.parquet"
    pq.write_table(pa.table(rows), file)
    return file


def parking_records(chance: Chance) -> Rows:
    """Entries to and exits from car parks, in steps of 15 minutes.  Plates are of a series that is never issued."""
    fleet = [(f"浙A·T{n:04d}", chance.weighted(_VEHICLE_NAMES, _VEHICLE_ENDS)) for n in range(6_000)]
    entries = sorted(_moment(chance, PARKING_DAYS, step=15) for _ in range(PARKING_ROWS))
    rows = []
    for entered in entries:
        plate, vehicle = chance.one(fleet)
        lot = chance.one(CAR_PARKS)
        stayed = 15 * (1 + chance.below(8) * (1 + chance.below(5)))
        rows.append((plate, *lot, entered, entered + timedelta(minutes=stayed), stayed, vehicle))
    names = ("plate", "lot_id", "lot_name", "district", "entry_time", "exit_time", "duration_min", "vehicle_type")
    return _table(names, rows)


def passing_records(chance: Chance) -> Rows:
    """Vehicles passing the checkpoints of main roads, to the second."""
    fleet = [(f"浙A·T{n:04d}", chance.weighted(_VEHICLE_NAMES, _VEHICLE_ENDS)) for n in range(9_000)]
    moments = sorted(_moment(chance, PASSING_DAYS, step=0) for _ in range(PASSING_ROWS))
    rows = []
    for passed in moments:
        plate, vehicle = chance.one(fleet)
        checkpoint = chance.one(CHECKPOINTS)
        slow = 12 if passed.astimezone(BEIJING).hour in (7, 8, 17, 18) else 0
        rows.append((plate, *checkpoint, passed, chance.one(("进城", "出城")), 22 + chance.below(40) - slow, vehicle))
    names = (
        "plate", "checkpoint_id", "road_name", "district", "pass_time", "direction", "speed_kmh", "vehicle_type",
    )  # fmt: skip
    return _table(names, rows)


def road_traffic(chance: Chance) -> Rows:
    """The passing records of the same seed, counted by road and quarter of an hour; small cells are left out."""
    source = passing_records(chance)
    cells: dict[tuple[datetime, str, str], list[int]] = {}
    keys = zip(source["pass_time"], source["road_name"], source["district"], source["speed_kmh"], strict=True)
    for passed, road, district, speed in keys:
        cell = passed.replace(minute=passed.minute // 15 * 15, second=0)
        cells.setdefault((cell, road, district), []).append(speed)
    rows = [
        (road, district, cell, len(speeds), round(sum(speeds) / len(speeds), 1))
        for (cell, road, district), speeds in sorted(cells.items())
        if len(speeds) >= SMALLEST_CELL
    ]
    return _table(("road_name", "district", "period_start", "vehicles", "mean_speed_kmh"), rows)


def clinic_visits(chance: Chance) -> Rows:
    """Visits of patients who do not exist to departments of clinics."""
    rows = []
    for number in range(VISITS):
        clinic, district = chance.one(CLINICS)
        department, codes = chance.one(DEPARTMENTS)
        day = FIRST_DAY + timedelta(days=chance.below(60))
        band = chance.one(("0-14", "15-29", "30-44", "45-59", "60+"))
        name = f"{chance.one(SURNAMES)}测{number % 1_000:03d}"
        sex, code, fee = chance.one(("男", "女")), chance.one(codes), round(20 + chance.below(48_000) / 100, 2)
        serial = f"SYN{day:%Y%m%d}{number:05d}"
        rows.append((serial, name, sex, band, clinic, district, department, day, code, fee))
    names = (
        "visit_no", "patient_name", "gender", "age_band", "clinic", "district", "department", "visit_date", "icd10",
        "fee_yuan",
    )  # fmt: skip
    return _table(names, sorted(rows, key=lambda row: (row[7], row[0])))


def hotel_checkins(chance: Chance) -> Rows:
    """Check-ins of guests who do not exist.  Their identity numbers begin with 000000, no place on earth."""
    rows = []
    for number in range(CHECK_INS):
        hotel, district = chance.one(HOTELS)
        arrived = _moment(chance, 30, step=1)
        left = arrived + timedelta(days=1 + chance.below(4))
        born = date(1950, 1, 1) + timedelta(days=chance.below(20_000))
        identity = f"000000{born:%Y%m%d}{number % 1_000:03d}X"
        name = f"{chance.one(SURNAMES)}测{number % 1_000:03d}"
        room = f"{2 + chance.below(18)}{1 + chance.below(30):02d}"
        rows.append((name, identity, chance.one(ORIGINS), hotel, district, room, arrived, left))
    names = ("guest_name", "identity_no", "origin_region", "hotel", "district", "room", "checkin_time", "checkout_time")
    return _table(names, sorted(rows, key=lambda row: (row[6], row[1])))


GENERATORS: dict[str, Callable[[Chance], Rows]] = {
    "parking_records": parking_records,
    "passing_records": passing_records,
    "road_traffic": road_traffic,
    "clinic_visits": clinic_visits,
    "hotel_checkins": hotel_checkins,
}


def _moment(chance: Chance, days: int, *, step: int) -> datetime:
    """Return an instant within `days` from the first day, busier by day; in steps of `step` minutes, 0 for seconds."""
    minute = chance.below(60)
    second = chance.below(60) if step == 0 else 0
    hour = chance.weighted(range(24), _HOUR_ENDS)
    day = FIRST_DAY + timedelta(days=chance.below(days))
    return datetime(day.year, day.month, day.day, hour, minute // max(step, 1) * max(step, 1), second, tzinfo=BEIJING)


def _table(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Rows:
    return {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
