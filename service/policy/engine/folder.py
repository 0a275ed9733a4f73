"""The policies folder as one value, loaded once at start."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from service.policy.engine.lists import ListFile, between, read_list
from service.policy.engine.reading import Fault, PolicyError, as_model, read
from service.policy.rules.models import NegativeList
from service.policy.rules.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Policies:
    """Everything under policies/, read strictly."""

    vocabulary: Vocabulary
    lists: tuple[NegativeList, ...]


def load(folder: Path) -> Policies:
    """Return the policies in `folder`.  Raises PolicyError with every fault of every file."""
    vocabulary = read_vocabulary(folder)
    files, faults = read_lists(yaml_files(folder / "lists"), vocabulary)
    if faults:
        raise PolicyError(faults)
    return Policies(vocabulary=vocabulary, lists=tuple(file.list for file in files))


def read_vocabulary(folder: Path) -> Vocabulary:
    return as_model(read(folder / "vocabulary" / "vocabulary.yaml"), Vocabulary)


def yaml_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in {".yaml", ".yml"} and path.is_file())


def read_lists(paths: Iterable[Path], vocabulary: Vocabulary) -> tuple[list[ListFile], list[Fault]]:
    """Return the lists that can be read and the faults of the others and between them."""
    files: list[ListFile] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            files.append(read_list(read(path), vocabulary))
        except PolicyError as fault:
            faults += fault.faults
    return files, faults + between(files)


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
