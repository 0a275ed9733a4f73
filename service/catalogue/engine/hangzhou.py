"""Names that the synthetic tables use: districts and roads are real places, everything kept there is invented."""

_DISTRICTS = ("上城区", "拱墅区", "西湖区", "滨江区", "萧山区", "余杭区", "临平区", "钱塘区", "富阳区", "临安区")
_PLACES = ("湖滨", "武林", "文三", "江南", "市心", "未来", "星桥", "下沙", "富春", "锦城")
_KINDS = ("中心停车场", "地下停车库", "立体停车楼")

# (id, name, district)
CAR_PARKS = tuple(
    (f"P{number:03d}", f"{place}{kind}", district)
    for number, (kind, (district, place)) in enumerate(
        ((kind, pair) for pair in zip(_DISTRICTS, _PLACES, strict=True) for kind in _KINDS), 1
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

_PAIRS = tuple(zip(_PLACES, _DISTRICTS, strict=True))
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
