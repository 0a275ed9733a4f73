"""What a refused program does next."""

from service.base.i18n import N_

# Titles of refusals that only the token endpoint's own protocol has (RFC 6749 5.2, RFC 9396).
TOKEN_TITLES = {
    "invalid-client": N_("client_id 与密钥不符"),
    "invalid-request": N_("换取令牌的请求格式不对"),
    "invalid-scope": N_("没有这个 scope"),
    "invalid-grant": N_("没有可用的数据使用授权"),
    "invalid-authorization-details": N_("authorization_details 不成立"),
    "unsupported-grant-type": N_("不支持这种换取方式"),
    "temporarily-unavailable": N_("换取令牌失败次数过多"),
}
_AGAIN = N_("用系统凭据重新换取令牌，再重试一次；令牌最长一小时，程序收到 401 时应自动重取。")
_GRANT_OVER = N_("重试没有用。需要继续使用的，由本单位重新申请；程序里请停掉这项定时任务。")
ADVICE = {
    "token-expired": _AGAIN,
    "token-revoked": N_("系统停用或换过密钥，旧令牌即作废。用现在的密钥重新换取；系统已停用的，由管理员另行登记。"),
    "grant-missing": N_("由本单位管理员在授权页把这个系统加进去，再重新换取令牌：旧令牌不含后加的授权。"),
    "grant-not-started": N_("开始之前重试没有用；到开始的时间再取，令牌也要重新换取。"),
    "grant-suspended": N_("暂停期间重试没有用。事由写在授权页，有异议请联系数源单位；恢复后同一令牌即可继续取数。"),
    "grant-ended": _GRANT_OVER,
    "grant-returned": _GRANT_OVER,
    "wrong-delivery": N_("改用已授权的方式：整个文件用 /files/，按页读取用 /rows。"),
    "view-building": N_("按 Retry-After 的秒数等一等再取，通常不到一分钟。"),
    "version-held": N_("这一版暂缓提供，已告知数源单位核查；一小时后再试，不必重新申请。"),
    "column-not-granted": N_("从 select 里去掉这些字段，或不写 select 取全部已授权的字段；确实需要的，另行申请。"),
    "unknown-column": N_("核对 select 里的字段名：区分大小写，用逗号分隔。授权页列有全部字段。"),
    "bad-parameter": N_("核对请求的参数：limit 为 1 到 10000 的整数，select 的字段名不重复。"),
    "cursor-expired": N_("从第一页重新读取：翻页位置只对同一授权的同一版数据有效。"),
    "not-found": N_("核对数据集编号和文件名：文件只有 data.parquet 和 data.csv。"),
    "unavailable": N_("按 Retry-After 的秒数等一等再试。"),
    "invalid-client": N_("核对 client_id 和密钥，前后不要带空格或换行。密钥更换过的，旧的已失效；遗失的，换一个新的。"),
    "invalid-request": N_("每个参数放在请求体里，只写一次；client_id 和密钥只用一种方式传。"),
    "invalid-scope": N_("scope 写 data.read，或者不写。"),
    "invalid-grant": N_("由本单位管理员在授权页为这个系统加上数据使用授权。"),
    "invalid-authorization-details": N_("不写即得全部授权；要收窄，identifier 写数据集编号，columns 写已授权的字段。"),
    "unsupported-grant-type": N_("grant_type 写 client_credentials。"),
    "temporarily-unavailable": N_("等一分钟再试，并先核对密钥：连续失败会被限制。"),
}  # fmt: skip
OTHERWISE = N_("把请求号告诉数源单位或主管部门，他们凭请求号就能查到这一次。")
