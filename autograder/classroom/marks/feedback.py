"""What goes back to students: report and annotated notebooks, under the names that a site wants for many at once.

- Canvas, "Upload submissions": each file has the name of one that was downloaded. Canvas finds student and submission
  by the two numbers in it, and shows the file as a comment under the name of what was handed in (canvas-lms,
  `generate_comments_from_files`). So each student gets one zip in the place of the archive that was handed in.
- Moodle, "Upload multiple feedback files in a zip": `name_participant_assignsubmission_file_FILE`
  (mod/assign/feedback/file/importziplib.php).
- Brightspace, "Add feedback files": the folders of the download, with feedback in them.
- ILIAS, multi-feedback: a folder for each person, `last_first_login_number`, in one folder.

Nothing that staff alone may see is packed: no receipt, no record.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.classroom.intake.entries import ClassError, Person, folder_name, safe_text
from autograder.classroom.intake.folder import ClassFolder, keep_out_of_git
from autograder.classroom.intake.site_names import Upload
from autograder.classroom.intake.sites import class_folder, is_archive, uploads
from autograder.classroom.intake.submissions import find_submissions
from autograder.classroom.marks.gradebook import WRITTEN
from autograder.classroom.marks.spreadsheet import guarded, write_csv
from autograder.classroom.marks.standing import Class
from autograder.files import write_at_once

REPORT = "report.html"
TAKES_A_ZIP = ("Canvas", "Moodle", "D2L", "ILIAS")
WHEN = (1980, 1, 1, 0, 0, 0)  # of every file in a zip: the same feedback is the same file


@dataclass(frozen=True)
class Package:
    """What one person gets."""

    person: Person
    student: str  # names the folder of the results
    last_attempt: str  # the same of the submission that was downloaded
    files: dict[str, bytes]
    num_notebooks: int


def documents_of_class(found: Class, place: ClassFolder, course: Path) -> list[Package]:
    """Report and annotated notebooks of everybody who has a grade, or about whom staff decided or answered.

    A refused submission has a grade, too.

    Args:
        found: the class, one result for each student.
        place: its folder.
        course: nbgrader's course directory.
    """
    packages = []
    for result in found.results:
        if not result.has_report or (result.status == "fault" and result.total is None):
            continue
        report = place.students / result.student / REPORT
        for person in result.people:
            files = {REPORT: report.read_bytes()} if report.is_file() else {}
            pages = sorted((course / "feedback" / person.id / WRITTEN).glob("*.html"))
            files |= {page.name: page.read_bytes() for page in pages}
            if files:
                packages.append(Package(person, result.student, result.owner, files, len(pages)))
    return packages


def write_folders(packages: Iterable[Package], output: Path) -> list[str]:
    """A folder for each person, and `addresses.csv`, from which mail can be sent. Returns what people should know."""
    _refuse_what_exists(output)
    packages = list(packages)
    rows = [["id", "name", "email", "folder"]]
    for package in packages:
        name = folder_name(package.person.id)
        (output / name).mkdir(parents=True)
        for file, content in package.files.items():
            write_at_once(output / name / file, content)
        rows.append([*map(guarded, (package.person.id, package.person.name, package.person.email)), name])
    output.mkdir(exist_ok=True)
    keep_out_of_git(output)
    write_at_once(output / "addresses.csv", write_csv(rows))
    return _notes(packages, [])


def pack(packages: Iterable[Package], submissions: Path, output: Path) -> list[str]:
    """One zip for a site's bulk upload. Returns what people should know.

    Args:
        packages: of `documents_of_class`.
        submissions: the download that was graded.
        output: the zip.

    Raises:
        ClassError: the submissions are of no site that takes feedback in one file.
    """
    _refuse_what_exists(output)
    entries = find_submissions(submissions)
    known = {upload.path: upload for upload in uploads(class_folder(submissions))}
    of_student: dict[str, Upload] = {}
    for entry in entries:  # its file is an upload, or is in a folder that is one
        if entry.path is not None and (upload := known.get(entry.path) or known.get(entry.path.parent)):
            of_student[entry.student] = upload
    if not any(upload.site in TAKES_A_ZIP for upload in of_student.values()):
        raise ClassError(
            "these submissions are of no site that takes feedback in one file, as Canvas, Moodle, Brightspace and "
            "ILIAS do: leave out the submissions, and it is written into folders"
        )
    packages, without, loose, written = list(packages), [], [], set()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in packages:
            where = of_student.get(package.last_attempt)
            if where is None or where.site not in TAKES_A_ZIP:
                without.append(package.person.id)
                continue
            if where.site == "Canvas" and not is_archive(where.file):
                loose.append(f"{package.person.id} ({safe_text(where.file)})")
            for name, content in _named(where, package):
                if name not in written:  # a group has one submission: its members have the same files
                    archive.writestr(zipfile.ZipInfo(name, WHEN), content, zipfile.ZIP_DEFLATED)
                    written.add(name)
    write_at_once(output, buffer.getvalue())
    notes = _notes(packages, without)
    if loose:
        notes.append(
            f"Handed in no archive, so Canvas shows their zip under the name of one of their files: {', '.join(loose)}."
        )
    return notes


def _named(upload: Upload, package: Package) -> Iterator[tuple[str, bytes]]:
    if upload.site == "Canvas":
        yield upload.path.name, _zip_of(package.files)
    for name, content in package.files.items():
        if upload.site == "Moodle":
            whose = upload.path.name.partition("_assignsubmission_")[0]
            yield f"{whose}_assignsubmission_file_{name}", content
        elif upload.site == "D2L":
            folder = upload.path.name.removesuffix(f" - {upload.file}") if upload.file else upload.path.name
            yield f"{folder}/{name}", content
        elif upload.site == "ILIAS":
            team = f"{upload.team}/" if upload.team else ""
            folder = upload.path.name if upload.path.is_dir() else upload.path.parent.name
            yield f"feedback/{team}{folder}/{name}", content


def _zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, WHEN), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _notes(packages: list[Package], without: list[str]) -> list[str]:
    notes = []
    if without:
        notes.append(f"The site named no file of theirs, so their feedback is not in the zip: {', '.join(without)}.")
    if bare := [package.person.id for package in packages if not package.num_notebooks]:
        names = ", ".join(bare) if len(bare) < len(packages) else "nobody has any"
        notes.append(f"Without an annotated notebook (`nbgrader generate_feedback hw4` writes them): {names}.")
    return notes


def _refuse_what_exists(output: Path) -> None:
    if output.exists():
        raise ClassError(f"{output} exists already: give another --output, or delete it")
