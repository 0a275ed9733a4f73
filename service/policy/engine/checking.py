"""Runs the cases that stand beside the rules, and asks whether they would notice a missing rule."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from service.policy.engine.folder import KINDS, load, read_paper, read_vocabulary, yaml_files
from service.policy.engine.lists import ListFile, between, facts_of, read_list
from service.policy.engine.reading import Fault, Path_, PolicyError, Source, read
from service.policy.rules.facts import Facts
from service.policy.rules.judging import LEVEL_DEFAULT_ID, Verdict, judge
from service.policy.rules.models import Case, NegativeList
from service.policy.rules.vocabulary import Vocabulary


@dataclass(slots=True)
class Report:
    """What a check found.  `passed` counts cases and readable files of other kinds; each fault is a failure.

    `gaps` are what the cases would not notice: failures of policies that are served, advice on a list on the desk.
    """

    passed: int = 0
    faults: list[Fault] = field(default_factory=list)
    gaps: list[Fault] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return len(self.faults)

    def add(self, other: "Report") -> None:
        self.passed += other.passed
        self.faults += other.faults
        self.gaps += other.gaps

    def without_gaps(self) -> "Report":
        """Return the same with every gap counted as a failure."""
        return Report(self.passed, self.faults + self.gaps)


def check_paths(paths: Iterable[Path], policies: Path) -> Report:
    """Return the check of files and folders, or of the whole folder `policies` when no path is given.

    Whatever is checked speaks the vocabulary of `policies`, except a folder that brings its own.
    """
    paths = list(paths)
    if not paths or policies in paths:
        return _check_folder(policies)
    report = Report()
    loose: list[Path] = []
    for path in paths:
        if (path / "vocabulary" / "vocabulary.yaml").is_file():
            report.add(_check_folder(path))
        else:
            loose += yaml_files(path) if path.is_dir() else [path]
    if ours := [path for path in loose if path.resolve().is_relative_to(policies.resolve())]:
        report.add(_check_files(dict.fromkeys(ours), policies).without_gaps())
    if others := [path for path in loose if path not in ours]:
        report.add(_check_files(dict.fromkeys(others), policies))
    if not report.passed and not report.faults:
        report.faults.append(Fault(str(paths[0]), 1, 1, "", "没有政策文件 / no policy file here"))
    return report


def _check_folder(folder: Path) -> Report:
    """Read the folder as at start, then run its cases."""
    report = _check_files(yaml_files(folder), folder).without_gaps()
    if not report.faults:
        try:
            load(folder)
        except PolicyError as fault:
            report.faults += fault.faults
    return report


def _check_files(paths: Iterable[Path], policies: Path) -> Report:
    report = Report()
    try:
        vocabulary = read_vocabulary(policies)
    except PolicyError as fault:
        return Report(faults=fault.faults)
    lists: list[ListFile] = []
    for path in paths:
        try:
            found = _read_any(read(path), vocabulary)
        except PolicyError as fault:
            report.faults += fault.faults
            continue
        if found is None:
            report.passed += 1
        else:
            lists.append(found)
    report.faults += between(lists)
    for file in lists:
        report.add(check_list(file, vocabulary))
    return report


def _read_any(source: Source, vocabulary: Vocabulary) -> ListFile | None:
    """Return a list to be run, or None for a file of another kind that holds.  Raises PolicyError."""
    format = source.data.get("format") if isinstance(source.data, dict) else None
    if format in KINDS and format != "negative-list/1":
        read_paper(source, KINDS[format][1], vocabulary)
        return None
    if format is not None and format != "negative-list/1":
        known = ", ".join(sorted(KINDS))
        raise PolicyError([source.fault(("format",), f"未知的格式 {format} / unknown format, not one of {known}")])
    return read_list(source, vocabulary)


@dataclass(frozen=True, slots=True)
class _Run:
    index: int
    case: Case
    facts: Facts
    verdict: Verdict


def check_list(file: ListFile, vocabulary: Vocabulary) -> Report:
    """Run the list's cases; each rule should be hit by one and be missed by one when it is deleted; one should pass.

    A case is judged by its own list alone, on its `date`, else on the first day of the edition.
    """
    runs = [_run(index, case, file.list, vocabulary) for index, case in enumerate(file.list.tests)]
    report = Report()
    for run in runs:
        wrong = list(differences(run.case, run.verdict))
        report.passed += not wrong
        if wrong:
            path: Path_ = ("tests", run.index, "name")
            report.faults.append(file.source.fault(path, f"{run.case.name}: {'; '.join(wrong)}"))
    report.gaps += _uncovered(file, runs, vocabulary)
    return report


def _run(index: int, case: Case, of: NegativeList, vocabulary: Vocabulary) -> _Run:
    facts = facts_of(case, of, vocabulary)
    return _Run(index, case, facts, judge(facts, [of], date=facts.day or of.effective.start))


def differences(case: Case, verdict: Verdict) -> Iterator[str]:
    """Yield what a verdict has otherwise than the case expects."""
    expect = case.expect
    if verdict.outcome != expect.outcome:
        missing = f" (missing {', '.join(verdict.missing)})" if verdict.missing else ""
        yield f"outcome {verdict.outcome}, expected {expect.outcome}{missing}"
    hits = {rule.id: rule for rule in verdict.rules if rule.state == "hit"}
    if expect.rules is not None and sorted(hits) != sorted(wanted := _wanted(expect.rules, hits)):
        yield f"rules {sorted(hits)}, expected {sorted(wanted)}"
    kinds = sorted({obligation.kind for obligation in verdict.obligations})
    if expect.obligations is not None and kinds != sorted(set(expect.obligations)):
        yield f"obligations {kinds}, expected {sorted(set(expect.obligations))}"
    for id, words in sorted((expect.evidence or {}).items()):
        found = hits[id].evidence if id in hits else ()
        if lacking := [word for word in words if word not in found]:
            yield f"evidence of {id} is {list(found)}, lacks {lacking}"


def _wanted(rules: tuple[str, ...], hits: Container[str]) -> set[str]:
    """The engine's own default need not be named beside the rules of the list; when it is, it must hit."""
    return {*rules, LEVEL_DEFAULT_ID} if LEVEL_DEFAULT_ID in hits else set(rules)


def _uncovered(file: ListFile, runs: list[_Run], vocabulary: Vocabulary) -> Iterator[Fault]:
    if not any(run.verdict.outcome == "pass" and run.case.expect.outcome == "pass" for run in runs):
        yield file.source.fault(("tests",), "没有未命中的用例 / no case passes")
    for index, rule in enumerate(file.list.rules):
        path: Path_ = ("rules", index, "id")
        touched = [run for run in runs if any(each.id == rule.id for each in run.verdict.rules)]
        if not any(each.id == rule.id and each.state == "hit" for run in touched for each in run.verdict.rules):
            yield file.source.fault(path, f"没有用例命中 {rule.id} / no case hits {rule.id}")
        elif not _noticed(rule.id, file.list, touched, vocabulary):
            yield file.source.fault(path, f"删去 {rule.id} 后用例仍全部通过 / the cases still hold without {rule.id}")


def _noticed(id: str, of: NegativeList, touched: list[_Run], vocabulary: Vocabulary) -> bool:
    """Return whether some case fails once the rule is deleted."""
    without = of.model_copy(update={"rules": tuple(rule for rule in of.rules if rule.id != id)})
    # model_copy carries cached values along; the digest would be the old one's, and nobody reads it here.
    return any(any(differences(run.case, judge(run.facts, [without], date=run.verdict.day))) for run in touched)
