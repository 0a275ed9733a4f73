"""Zip files: which members hold data, and that none of them is a trap.

Nothing is ever written under a member's name, and what is unpacked is counted against the size that the zip says.
"""

import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from service.base.i18n import N_
from service.catalogue.engine.loading.shapes import MIB, Limits, unfit
from service.catalogue.engine.loading.text import CUT_OFF, TOO_LARGE, Bounded

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json",
    ".parquet": "parquet", ".xlsx": "xlsx",
}  # fmt: skip
NESTED = (".zip", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".tgz")
SIDE_FOLDERS = ("__macosx/",)
UTF8_NAME = 0x800  # flag of a member: its name is UTF-8

NOT_A_ZIP = N_("压缩包已损坏或不完整")
ENCRYPTED = N_("压缩包已加密")
BAD_NAME = N_("压缩包中有文件名不安全的文件（第 %(n)s 个）")
NESTED_ZIP = N_("压缩包中还有压缩包（第 %(n)s 个文件）")
TOO_MANY = N_("压缩包中的文件超过 %(most)s 个")
RATIO = N_("压缩包的压缩比超过 %(most)s 倍")
NO_MEMBER = N_("压缩包中没有可以导入的数据文件")
NO_SUCH_MEMBER = N_("压缩包中没有所指定的文件")
MIXED = N_("压缩包中有多种数据文件，请指定其中一个")
SEVERAL_SHEETS = N_("压缩包中有多个 XLSX 文件，请指定其中一个")


def is_plain_zip(file: Path) -> bool:
    """Whether `file` is a zip that is no workbook."""
    try:
        with ZipFile(file) as packed:
            return "[Content_Types].xml" not in packed.namelist()
    except (zipfile.BadZipFile, NotImplementedError):
        return False


def unpacked_size(file: Path, limits: Limits) -> int:
    """Return how many bytes there are to read, as far as the file says; at most what may be unpacked."""
    size = file.stat().st_size
    try:
        with ZipFile(file) as packed:
            size += sum(member.file_size for member in packed.infolist())
    except (zipfile.BadZipFile, NotImplementedError):
        pass
    return min(size, limits.unpacked)


@contextmanager
def opened(file: Path, limits: Limits) -> Iterator[ZipFile]:
    """Give the zip in `file` once nothing in its directory is a trap; raises Unfit for one that is none or cut off."""
    try:
        with ZipFile(file) as packed:
            demand_safe(packed.infolist(), limits)
            yield packed
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError) as fault:
        raise unfit(ENCRYPTED if "encrypted" in str(fault) else NOT_A_ZIP) from None
    except RuntimeError as fault:
        if "encrypted" in str(fault) or "password" in str(fault):
            raise unfit(ENCRYPTED) from None
        raise
    except Exception as fault:
        if type(fault).__module__ in ("zlib", "lzma") or isinstance(fault, _damage()):
            raise unfit(NOT_A_ZIP) from None
        raise


def _damage() -> tuple[type[Exception], ...]:
    """Return what the unpackers raise for bytes that are not theirs."""
    import lzma
    import zlib

    return zlib.error, lzma.LZMAError


def demand_safe(members: Sequence[ZipInfo], limits: Limits) -> None:
    """Raise Unfit for encryption, path tricks, and more data than a limit allows.

    Sizes are what the members say of themselves; Python's reader gives no more of a member than that.
    """
    if len(members) > limits.members:
        raise unfit(TOO_MANY, most=limits.members)
    for n, member in enumerate(members, 1):
        if member.flag_bits & 0x1:
            raise unfit(ENCRYPTED)
        if _unsafe(member):
            raise unfit(BAD_NAME, n=n)
    whole, packed = sum(one.file_size for one in members), sum(one.compress_size for one in members)
    if whole > limits.unpacked:
        raise unfit(TOO_LARGE, demanding=True, most=limits.unpacked)
    if whole > limits.trusted and whole > limits.ratio * packed:
        raise unfit(RATIO, demanding=True, most=limits.ratio)


def _unsafe(member: ZipInfo) -> bool:
    name = member.orig_filename
    parts = name.replace("\\", "/").split("/")
    link = stat.S_ISLNK(member.external_attr >> 16)
    return link or "\0" in name or "\\" in name or name.startswith("/") or ".." in parts or ":" in parts[0]


def shown(member: ZipInfo) -> str:
    """Return a member's name as people see it: many Chinese packers write GBK where UTF-8 is not said."""
    if member.flag_bits & UTF8_NAME:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return member.filename


def data_members(packed: ZipFile) -> list[ZipInfo]:
    """Return the members that hold data, by name; raises Unfit for a zip in the zip."""
    found = []
    for n, member in enumerate(packed.infolist(), 1):
        name = member.filename.lower()
        if member.is_dir() or name.startswith(SIDE_FOLDERS) or name.rsplit("/", 1)[-1].startswith("."):
            continue
        if name.endswith(NESTED):
            raise unfit(NESTED_ZIP, n=n)
        if Path(name).suffix in FORMATS:
            found.append(member)
    return sorted(found, key=lambda member: member.filename)


def chosen(members: Sequence[ZipInfo], wanted: str | None) -> list[ZipInfo]:
    """Return the members to read: the one asked for, or all, which must be of one format (and one only of XLSX)."""
    if wanted is not None:
        members = [member for member in members if shown(member) == wanted]
        if not members:
            raise unfit(NO_SUCH_MEMBER)
        return list(members[:1])
    if not members:
        raise unfit(NO_MEMBER)
    formats = {format_of(member) for member in members}
    if len(formats) > 1:
        raise unfit(MIXED)
    if formats == {"xlsx"} and len(members) > 1:
        raise unfit(SEVERAL_SHEETS)
    return list(members)


def format_of(member: ZipInfo) -> str:
    return FORMATS[Path(member.filename.lower()).suffix]


def unpack(packed: ZipFile, member: ZipInfo, target: Path, limits: Limits, told: Callable[[int], None]) -> None:
    """Write a member to `target`, a path of ours; raises Unfit where it is not as long as the zip says."""
    with packed.open(member) as raw, target.open("xb") as file:
        bounded = Bounded(raw, line=limits.unpacked, most=limits.unpacked, size=member.file_size, told=told)  # type: ignore[arg-type]
        buffer = bytearray(MIB)
        while count := bounded.readinto(buffer):
            file.write(memoryview(buffer)[:count])
    if target.stat().st_size != member.file_size:
        raise unfit(CUT_OFF)
