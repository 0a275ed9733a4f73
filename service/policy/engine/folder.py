"""The policies folder as one value, loaded once at start."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from service.policy.engine.lists import ListFile, between, read_list
from service.policy.engine.reading import Fault, M, Path_, PolicyError, Source, as_model, read
from service.policy.rules.calendar import WorkCalendar, Year
from service.policy.rules.models import Model, NegativeList
from service.policy.rules.papers import TERM_BLANKS, Agreement, ApplicationForm, Clause, Reasons, Remedy, blanks_in
from service.policy.rules.routes import Route
from service.policy.rules.vocabulary import Vocabulary

# What a file may be, by its `format`, and the folder it lives in.
KINDS: dict[str, tuple[str, type[Model]]] = {
    "vocabulary/1": ("vocabulary", Vocabulary),
    "negative-list/1": ("lists", NegativeList),
    "route/1": ("routes", Route),
    "calendar/1": ("calendar", Year),
    "agreement/1": ("agreements", Agreement),
    "reasons/1": ("reasons", Reasons),
    "remedy/1": ("remedies", Remedy),
    "form/1": ("forms", ApplicationForm),
}
REASON_BLANKS = frozenset({"column", "clause", "remedy", "days"})
REMEDY_BLANKS = frozenset({"authority", "reconsideration_body"})


@dataclass(frozen=True, slots=True, eq=False)
class Policies:
    """Everything under policies/, read strictly.  Papers are keyed by their id.  Two readings are never the same."""

    vocabulary: Vocabulary
    lists: tuple[NegativeList, ...]
    routes: tuple[Route, ...]
    calendar: WorkCalendar
    agreements: dict[str, Agreement]
    reasons: Reasons
    remedies: dict[str, Remedy]
    forms: dict[str, ApplicationForm]

    def in_force(self, day: date) -> tuple[NegativeList, ...]:
        """Return the lists in force on a Beijing day, common first, then by id."""
        found = (each for each in self.lists if each.effective.holds(day))
        return tuple(sorted(found, key=lambda each: (each.domain != "common", each.id)))


def load(folder: Path) -> Policies:
    """Return the policies in `folder`.  Raises PolicyError with every fault of every file."""
    vocabulary = read_vocabulary(folder)
    lists, faults = read_lists(yaml_files(folder / "lists"), vocabulary)
    faults += between(lists)
    papers: dict[type[Model], list[Any]] = {model: [] for _, model in KINDS.values()}
    for name, model in KINDS.values():
        if model in (Vocabulary, NegativeList):
            continue
        found, wrong = read_papers(yaml_files(folder / name), model, vocabulary)
        papers[model] = found
        faults += wrong
    faults += _whole(folder, papers)
    if faults:
        raise PolicyError(faults)
    return Policies(
        vocabulary=vocabulary,
        lists=tuple(file.list for file in lists),
        routes=tuple(papers[Route]),
        calendar=WorkCalendar(papers[Year]),
        agreements={each.id: each for each in papers[Agreement]},
        reasons=papers[Reasons][0],
        remedies={each.id: each for each in papers[Remedy]},
        forms={each.id: each for each in papers[ApplicationForm]},
    )


def read_vocabulary(folder: Path) -> Vocabulary:
    """Return the folder's vocabulary.  Raises PolicyError."""
    return as_model(read(folder / "vocabulary" / "vocabulary.yaml"), Vocabulary)


def yaml_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in {".yaml", ".yml"} and path.is_file())


def read_lists(paths: Iterable[Path], vocabulary: Vocabulary) -> tuple[list[ListFile], list[Fault]]:
    """Return the lists that can be read, and the faults of the others."""
    files: list[ListFile] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            files.append(read_list(read(path), vocabulary))
        except PolicyError as fault:
            faults += fault.faults
    return files, faults


def read_papers(paths: Iterable[Path], model: type[M], vocabulary: Vocabulary) -> tuple[list[M], list[Fault]]:
    """Return the files of one other kind that can be read, and the faults of the rest."""
    found: list[M] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            found.append(read_paper(read(path), model, vocabulary))
        except PolicyError as fault:
            faults += fault.faults
    return found, faults


def read_paper(source: Source, model: type[M], vocabulary: Vocabulary) -> M:
    """Return one file as `model`.  Raises PolicyError with every fault."""
    paper = as_model(source, model)
    if faults := [source.fault(path, message) for path, message in _paper_faults(paper, vocabulary)]:
        raise PolicyError(faults)
    return paper


def _paper_faults(paper: Model, vocabulary: Vocabulary) -> Iterator[tuple[Path_, str]]:
    if isinstance(paper, Route) and paper.running_days > paper.total.working_days:
        message = (
            f"各步合计 {paper.running_days} 个工作日，超过总时限 / the steps take {paper.running_days} working days"
        )
        yield ("total", "working_days"), message
    if isinstance(paper, Agreement):
        yield from _agreement_faults(paper, vocabulary)
    if isinstance(paper, Reasons):
        yield from _reason_faults(paper)
    if isinstance(paper, Remedy):
        yield from _blank_faults(blanks_in(paper.text), REMEDY_BLANKS, ("text",))


def _blank_faults(used: frozenset[str], known: frozenset[str], path: Path_) -> Iterator[tuple[Path_, str]]:
    if unknown := sorted(used - known):
        yield path, f"未知的空格 {', '.join(unknown)} / unknown blanks"


def _agreement_faults(paper: Agreement, vocabulary: Vocabulary) -> Iterator[tuple[Path_, str]]:
    """Every blank has a value whenever its clause is in, and every duty held by contract or process has a clause."""
    params = {
        each.kind: frozenset(f"{each.kind}_{name}" for name, type_ in each.params.items() if not type_.endswith("?"))
        for each in vocabulary.obligations
    }
    for name in ("title", "preamble"):
        yield from _blank_faults(blanks_in(getattr(paper, name)), TERM_BLANKS, (name,))
    for index, clause in enumerate(paper.clauses):
        yield from _clause_faults(clause, ("clauses", index), params, vocabulary)
    covered = {kind for clause in paper.clauses for kind in clause.obligations or () if not clause.purposes}
    held = {kind for kind, by in vocabulary.enforcers.items() if {"contract", "process"} & set(by)}
    if bare := sorted(held - covered):
        yield ("clauses",), f"义务没有对应条款：{', '.join(bare)} / no clause for these obligations"


def _clause_faults(
    clause: Clause, path: Path_, params: Mapping[str, frozenset[str]], vocabulary: Vocabulary
) -> Iterator[tuple[Path_, str]]:
    kinds = clause.obligations or ()
    if unknown := [kind for kind in kinds if kind not in params]:
        yield (*path, "obligations"), f"词表中没有义务 {unknown} / not kinds of obligation"
        return
    known = TERM_BLANKS | (params[kinds[0]] if len(kinds) == 1 else frozenset())
    yield from _blank_faults(blanks_in(clause.text) | blanks_in(clause.title), known, (*path, "text"))
    if wrong := [word for word in clause.purposes or () if not vocabulary.knows("purposes", word)]:
        yield (*path, "purposes"), f"词表中没有用途 {wrong} / not purposes of the vocabulary"


def _reason_faults(paper: Reasons) -> Iterator[tuple[Path_, str]]:
    categories = {category.code for category in paper.categories}
    codes = [reason.code for reason in paper.reasons]
    for index, reason in enumerate(paper.reasons):
        if reason.code in codes[:index]:
            yield ("reasons", index, "code"), "编号重复 / the code is used twice"
        if reason.category not in categories:
            yield ("reasons", index, "category"), "未列出的统计类别 / not one of the categories"
        yield from _blank_faults(blanks_in(reason.text), REASON_BLANKS, ("reasons", index, "text"))


def _whole(folder: Path, papers: dict[type[Model], list[Any]]) -> Iterator[Fault]:
    """Yield what is wrong with the folder as a whole."""
    routes: list[Route] = papers[Route]
    if not any(route.applies is None for route in routes):
        yield Fault(str(folder / "routes"), 1, 1, "", "缺少无条件的流转路线 / no route without conditions")
    for model, name in ((Route, "routes"), (Agreement, "agreements"), (Remedy, "remedies"), (ApplicationForm, "forms")):
        ids = [each.id for each in papers[model]]
        if not ids or len(ids) != len(set(ids)):
            yield Fault(str(folder / name), 1, 1, "", "缺少文件或编号重复 / no file, or an id used twice")
    years = [each.year for each in papers[Year]]
    if not years or len(years) != len(set(years)):
        yield Fault(str(folder / "calendar"), 1, 1, "", "缺少日历或年份重复 / no calendar, or a year given twice")
    if len(papers[Reasons]) != 1:
        yield Fault(str(folder / "reasons"), 1, 1, "", "须有且仅有一个理由库 / exactly one library of reasons")


_current: Policies | None = None


def use(policies: Policies) -> None:
    """Make these the process's policies; called once at start and by tests."""
    global _current
    _current = policies


def current() -> Policies:
    """Return the process's policies.  Raises LookupError before `use`."""
    if _current is None:
        raise LookupError("no policies are loaded")
    return _current
