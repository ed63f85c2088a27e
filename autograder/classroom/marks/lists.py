"""The lists of a class, derived from everything else in its folder: grades.csv and index.html."""

from __future__ import annotations

from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks.dashboard import dashboard
from autograder.classroom.marks.policies import COLUMNS as LATE_COLUMNS
from autograder.classroom.marks.spreadsheet import guarded, write_csv
from autograder.classroom.marks.standing import STATUS_WORDS, Class, read_class
from autograder.files import write_at_once
from autograder.report.words import points as shown
from hw4.handin.assignment import load_assignment


def grades_csv(found: Class) -> bytes:
    """One row a person, sorted: what was graded, and nothing that depends on when or where."""
    items = [item.id for item in load_assignment().items]
    head = ["id", "name", "email", "group", "submission", "status", "late", "points"]
    rows = [[*head, *items, *LATE_COLUMNS, "changed by staff"]]
    for result in found.results:
        report = result.grade.report if result.grade else None
        scores = {item.id: shown(item.score) for item in report.items} if report and found.curves else {}
        if report and not found.curves:
            scores = {stub.id: shown(stub.score) for stub in report.stubs}
        faulty = {item.id for item in report.items if item.verdict == "grader_fault"} if report else set()
        settled = {applied.change.target for applied in result.applied}
        cells = ["" if name in faulty - settled else scores.get(name, "") for name in items]
        score = "" if result.score is None else shown(result.score)
        staff = "; ".join(str(applied) for applied in result.applied)
        for person in result.people:
            facts = [person.id, person.name, person.email, result.group, result.student]
            late = "late" if result.is_late else ""
            cells_of = [STATUS_WORDS[result.status], late, score, *cells, *result.late_cells(result.score)]
            rows.append([*map(guarded, facts), *cells_of, guarded(staff)])
    return write_csv(rows[:1] + sorted(rows[1:]))


def write_lists(folder: ClassFolder) -> Class:
    """grades.csv and index.html, as they follow from everything else."""
    found = read_class(folder)
    write_at_once(folder.root / "grades.csv", grades_csv(found))
    write_at_once(folder.root / "index.html", dashboard(found).encode("utf-8", "replace"))
    return found
