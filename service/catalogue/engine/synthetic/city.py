"""Air, weather, power and safety."""

from datetime import timedelta

from service.catalogue.engine.hangzhou import DISTRICTS, PLACES, STREETS, firm
from service.catalogue.engine.synthetic.chance import FIRST_DAY, Chance, Rows, at, days, months, table

DAYS, INSPECTIONS, LICENCES = 14, 3_000, 700


def air_quality(chance: Chance) -> Rows:
    """Hourly means of invented stations."""
    rows = []
    for place, district in zip(PLACES, DISTRICTS, strict=True):
        for day in days(DAYS):
            level = chance.around(38, 22)
            for hour in range(24):
                fine = max(3, round(chance.around(level, 10)))
                ozone = max(5, round(chance.around(60 + 70 * (1 - abs(hour - 14) / 14), 20)))
                index = max(round(fine * 1.35), round(ozone * 0.5))
                grade = "优" if index <= 50 else "良" if index <= 100 else "轻度污染"
                rows.append(
                    (
                        f"{place}站（合成）",
                        district,
                        at(day, hour),
                        index,
                        grade,
                        fine,
                        round(fine * chance.around(1.6, 0.3)),
                        round(chance.around(32, 14)),
                        ozone,
                    )
                )
    names = ("station", "district", "hour", "aqi", "grade", "pm25", "pm10", "no2", "o3")
    return table(names, sorted(rows, key=lambda row: (row[2], row[0])))


def weather_observations(chance: Chance) -> Rows:
    """Hourly observations of invented automatic stations."""
    rows = []
    for number, (place, district) in enumerate(zip(PLACES, DISTRICTS, strict=True)):
        for day in days(DAYS):
            mean, wet = chance.around(12, 6), chance.below(3) == 0
            for hour in range(24):
                warm = round(chance.around(mean + 5 * (1 - abs(hour - 14) / 7), 0.8), 1)
                rain = round(chance.below(60) / 10, 1) if wet and chance.below(3) == 0 else 0.0
                rows.append(
                    (
                        f"K{number + 1:04d}",
                        f"{place}自动站（合成）",
                        district,
                        at(day, hour),
                        warm,
                        round(chance.around(85 if wet else 62, 12)),
                        rain,
                        round(chance.around(2.4, 2.2), 1),
                        round(chance.around(1_016, 6), 1),
                    )
                )
    names = (
        "station_id",
        "station",
        "district",
        "observed_at",
        "temp_c",
        "humidity_pct",
        "rain_mm",
        "wind_ms",
        "pressure_hpa",
    )
    return table(names, sorted(rows, key=lambda row: (row[3], row[0])))


def electricity_use(chance: Chance) -> Rows:
    """Electricity by township, class of use and month, in MWh."""
    rows = []
    for street, district in STREETS:
        for kind, size in (("居民生活", 5_200), ("工商业", 11_000), ("农业生产", 400)):
            for month in months(24):
                season = 1.35 if month.month in (7, 8, 1) else 1.0
                users = 40 + chance.below(60) if kind == "农业生产" else 800 + chance.below(9_000)
                rows.append((month, district, street, kind, users, round(chance.around(size, size * 0.3) * season, 1)))
    names = ("month", "district", "street", "use_class", "users", "energy_mwh")
    return table(names, sorted(rows, key=lambda row: row[:4]))


def fire_inspections(chance: Chance) -> Rows:
    """Inspections of invented premises, with the inspector's notes that stay inside."""
    found = ("疏散通道被占用", "灭火器过期", "应急照明损坏", "未发现隐患", "未发现隐患")
    kinds = ("商场市场", "宾馆饭店", "公共娱乐场所", "学校", "医院", "劳动密集型企业")
    rows = []
    for number in range(INSPECTIONS):
        street, district = chance.one(STREETS)
        day = FIRST_DAY - timedelta(days=chance.below(180))
        what = found[-1 - chance.low(len(found))]
        result = "合格" if what == "未发现隐患" else chance.one(("责令改正", "责令改正", "行政处罚"))
        rows.append(
            (
                f"SYNX{number:05d}",
                day,
                chance.early(kinds),
                f"示例单位{chance.below(1_200):04d}",
                district,
                street,
                what,
                result,
                f"检查笔录第{number}号（合成）",
            )
        )
    names = (
        "inspection_no",
        "inspected_on",
        "premises_kind",
        "premises",
        "district",
        "street",
        "finding",
        "result",
        "notes",
    )
    return table(names, sorted(rows, key=lambda row: (row[1], row[0])))


def safety_licences(chance: Chance) -> Rows:
    """Work safety licences of invented firms; what is stored there is nobody's business."""
    kinds = ("危险化学品经营", "建筑施工", "非煤矿山", "烟花爆竹经营")
    rows = []
    for number in range(LICENCES):
        name, code, _industry = firm(number * 5 % 4_000)
        begun = FIRST_DAY - timedelta(days=chance.below(1_000))
        kind = kinds[number % len(kinds)]
        stock = f"示例品种{chance.below(40):02d} {1 + chance.below(90)}吨" if kind == "危险化学品经营" else ""
        rows.append(
            (
                f"（合成）安许证字{number + 1:05d}",
                name,
                code,
                kind,
                chance.one(DISTRICTS),
                begun,
                begun + timedelta(days=1_095),
                stock or None,
            )
        )
    names = ("licence_no", "firm", "uscc", "kind", "district", "valid_from", "valid_until", "stock")
    return table(names, rows)


MAKERS = (air_quality, weather_observations, electricity_use, fire_inspections, safety_licences)
