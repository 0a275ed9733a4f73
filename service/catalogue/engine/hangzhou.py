"""Names that the synthetic tables use: districts and roads are real places, everything kept there is invented."""

DISTRICTS = ("上城区", "拱墅区", "西湖区", "滨江区", "萧山区", "余杭区", "临平区", "钱塘区", "富阳区", "临安区")
PLACES = ("湖滨", "武林", "文三", "江南", "市心", "未来", "星桥", "下沙", "富春", "锦城")
_CAR_PARK_KINDS = ("中心停车场", "地下停车库", "立体停车楼")

# (id, name, district)
CAR_PARKS = tuple(
    (f"P{number:03d}", f"{place}{kind}", district)
    for number, (kind, (district, place)) in enumerate(
        ((kind, pair) for pair in zip(DISTRICTS, PLACES, strict=True) for kind in _CAR_PARK_KINDS), 1
    )
)

_ROADS = (
    ("文一路", "西湖区"), ("文三路", "西湖区"), ("中河高架路", "上城区"), ("秋石高架路", "拱墅区"),
    ("环城北路", "拱墅区"), ("江南大道", "滨江区"), ("市心路", "萧山区"), ("文一西路", "余杭区"),
)  # fmt: skip

# (id, road, district): two on each road.
CHECKPOINTS = tuple(
    (f"K{index * 2 + side + 1:03d}", road, district) for index, (road, district) in enumerate(_ROADS) for side in (0, 1)
)

_PAIRS = tuple(zip(PLACES, DISTRICTS, strict=True))
CLINICS = tuple((f"{place}社区卫生服务中心（合成）", district) for place, district in _PAIRS)
HOTELS = tuple((f"{place}测试酒店（合成）", district) for place, district in _PAIRS)

DEPARTMENTS = (
    ("全科", ("J06.9", "I10", "E11.9", "R51")),
    ("儿科", ("J20.9", "J06.9", "B08.4")),
    ("口腔科", ("K02.9", "K05.1")),
    ("中医科", ("M54.5", "G47.0")),
    ("眼科", ("H10.9", "H52.1")),
    ("皮肤科", ("L20.9", "L50.9", "B35.3")),
)
ORIGINS = ("浙江省", "上海市", "江苏省", "安徽省", "福建省", "江西省", "广东省", "北京市", "山东省", "湖北省")
SURNAMES = ("王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙", "马", "朱", "胡", "林", "郭", "何")

# Eight invented townships to a district; the districts are real, the statistics of the tables are not.
STREETS = tuple(
    (f"{place}{name}街道（合成）", district)
    for place, district in zip(PLACES, DISTRICTS, strict=True)
    for name in ("东", "西", "南", "北", "中", "新", "桥", "滨")
)
SIGHTS = (
    ("西湖断桥", "西湖区", 12_000), ("灵隐飞来峰", "西湖区", 9_000), ("西溪湿地", "西湖区", 16_000),
    ("河坊街", "上城区", 20_000), ("宋城", "西湖区", 15_000), ("湘湖", "萧山区", 18_000),
    ("良渚古城", "余杭区", 8_000), ("径山", "余杭区", 6_000), ("富春江", "富阳区", 7_000),
    ("大明山", "临安区", 6_000), ("运河拱宸桥", "拱墅区", 14_000), ("塘栖古镇", "临平区", 10_000),
)  # fmt: skip
INDUSTRIES = (
    "软件和信息技术服务业",
    "批发和零售业",
    "住宿和餐饮业",
    "装备制造业",
    "纺织服装业",
    "医药制造业",
    "物流仓储业",
    "建筑业",
)
_FIRM_WORDS = ("云栖", "潮声", "湖山", "运河", "钱江", "之江", "梧桐", "青芝", "雷峰", "满陇")
_FIRM_KINDS = ("科技", "商贸", "餐饮", "机械", "服饰", "医药", "物流", "建设")


def firm(number: int) -> tuple[str, str, str]:
    """Return name, unified code and industry of the invented firm `number`; its code is of no register."""
    kind = number % len(_FIRM_KINDS)
    name = f"示例{_FIRM_WORDS[number // len(_FIRM_KINDS) % len(_FIRM_WORDS)]}{_FIRM_KINDS[kind]}{number:04d}有限公司"
    return name, f"91330100MA0SYN{number:04d}", INDUSTRIES[kind]
