"""Records of single vehicles, patients and guests: what stands closed, and what is counted from it."""

from datetime import date, datetime, timedelta
from itertools import accumulate

from service.base.beijing import BEIJING
from service.catalogue.engine.hangzhou import CAR_PARKS, CHECKPOINTS, CLINICS, DEPARTMENTS, HOTELS, ORIGINS, SURNAMES
from service.catalogue.engine.synthetic.chance import FIRST_DAY, SMALLEST_CELL, Chance, Rows, moment_in, table

PARKING_DAYS, PARKING_ROWS = 28, 20_000
PASSING_DAYS, PASSING_ROWS = 3, 30_000
VISITS, CHECK_INS = 8_000, 6_000
VEHICLES = (("小型汽车", 70), ("新能源小型汽车", 24), ("大型汽车", 4), ("挂车", 2))
VEHICLE_NAMES = [name for name, _weight in VEHICLES]
VEHICLE_ENDS = list(accumulate(weight for _name, weight in VEHICLES))


def parking_records(chance: Chance) -> Rows:
    """Entries to and exits from car parks, in steps of 15 minutes.  Plates are of a series that is never issued."""
    fleet = [(f"浙A·T{n:04d}", chance.weighted(VEHICLE_NAMES, VEHICLE_ENDS)) for n in range(6_000)]
    entries = sorted(moment_in(chance, PARKING_DAYS, step=15) for _ in range(PARKING_ROWS))
    rows = []
    for entered in entries:
        plate, vehicle = chance.one(fleet)
        lot = chance.one(CAR_PARKS)
        stayed = 15 * (1 + chance.below(8) * (1 + chance.below(5)))
        rows.append((plate, *lot, entered, entered + timedelta(minutes=stayed), stayed, vehicle))
    names = ("plate", "lot_id", "lot_name", "district", "entry_time", "exit_time", "duration_min", "vehicle_type")
    return table(names, rows)


def passing_records(chance: Chance) -> Rows:
    """Vehicles passing the checkpoints of main roads, to the second."""
    fleet = [(f"浙A·T{n:04d}", chance.weighted(VEHICLE_NAMES, VEHICLE_ENDS)) for n in range(9_000)]
    moments = sorted(moment_in(chance, PASSING_DAYS, step=0) for _ in range(PASSING_ROWS))
    rows = []
    for passed in moments:
        plate, vehicle = chance.one(fleet)
        checkpoint = chance.one(CHECKPOINTS)
        slow = 12 if passed.astimezone(BEIJING).hour in (7, 8, 17, 18) else 0
        rows.append((plate, *checkpoint, passed, chance.one(("进城", "出城")), 22 + chance.below(40) - slow, vehicle))
    names = (
        "plate", "checkpoint_id", "road_name", "district", "pass_time", "direction", "speed_kmh", "vehicle_type",
    )  # fmt: skip
    return table(names, rows)


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
    return table(("road_name", "district", "period_start", "vehicles", "mean_speed_kmh"), rows)


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
    return table(names, sorted(rows, key=lambda row: (row[7], row[0])))


def hotel_checkins(chance: Chance) -> Rows:
    """Check-ins of guests who do not exist.  Their identity numbers begin with 000000, no place on earth."""
    rows = []
    for number in range(CHECK_INS):
        hotel, district = chance.one(HOTELS)
        arrived = moment_in(chance, 30, step=1)
        left = arrived + timedelta(days=1 + chance.below(4))
        born = date(1950, 1, 1) + timedelta(days=chance.below(20_000))
        identity = f"000000{born:%Y%m%d}{number % 1_000:03d}X"
        name = f"{chance.one(SURNAMES)}测{number % 1_000:03d}"
        room = f"{2 + chance.below(18)}{1 + chance.below(30):02d}"
        rows.append((name, identity, chance.one(ORIGINS), hotel, district, room, arrived, left))
    names = ("guest_name", "identity_no", "origin_region", "hotel", "district", "room", "checkin_time", "checkout_time")
    return table(names, sorted(rows, key=lambda row: (row[6], row[1])))


def outpatient_fees(chance: Chance) -> Rows:
    """The visits of the same seed, summed up by district, department and month; small cells are left out."""
    source = clinic_visits(chance)
    cells: dict[tuple[date, str, str], list[float]] = {}
    keys = zip(source["visit_date"], source["district"], source["department"], source["fee_yuan"], strict=True)
    for day, district, department, fee in keys:
        cells.setdefault((day.replace(day=1), district, department), []).append(fee)
    rows = [
        (month, district, department, len(fees), round(sum(fees), 2), round(sum(fees) / len(fees), 2))
        for (month, district, department), fees in sorted(cells.items())
        if len(fees) >= SMALLEST_CELL
    ]
    return table(("month", "district", "department", "visits", "fees_yuan", "mean_fee_yuan"), rows)


MAKERS = (parking_records, passing_records, road_traffic, clinic_visits, hotel_checkins, outpatient_fees)
