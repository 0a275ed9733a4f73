"""The phrases that sentences about rules are composed of, in both languages.  Nothing here looks at a rule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from service.base.i18n import HAN

OPERATORS = ("any_of", "all_of", "none_of")

# Keys whose words are looked for in what somebody typed.
SPOKEN = frozenset({"columns_text", "purpose_text"})

PERSONS = frozenset(
    """person adult minor under14 student guardian teacher patient medical_staff donor driver passenger resident
    taxpayer borrower tourist guide foreign_national complainant offender disadvantaged""".split()
)
SINGLE_ROWS = frozenset({"individual", "household", "trip", "vehicle", "event"})
AGGREGATE = frozenset({"aggregate"})

Group = tuple[str, str, frozenset[str]]
Values = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """One language.  `sets`: a template each for any_of, all_of, none_of; `numbers_of`: noun, unit, set of words.

    `outcomes` take the conditions and the exceptions; `choices` are duties whose words hang on what is said.
    `quoted` are the keys whose words stand in quotation marks; `renamed` are words that a sentence calls otherwise.
    """

    comma: str
    and_last: str
    semicolon: str
    pause: str
    or_: str
    and_: str
    or_clause: str
    one_of_these: str
    either: str
    colon: str
    stop: str
    between_quotes: tuple[str, str]
    quoted: frozenset[str]
    renamed: Mapping[str, str]
    numbers: tuple[str, ...]
    quotes: str
    brackets: str
    kinds: str
    unless: str
    exception: str
    exceptions: str
    name: Callable[[str], str]
    spoken: Callable[[Sequence[str]], str]
    span: Callable[[date, date | None], str]
    sets: Mapping[str, tuple[str, str, str]]
    groups: Mapping[Group, str]
    truths: Mapping[tuple[str, bool], str]
    numbers_of: Mapping[str, tuple[str, str, str]]
    measures: Mapping[tuple[str, str], str]
    outcomes: Mapping[str, str]
    conditions: Mapping[str, str]
    methods: Mapping[str, str]
    duties: Mapping[str, str]
    choices: Mapping[str, Callable[[Values], str]]


def _lower(label: str) -> str:
    """Return an English name as it stands inside a sentence; what is written in capitals stays."""
    return label[:1].lower() + label[1:] if label[1:2].islower() else label


def _span_zh(start: date, until: date | None) -> str:
    begins = f"{start.year}年{start.month}月{start.day}日"
    ends = f"至{until.year}年{until.month}月{until.day}日" if until else ""
    return f"本条自{begins}起{ends}有效。"


def _span_en(start: date, until: date | None) -> str:
    return f" In force from {start.isoformat()}{f' to {until.isoformat()}' if until else ''}."


def _transform_zh(values: Values) -> str:
    becomes = f"换成{values['to']}" if "to" in values else "须作处理"
    return f"{values['semantics']}{becomes}（{values['method']}）"


def _transform_en(values: Values) -> str:
    becomes = f"replaced by the {values['to']}" if "to" in values else "treated"
    return f"{values['semantics']} {becomes} ({values['method']})"


def _attribution_en(values: Values) -> str:
    said = values.get("text", "")
    return f"the source named: {said}" if said and not HAN.search(said) else "the source named"


ZH = Phrases(
    comma="，",
    and_last="，且",
    semicolon="；",
    pause="、",
    or_="或者",
    and_="和",
    or_clause="，或者",
    one_of_these="有下列情形之一",
    either="{}",
    colon="：",
    stop="。",
    between_quotes=("”、“", "”“"),
    quoted=frozenset({"dataset_tags", "linked_tags", "applicant_certs"}),
    renamed={
        "under14": "不满十四周岁的未成年人",
        "public_official": "依法公示的职务人员",
        "organisation": "法人和非法人组织",
    },
    numbers=tuple(f"（{each}）" for each in "一二三四五六七八九十")
    + tuple(f"（十{each}）" for each in "一二三四五六七八九"),
    quotes="“{}”",
    brackets="（{}）",
    kinds="其下 {} 类",
    unless="，但{}的除外",
    exception="但{}的除外。",
    exceptions="但有下列情形之一的除外：{}。",
    name=str,
    spoken=lambda words: "".join(f"“{word}”" for word in words) + ("等词之一" if len(words) > 1 else ""),
    span=_span_zh,
    sets={
        "dataset_tags": ("数据集带有{}标签", "数据集同时带有{}标签", "数据集不带有{}标签"),
        "dataset_subjects": ("数据涉及{}", "数据同时涉及{}", "数据不涉及{}"),
        "columns": ("申请的字段含{}", "申请的字段同时含{}", "申请的字段不含{}"),
        "columns_text": ("字段名称中出现{}", "字段名称中同时出现{}", "字段名称中没有{}"),
        "record_unit": ("记录粒度为{}", "记录粒度为{}", "记录粒度不是{}"),
        "purpose": ("用途为{}", "用途同时为{}", "用途不是{}"),
        "purpose_text": ("用途说明中出现{}", "用途说明中同时出现{}", "用途说明中没有{}"),
        "applicant_kind": ("申请单位为{}", "申请单位为{}", "申请单位不是{}"),
        "applicant_certs": ("申请单位具备{}", "申请单位同时具备{}", "申请单位不具备{}"),
        "applicant_credit": ("申请单位信用状态为{}", "申请单位信用状态为{}", "申请单位信用状态不是{}"),
        "delivery": ("以{}方式提供", "以{}方式提供", "不以{}方式提供"),
        "linked_columns": (
            "与该单位在用的数据使用授权合并后，字段含{}",
            "与该单位在用的数据使用授权合并后，字段同时含{}",
            "与该单位在用的数据使用授权合并后，字段不含{}",
        ),
        "linked_tags": (
            "与该单位在用的数据使用授权合并后，带有{}标签",
            "与该单位在用的数据使用授权合并后，同时带有{}标签",
            "与该单位在用的数据使用授权合并后，不带有{}标签",
        ),
    },
    groups={
        ("dataset_subjects", "any_of", PERSONS): "数据涉及自然人",
        ("dataset_subjects", "none_of", PERSONS): "数据不涉及自然人",
        ("record_unit", "any_of", SINGLE_ROWS): "记录为逐条明细",
        ("record_unit", "any_of", AGGREGATE): "记录为汇总结果",
        ("record_unit", "none_of", AGGREGATE): "记录不是汇总结果",
    },
    truths={
        ("cross_border", True): "数据拟出境或者供境外访问",
        ("cross_border", False): "数据不出境，也不供境外访问",
        ("onward_sharing", True): "拟向他人提供",
        ("onward_sharing", False): "不向他人提供",
    },
    numbers_of={
        "dataset_level": ("数据级别", "L{}", "level"),
        "dataset_records": ("涉及的主体或者记录", "{}", "many"),
        "quasi_identifiers": ("可组合识别个人的字段（准标识符）", "{}个", "many"),
        "spatial_m": ("空间精度", "{}米", "fine"),
        "temporal_min": ("时间粒度", "{}分钟", "fine"),
        "min_group": ("最小分组人数", "{}人", "many"),
        "applicant_foreign_share": ("申请单位外资比例", "{}%", "high"),
        "retention_days": ("拟保存天数", "{}天", "many"),
    },
    measures={
        ("level", "at_least"): "为{}及以上",
        ("level", "above"): "高于{}",
        ("level", "at_most"): "为{}及以下",
        ("level", "below"): "低于{}",
        ("many", "at_least"): "不少于{}",
        ("many", "above"): "超过{}",
        ("many", "at_most"): "不超过{}",
        ("many", "below"): "不足{}",
        ("high", "at_least"): "不低于{}",
        ("high", "above"): "高于{}",
        ("high", "at_most"): "不高于{}",
        ("high", "below"): "低于{}",
        ("fine", "at_least"): "不细于{}",
        ("fine", "above"): "粗于{}",
        ("fine", "at_most"): "不粗于{}",
        ("fine", "below"): "细于{}",
    },
    outcomes={
        "prohibit": "{}的，禁止提供{}",
        "review": "{}的，须人工审核{}",
        "condition": "{}的，附条件提供{}",
    },
    conditions={"review": "同意提供的，所附条件为：{}。", "condition": "所附条件为：{}。"},
    methods={
        "mask": "遮盖",
        "keyed_hash": "密钥散列",
        "truncate": "截断",
        "bucket": "分档",
        "generalise": "归并",
    },
    duties={
        "max_retention": "最多保存{days}天",
        "min_group": "最小分组人数不低于{k}，不足的分组不提供",
        "drop_columns": "去掉字段：{semantics}",
        "coarsen_spatial": "空间精度不细于{metres}米",
        "coarsen_time": "时间不细于{minutes}分钟",
        "delivery_only": "只以{modes}方式提供",
        "aggregate_only": "只提供汇总结果",
        "output_check": "结果经审查方可出域",
        "no_memorisation": "承诺模型不复现训练数据，发布前测试",
        "training_register": "登记用于训练的数据使用授权和版本",
        "retire_on_revocation": "撤销后模型重训或者退役",
        "no_cross_border": "不得出境，不得供境外访问",
        "no_onward_sharing": "不得向他人提供",
        "no_reidentification": "不得重新识别个人",
        "watermark": "文件带有授权水印",
        "document": "提交{name}",
        "usage_report": "每{every_days}天提交一次利用报告",
        "delay": "事件发生{minutes}分钟后方可提供",
        "quota": "每日不超过{rows_per_day}行",
        "destruction_proof": "到期后{within_days}天内提交销毁承诺及记录",
        "approver": "由{role}会审",
    },
    choices={
        "transform": _transform_zh,
        "attribution": lambda values: f"注明来源：{values['text']}" if values.get("text") else "注明来源",
    },
)

EN = Phrases(
    comma=", ",
    and_last=", and ",
    semicolon="; ",
    pause=", ",
    or_=" or ",
    and_=" and ",
    or_clause=", or ",
    one_of_these="one of these holds",
    either="either {}",
    colon=": ",
    stop=".",
    between_quotes=("\0", "\0"),
    quoted=frozenset(
        """dataset_tags linked_tags applicant_certs columns linked_columns purpose applicant_kind
        applicant_credit record_unit""".split()
    ),
    renamed={},
    numbers=tuple(f"({each}) " for each in range(1, 20)),
    quotes="“{}”",
    brackets=" ({})",
    kinds="{} kinds",
    unless=", unless {}",
    exception=" Except when {}.",
    exceptions=" Except when one of these holds: {}.",
    name=_lower,
    spoken=lambda words: f"one of {len(words)} phrases that the list names" if len(words) > 1 else "a phrase it names",
    span=_span_en,
    sets={
        "dataset_tags": (
            "the dataset is marked {}",
            "the dataset is marked both {}",
            "the dataset is not marked {}",
        ),
        "dataset_subjects": ("the data is about {}", "the data is about {} together", "the data is not about {}"),
        "columns": (
            "the columns asked for include {}",
            "the columns asked for include {} together",
            "the columns asked for include no {}",
        ),
        "columns_text": (
            "the name of a column contains {}",
            "the names of the columns contain {}",
            "no name of a column contains {}",
        ),
        "record_unit": ("each row is one {}", "each row is one {}", "a row is not one {}"),
        "purpose": ("the purpose is {}", "the purpose is {}", "the purpose is not {}"),
        "purpose_text": (
            "the statement of purpose contains {}",
            "the statement of purpose contains {}",
            "the statement of purpose does not contain {}",
        ),
        "applicant_kind": (
            "the applicant’s kind is {}",
            "the applicant’s kind is {}",
            "the applicant’s kind is not {}",
        ),
        "applicant_certs": ("the applicant holds {}", "the applicant holds {}", "the applicant does not hold {}"),
        "applicant_credit": (
            "the applicant’s credit state is {}",
            "the applicant’s credit state is {}",
            "the applicant’s credit state is not {}",
        ),
        "delivery": ("delivery is by {}", "delivery is by {}", "delivery is not by {}"),
        "linked_columns": (
            "together with the unit’s live grants the columns include {}",
            "together with the unit’s live grants the columns include {} at once",
            "together with the unit’s live grants the columns include no {}",
        ),
        "linked_tags": (
            "together with the unit’s live grants the data is marked {}",
            "together with the unit’s live grants the data is marked {} at once",
            "together with the unit’s live grants the data is not marked {}",
        ),
    },
    groups={
        ("dataset_subjects", "any_of", PERSONS): "the data is about natural persons",
        ("dataset_subjects", "none_of", PERSONS): "the data is not about natural persons",
        ("record_unit", "any_of", SINGLE_ROWS): "the rows are single records",
        ("record_unit", "any_of", AGGREGATE): "the rows are aggregates",
        ("record_unit", "none_of", AGGREGATE): "the rows are not aggregates",
    },
    truths={
        ("cross_border", True): "the data would leave the country or be read from abroad",
        ("cross_border", False): "the data stays in the country and is not read from abroad",
        ("onward_sharing", True): "the data would be passed on to others",
        ("onward_sharing", False): "the data is not passed on to others",
    },
    numbers_of={
        "dataset_level": ("the level of the data is ", "{}", "level"),
        "dataset_records": ("the number of persons or records is ", "{}", "many"),
        "quasi_identifiers": ("the number of columns that identify a person in combination is ", "{}", "many"),
        "spatial_m": ("the spatial precision is ", "{} m", "fine"),
        "temporal_min": ("the time step is ", "{} minutes", "fine"),
        "min_group": ("the smallest group has ", "{} persons", "few"),
        "applicant_foreign_share": ("the applicant’s foreign share is ", "{}%", "many"),
        "retention_days": ("the data would be kept ", "{} days", "few"),
    },
    measures={
        ("level", "at_least"): "{} or above",
        ("level", "above"): "above {}",
        ("level", "at_most"): "{} or below",
        ("level", "below"): "below {}",
        ("many", "at_least"): "at least {}",
        ("many", "above"): "more than {}",
        ("many", "at_most"): "at most {}",
        ("many", "below"): "less than {}",
        ("few", "at_least"): "at least {}",
        ("few", "above"): "more than {}",
        ("few", "at_most"): "at most {}",
        ("few", "below"): "fewer than {}",
        ("fine", "at_least"): "no finer than {}",
        ("fine", "above"): "coarser than {}",
        ("fine", "at_most"): "no coarser than {}",
        ("fine", "below"): "finer than {}",
    },
    outcomes={
        "prohibit": "Not provided when {}{}",
        "review": "An officer reviews the request when {}{}",
        "condition": "Provided on conditions when {}{}",
    },
    conditions={"review": " Conditions of what is granted then: {}.", "condition": " The conditions: {}."},
    methods={
        "mask": "masked",
        "keyed_hash": "keyed hash",
        "truncate": "truncated",
        "bucket": "in bands",
        "generalise": "generalised",
    },
    duties={
        "max_retention": "kept for at most {days} days",
        "min_group": "no group smaller than {k}; smaller ones are not provided",
        "drop_columns": "columns left out: {semantics}",
        "coarsen_spatial": "space no finer than {metres} m",
        "coarsen_time": "time no finer than {minutes} minutes",
        "delivery_only": "provided by {modes} only",
        "aggregate_only": "aggregates only",
        "output_check": "results leave only after a check",
        "no_memorisation": "a model that does not reproduce what it was trained on, tested before release",
        "training_register": "a register of which grant and version a model was trained on",
        "retire_on_revocation": "the model retrained or retired when the grant is revoked",
        "no_cross_border": "no transfer or access abroad",
        "no_onward_sharing": "not passed on to others",
        "no_reidentification": "no re-identification of persons",
        "watermark": "files carry the grant’s watermark",
        "document": "{name} to be filed",
        "usage_report": "a use report every {every_days} days",
        "delay": "provided no sooner than {minutes} minutes after the event",
        "quota": "at most {rows_per_day} rows a day",
        "destruction_proof": "the undertaking and record of destruction within {within_days} days of the end",
        "approver": "reviewed together with the {role}",
    },
    choices={"transform": _transform_en, "attribution": _attribution_en},
)
