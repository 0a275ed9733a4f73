"""The versions of a dataset as an Atom feed (RFC 4287)."""

from collections.abc import Sequence
from xml.etree import ElementTree

from service.base.i18n import current, gettext, pick
from service.catalogue.tables import Dataset
from service.home.web.history import Told
from service.people.tables import Unit

ATOM = "http://www.w3.org/2005/Atom"


def atom(found: Dataset, source: Unit, versions: Sequence[Told], *, base: str) -> bytes:
    """Return the feed, the newest version on top; a withdrawn one says so and counts as changed then."""
    ElementTree.register_namespace("", ATOM)
    page = f"{base}/datasets/{found.id}"
    feed = ElementTree.Element(f"{{{ATOM}}}feed", {"{http://www.w3.org/XML/1998/namespace}lang": current()})
    moments = [_changed(one) for one in versions]
    updated = max(moments, default=found.updated_at.isoformat())
    _add(feed, "id", page)
    _add(feed, "title", pick(found.title))
    _add(feed, "updated", updated)
    _add(feed, "link", href=f"{page}/versions.atom", rel="self")
    _add(feed, "link", href=page, rel="alternate")
    _add(_add(feed, "author"), "name", source.name if current() == "zh" else source.name_en or source.name)
    for one, moment in zip(versions, moments, strict=True):
        _entry(feed, one, moment, page)
    written: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return written


def _entry(feed: ElementTree.Element, one: Told, moment: str, page: str) -> None:
    entry, place = _add(feed, "entry"), f"{page}/versions/{one.row.number}"
    _add(entry, "id", place)
    _add(entry, "title", f"{gettext('第 %(n)s 版', n=one.row.number)} · {gettext(one.title)}")
    _add(entry, "updated", moment)
    _add(entry, "link", href=place, rel="alternate")
    said = [pick(one.row.withdrawn_reason)] if one.row.withdrawn_at else []
    _add(entry, "summary", "\n".join([*said, *one.changes, one.checksum]))


def _changed(one: Told) -> str:
    at = one.row.withdrawn_at or one.row.published_at or one.row.created_at
    return at.isoformat()


def _add(parent: ElementTree.Element, name: str, text: str | None = None, **attributes: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    child.text = text
    return child
