"""Why the data plane says no."""

from service.base.errors import NotFound, Refusal, Unavailable
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


class TooManyRanges(RangeOutside):
    detail = N_("一次最多取 %(most)s 段。请合并相邻的范围，或分几次取。")


class PreconditionFailed(Refusal):
    """If-Match names another version of the file."""

    code = "precondition-failed"
    title = N_("文件已不是所指的那一版")
    status = 412
    detail = N_("If-Match 所指的版本与现在的文件不同，请从头读取。")


class QuotaSpent(Refusal):
    """Facts: `what` is spent (requests, rows, bytes), its `limit`, `retry_after` in seconds, `page` of the grant."""

    code = "quota-spent"
    title = N_("已达到数据使用授权的用量上限")
    status = 429
    detail = N_("每分钟最多 %(limit)s 次请求，请在 %(retry_after)s 秒后重试。用量见授权页面：%(page)s")


ROWS_SPENT = N_("每天最多 %(limit)s 行，今天余下的不够这一次。北京时间 24:00 起可再取；用量见授权页面：%(page)s")
BYTES_SPENT = N_("每天最多 %(limit)s 字节，今天余下的不够这一次。北京时间 24:00 起可再取；用量见授权页面：%(page)s")


class TooManyCredentials(Refusal):
    """Two credentials in one request could belong to two; nobody guesses which was meant."""

    code = "too-many-credentials"
    title = N_("一次请求只能用一种凭据")
    status = 400
    detail = N_("Authorization 请求头与签名地址只用其一，各只写一次。")


class LinkInvalid(Refusal):
    """The signed address is not ours, was changed, or belongs to another file."""

    code = "link-invalid"
    title = N_("签名地址无效")
    status = 401
    challenge = 'Bearer realm="qiantang", error="invalid_token"'
    detail = N_("签名地址不完整或已改动，请重新生成。")


class LinkExpired(Refusal):
    """The signed address has run out, or what it was made with is void, or the grant has changed since."""

    code = "link-expired"
    title = N_("签名地址已过期")
    status = 401
    challenge = 'Bearer realm="qiantang", error="invalid_token"'
    detail = N_("签名地址最长一小时；授权变动、系统停用或退出登录后也会失效。请重新生成。")


class VersionWithdrawn(Refusal):
    """Facts: `version`, `successor` (a number, or "" where there is none yet)."""

    code = "version-withdrawn"
    title = N_("该版本已撤下")
    status = 410
    detail = N_("第 %(version)s 版已由数源单位撤下，接替的版本：%(successor)s。")


class VersionGone(Refusal):
    """An older version was judged for the grant, but its bytes are not kept any more.  Facts: `version`."""

    code = "version-not-kept"
    title = N_("这一版的数据文件已不保存")
    status = 410
    detail = N_("第 %(version)s 版的数据文件已清理，不再保存，请取较新的版本。")


class VersionHeld(Unavailable):
    """The version has not been judged for the grant, or not to its end.  Facts: `version`, `retry_after`."""

    code = "version-held"
    title = N_("数据文件暂缓提供")
    status = 503
    detail = N_("第 %(version)s 版还在为此数据使用授权核查，核查完才提供；现在可取先前的版本。")


class ViewMissing(NotFound):
    """The dataset has no data that may be read without a grant, or the dataset has none at all."""

    detail = N_("没有可读取的数据")
