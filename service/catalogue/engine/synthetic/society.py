"""Schools, health, welfare, law and what people call the hotline about."""

from service.catalogue.engine.hangzhou import DISTRICTS, PLACES, STREETS, SURNAMES
from service.catalogue.engine.synthetic.chance import (
    SMALLEST_CELL,
    Chance,
    Rows,
    moment_in,
    months,
    table,
)

PUPILS, CALLS = 3_000, 6_000
SUBJECTS = ("语文", "数学", "英语", "科学")
TRADES = ("电工", "养老护理", "家政服务", "网约配送", "数控加工", "西式面点", "电子商务", "人工智能训练")
VACCINES = ("乙肝疫苗", "流感疫苗", "肺炎球菌疫苗", "人乳头瘤病毒疫苗", "带状疱疹疫苗")
DRUGS = (
    "阿莫西林胶囊", "二甲双胍片", "氨氯地平片", "阿托伐他汀片", "奥美拉唑胶囊", "头孢克肟片", "氯雷他定片",
    "布洛芬缓释胶囊", "厄贝沙坦片", "格列美脲片", "孟鲁司特片", "左氧氟沙星片", "氯吡格雷片", "美托洛尔片",
    "恩替卡韦片", "蒙脱石散",
)  # fmt: skip
CRAFTS = (
    "竹编技艺",
    "剪纸",
    "蚕桑丝织",
    "米塑",
    "龙灯",
    "制扇技艺",
    "黄酒酿造",
    "灯彩",
    "皮影戏",
    "篆刻",
    "茶制作技艺",
    "民间故事",
)


def school_places(chance: Chance) -> Rows:
    """Places and zones of invented primary and middle schools."""
    rows = []
    for number in range(120):
        street, district = STREETS[number % len(STREETS)]
        stage = "小学" if number % 3 else "初中"
        classes = 4 + chance.below(9)
        places = classes * (45 if stage == "小学" else 50)
        zone = f"{street.removesuffix('（合成）')}第{1 + number % 4}片区"
        rows.append(
            (
                f"示例{number + 1:03d}{stage}",
                district,
                stage,
                zone,
                classes,
                places,
                round(places * chance.around(0.9, 0.1)),
            )
        )
    return table(("school", "district", "stage", "zone", "classes", "places", "enrolled"), rows)


def student_scores(chance: Chance) -> Rows:
    """Scores of pupils who do not exist."""
    rows = []
    for number in range(PUPILS):
        school = chance.below(120)
        name = f"{chance.one(SURNAMES)}测{number % 1_000:03d}"
        place = (f"示例{school + 1:03d}小学", DISTRICTS[school % 10], f"{1 + chance.below(6)}年级")
        for subject in SUBJECTS:
            rows.append(
                (f"SYNG{number:06d}", name, chance.one(("男", "女")), *place, subject, round(chance.around(82, 18), 1))
            )
    return table(("student_no", "student_name", "gender", "school", "district", "grade", "subject", "score"), rows)


def vocational_training(chance: Chance) -> Rows:
    """Training subsidised by the city, by district, trade and month; small cells are left out."""
    rows = []
    for month in months(18):
        for district in DISTRICTS:
            for trade in TRADES:
                enrolled = round(chance.around(60, 58))
                passed = round(enrolled * chance.around(0.85, 0.12))
                rows.append((month, district, trade, 1 + enrolled // 40, enrolled, passed, enrolled * 900))
    kept = [row for row in rows if min(row[4:6]) >= SMALLEST_CELL]
    return table(("month", "district", "trade", "courses", "enrolled", "certified", "subsidy_yuan"), kept)


def drug_prices(chance: Chance) -> Rows:
    """Prices that invented makers offered in the city's joint purchase."""
    rows = []
    for batch in range(1, 9):
        for drug in DRUGS:
            pack = chance.one(("10片/盒", "20片/盒", "28片/盒", "30片/盒"))
            before = round(8 + chance.below(6_000) / 100, 2)
            won = round(before * chance.around(0.42, 0.2), 2)
            maker = f"示例药业{1 + chance.below(24):02d}"
            rows.append(
                (
                    f"第{batch}批",
                    drug,
                    pack,
                    maker,
                    before,
                    won,
                    round(100 * (1 - won / before), 1),
                    1_000 * (1 + chance.below(80)),
                )
            )
    names = ("batch", "drug", "pack", "maker", "price_before_yuan", "price_won_yuan", "drop_pct", "packs_a_year")
    return table(names, rows)


def vaccinations(chance: Chance) -> Rows:
    """Doses by district, month, vaccine and age; small cells are left out."""
    rows = [
        (month, district, vaccine, band, round(chance.around(220, 215)))
        for month in months(12)
        for district in DISTRICTS
        for vaccine in VACCINES
        for band in ("0-14", "15-44", "45-59", "60+")
    ]
    kept = [row for row in rows if row[4] >= SMALLEST_CELL]
    return table(("month", "district", "vaccine", "age_band", "doses"), kept)


def elderly_homes(chance: Chance) -> Rows:
    """Invented homes for the elderly."""
    rows = []
    for number in range(110):
        street, district = STREETS[number % len(STREETS)]
        beds = 40 + 10 * chance.below(30)
        stars, kind = 1 + chance.below(5), chance.one(("公办", "公建民营", "民办"))
        address = f"{district}{street}示例路{1 + chance.below(300)}号"
        rows.append(
            (
                f"示例{PLACES[number % 10]}养老院{number + 1:03d}",
                district,
                address,
                kind,
                stars,
                beds,
                beds // 4,
                f"0571-0000{number:04d}",
            )
        )
    return table(("home", "district", "address", "kind", "stars", "beds", "nursing_beds", "office_phone"), rows)


def social_insurance(chance: Chance) -> Rows:
    """Insured persons by district, kind of insurance and month, in hundreds."""
    kinds = ("职工养老", "城乡居民养老", "基本医疗", "失业", "工伤")
    rows = []
    for district in DISTRICTS:
        for kind in kinds:
            insured = 100 * (1_500 + chance.below(6_000))
            for month in months(24):
                insured += 100 * chance.below(12)
                rows.append((month, district, kind, insured, round(insured * chance.around(0.95, 0.02) / 100) * 100))
    return table(("month", "district", "insurance", "insured", "paying"), sorted(rows, key=lambda row: row[:3]))


def hotline_requests(chance: Chance) -> Rows:
    """Calls to the city's hotline by nobody; the text is made of set phrases."""
    kinds = (
        ("噪声扰民", "夜间施工噪声影响休息"), ("停车管理", "小区周边停车位不足"), ("物业服务", "电梯故障多日未修"),
        ("公交出行", "班次间隔过长"), ("消费维权", "预付卡退费困难"), ("环境卫生", "垃圾清运不及时"),
    )  # fmt: skip
    rows = []
    for number in range(CALLS):
        kind, text = chance.early(kinds)
        street, district = chance.early(STREETS)
        taken = moment_in(chance, 28, step=1)
        rows.append(
            (
                f"SYNH{number:06d}", taken, kind, district, street, f"100{chance.below(10**8):08d}",
                f"{text}，请协调处理。（合成）", chance.one(("已办结", "已办结", "已办结", "办理中")),
                1 + chance.below(12), chance.one(("满意", "满意", "基本满意", "不满意")),
            )
        )  # fmt: skip
    names = (
        "request_no", "received_at", "kind", "district", "street", "caller_phone", "content", "status", "handled_days",
        "verdict",
    )  # fmt: skip
    return table(names, sorted(rows, key=lambda row: (row[1], row[0])))


def legal_services(chance: Chance) -> Rows:
    """Invented offices of public legal service."""
    kinds = ("公共法律服务中心", "法律援助工作站", "人民调解室", "公证处")
    rows = []
    for number in range(160):
        street, district = STREETS[number % len(STREETS)]
        kind = kinds[number % len(kinds)]
        address = f"{district}{street}示例路{1 + chance.below(300)}号"
        rows.append(
            (
                f"示例{PLACES[number % 10]}{kind}{number + 1:03d}",
                kind,
                district,
                address,
                f"0571-0001{number:04d}",
                "周一至周五 09:00-17:00",
                2 + chance.below(9),
            )
        )
    return table(("office", "kind", "district", "address", "office_phone", "open_hours", "staff"), rows)


def heritage_items(chance: Chance) -> Rows:
    """Invented items of the intangible heritage, with the bearers that a public list would name."""
    rows = []
    for number in range(96):
        craft, place = CRAFTS[number % len(CRAFTS)], number // len(CRAFTS)
        level = chance.one(("省级", "市级", "市级", "区县级"))
        bearer = f"{chance.one(SURNAMES)}测{number:03d}"
        kind = "传统技艺" if craft.endswith("技艺") else chance.one(("传统美术", "民俗", "曲艺", "民间文学"))
        rows.append(
            (
                f"SYNF{number + 1:03d}",
                f"{PLACES[place]}{craft}",
                kind,
                level,
                DISTRICTS[place],
                2006 + chance.below(19),
                bearer,
            )
        )
    return table(("item_no", "item", "kind", "level", "district", "listed_in", "bearer"), rows)


MAKERS = (
    school_places, student_scores, vocational_training, drug_prices, vaccinations, elderly_homes, social_insurance,
    hotline_requests, legal_services, heritage_items,
)  # fmt: skip
