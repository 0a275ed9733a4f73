"""Why the data plane says no."""

from service.base.errors import NotFound, Refusal
from service.base.i18n import N_


class ColumnNotGranted(Refusal):
    code = "column-not-granted"
    title = N_("字段不在数据使用授权范围内")
    status = 403
    detail = N_("数据使用授权不含字段：%(columns)s。可在数据集页面另行申请：%(apply)s")


class UnknownColumn(Refusal):
    code = "unknown-column"
    title = N_("没有这个字段")
    status = 400
    detail = N_("没有这些字段：%(columns)s。可用字段：%(known)s")


class BadParameter(Refusal):
    code = "bad-parameter"
    title = N_("参数不正确")
    status = 400


class CursorExpired(Refusal):
    """The cursor belongs to another view or grant, or was not made by us."""

    code = "cursor-expired"
    title = N_("翻页位置已失效")
    status = 410
    detail = N_("数据或数据使用授权已有变动，请从第一页重新读取。")


class RangeOutside(Refusal):
    code = "range-not-satisfiable"
    title = N_("所要的字节范围超出文件")
    status = 416
    detail = N_("文件共 %(size)s 字节，请从头读取或改用文件之内的范围。")


class ViewMissing(NotFound):
    """The dataset has no data that may be read without a grant, or the dataset has none at all."""

    detail = N_("没有可读取的数据")
