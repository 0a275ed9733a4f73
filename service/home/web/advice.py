"""What to do about each refusal: the page of errors and the page of each refusal's type say it.

Titles say what happened and stand with the refusals themselves; this is the way on.
"""

from service.base.i18n import N_

BY_CODE = {
    "bad-parameter": N_("对照接口文档改正查询参数。"),
    "bad-request": N_("对照接口文档检查请求的格式。"),
    "changed": N_("重新打开页面，看清变动后再办理；您填写的内容仍在。"),
    "column-not-granted": N_("只选授权内的字段，或者另行申请缺少的字段。"),
    "cross-site": N_("从本站页面提交表单；程序调用请使用访问令牌。"),
    "cursor-expired": N_("去掉 cursor 参数，从第一页重新读取。"),
    "data-plane-shut": N_("等管理人员核对完毕；隔几分钟重试一次即可。"),
    "decide-one-by-one": N_("打开这些申请，逐件办理。"),
    "draft-changed": N_("页面上有两个版本，选定要保留的内容后再保存。"),
    "duplicate": N_("已有的记录仍然有效，不必重复提交。"),
    "fresh-login-required": N_("重新输入一次密码，再办理刚才的事项。"),
    "grant-ended": N_("到期不再续读；如仍需使用，重新申请。"),
    "grant-missing": N_("由单位管理员在授权页面把这个取数系统登记到授权下，或者先申请。"),
    "grant-not-started": N_("等到生效时刻再取数。"),
    "grant-returned": N_("交还不能恢复；如仍需使用，重新申请。"),
    "grant-suspended": N_("打开授权页面看事由；处理完毕后由审核人恢复，令牌不用重新登记。"),
    "host-not-trusted": N_("使用本站公布的地址；运维人员在 QIANTANG_TRUSTED_HOSTS 中增加主机名。"),
    "internal": N_("是本系统的问题，不是您的。记下请求号告诉运维人员，稍后重试。"),
    "invalid": N_("逐项看提示，改好后重新提交；errors 里写明是哪一项。"),
    "last-manager": N_("先给单位另设一名管理员。"),
    "lists-changed": N_("重新打开申请，按新的判定结果审核。"),
    "login-failed": N_("检查登录名和密码；多次不对会暂停几分钟。"),
    "login-required": N_("登录后再打开；程序调用请带上访问令牌。"),
    "link-expired": N_("重新生成签名地址；一条地址最长一小时。"),
    "link-invalid": N_("整条复制签名地址，不要改动。"),
    "login-taken": N_("换一个登录名。"),
    "method-not-allowed": N_("看答复中的 Allow，改用允许的方法。"),
    "no-application-needed": N_("直接下载，不需要申请。"),
    "no-such-column": N_("到数据集页面核对字段名。"),
    "not-allowed": N_("这件事由其他角色办理；需要时请本单位管理员增加角色。"),
    "not-found": N_("核对地址和编号；不公开的内容也是这样答复。"),
    "not-open": N_("该数据集禁止开放；可以看同一数源单位的汇总数据。"),
    "not-your-step": N_("等前一步办完，或者由该步骤的审核人办理。"),
    "own-unit": N_("由其他单位的审核人办理。"),
    "person-required": N_("由本人登录网页办理；系统令牌只能取数。"),
    "precondition-failed": N_("去掉 If-Match，从头下载新的一版。"),
    "prohibited": N_("去掉所列字段后部分开放，或者退回补正，或者写明条款不予开放。"),
    "quota-spent": N_("按 Retry-After 等待；RateLimit 答复头写明还剩多少。"),
    "range-not-satisfiable": N_("从头读取，或者改用文件之内的范围。"),
    "second-person-required": N_("由另一名审核人办理下一步。"),
    "term-over": N_("撤回后重新申请，写上新的期限。"),
    "token-expired": N_("用系统凭据重新换取令牌；令牌有效一小时。"),
    "token-missing": N_("先换取令牌，放进 Authorization 头；没有授权的先申请。"),
    "token-revoked": N_("重新换取令牌；仍不行时请管理员检查取数系统是否停用。"),
    "too-large": N_("缩小内容：少选行或字段，或者分几次提交。"),
    "too-many": N_("按 Retry-After 所说的秒数等待后再试。"),
    "too-many-credentials": N_("Authorization 与签名地址只用一种。"),
    "too-many-datasets": N_("把数据集分到几份申请里。"),
    "unavailable": N_("按 Retry-After 所说的秒数等待后再试。"),
    "unit-unverified": N_("带上证明材料，等主管部门核验单位；填写和提交不受影响。"),
    "unknown-column": N_("对照 detail 里的可用字段改正。"),
    "unsupported-media-type": N_("按接口文档设置 Content-Type。"),
    "verdict-changed": N_("撤回申请，按新的判定结果重新提交。"),
    "version-held": N_("等数源单位核查；放行后照常读取。"),
    "version-not-kept": N_("去掉 version 参数，取现用版本。"),
    "version-withdrawn": N_("改取 successor 所示的版本。"),
    "view-building": N_("按 Retry-After 所说的秒数等待后再试。"),
    "wrong-state": N_("刷新页面，看事项现在到了哪一步。"),
}
BY_STATUS = {
    400: N_("改正请求后重试；重复发送同样的请求没有用。"),
    401: N_("登录，或者换取新的令牌。"),
    403: N_("由有权限的人办理，或者先取得数据使用授权。"),
    404: N_("核对地址和编号；不公开的内容也是这样答复。"),
    409: N_("刷新页面，看清现在的状态后再办理。"),
    413: N_("缩小内容后重试。"),
    422: N_("按提示逐项改正后重新提交。"),
    429: N_("按 Retry-After 所说的秒数等待后再试。"),
    500: N_("是本系统的问题，不是您的。记下请求号告诉运维人员，稍后重试。"),
    503: N_("按 Retry-After 所说的秒数等待后再试。"),
}


def advice(code: str, status: int) -> str:
    """Return what to do about a refusal, as a message to be translated."""
    return BY_CODE.get(code) or BY_STATUS.get(status) or BY_STATUS[500 if status >= 500 else 400]
