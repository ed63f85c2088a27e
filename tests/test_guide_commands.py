"""Every `autograder` command of the TA's guide runs as it is printed there, in its order, on a made-up class.

The graders are made up, too: what they answer is tested elsewhere. Everything else is the real command line.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tyro
from class_samples import canary, measured, quick_pages, write_class

from autograder.__main__ import COMMANDS
from autograder.classroom.marks import similarity
from autograder.classroom.marks.gradebook import WRITTEN, opened
from autograder.classroom.marks.standing import read_class
from autograder.classroom.night import grade_class
from autograder.classroom.night.engine import Task
from autograder.grading import regrade
from autograder.solutions import ROOT
from hw4.handin.assignment import load_assignment

__all__ = ["quick_pages"]  # a fixture
GUIDE = (ROOT / "docs" / "ta-guide.md").read_text(encoding="utf-8")
PYTHON = ".venv/bin/python -m autograder "
ELSEWHERE = {  # what needs other machines, and the test that runs it
    "--engine dask": "test_class_machines.py",
}


def printed(text: str) -> Iterator[str]:
    """Every command of a guide: in blocks, with what continues on the next line, and in the middle of a text."""
    found = []
    for block in re.finditer(
        r"^ {4,}(?:autograder |\.venv/bin/python -m autograder )(?:.*\\\n)*.*$", text, re.MULTILINE
    ):
        found.append((block.start(), re.sub(r"\\\n\s*", "", block.group()).strip()))
    found += [(one.start(), one.group(1)) for one in re.finditer(r"`(autograder [a-z-]+(?: [^`]*)?)`", text)]
    for _, command in sorted(found):
        yield command.replace(PYTHON, "autograder ")


def test_the_reader_of_commands_finds_blocks_continued_lines_and_words_in_a_text() -> None:
    text = "    autograder one \\\n        --two\n\nSee `autograder three X`.\n\n" + f"       {PYTHON}four\n"
    assert list(printed(text)) == ["autograder one --two", "autograder three X", "autograder four"]
    assert len(list(printed(GUIDE))) > 20


def engine_of(settings: Any, jobs: int) -> Any:
    def grade(tasks: Iterable[Task]) -> Iterator[tuple[Task, dict[str, Any]]]:
        for task in tasks:
            yield task, measured(curves=settings.curves, only=settings.only)

    return grade


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_pages: None) -> Path:
    """A folder in which everything is called as in the guide; the submissions are a download of Canvas."""
    shutil.copy(ROOT / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", ".gitignore"], cwd=tmp_path, check=True)
    of_class = tmp_path / "class"
    write_class(of_class / "submissions", ["1042_1042_900_hw4", "1043_1043_901_hw4"])
    write_class(of_class / "2026", ["zoe"])
    (of_class / "roster.csv").write_text("id,name\n1042,Ada\n1043,Bob\n1044,Eve\n")
    (of_class / "requests").mkdir()
    (of_class / "requests" / "regrade.toml").write_text('student = "1042"\nitem = "cem_refit"\nreason = "my sign"\n')
    (of_class / "form.csv").write_text("student,item,reason\n1043,lateness,the bus\n")
    title = load_assignment().course.title
    (of_class / "canvas.csv").write_text(f"Student,ID,{title} (1)\nAda,1042,\nBob,1043,\n")
    (of_class / "moodle.csv").write_text("Identifier,Full name,Grade\nParticipant 1042,Ada,\nParticipant 1043,Bob,\n")
    release = tmp_path / "notebooks" / "release"
    shutil.copytree(ROOT / "notebooks" / "release", release)
    subprocess.run(["git", "add", "notebooks"], cwd=tmp_path, check=True)
    with opened(tmp_path / "notebooks" / "gradebook.db") as gradebook:
        gradebook.add_assignment(WRITTEN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    monkeypatch.setattr(similarity, "given_hashes", frozenset)
    monkeypatch.setattr(grade_class, "local_engine", engine_of)
    monkeypatch.setattr(grade_class, "local_canary", lambda settings: canary())
    monkeypatch.setattr("autograder.doctor.examine", lambda console: 0)
    monkeypatch.setattr("autograder.zoo.tour.visit", lambda *args, **kwargs: 0)
    monkeypatch.setattr("autograder.grading.session.Grader", lambda **options: contextlib.nullcontext())
    monkeypatch.setattr(regrade, "verify", lambda *args: regrade.Verification((), ()))
    return tmp_path


def run(command: str, place: Path) -> int:
    text = command.replace("$SLURM_ARRAY_TASK_ID", "1")
    text = text.replace("class/submissions/1042.zip", "class/submissions/1042_1042_900_hw4.zip")  # as Canvas calls it
    status: int = tyro.extras.subcommand_cli_from_dict(COMMANDS, args=shlex.split(text)[1:])
    return status


def test_every_command_of_the_guide_runs_as_it_is_printed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = set()
    for command in printed(GUIDE):
        if any(part in command for part in ELSEWHERE) or command.split()[1] == "COMMAND":
            continue
        if "..." not in command and (len(command.split()) > 2 or command.split()[1] in ("doctor", "zoo")):
            assert run(command, place) == 0, f"{command}\n{capsys.readouterr().out}"
            ran.add(command.split()[1])
    assert ran >= COMMANDS.keys() - {"grade", "calibrate", "convert"}  # elsewhere
    status = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"], cwd=place, capture_output=True, text=True, check=True
    )
    new = [line for line in status.stdout.splitlines() if not line.startswith("A ")]
    assert new == []  # nothing of the class would be committed
    assert (place / "class" / "marks.csv").is_file()
    assert (place / "build" / "similarity.html").is_file()
    assert (place / "class" / "feedback.zip").is_file()
    assert (place / "class" / "feedback" / "1042" / "report.html").is_file()
    folder = grade_class.ClassFolder(place / "class" / "results")
    assert read_class(folder).notice == ""
    found = {result.student: result for result in read_class(folder).results}
    assert {name: result.status for name, result in found.items()} == {
        "1042": "graded",
        "1043": "graded",
        "1044": "missing",
    }
    assert "You are right" in (folder.students / "1042" / "report.html").read_text()
