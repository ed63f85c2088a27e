"""Code points in an nbgrader gradebook, next to the written points that people give there in formgrader.

Two assignments in one database: that of the notebooks, which is nbgrader's own and only read here, and `hw4_code`, with
one grade cell for each function, curve and effect. What the program gave is the automatic score; what staff decided is
the manual one, as if it had been typed into formgrader. What counts of a bonus is the extra credit of one more cell,
which is worth no points: as much as `bonus_cap` leaves next to the written bonus that people have given by then. One
more such cell has what staff added to the total or took off it. The due date, the time of a submission and its
extension are filed too, where they are known, so that formgrader says who was late; no points are taken there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.classroom.intake.entries import ClassError, Person
from autograder.classroom.marks.standing import Class
from hw4.handin.assignment import load_assignment

if TYPE_CHECKING:  # to import it takes seconds, and most lists need no gradebook
    from nbgrader.api import Gradebook

CODE, WRITTEN = "hw4_code", "hw4"
NOTEBOOK = "code"
BONUS = "bonus"
STAFF = "staff"  # what staff added to the total or took off it


@dataclass(frozen=True)
class Written:
    """What people gave for the answers of one student."""

    points: float  # without a bonus
    is_final: bool  # nothing waits for a person any more
    bonus: float = 0.0  # points of answers in topics' notebooks


@contextlib.contextmanager
def opened(database: Path) -> Iterator[Gradebook]:
    """The gradebook. nbgrader calls `alembic` by name for a new one, so that must be on the search path."""
    folder, path = str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)
    if shutil.which("alembic") is None:
        os.environ["PATH"] = os.pathsep.join([folder, path])
    try:
        from nbgrader.api import Gradebook

        with Gradebook(f"sqlite:///{database}") as gradebook:
            yield gradebook
    finally:
        os.environ["PATH"] = path


def write_code_points(found: Class, database: Path) -> int:
    """Write the code points of everyone who has a grade. Can be called again. Returns how many people there were."""
    if not found.is_graded:
        raise ClassError("this class was only checked in part or without learning curves: there are no grades to file")
    database.parent.mkdir(parents=True, exist_ok=True)
    assignment, count = load_assignment(), 0
    worth = {item.id: float(item.points) for item in found.items if item.id not in found.bonus_items}
    extra = [*([BONUS] if found.has_bonus else []), STAFF]
    with opened(database) as gradebook:
        gradebook.update_or_create_assignment(CODE, duedate=assignment.course.due)
        gradebook.update_or_create_notebook(NOTEBOOK, CODE)
        for cell, points in {**worth, **dict.fromkeys(extra, 0.0)}.items():
            gradebook.update_or_create_grade_cell(cell, NOTEBOOK, CODE, max_score=points, cell_type="code")
        written = _written_points(gradebook, WRITTEN) if _has(gradebook, WRITTEN) else {}
        for result in found.results:
            for person in result.people:
                _add_student(gradebook, person)
                if result.score is None or result.bonus is None:
                    continue
                times: dict[str, object] = {"extension": timedelta(days=result.extension_days) or None}
                if result.submitted is not None:
                    times["timestamp"] = result.submitted
                gradebook.update_or_create_submission(CODE, person.id, **times)
                before = {i.id: i.score for i in result.by_program.report.items} if result.by_program else {}
                now = {i.id: i.score for i in result.grade.report.items} if result.grade else {}
                for cell in worth:
                    grade = gradebook.find_grade(cell, NOTEBOOK, CODE, person.id)
                    grade.auto_score = before.get(cell, 0.0)
                    grade.manual_score = now[cell] if now.get(cell) != before.get(cell) else None
                    grade.needs_manual_grade = False
                by_hand = written[person.id].bonus if person.id in written else 0.0
                counted = round(min(result.bonus, max(0.0, found.bonus_cap - by_hand)), 2)
                more = {BONUS: counted, STAFF: max(result.adjustment, -(result.score + counted))}
                for cell in extra:
                    grade = gradebook.find_grade(cell, NOTEBOOK, CODE, person.id)
                    grade.auto_score, grade.extra_credit = 0.0, more[cell]
                    grade.needs_manual_grade = False
                count += 1
        gradebook.db.commit()
    return count


def _add_student(gradebook: Gradebook, person: Person) -> None:
    first, last = split_name(person.name)
    gradebook.update_or_create_student(person.id, first_name=first, last_name=last, email=person.email or None)


def split_name(name: str) -> tuple[str, str]:
    """(first, last) of "Last, First" or of "First Last"; a single name is the last."""
    if "," in name:
        last, _, first = name.partition(",")
        return first.strip(), last.strip()
    first, _, last = name.strip().rpartition(" ")
    return first.strip(), last


def code_points(database: Path) -> dict[str, float]:
    """Points by student id, as the gradebook has them."""
    with opened(database) as gradebook:
        return {s.student.id: round(float(s.score), 2) for s in gradebook.assignment_submissions(CODE)}


def written_points(database: Path, assignment: str = WRITTEN) -> dict[str, Written]:
    """What people gave for notebooks, by student id. Raises ClassError if there is nothing to read."""
    if not database.is_file():
        raise ClassError(f"{database} is not a gradebook")
    with opened(database) as gradebook:
        if not _has(gradebook, assignment):
            raise ClassError(f"{database} has no assignment {assignment!r}: file the notebooks first")
        return _written_points(gradebook, assignment)


def _has(gradebook: Gradebook, assignment: str) -> bool:
    from nbgrader.api import MissingEntry

    try:
        gradebook.find_assignment(assignment)
    except MissingEntry:
        return False
    return True


def _written_points(gradebook: Gradebook, assignment: str) -> dict[str, Written]:
    optional = {name.removesuffix(".ipynb") for name in load_assignment().optional_notebooks}
    found = {}
    for submission in gradebook.assignment_submissions(assignment):
        bonus = sum(float(notebook.score) for notebook in submission.notebooks if notebook.name in optional)
        points = round(float(submission.score) - bonus, 2)
        found[submission.student.id] = Written(points, not submission.needs_manual_grade, round(bonus, 2))
    return found
