"""The lists of a class, derived from everything else in its folder: grades.csv and index.html."""

from __future__ import annotations

import contextlib
import csv

from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks.attempts import counted
from autograder.classroom.marks.dashboard import dashboard
from autograder.classroom.marks.policies import COLUMNS as LATE_COLUMNS
from autograder.classroom.marks.spreadsheet import guarded, write_csv
from autograder.classroom.marks.standing import STATUS_WORDS, Class, Result, read_class
from autograder.files import write_at_once
from autograder.grading.scoring import ItemReport
from autograder.report.words import points as shown


def grades_csv(found: Class) -> bytes:
    """One row per person, sorted: what was graded, and nothing that depends on when or where.

    `points` are without a bonus; `bonus` is as it was earned, `adjustment` what staff added to the whole or took off,
    and `total` what counts.
    """
    items = [item.id for item in found.items]
    bonus, adjustment = (["bonus"] if found.has_bonus else []), (["adjustment"] if found.is_adjusted else [])
    sums = ["points", *bonus, *adjustment, *(["total"] if bonus or adjustment else [])]
    head = ["id", "name", "email", "group", "submission", "status", "late"]
    rows = [[*head, *sums, *items, *LATE_COLUMNS, "changed by staff"]]
    for result in found.results:
        of_item = _points_of(result, found)
        known = {"points": result.score, "bonus": result.bonus, "total": result.total}
        sums_of = [(result.adjustment or None) if name == "adjustment" else known[name] for name in sums]
        staff = "; ".join(str(applied) for applied in result.applied)
        for person in result.people:
            facts = [person.id, person.name, person.email, result.group, result.student]
            cells = [STATUS_WORDS[result.status], "late" if result.is_late else ""]
            cells += ["" if value is None else shown(value) for value in sums_of]
            cells += [shown(of_item[name]) if name in of_item else "" for name in items]
            rows.append([*map(guarded, facts), *cells, *result.late_cells(result.total), guarded(staff)])
    return write_csv(rows[:1] + sorted(rows[1:]))


def _points_of(result: Result, found: Class) -> dict[str, float]:
    """Points by item; without what was not handed in, not asked for, or not judged, unless staff settled it."""
    settled = {applied.change.target for applied in result.applied}

    def has_points(item: ItemReport) -> bool:
        is_asked = found.curves or item.item.kind == "function"
        return item.id in settled or (is_asked and item.verdict not in ("absent", "grader_fault"))

    items = result.grade.report.items if result.grade else ()
    return {item.id: item.score for item in items if has_points(item)}


def write_lists(folder: ClassFolder) -> Class:
    """grades.csv and index.html, as they follow from everything else."""
    found = read_class(folder)
    _log_extensions(folder, found)
    write_at_once(folder.root / "grades.csv", grades_csv(counted(found)))
    write_at_once(folder.root / "index.html", dashboard(counted(found)).encode("utf-8", "replace"))
    return found


def _log_extensions(folder: ClassFolder, found: Class) -> None:
    """Log whose extension is not what the list of before says: it may change what counts."""
    with contextlib.suppress(OSError, KeyError, csv.Error):
        with (folder.root / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
            before = {row["submission"]: row["extension_days"] for row in csv.DictReader(file)}
        for result in found.results:
            then, now = before.get(guarded(result.student)), result.late_cells(None)[0]
            if then and now and then != now:
                folder.log("extension", student=result.student, before=float(then), now=float(now))
