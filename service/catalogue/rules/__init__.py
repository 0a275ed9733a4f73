"""What must hold of a dataset before it enters the catalogue and before it is published."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as of
from enum import StrEnum
from typing import Any

from service.base.errors import Refusal
from service.base.i18n import N_


class Openness(StrEnum):
    """The three opening classes: 无条件开放, 受限开放, 禁止开放."""

    UNCONDITIONAL = "unconditional"
    RESTRICTED = "restricted"
    PROHIBITED = "prohibited"


class ColumnType(StrEnum):
    """The types of stored columns; `datetime` is an instant (text without an offset is read as Beijing time)."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    DATETIME = "datetime"
    BOOLEAN = "boolean"


class Basis(StrEnum):
    """What the opening of L2+ data rests on; de-identification alone is not among them."""

    AGGREGATION = "aggregation"
    CONTROLLED_ENVIRONMENT = "controlled_environment"
    CONSENT = "consent"
    STATUTE = "statute"
    ANONYMISATION = "anonymisation"


class DatasetState(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"


OPENNESS_TITLES = {
    Openness.UNCONDITIONAL: N_("无条件开放"),
    Openness.RESTRICTED: N_("受限开放"),
    Openness.PROHIBITED: N_("禁止开放"),
}
TYPE_TITLES = {
    ColumnType.STRING: N_("文字"),
    ColumnType.INTEGER: N_("整数"),
    ColumnType.NUMBER: N_("小数"),
    ColumnType.DATE: N_("日期"),
    ColumnType.DATETIME: N_("时刻"),
    ColumnType.BOOLEAN: N_("是否"),
}
BASIS_TITLES = {
    Basis.AGGREGATION: N_("汇总"),
    Basis.CONTROLLED_ENVIRONMENT: N_("受控环境"),
    Basis.CONSENT: N_("本人或权利人同意"),
    Basis.STATUTE: N_("法律、行政法规的明确规定"),
    Basis.ANONYMISATION: N_("匿名化评估"),
}
OTHER = "other"  # of no key domain: the common list alone judges it
KEY_DOMAINS = {
    "transport": N_("交通"),
    "education": N_("教育"),
    "healthcare": N_("医疗健康"),
    "finance": N_("金融"),
    "tourism": N_("旅游"),
    OTHER: N_("其他领域"),
}
DATA_DOMAINS = {
    "trade": N_("商贸流通"),
    "weather": N_("气象服务"),
    "science": N_("科技创新"),
    "education": N_("教育文化"),
    "resources": N_("资源能源"),
    "health": N_("医疗卫生"),
    "work_safety": N_("安全生产"),
    "credit": N_("信用服务"),
    "housing": N_("城建住房"),
    "finance": N_("财税金融"),
    "market": N_("市场监督"),
    "environment": N_("生态环境"),
    "living": N_("生活服务"),
    "relief": N_("社会救助"),
    "employment": N_("社保就业"),
    "law": N_("法律服务"),
    "geography": N_("地理空间"),
    "public_safety": N_("公共安全"),
    "industry": N_("工业农业"),
    "transport": N_("交通运输"),
    "organisations": N_("机构团体"),
    OTHER: N_("其他领域"),
}
UPDATE_CYCLES = {
    "realtime": N_("实时"),
    "minutely": N_("分钟级"),
    "hourly": N_("小时级"),
    "daily": N_("每日"),
    "weekly": N_("每周"),
    "monthly": N_("每月"),
    "quarterly": N_("每季度"),
    "half_yearly": N_("每半年"),
    "yearly": N_("每年"),
    "irregular": N_("不定时"),
    "once": N_("不再更新"),
}
# Facts that an exception of a negative list may read.  Generated data proves none of them.
EXEMPTING_TAGS = ("transform", "consent", "legal.published")


class NotPublishable(Refusal):
    """The entry lacks what publishing demands.  Facts: `errors`, one {"field", "message"} per reason, all at once."""

    code = "dataset-incomplete"
    title = N_("数据集尚不符合发布条件")
    status = 422


class BadData(Refusal):
    """The file and its manifest disagree.  Facts: `errors`, one {"field", "message"} per fault; values are masked.

    `report` is the document of what was refused, where the file could be read to its end; `marks` are the secrecy marks
    that were seen: such a file is kept apart even though it was refused.  `told` are the errors as they were before
    they were said in a language, each {"field", "message", "blanks"}.
    """

    code = "data-mismatch"
    title = N_("数据文件与说明不一致")
    status = 422
    report: Mapping[str, Any] | None = None
    marks: tuple[str, ...] = ()
    told: tuple[Mapping[str, Any], ...] = ()


class TooDemanding(BadData):
    """Reading the file would take more memory, time or space than one file may.  Facts: `errors`."""

    code = "file-too-demanding"
    title = N_("数据文件超出处理上限")
    status = 422


class Marked(Refusal):
    """The file bears secrecy marks, and this system is for none such.  Facts: `errors`, one per mark."""

    code = "secrecy-marked"
    title = N_("数据文件带有密级或内部标志")
    status = 422


class GradeLowered(Refusal):
    """A load would lower a grade or change a classification.  Facts: `errors` by column."""

    code = "grade-lowered"
    title = N_("不得以重新导入降低分级或改变字段分类")
    status = 409


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why not: the field, and a message whose %(name)s blanks are `facts`."""

    field: str
    message: str
    facts: Mapping[str, object] = of(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """What the rules need of a column."""

    name: str
    level: int | None
    semantic: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """What the rules need of a dataset; texts are (zh, en)."""

    openness: str
    level: int
    columns: tuple[Column, ...]
    tags: tuple[str, ...] = ()
    texts: Mapping[str, tuple[str, str]] = of(default_factory=dict)
    basis: str | None = None
    assessment: Mapping[str, Any] | None = None
    derived_from: str | None = None
    derivation: Mapping[str, Any] | None = None
    synthetic: bool = False
    public_columns: tuple[str, ...] | None = None
    time_column: str | None = None
    area_column: str | None = None


TEXTS_OF_RESTRICTED = {
    "conditions": N_("受限开放的数据集须写明开放条件（中英文）"),
    "requirements": N_("受限开放的数据集须写明使用要求（中英文）"),
    "safeguards": N_("受限开放的数据集须写明安全保障措施（中英文）"),
}


def faults(entry: Entry) -> tuple[Fault, ...]:
    """Return every reason why `entry` cannot be published; empty when it can be.

    All of them, so that a steward mends the entry in one go.
    """
    return (
        *_of_columns(entry),
        *_of_grade(entry),
        *_of_restricted(entry),
        *_of_derivation(entry),
        *_of_synthetic(entry),
    )


def highest_level(columns: Iterable[Column]) -> int:
    """Return the highest grade among `columns`, 1 when none is graded: 就高从严."""
    return max((column.level for column in columns if column.level is not None), default=1)


def in_public_view(entry: Entry) -> tuple[Column, ...]:
    """Return the columns that the standing public view would hold; none unless the data is unconditional."""
    if entry.openness != Openness.UNCONDITIONAL:
        return ()
    if entry.public_columns is None:
        return entry.columns
    return tuple(column for column in entry.columns if column.name in entry.public_columns)


def lowered(before: Sequence[Column], after: Sequence[Column]) -> tuple[Fault, ...]:
    """Return what a new load would lower: a column's level, or the semantic type that somebody gave it.

    Lowering takes two persons and a new judgement; a load may only raise, add, or classify the unclassified.
    """
    known = {column.name: column for column in before}
    found = []
    for column in after:
        old = known.get(column.name)
        if old is None:
            continue
        if old.level is not None and (column.level is None or column.level < old.level):
            found.append(Fault(column.name, N_("字段级别由 L%(before)s 降低"), {"before": old.level}))
        if old.semantic is not None and column.semantic != old.semantic:
            found.append(Fault(column.name, N_("字段语义类型由 %(before)s 改变"), {"before": old.semantic}))
    return tuple(found)


def _of_columns(entry: Entry) -> Iterable[Fault]:
    names = {column.name for column in entry.columns}
    if not names:
        yield Fault("columns", N_("数据集至少须有一个字段"))
    wanted = {"time_column": entry.time_column, "area_column": entry.area_column}
    for place, name in wanted.items():
        if name is not None and name not in names:
            yield Fault(place, N_("没有名为 %(name)s 的字段"), {"name": name})
    for name in entry.public_columns or ():
        if name not in names:
            yield Fault("public_columns", N_("没有名为 %(name)s 的字段"), {"name": name})


def _of_grade(entry: Entry) -> Iterable[Fault]:
    highest = highest_level(entry.columns)
    if entry.level < highest:
        yield Fault("level", N_("数据集级别不得低于其最高字段级别 L%(highest)s"), {"highest": highest})
    if entry.openness != Openness.UNCONDITIONAL:
        return
    if entry.public_columns is None and entry.level > 1:
        yield Fault("openness", N_("只有 L1 数据可以无条件开放"))
    for column in in_public_view(entry):
        if column.level is not None and column.level > 1:
            yield Fault("openness", N_("字段 %(name)s 高于 L1，不得进入公开视图"), {"name": column.name})


def _of_restricted(entry: Entry) -> Iterable[Fault]:
    if entry.openness != Openness.RESTRICTED:
        return
    for place, message in TEXTS_OF_RESTRICTED.items():
        if not all(side.strip() for side in entry.texts.get(place, ("", ""))):
            yield Fault(place, message)
    if entry.level < 2:
        return
    if entry.basis is None:
        yield Fault("basis", N_("L2 及以上的数据集须写明开放所依据的情形"))
        return
    if not all(side.strip() for side in entry.texts.get("basis_note", ("", ""))):
        yield Fault("basis_note", N_("须说明开放所依据的情形（中英文）"))
    if entry.basis == Basis.ANONYMISATION and not _recorded(entry.assessment, ("method", "assessor", "date", "result")):
        yield Fault("assessment", N_("匿名化评估须记录方法、评估人、日期和结论"))


def _of_derivation(entry: Entry) -> Iterable[Fault]:
    if entry.derived_from is None:
        return
    if not _recorded(entry.derivation, ("method", "assessor", "date", "level")):
        yield Fault("derivation", N_("衍生数据集须记录方法、评估人、日期和重新定级"))
    elif entry.derivation and entry.derivation["level"] != entry.level:
        yield Fault("derivation", N_("重新定级与数据集级别不一致"))


def _of_synthetic(entry: Entry) -> Iterable[Fault]:
    if not entry.synthetic:
        return
    for place in ("title", "summary"):
        zh, en = entry.texts.get(place, ("", ""))
        if "合成数据" not in zh or "synthetic" not in en.lower():
            yield Fault(place, N_("合成数据须在名称和摘要中标明“合成数据”（synthetic）"))
    for tag in entry.tags:
        if any(tag == root or tag.startswith(f"{root}.") for root in EXEMPTING_TAGS):
            yield Fault("tags", N_("合成数据不得带有可使清单例外成立的标签 %(tag)s"), {"tag": tag})


def _recorded(record: Mapping[str, Any] | None, keys: Iterable[str]) -> bool:
    return record is not None and all(record.get(key) for key in keys)


# ---- facets ----------------------------------------------------------------------------------------------------------

# In the order in which an entry keeps their values.
FACETS = {
    "domain": N_("重点领域"),
    "openness": N_("开放属性"),
    "level": N_("级别"),
    "unit": N_("数源单位"),
    "cycle": N_("更新周期"),
    "data_domain": N_("数据领域"),
    "format": N_("格式"),
    "has": N_("其他"),
}
FORMATS = {"csv": "CSV", "parquet": "Parquet", "json": "JSON"}
HAS = {"data": N_("有数据可取"), "synthetic": N_("合成数据")}
LEVEL_TITLES = {"1": N_("L1 不敏感"), "2": N_("L2 低敏感"), "3": N_("L3 较敏感"), "4": N_("L4 敏感")}
SORT_TITLES = {
    "relevance": N_("相关程度"),
    "newest": N_("最新发布"),
    "title": N_("名称"),
    "used": N_("使用最多"),
}


def facets_of(
    *, key_domain: str, data_domain: str, unit_id: str, openness: str, level: int, update_cycle: str, synthetic: bool,
    loaded: bool,
) -> dict[str, list[str]]:  # fmt: skip
    """Return the values of each facet that a dataset has; prohibited data is catalogued and in no format to be had."""
    available = loaded and openness != Openness.PROHIBITED
    has = ["data"] * available + ["synthetic"] * synthetic
    return {
        "domain": [key_domain], "openness": [openness], "level": [str(level)], "unit": [unit_id],
        "cycle": [update_cycle], "data_domain": [data_domain], "format": list(FORMATS) if available else [], "has": has,
    }  # fmt: skip


def packed(facets: Mapping[str, Sequence[str]]) -> str:
    """Return facets as one text: thousands of them are counted as texts first and taken apart once each."""
    return "|".join(",".join(facets.get(kind, ())) for kind in FACETS)


def unpacked(text: str) -> dict[str, list[str]]:
    """Return what `packed` was given."""
    return {kind: part.split(",") if part else [] for kind, part in zip(FACETS, text.split("|"), strict=True)}
