"""Firms, money, markets and real estate."""

from datetime import date, timedelta

from service.catalogue.engine.hangzhou import DISTRICTS, INDUSTRIES, PLACES, STREETS, SURNAMES, firm
from service.catalogue.engine.synthetic.chance import FIRST_DAY, SMALLEST_CELL, Chance, Rows, days, months, table

PENALTIES, ACCOUNTS, REGISTRATIONS, FIRMS = 1_500, 2_500, 4_000, 600
PRODUCE = (
    ("青菜", 3.2), ("大白菜", 1.8), ("番茄", 5.6), ("黄瓜", 4.8), ("茄子", 5.2), ("土豆", 2.6), ("胡萝卜", 3.0),
    ("春笋", 9.8), ("莲藕", 6.4), ("生姜", 9.0), ("猪后腿肉", 21.0), ("鸡蛋", 9.6), ("草鱼", 14.5), ("河虾", 68.0),
    ("梭子蟹", 75.0), ("苹果", 8.4), ("草莓", 26.0), ("枇杷", 18.0), ("杨梅", 24.0), ("粳米", 5.1),
)  # fmt: skip
MARKETS = ("示例城北农副产品物流中心", "示例勾庄批发市场", "示例萧山农产品市场", "示例临平果蔬市场")


def mortgage_registrations(chance: Chance) -> Rows:
    """Mortgages registered, by district, kind of property and month; small cells are left out."""
    rows = []
    for month in months(18):
        for district in DISTRICTS:
            for kind, size in (("住宅", 320), ("商业", 45), ("办公", 30), ("工业", 18)):
                count = round(chance.around(size, size * 0.5))
                secured = round(count * chance.around(180 if kind == "住宅" else 900, 60), 1)
                rows.append((month, district, kind, count, secured, round(secured / max(count, 1), 1)))
    kept = [row for row in rows if row[3] >= SMALLEST_CELL]
    return table(("month", "district", "property_kind", "registrations", "secured_wan_yuan", "mean_wan_yuan"), kept)


def enterprise_penalties(chance: Chance) -> Rows:
    """Penalties of invented firms, as the credit portal would publish them, and the contact that it would not."""
    causes = ("未按规定公示价格", "超限运输", "未落实消防责任", "虚假宣传", "违规排放")
    offices = ("市场监督管理局", "交通运输局", "消防救援机构", "生态环境局")
    rows = []
    for number in range(PENALTIES):
        name, code, industry = firm(8 * chance.low(300) + chance.low(8))
        day = FIRST_DAY - timedelta(days=chance.below(720))
        contact = f"{chance.one(SURNAMES)}测{number % 1_000:03d}"
        decided = f"{chance.one(DISTRICTS)}{chance.one(offices)}（合成）"
        rows.append(
            (
                f"SYNP{number:05d}",
                name,
                code,
                industry,
                decided,
                chance.early(causes),
                day,
                500 * (1 + chance.below(80)),
                contact,
                f"100{chance.below(10**8):08d}",
            )
        )
    names = (
        "decision_no", "firm", "uscc", "industry", "office", "cause", "decided_on", "fine_yuan", "contact", "phone",
    )  # fmt: skip
    return table(names, sorted(rows, key=lambda row: (row[6], row[0])))


def sme_loans(chance: Chance) -> Rows:
    """Loans to small firms by district, industry and quarter."""
    rows = []
    for quarter in [month for month in months(24) if month.month % 3 == 1]:
        for district in DISTRICTS:
            for industry in INDUSTRIES:
                firms = round(chance.around(240, 180))
                balance = round(firms * chance.around(260, 90), 1)
                rate, bad = round(chance.around(3.9, 0.6), 2), round(chance.around(1.1, 0.6), 2)
                rows.append((quarter, district, industry, firms, balance, rate, bad))
    kept = [row for row in rows if row[3] >= SMALLEST_CELL]
    return table(("quarter", "district", "industry", "firms", "balance_wan_yuan", "rate_pct", "bad_pct"), kept)


def financial_institutions(chance: Chance) -> Rows:
    """Invented local financial organisations."""
    kinds = ("小额贷款公司", "融资担保公司", "典当行", "融资租赁公司", "商业保理公司")
    rows = []
    for number in range(140):
        kind, place = kinds[number % len(kinds)], number % 10
        opened = date(2008 + chance.below(17), 1 + chance.below(12), 1 + chance.below(28))
        code = f"91330100MA0FIN{number:04d}"
        rows.append(
            (
                f"示例{PLACES[place]}{kind}{number + 1:03d}",
                code,
                kind,
                DISTRICTS[place],
                opened,
                1_000 * (5 + chance.below(60)),
                chance.one(("正常", "正常", "正常", "停业")),
            )
        )
    return table(("name", "uscc", "kind", "district", "opened_on", "capital_wan_yuan", "status"), rows)


def housing_fund_accounts(chance: Chance) -> Rows:
    """Housing fund accounts of persons who do not exist."""
    rows = []
    for number in range(ACCOUNTS):
        employer, _code, _industry = firm(chance.below(2_400))
        base = 4_800 + 100 * chance.below(200)
        name = f"{chance.one(SURNAMES)}测{number % 1_000:03d}"
        rows.append(
            (
                f"SYNA{number:08d}",
                name,
                f"00000019{70 + chance.below(30):02d}0101{number % 10_000:04d}",
                employer,
                base,
                round(base * 0.24, 2),
                1_000 * chance.below(300),
            )
        )
    return table(("account_no", "name", "identity_no", "employer", "base_yuan", "monthly_yuan", "balance_yuan"), rows)


def farm_prices(chance: Chance) -> Rows:
    """Wholesale prices at invented markets by day."""
    rows = []
    for market in MARKETS:
        for product, price in PRODUCE:
            level = price
            for day in days(60):
                level = max(price * 0.6, level * chance.around(1, 0.03))
                low = round(level * 0.92, 2)
                rows.append((day, market, product, low, round(level * 1.09, 2), round(level, 2), 5 + chance.below(90)))
    names = ("day", "market", "product", "low_yuan_kg", "high_yuan_kg", "mean_yuan_kg", "tonnes")
    return table(names, sorted(rows, key=lambda row: row[:3]))


def industrial_firms(chance: Chance) -> Rows:
    """Output and energy of invented industrial firms by quarter."""
    rows = []
    for number in range(FIRMS):
        name, code, industry = firm(number * 3)
        size = 300 + chance.below(9_000)
        for quarter in [month for month in months(12) if month.month % 3 == 1]:
            output = round(chance.around(size, size * 0.2), 1)
            rows.append(
                (
                    quarter,
                    name,
                    code,
                    industry,
                    DISTRICTS[number % 10],
                    chance.one(("小型", "小型", "中型", "大型")),
                    output,
                    round(output * chance.around(0.9, 0.3), 1),
                )
            )
    names = ("quarter", "firm", "uscc", "industry", "district", "size", "output_wan_yuan", "power_mwh")
    return table(names, sorted(rows, key=lambda row: row[:3]))


def business_registrations(chance: Chance) -> Rows:
    """Invented firms as the register publishes them."""
    rows = []
    for number in range(REGISTRATIONS):
        name, code, industry = firm(number)
        street, district = chance.one(STREETS)
        day = FIRST_DAY - timedelta(days=chance.below(4_000))
        kind = chance.one(("有限责任公司", "有限责任公司", "个人独资企业", "合伙企业"))
        rows.append(
            (
                name,
                code,
                kind,
                industry,
                district,
                f"{street}示例路{1 + chance.below(300)}号",
                day,
                10 * (1 + chance.below(200)),
                chance.one(("存续", "存续", "存续", "注销")),
            )
        )
    names = ("firm", "uscc", "kind", "industry", "district", "address", "registered_on", "capital_wan_yuan", "status")
    return table(names, rows)


def social_organisations(chance: Chance) -> Rows:
    """Invented associations, foundations and private non-profits."""
    kinds, fields = ("社会团体", "民办非企业单位", "基金会"), ("教育", "文化", "体育", "慈善", "科技", "行业协会")
    rows = []
    for number in range(320):
        kind, field = kinds[number % 3], chance.one(fields)
        day = FIRST_DAY - timedelta(days=chance.below(7_000))
        rows.append(
            (
                f"示例{PLACES[number % 10]}{field}{kind}{number + 1:03d}",
                f"51330100MA0ORG{number:04d}",
                kind,
                field,
                DISTRICTS[number % 10],
                day,
                chance.one(("5A", "4A", "3A", "未评估")),
            )
        )
    return table(("name", "uscc", "kind", "field", "district", "registered_on", "grade"), rows)


MAKERS = (
    mortgage_registrations, enterprise_penalties, sme_loans, financial_institutions, housing_fund_accounts,
    farm_prices, industrial_firms, business_registrations, social_organisations,
)  # fmt: skip
