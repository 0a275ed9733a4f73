"""A steward's uploads: send a file, see what was found in it, put it right, have it loaded, read the report."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import Role, caller, requires
from service.base.db import Session
from service.base.errors import Invalid, NotFound
from service.base.forms import errors_by_field, form_data, parse
from service.base.i18n import N_, gettext
from service.catalogue import store as catalogue
from service.catalogue.actions import uploads as actions
from service.catalogue.engine import loading, parked
from service.catalogue.engine.loading import REASONS, Inspected, Report
from service.catalogue.engine.loading.shapes import CLASSES, Told
from service.catalogue.engine.loading.text import DELIMITERS, ENCODINGS
from service.catalogue.forms import LoadingForm, PurgeForm, ReadingForm, UploadForm
from service.catalogue.rules.uploads import (
    KEPT,
    MOST_BY_FORM,
    MOST_BYTES,
    MOVING,
    STATE_TITLES,
    Choices,
    RunState,
    TooLong,
)
from service.catalogue.store import uploads as store
from service.catalogue.tables import Dataset, DatasetColumn, ImportRun
from service.home.web.parts import pages
from service.people import store as people

SHOWN = 50  # refused values on the page; all that were listed are in the file
SPARE = 1 << 20  # bytes of a form around its file
FORMAT_TITLES = {"csv": "CSV", "json": "JSON", "xlsx": "XLSX", "parquet": "Parquet"}
REPORT_TITLES = (N_("行"), N_("文件序号"), N_("字段"), N_("原因"), N_("长度"), N_("字符种类"))
NO_FILE = N_("请选择文件")
NOT_MAPPED = N_("请选择文件中的一列")
OTHER_COLUMNS = N_("追加的数据须有与前一版本相同的字段和类型；字段有变的，须整体导入")


@pages.get("/datasets/<dataset_id>/uploads")
@requires(Role.STEWARD, Role.AUTHORITY)
def uploads(dataset_id: str) -> ResponseReturnValue:
    """Show the uploads of a dataset, and the form to send a file."""
    with db.reading() as session:
        return _list(session, _overseen(session, dataset_id))


@pages.post("/datasets/<dataset_id>/uploads")
@requires(Role.STEWARD)
def upload_file(dataset_id: str) -> ResponseReturnValue:
    """Take a file that came as a form, whole: the way for a browser without scripts."""
    request.max_content_length = MOST_BY_FORM + SPARE
    with db.reading() as session:
        actions.demand_steward(session, dataset_id, unit_id=caller().unit_id)
    try:
        run = _received(dataset_id)
    except Invalid as fault:
        with db.reading() as session:
            return _list(session, _overseen(session, dataset_id), errors_by_field(fault))
    return http.see_other(f"/datasets/{dataset_id}/uploads/{run.id}")


@pages.get("/datasets/<dataset_id>/uploads/<run_id>")
@requires(Role.STEWARD, Role.AUTHORITY)
def upload_page(dataset_id: str, run_id: str) -> ResponseReturnValue:
    """Show one upload: how far it is, what was found, what is to be decided, what became of it."""
    with db.reading() as session:
        found = _overseen(session, dataset_id)
        return _page(session, found, _run(session, dataset_id, run_id))


@pages.get("/datasets/<dataset_id>/uploads/<run_id>/report.csv")
@requires(Role.STEWARD, Role.AUTHORITY)
def upload_report(dataset_id: str, run_id: str) -> ResponseReturnValue:
    """Answer what was refused as CSV: row, column, why, and what kind of value it was; never the value."""
    with db.reading() as session:
        _overseen(session, dataset_id)
        run = _run(session, dataset_id, run_id)
    if run.report is None:
        raise NotFound()
    answer = Response("\ufeff" + _table(Report.of(run.report)), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="report-{run.id}.csv"'
    return answer


# ---- acts -----------------------------------------------------------------------------------------------------------


@pages.post("/datasets/<dataset_id>/uploads/<run_id>/reading")
@requires(Role.STEWARD)
def read_upload_again(dataset_id: str, run_id: str) -> ResponseReturnValue:
    """Have a file read in another way."""
    values = form_data(request.form)
    try:
        form = parse(ReadingForm, values)
    except Invalid as fault:
        return _again(dataset_id, run_id, values, errors_by_field(fault))
    with db.writing() as session:
        _own(session, dataset_id, run_id)
        now = clock.now(session)
        actions.read_again(session, run_id, form.choices, by=caller().person_id, now=now)
    return http.see_other(f"/datasets/{dataset_id}/uploads/{run_id}")


@pages.post("/datasets/<dataset_id>/uploads/<run_id>/loading")
@requires(Role.STEWARD)
def load_upload(dataset_id: str, run_id: str) -> ResponseReturnValue:
    """Have a file loaded as the next version, which waits for its secrecy review."""
    values = form_data(request.form)
    with db.reading() as session:
        _own(session, dataset_id, run_id)
        columns = catalogue.columns(session, dataset_id)
    try:
        form = _loading(columns, values)
        with db.writing() as session:
            run = _own(session, dataset_id, run_id)
            choices = _confirmed(session, run, columns, form)
            actions.confirm(session, run_id, choices, by=caller().person_id, now=clock.now(session))
    except Invalid as fault:
        return _again(dataset_id, run_id, values, errors_by_field(fault))
    return http.see_other(f"/datasets/{dataset_id}/uploads/{run_id}")


@pages.post("/datasets/<dataset_id>/uploads/<run_id>/ending")
@requires(Role.STEWARD)
def end_upload_page(dataset_id: str, run_id: str) -> ResponseReturnValue:
    """Give an upload up."""
    with db.writing() as session:
        run = _own(session, dataset_id, run_id)
        actions.end(session, run_id, by=caller().person_id, now=clock.now(session))
    _remove(run)
    return http.see_other(f"/datasets/{dataset_id}/uploads")


@pages.post("/datasets/<dataset_id>/uploads/<run_id>/purge")
@requires(Role.STEWARD, Role.AUTHORITY, fresh=True)
def purge_upload(dataset_id: str, run_id: str) -> ResponseReturnValue:
    """Delete a file with secrecy marks, as somebody else than its sender, and say why."""
    values = form_data(request.form)
    try:
        form = parse(PurgeForm, values)
    except Invalid as fault:
        return _again(dataset_id, run_id, values, errors_by_field(fault))
    with db.writing() as session:
        _overseen(session, dataset_id)
        run = _run(session, dataset_id, run_id)
        actions.purge(session, run_id, reason=form.reason, by=caller().person_id, now=clock.now(session))
    _remove(run)
    return http.see_other(f"/datasets/{dataset_id}/uploads/{run_id}")


# ---- receiving ------------------------------------------------------------------------------------------------------


def _received(dataset_id: str) -> ImportRun:
    """Keep the file of the form as an upload that is complete."""
    given = request.files.get("file")
    if given is None or not given.filename:
        raise Invalid(errors=[{"field": "file", "message": gettext(NO_FILE)}])
    size = given.stream.seek(0, io.SEEK_END)
    given.stream.seek(0)
    try:
        form = parse(UploadForm, {"dataset": dataset_id, "filename": PurePath(given.filename).name, "size": size})
    except Invalid as fault:
        raise Invalid(errors=[error | {"field": "file"} for error in fault.facts["errors"]]) from None
    if size > MOST_BY_FORM:
        raise TooLong(most=MOST_BY_FORM)
    by = caller().person_id
    with db.writing() as session:
        now = clock.now(session)
        run = actions.announce(session, dataset_id, name=form.filename, size=size, fingerprint="", by=by, now=now)
        file = parked.path(http.settings().home, run.id, run.name)
        parked.make(file, size)
    with parked.held(file) as opened:
        taken = parked.append(opened, given.stream, at=0, most=size)
        with db.writing() as session:
            return actions.take_in(session, run, taken.size, by=by, now=clock.now(session))


def _remove(run: ImportRun) -> None:
    parked.remove(parked.path(http.settings().home, run.id, run.name))


# ---- the form that confirms -----------------------------------------------------------------------------------------


def _loading(columns: list[DatasetColumn], values: Mapping[str, Any]) -> LoadingForm:
    """Return the form that confirms; its fields column_<name> hold places in the file."""
    mapping = {column.name: values.get(f"column_{column.name}", "") for column in columns}
    rest = {name: value for name, value in values.items() if not name.startswith("column_")}
    missing = [name for name, place in mapping.items() if place == ""]
    if missing:
        message = gettext(NOT_MAPPED)
        raise Invalid(errors=[{"field": f"column_{name}", "message": message} for name in missing])
    try:
        return parse(LoadingForm, {"mapping": mapping, **rest})
    except Invalid as fault:
        first = f"column_{columns[0].name}"
        errors = [(each["field"].replace("mapping.", "column_"), each["message"]) for each in fault.facts["errors"]]
        named = [{"field": first if field == "mapping" else field, "message": said} for field, said in errors]
        raise Invalid(errors=named) from None


def _confirmed(session: Session, run: ImportRun, columns: list[DatasetColumn], form: LoadingForm) -> Choices:
    """Return what was chosen; Invalid where a place is none of the file, or rows cannot come on top of others."""
    width = len((run.found or {"columns": ()})["columns"])
    errors = [
        {"field": f"column_{name}", "message": gettext(NOT_MAPPED)}
        for name, place in form.mapping.items()
        if place >= width
    ]
    base = catalogue.newest_or_none(session, run.dataset_id)
    same = base is None or [(each["name"], each["type"]) for each in base.columns] == [
        (column.name, column.type) for column in columns
    ]
    if form.mode == "append" and not same:
        errors.append({"field": "mode", "message": gettext(OTHER_COLUMNS)})
    if errors:
        raise Invalid(errors=errors)
    kept = {name: run.choices.get(name) for name in ("encoding", "delimiter", "sheet", "member")}
    return Choices(**kept, mapping=dict(form.mapping), append=form.mode == "append", most=form.most)


# ---- pages ----------------------------------------------------------------------------------------------------------


def _list(session: Session, found: Dataset, errors: Mapping[str, str] | None = None) -> Response:
    runs = store.runs(session, found.id)
    return http.page(
        "home/uploads.html",
        status=422 if errors else 200,
        dataset=found,
        runs=runs,
        names=people.names_of(session, {run.by for run in runs}),
        states=STATE_TITLES,
        tones=TONES,
        may_send=_sends(found),
        most=MOST_BYTES,
        most_by_form=MOST_BY_FORM,
        suffixes=loading.SUFFIXES,
        errors=errors or {},
    )


TONES = {
    RunState.RECEIVING: "wait", RunState.WAITING: "go", RunState.READING: "go", RunState.CHECKED: "wait",
    RunState.CONFIRMED: "go", RunState.LOADING: "go", RunState.DONE: "ok", RunState.REFUSED: "no",
    RunState.QUARANTINED: "no", RunState.PURGED: "off", RunState.ENDED: "off", RunState.EXPIRED: "off",
}  # fmt: skip
STAGES = {"reading": N_("正在读取各行"), "checking": N_("正在核对各值"), "writing": N_("正在写入")}


def _page(
    session: Session, found: Dataset, run: ImportRun, values: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    columns = catalogue.columns(session, found.id)
    looked = Inspected.of(run.found) if run.found else None
    report = Report.of(run.report) if run.report else None
    return http.page(
        "home/upload.html",
        status=422 if errors else 200,
        dataset=found,
        run=run,
        names=people.names_of(session, {run.by, run.confirmed_by or run.by, run.ended_by or run.by}),
        states=STATE_TITLES,
        tones=TONES,
        stages=STAGES,
        moving=run.state in MOVING,
        kept=run.state in KEPT,
        sends=_sends(found),
        may_purge=run.state == RunState.QUARANTINED and run.by != caller().person_id,
        looked=looked,
        formats=FORMAT_TITLES,
        columns=columns,
        mapping=_mapping(run, looked),
        encodings=_pairs(ENCODINGS),
        sheets=_pairs(looked.sheets if looked else ()),
        members=_pairs(looked.members if looked else ()),
        delimiters=DELIMITERS,
        has_version=catalogue.newest_or_none(session, found.id) is not None,
        faults=[Told(**fault).error() for fault in run.faults],
        report=report,
        shown=[refused.said() for refused in report.refused[:SHOWN]] if report else [],
        values=values or {},
        errors=errors or {},
    )


def _pairs(values: Iterable[str]) -> list[tuple[str, str]]:
    return [(value, value) for value in values]


def _mapping(run: ImportRun, looked: Inspected | None) -> dict[str, str]:
    """Return for each column the place of its heading, as chosen or as it seems to be."""
    if looked is None:
        return {}
    if chosen := run.choices.get("mapping"):
        return {name: str(place) for name, place in chosen.items()}
    headings = [guess.heading for guess in looked.columns]
    return {name: str(headings.index(heading)) for name, heading in looked.mapping.items()}


def _table(report: Report) -> str:
    """Return the refused values as CSV; nothing of it comes from the file but numbers."""
    out = io.StringIO()
    lines = csv.writer(out)
    lines.writerow([gettext(title) for title in REPORT_TITLES])
    for one in report.refused:
        kinds = " ".join(gettext(CLASSES[kind]) for kind in one.classes)
        lines.writerow([one.row, one.part, one.column, gettext(REASONS[one.why]), one.length, kinds])
    return out.getvalue()


def _again(dataset_id: str, run_id: str, values: Mapping[str, Any], errors: Mapping[str, str]) -> Response:
    with db.reading() as session:
        found = _overseen(session, dataset_id)
        return _page(session, found, _run(session, dataset_id, run_id), values, errors)


# ---- who ------------------------------------------------------------------------------------------------------------


def _sends(found: Dataset) -> bool:
    return caller().has(Role.STEWARD) and caller().unit_id == found.source_unit_id


def _overseen(session: Session, dataset_id: str) -> Dataset:
    """Return a dataset of the caller's unit, any to the authority; NotFound."""
    found = catalogue.dataset(session, dataset_id)
    if not _sends(found) and not caller().has(Role.AUTHORITY):
        raise NotFound()
    return found


def _run(session: Session, dataset_id: str, run_id: str) -> ImportRun:
    run = store.run(session, run_id)
    if run.dataset_id != dataset_id:
        raise NotFound()
    return run


def _own(session: Session, dataset_id: str, run_id: str) -> ImportRun:
    """Return an upload that the caller, a steward of its unit, may act on."""
    actions.demand_steward(session, dataset_id, unit_id=caller().unit_id)
    return _run(session, dataset_id, run_id)
