"""The form as a whole: its steps, what each of them still lacks, and which page follows which."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from service.applications import actions
from service.applications.forms import OBJECTION, Checked, Fault, answers, step_of
from service.applications.rules import OWN_STEPS, Frame, StepName
from service.applications.tables import Application
from service.base.db import Session
from service.base.i18n import N_
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset

STEP_TITLES = {
    StepName.COLUMNS: N_("数据与字段"),
    StepName.RANGE: N_("期间和区域"),
    StepName.PURPOSE: N_("用途"),
    StepName.DELIVERY: N_("提供方式和期限"),
    StepName.SECURITY: N_("安全情况"),
    StepName.MEMBERS: N_("接触数据的人员"),
}
# What a step's page asks.
STEP_HEADINGS = {
    StepName.COLUMNS: N_("选择需要的字段"),
    StepName.RANGE: N_("需要哪段时间、哪些区域"),
    StepName.PURPOSE: N_("用这些数据做什么"),
    StepName.DELIVERY: N_("怎样取数，用到哪一天"),
    StepName.SECURITY: N_("数据放在哪里，谁来负责"),
    StepName.MEMBERS: N_("谁会接触数据"),
}


@dataclass(frozen=True, slots=True)
class Task:
    """One page of the form.  `state` is done, todo (nothing yet), part (`count` answers lack), wrong (`count` are
    to be mended) or optional (nothing given, nothing asked)."""

    case_id: str
    name: StepName
    number: int
    state: str
    count: int

    @property
    def href(self) -> str:
        return f"/applications/{self.case_id}/draft/{self.name}"

    @property
    def title(self) -> str:
        return STEP_TITLES[self.name]

    @property
    def heading(self) -> str:
        return STEP_HEADINGS[self.name]


@dataclass(frozen=True, slots=True)
class Part:
    """One dataset of the form: its draft, what it is checked against, its faults, and its own tasks."""

    application: Application
    dataset: Dataset
    frame: Frame
    checked: Checked
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The form: one part for each dataset, and the tasks that they share."""

    parts: tuple[Part, ...]
    shared: tuple[Task, ...]

    @property
    def tasks(self) -> tuple[Task, ...]:
        return (*(task for part in self.parts for task in part.tasks), *self.shared)

    @property
    def total(self) -> int:
        """The pages to go through, the last of them for checking and submitting."""
        return len(self.tasks) + 1

    @property
    def several(self) -> bool:
        return len(self.parts) > 1

    @property
    def ready(self) -> bool:
        return all(part.checked.request for part in self.parts)

    def part_of(self, id: str) -> Part:
        return next(part for part in self.parts if part.application.id == id)

    def task(self, id: str, step: StepName) -> Task | None:
        """Return the task of a step; None where the dataset has no such step.  Shared ones are every part's."""
        own = step in OWN_STEPS
        return next((task for task in self.tasks if task.name is step and (task.case_id == id or not own)), None)

    def after(self, task: Task) -> str:
        """Return where to go when a task is done: the next page, at last the one that checks all."""
        following = self.tasks[task.number :]
        return following[0].href if following else f"/applications/{task.case_id}/check"

    def before(self, task: Task) -> Task | None:
        return self.tasks[task.number - 2] if task.number > 1 else None


def read(session: Session, application: Application, *, now: datetime) -> Sheet:
    """Return the form that a case is filled in on; the shared pages are opened through this case."""
    parts: list[Part] = []
    number = 1
    for each in actions.on_form(session, application):
        part = _part(session, each, number, now=now)
        parts.append(part)
        number += len(part.tasks)
    first = next(part for part in parts if part.application.id == application.id)
    shared = [step for step in StepName if step not in OWN_STEPS]
    return Sheet(tuple(parts), tuple(_task(first, step, number + place) for place, step in enumerate(shared)))


def _part(session: Session, application: Application, number: int, *, now: datetime) -> Part:
    dataset = catalogue.dataset(session, application.dataset_id)
    frame = actions.frame_of(session, dataset, now=now)
    checked = actions.checked(session, application, now=now)
    bare = Part(application, dataset, frame, checked, ())
    steps = [StepName.COLUMNS, StepName.RANGE] if frame.has_time or frame.has_area else [StepName.COLUMNS]
    tasks = tuple(_task(bare, step, number + place) for place, step in enumerate(steps))
    return Part(application, dataset, frame, checked, tasks)


def _task(part: Part, step: StepName, number: int) -> Task:
    state, count = _state(faults_of(part.checked.faults, step), answers(part.application.draft, step), step)
    return Task(part.application.id, step, number, state, count)


def _state(faults: Sequence[Fault], given: dict[str, object], step: StepName) -> tuple[str, int]:
    wrong = [fault for fault in faults if not fault.missing or fault.field.startswith(OBJECTION)]
    if wrong:
        return "wrong", len(wrong)
    untouched = not any(value for name, value in given.items() if name != "ends_on")  # a draft begins with a term
    if faults:
        return ("todo", 0) if untouched else ("part", len(faults))
    return ("optional", 0) if untouched and step is StepName.RANGE else ("done", 0)


def faults_of(faults: Sequence[Fault], step: StepName) -> list[Fault]:
    """Return the faults of one step's page."""
    return [fault for fault in faults if step_of(fault.field) is step]
