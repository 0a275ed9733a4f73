"""Moving about and visiting: buses, ordered rides, charging, car parks, sights, hotels."""

from datetime import timedelta

from service.base.beijing import BEIJING
from service.catalogue.engine.hangzhou import CAR_PARKS, DISTRICTS, PLACES, SIGHTS, SURNAMES
from service.catalogue.engine.synthetic.chance import (
    BY_HOUR,
    SMALLEST_CELL,
    Chance,
    Rows,
    at,
    days,
    moment_in,
    table,
)

ORDERS, SESSIONS, COMPLAINTS = 9_000, 6_000, 900
BUS_DAYS, SIGHT_DAYS, HOTEL_DAYS = 7, 7, 90
QUARTERS = (0, 15, 30, 45)


def bus_ridership(chance: Chance) -> Rows:
    """Boardings and alightings by line, direction and quarter of an hour; small cells are left out."""
    rows = []
    lines = [f"{number}路" for number in (7, 10, 19, 27, 28, 31, 56, 77, 102, 179)]
    for line in lines:
        for direction in ("上行", "下行"):
            for day in days(BUS_DAYS):
                for hour in range(6, 22):
                    for minute in QUARTERS:
                        on = round(chance.around(BY_HOUR[hour] * 6, BY_HOUR[hour] * 3))
                        off = round(chance.around(on, on / 4))
                        trips = 1 + BY_HOUR[hour] // 6
                        rows.append((line, direction, at(day, hour, minute), trips, on, off))
    kept = [row for row in rows if min(row[4:]) >= SMALLEST_CELL]
    return table(("line", "direction", "period_start", "trips", "boardings", "alightings"), kept)


def ride_hailing_orders(chance: Chance) -> Rows:
    """Ordered rides of passengers and drivers who do not exist.  Plates and licences are of no series in use."""
    rows = []
    for number in range(ORDERS):
        picked = moment_in(chance, 7, step=1)
        km = round(1 + min(chance.low(300), chance.low(300)) / 10, 1)
        dropped = picked + timedelta(minutes=4 + int(km * (2 + chance.below(2))))
        start, end = chance.low(len(DISTRICTS)), chance.low(len(DISTRICTS))
        driver = chance.below(1_500)
        rows.append(
            (
                f"SYNO{number:06d}", f"浙A·D{driver:04d}", f"000000SYN{driver:05d}", picked, dropped,
                f"{DISTRICTS[start]}{PLACES[start]}", f"{DISTRICTS[end]}{PLACES[end]}", DISTRICTS[start], km,
                round(11 + km * 2.4, 2), chance.one(("快车", "快车", "快车", "拼车", "专车")),
            )
        )  # fmt: skip
    names = (
        "order_no", "plate", "driver_licence", "pickup_time", "dropoff_time", "origin", "destination", "district",
        "distance_km", "fare_yuan", "service",
    )  # fmt: skip
    return table(names, sorted(rows, key=lambda row: (row[3], row[0])))


def ride_hailing_hourly(chance: Chance) -> Rows:
    """The ordered rides of the same seed, counted by district and hour of the week's days; small cells left out."""
    source = ride_hailing_orders(chance)
    cells: dict[tuple[str, int], list[tuple[float, float]]] = {}
    keys = zip(source["district"], source["pickup_time"], source["distance_km"], source["fare_yuan"], strict=True)
    for district, picked, km, fare in keys:
        cells.setdefault((district, picked.astimezone(BEIJING).hour), []).append((km, fare))
    rows = [
        (
            district, hour, len(rides), round(sum(km for km, _fare in rides) / len(rides), 1),
            round(sum(fare for _km, fare in rides) / len(rides), 2),
        )
        for (district, hour), rides in sorted(cells.items())
        if len(rides) >= SMALLEST_CELL
    ]  # fmt: skip
    return table(("district", "hour", "orders", "mean_km", "mean_fare_yuan"), rows)


def charging_sessions(chance: Chance) -> Rows:
    """Sessions at invented charging stations; the account key is a stable pseudonym of nobody."""
    rows = []
    for number in range(SESSIONS):
        station = chance.low(40)
        begun = moment_in(chance, 28, step=15)
        minutes = 15 * (1 + chance.below(10))
        power = chance.one(("直流快充", "直流快充", "交流慢充"))
        kwh = round(minutes / 60 * (48 if power == "直流快充" else 7) * chance.around(0.8, 0.15), 1)
        rows.append(
            (
                f"SYNC{number:06d}", f"k{chance.below(2_400):05d}", f"C{station + 1:03d}", DISTRICTS[station % 10],
                power, begun, minutes, kwh, round(kwh * 1.25, 2),
            )
        )  # fmt: skip
    names = (
        "session_no", "account_key", "station_id", "district", "power", "started", "duration_min", "energy_kwh",
        "fee_yuan",
    )  # fmt: skip
    return table(names, sorted(rows, key=lambda row: (row[5], row[0])))


def car_parks(chance: Chance) -> Rows:
    """The car parks of the entries and exits, with capacity and price."""
    rows = [
        (
            lot,
            name,
            district,
            80 + 10 * chance.below(60),
            4 + chance.below(40),
            float(5 + chance.below(6)),
            "00:00-24:00",
        )
        for lot, name, district in CAR_PARKS
    ]
    return table(("lot_id", "lot_name", "district", "spaces", "chargers", "yuan_per_hour", "open_hours"), rows)


def sight_visitors(chance: Chance) -> Rows:
    """Visitors in sights by quarter of an hour."""
    rows = []
    for sight, district, capacity in SIGHTS:
        for day in days(SIGHT_DAYS):
            weekend = 1.7 if day.weekday() >= 5 else 1.0
            for hour in range(8, 19):
                for minute in QUARTERS:
                    share = (0.12 + 0.3 * (1 - abs(hour + minute / 60 - 13.5) / 6)) * weekend
                    inside = max(0, round(capacity * chance.around(share, 0.05)))
                    rows.append(
                        (sight, district, at(day, hour, minute), inside, capacity, round(100 * inside / capacity, 1))
                    )
    return table(("sight", "district", "observed_at", "visitors", "capacity", "load_pct"), rows)


def hotel_occupancy(chance: Chance) -> Rows:
    """Rooms let by district and day."""
    rows = []
    for district in DISTRICTS:
        rooms = 1_500 + 100 * chance.below(60)
        for day in days(HOTEL_DAYS):
            share = chance.around(0.78 if day.weekday() >= 4 else 0.6, 0.12)
            sold = round(rooms * share)
            rows.append(
                (day, district, 20 + rooms // 90, rooms, sold, round(100 * share, 1), round(chance.around(420, 90)))
            )
    names = ("day", "district", "hotels", "rooms", "rooms_let", "occupancy_pct", "mean_price_yuan")
    return table(names, sorted(rows, key=lambda row: (row[0], row[1])))


def tourism_complaints(chance: Chance) -> Rows:
    """Complaints of visitors who do not exist."""
    texts = ("导游擅自增加购物点", "酒店实际与宣传不符", "景区停车收费不透明", "退票未按约定退款", "餐饮价格未明示")
    kinds = ("导游服务", "住宿", "停车收费", "退改", "餐饮")
    rows = []
    for number in range(COMPLAINTS):
        kind = chance.low(len(kinds))
        taken = moment_in(chance, 60, step=15)
        who = f"{chance.one(SURNAMES)}测{number % 1_000:03d}"
        rows.append(
            (
                f"SYNT{number:05d}", taken, kinds[kind], chance.early(DISTRICTS),
                f"示例旅行社{1 + chance.below(30):02d}", who, f"100{chance.below(10**8):08d}",
                f"{texts[kind]}，要求处理。（合成）", 50 * chance.below(60), 1 + chance.below(15),
                chance.one(("已办结", "已办结", "办理中")),
            )
        )  # fmt: skip
    names = (
        "complaint_no", "received_at", "kind", "district", "agency", "complainant", "phone", "content", "amount_yuan",
        "handled_days", "status",
    )  # fmt: skip
    return table(names, sorted(rows, key=lambda row: (row[1], row[0])))


MAKERS = (
    bus_ridership, ride_hailing_orders, ride_hailing_hourly, charging_sessions, car_parks, sight_visitors,
    hotel_occupancy, tourism_complaints,
)  # fmt: skip
