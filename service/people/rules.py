"""Pure rules of units, persons and sessions: what a code, a login, a password and a session must satisfy."""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from stdnum.cn import uscc as standard

from service.base.errors import Duplicate, Refusal
from service.base.i18n import N_
from service.base.roles import FIRM, Role


class UnitKind(StrEnum):
    """What a unit is.  The first three may apply; a source unit holds data; the authority oversees."""

    ENTERPRISE = "enterprise"
    INSTITUTE = "institute"
    SOCIAL = "social"
    SOURCE = "source"
    AUTHORITY = "authority"


APPLICANT_KINDS = frozenset({UnitKind.ENTERPRISE, UnitKind.INSTITUTE, UnitKind.SOCIAL})
KIND_NAMES = {
    UnitKind.ENTERPRISE: N_("企业"),
    UnitKind.INSTITUTE: N_("高校·科研院所"),
    UnitKind.SOCIAL: N_("社会组织"),
    UnitKind.SOURCE: N_("数源单位"),
    UnitKind.AUTHORITY: N_("主管部门"),
}
# The negative lists' word for a kind.  An institute may be a university or a research body: an officer says which.
LIST_WORDS = {UnitKind.ENTERPRISE: "enterprise", UnitKind.SOCIAL: "social_org"}
ROLE_NAMES = {
    Role.APPLICANT: N_("申请经办人"),
    Role.MANAGER: N_("单位管理员"),
    Role.STEWARD: N_("数据专员"),
    Role.AUTHORITY: N_("主管部门审核人"),
    Role.AUDITOR: N_("审计员"),
    Role.OPERATOR: N_("运维人员"),
}
# What a register may say of a unit: chosen when an officer looked and found no certificate at all.
NO_CERTS = "none"
# Which roles make sense in which unit: a steward sits in a source unit, nobody of an applicant unit is an officer.
ROLES_OF_KIND = {
    **dict.fromkeys(APPLICANT_KINDS, FIRM),
    UnitKind.SOURCE: frozenset({Role.STEWARD}),
    UnitKind.AUTHORITY: frozenset({Role.AUTHORITY, Role.AUDITOR, Role.OPERATOR}),
}


class LoginFailed(Refusal):
    """The same answer for a wrong password, an unknown login and a closed account."""

    code = "login-failed"
    title = N_("登录名或密码不正确")
    status = 422


class LoginTaken(Duplicate):
    code = "login-taken"
    title = N_("该登录名已有人使用，请换一个")
    status = 422


class UnitUnverified(Refusal):
    """A unit may save and submit before an officer has confirmed its evidence; it cannot be granted."""

    code = "unit-unverified"
    title = N_("申请单位身份尚未核验")
    status = 403
    detail = N_("主管部门核验申请单位的证明材料后才能授权。")


class AlreadyConfirmed(Refusal):
    code = "unit-confirmed"
    title = N_("该单位已经核验")
    status = 409


class UsccMissing(Refusal):
    code = "uscc-missing"
    title = N_("该单位没有可核验的统一社会信用代码")
    status = 409


class UsccHeld(Refusal):
    """Another unit with this code was confirmed before; which one is for officers to see on the page."""

    code = "uscc-held"
    title = N_("另一已核验单位使用同一统一社会信用代码")
    status = 409


class RoleUnfit(Refusal):
    code = "role-unfit"
    title = N_("该角色不适用于这类单位")
    status = 422


class LastManager(Refusal):
    code = "last-manager"
    title = N_("单位至少保留一名管理员")
    status = 409


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something typed does not hold: a message with blanks, and what fills them."""

    code: str
    message: str
    blanks: dict[str, object]


# ---- unified social credit codes (GB 32100) -------------------------------------------------------------------------

USCC_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
REGION = range(2, 8)  # positions 3 to 8, counted from 0: the six digits of the region


def fold_uscc(text: str) -> str:
    """Return a code as it is stored: full-width forms folded, blanks and hyphens cut, capitals."""
    return re.sub(r"[\s\-－—]", "", unicodedata.normalize("NFKC", text)).upper()


def uscc_fault(code: str) -> Fault | None:
    """Return the first thing wrong with a folded code, None when it holds.

    Registering bodies may have a letter (N 农业农村, A 军队 …), so only the region must be digits.
    """
    if len(code) != 18:
        return Fault("uscc_length", N_("统一社会信用代码应为 18 位，现为 %(length)s 位"), {"length": len(code)})
    for place, letter in enumerate(code):
        if letter not in USCC_LETTERS:
            message = N_("第 %(place)s 位“%(letter)s”不是统一社会信用代码用字（数字和大写字母，不用 I、O、Z、S、V）")
            return Fault("uscc_alphabet", message, {"place": place + 1, "letter": letter})
    if not all(code[place].isdigit() for place in REGION):
        return Fault("uscc_region", N_("统一社会信用代码第 3 至 8 位是行政区划，应为数字"), {})
    if code[-1] != standard.calc_check_digit(code):
        return Fault("uscc_check", N_("统一社会信用代码的校验位不符，请核对是否录错"), {})
    return None


# ---- logins and passwords -------------------------------------------------------------------------------------------

LOGIN_PATTERN = r"[a-z0-9][a-z0-9._-]{2,31}"
PASSWORD_MIN = 10
PASSWORD_MAX = 256
COMMON = frozenset(
    """1234567890 0123456789 0987654321 12345678910 123456789a a123456789 1234567890a q123456789 abc1234567 abcd123456
    1q2w3e4r5t 1qaz2wsx3edc qwertyuiop qwerty12345 qwerty123456 password12 password123 password1234 passw0rd123
    p@ssw0rd123 administrator admin12345 admin123456 admin@12345 changeme123 letmein1234 welcome1234 iloveyou123
    iloveyou1314 woaini1314 woaini5201 woaini520520 woaini1314520 5201314520 5201314521 qq123456789 zxcvbnm123
    asdfghjkl123 hangzhou123 qiantang123 test123456 root123456""".split()
)


def fold_login(text: str) -> str:
    """Return a login as it is stored: full-width forms folded, small letters."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def login_fault(login: str) -> Fault | None:
    """Return why a folded login may not be taken, None when its letters may."""
    if re.fullmatch(LOGIN_PATTERN, login):
        return None
    message = N_("登录名为 3 至 32 个小写字母、数字、点、横线或下划线，以字母或数字开头")
    return Fault("login_pattern", message, {})


def password_fault(password: str, login: str) -> Fault | None:
    """Return why `password` may not be used by `login`, None when it may."""
    folded = unicodedata.normalize("NFKC", password).casefold()
    if len(password) < PASSWORD_MIN:
        return Fault("password_short", N_("密码至少 %(least)s 个字符"), {"least": PASSWORD_MIN})
    if login and folded == fold_login(login):
        return Fault("password_login", N_("密码不得与登录名相同"), {})
    if folded in COMMON or len(set(folded)) < 5:
        return Fault("password_common", N_("这个密码太常见，容易被猜中，请换一个"), {})
    return None


# ---- sessions -------------------------------------------------------------------------------------------------------

IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=5)
KNOWN_FOR = timedelta(days=90)
SKEW = timedelta(minutes=1)


def alive(*, created_at: datetime, seen_at: datetime, now: datetime) -> bool:
    """Whether a session that nobody ended is still good at `now`: 12 h from login, 30 min from when it was last seen.

    `seen_at` is written at most every 5 minutes, so an idle session may end up to 5 minutes early, never late.
    One from the future (the clock was moved back) is not good.
    """
    return created_at - SKEW <= now < created_at + ABSOLUTE and now < seen_at + IDLE


def network_of(address: str) -> str:
    """Return what counts as one address for throttling: an IPv4 address, the /64 of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


# ---- browsers --------------------------------------------------------------------------------------------------------

# The first that a browser names of itself; the later ones claim to be the earlier ones too.
_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("MicroMessenger", "WeChat"), ("Firefox", "Firefox"),
             ("HeadlessChrome", "Chrome"), ("Chrome", "Chrome"), ("Version", "Safari"))  # fmt: skip
_SYSTEMS = (("Windows", "Windows"), ("HarmonyOS", "HarmonyOS"), ("Android", "Android"), ("iPhone", "iOS"),
            ("iPad", "iPadOS"), ("Mac OS X", "macOS"), ("Linux", "Linux"))  # fmt: skip


def browser_of(agent: str) -> str:
    """Return a browser as its user would call it ("Chrome 156, Linux"); what it says of itself when we know it not."""
    found = next((match for name, _word in _BROWSERS if (match := re.search(rf"\b({name})/(\d+)", agent))), None)
    system = next((word for name, word in _SYSTEMS if name in agent), "")
    if found is None:
        return agent
    return ", ".join(filter(None, (f"{dict(_BROWSERS)[found[1]]} {found[2]}", system)))
