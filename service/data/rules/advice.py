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
    "bad-filter": N_("逐条看 errors：pointer 是位置，message 是应有的写法。"),
    "not-acceptable": N_("Accept 或 format 改用 json、jsonl、csv、arrow、parquet 之一。"),
    "not-queryable": N_("逐页读取，或下载整个文件后自行筛选。"),
    "query-too-heavy": N_("收窄条件、减少分组或去掉排序再试；要全部数据的，下载整个文件。"),
    "aggregate-not-allowed": N_("只计行数，只按答复中 listed 的字段分组和筛选。"),
    "cell-budget-spent": N_("改用已查过的分组；确需更多的，与数源单位联系。"),
    "cursor-expired": N_("从第一页重新读取：翻页位置只对同一授权的同一版数据有效。"),
    "not-found": N_("核对数据集编号、版本和文件名：有 data.parquet、data.csv、data.csv.zst、data.jsonl、data.arrow。"),
    "quota-spent": N_("按 Retry-After 的秒数等一等；RateLimit 答复头写明还剩多少。长期不够用的，另行申请提高上限。"),
    "too-many-credentials": N_("Authorization 与签名地址只用一种；同一个请求头不要写两次。"),
    "link-invalid": N_("整条复制签名地址，不要改动；一条地址只对一个文件有效。"),
    "link-expired": N_("重新生成签名地址：POST …/files/<文件名>/links，或在授权页上生成。"),
    "version-withdrawn": N_("改取接替的版本：去掉 version 参数，或写上 successor 所示的版本号。"),
    "version-not-kept": N_("去掉 version 参数，取现用版本；须长期引用的，取数时自行保存并记下校验值。"),
    "precondition-failed": N_("文件已换成新的一版：去掉 If-Match，从头下载。"),
    "range-not-satisfiable": N_("先用 HEAD 查看文件大小；一次最多 16 段。"),
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
