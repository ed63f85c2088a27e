"""The subcommands of `python -m autograder` for written answers, and those that give marks and feedback back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from autograder.classroom.exits import DONE, told
from autograder.files import write_at_once


@told
def file_notebooks(
    submissions: Annotated[Path, tyro.conf.Positional],
    *,
    roster: Path | None = None,
    course: Path = Path("notebooks"),
    table: Path = Path("build/fixed_notebooks.csv"),
) -> int:
    """File the notebooks of every submission for nbgrader, fix damaged ones, and write what was fixed.

    Args:
        submissions: the folder, as for `grade-class`.
        roster: as for `grade-class`; without it, only whoever handed in is known, and not the rest of a group.
        course: nbgrader's course directory; `nbgrader generate_assignment` has been run in it.
        table: the CSV file to write.
    """
    from autograder.classroom.intake.left_over import left_over
    from autograder.classroom.intake.submissions import find_submissions
    from autograder.classroom.marks.spreadsheet import write_csv
    from autograder.classroom.marks.standing import extensions_of_class
    from autograder.classroom.marks.written_answers import as_table, file_class

    console = Console(file=sys.stdout, soft_wrap=True)
    entries = find_submissions(submissions, roster, extensions_of_class())
    changes = file_class(entries, course)
    for change in changes:
        console.print(str(change), markup=False, highlight=False)
    for one in left_over(submissions, entries):
        console.print(f"not a submission: {one}", markup=False, highlight=False)
    table.parent.mkdir(parents=True, exist_ok=True)
    write_at_once(table, write_csv(as_table(changes)))
    people = {person.id for entry in entries if entry.path is not None for person in entry.people}
    count = "1 person" if len(people) == 1 else f"{len(people)} people"
    console.print(f"Filed the notebooks of {count}; wrote {table}", markup=False, highlight=False)
    return DONE


@told
def gradebook(folder: Annotated[Path, tyro.conf.Positional], *, database: Path = Path("notebooks/gradebook.db")) -> int:
    """Write the code points of a class into nbgrader's gradebook, next to the written points. Can be run again.

    Args:
        folder: results of the class.
        database: nbgrader's gradebook.db; created if it does not exist.
    """
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.marks.attempts import counted
    from autograder.classroom.marks.gradebook import write_code_points
    from autograder.classroom.marks.standing import read_class

    found = counted(read_class(ClassFolder(folder)))
    count = write_code_points(found, database)
    console = Console(file=sys.stdout, soft_wrap=True)
    console.print(f"Wrote the code points of {count} people to {database}", markup=False)
    say(found.notice, console)
    return DONE


@told
def export(
    folder: Annotated[Path, tyro.conf.Positional],
    *,
    output: Path,
    form: Literal["csv", "canvas", "moodle", "gradescope"] = "csv",
    gradebook: Path | None = None,
    column: str = "",
    database: Path | None = None,
) -> int:
    """Write a list of marks for a spreadsheet, or fill the list of Canvas or Moodle, ready to be uploaded.

    Args:
        folder: results of the class.
        output: the CSV file to write.
        form: the format; the forms of sites fill what counts, late penalty included, into `gradebook`.
        gradebook: Canvas's gradebook or Moodle's grading worksheet, as exported.
        column: which column of Canvas's gradebook to fill; by default the one with the title of the homework.
        database: nbgrader's gradebook.db with the written points; without it, only code points are written.
    """
    from autograder.classroom.intake.entries import ClassError
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.marks.attempts import counted
    from autograder.classroom.marks.export import export as run
    from autograder.classroom.marks.export import refuse_without_grades
    from autograder.classroom.marks.gradebook import written_points
    from autograder.classroom.marks.site_lists import fill
    from autograder.classroom.marks.standing import read_class

    if form == "gradescope":
        raise ClassError(
            "Gradescope imports no points: its own autograder gives them, and people type the others in there. Use the "
            "form csv"
        )
    if (form == "csv") != (gradebook is None):
        raise ClassError(
            "the forms canvas and moodle need --gradebook, the list that the site exported; csv takes none"
        )
    written = None if database is None else written_points(database)
    found = counted(read_class(ClassFolder(folder)))
    refuse_without_grades(found)
    console = Console(file=sys.stdout, soft_wrap=True)
    if form == "csv" or gradebook is None:
        write_at_once(output, run(found, written))
    else:
        filled = fill(gradebook, form, found, written, column)
        write_at_once(output, filled.content)
        people = "1 person" if filled.num_filled == 1 else f"{filled.num_filled} people"
        console.print(f"Filled the column {filled.column!r} for {people}.", markup=False, highlight=False)
        for note in filled.notes:
            console.print(note, markup=False, highlight=False, style="yellow")
    console.print(f"Wrote {output}", markup=False)
    say(found.notice, console)
    return DONE


@told
def feedback(
    folder: Annotated[Path, tyro.conf.Positional],
    submissions: Annotated[Path | None, tyro.conf.Positional] = None,
    *,
    output: Path,
    course: Path = Path("notebooks"),
) -> int:
    """Pack each student's report and annotated notebooks, to be handed back.

    With the submissions as downloaded this writes one zip, with the names by which Canvas, Moodle, Brightspace or ILIAS
    knows whose each file is. Without, it writes a folder for each person, and `addresses.csv`.

    Args:
        folder: results of the class.
        submissions: the download of Canvas, Moodle, Brightspace or ILIAS that was graded.
        output: the zip to write, or the folder. Neither may exist.
        course: nbgrader's course directory; `nbgrader generate_feedback` has written the notebooks with their comments.
    """
    from autograder.classroom.intake.folder import ClassFolder
    from autograder.classroom.marks.attempts import counted
    from autograder.classroom.marks.export import refuse_without_grades
    from autograder.classroom.marks.feedback import documents_of_class, pack, write_folders
    from autograder.classroom.marks.standing import read_class

    place = ClassFolder(folder)
    found = counted(read_class(place))
    refuse_without_grades(found)
    packages = documents_of_class(found, place, course)
    notes = write_folders(packages, output) if submissions is None else pack(packages, submissions, output)
    console = Console(file=sys.stdout, soft_wrap=True)
    if waiting := [r.student for r in found.results if r.status in ("fault", "waiting") and r.total is None]:
        notes.append(f"Without a grade, and so without feedback: {', '.join(waiting)}.")
    for note in notes:
        console.print(note, markup=False, highlight=False, style="yellow")
    console.print(f"Wrote {output}", markup=False)
    say(found.notice, console)
    return DONE


def say(notice: str, console: Console) -> None:
    """What holds today but not in these points, if anything."""
    if notice:
        console.print(notice, markup=False, highlight=False, style="yellow")


COMMANDS: dict[str, Callable[..., int]] = {
    "file-notebooks": file_notebooks,
    "gradebook": gradebook,
    "export": export,
    "feedback": feedback,
}
