"""The commands for written answers in the TA's guide, in a shell, exactly as printed, as root and as a user.

Nothing is replaced but the grader of code: nbgrader, JupyterLab with formgrader, and the lists are the real ones.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from class_samples import graded_class, measured, quick_pages
from copied_tree import copy_of_the_tree, edit

from autograder.classroom.intake.entries import Person
from autograder.solutions import ROOT, reference_code
from hw4.handin.assignment import load_assignment
from hw4.handin.released_answers import RELEASED_ANSWERS

__all__ = ["quick_pages"]  # a fixture
GUIDE = (ROOT / "docs" / "ta-guide.md").read_text(encoding="utf-8")
SECTION = GUIDE[GUIDE.index("## Written answers") : GUIDE.index("## What it says")]
ANSWER = "The model never saw what lies behind the edge, so its plan walks over it; {} would say so, too."
TOKEN = "only-for-this-test"
USER = 20_001


def blocks(text: str) -> list[str]:
    """Every block of commands, each command in one line."""
    found = re.findall(r"(?:^ {4,}\S.*\n)+", text, re.MULTILINE)
    indented = [block for block in found if re.match(r" +(?:nbgrader|autograder|export) ", block)]
    return [re.sub(r"^ +", "", block, flags=re.MULTILINE) for block in indented]


def write_submissions(folder: Path) -> None:
    """Ada, who works with Eve, and Bob; each has written every answer."""
    folder.mkdir(parents=True)
    for student, name in (("1042", "Ada"), ("1043", "Bob")):
        with zipfile.ZipFile(folder / f"{student}_{student}_9{student[2:]}_hw4.zip", "w") as archive:
            for file, content in reference_code().items():
                archive.writestr(file, content)
            for file in load_assignment().submission.notebooks:
                notebook = json.loads((ROOT / "notebooks" / "release" / "hw4" / file).read_bytes())
                for cell in notebook["cells"]:
                    if cell["metadata"].get("nbgrader", {}).get("solution"):
                        cell["source"] = ANSWER.format(name)
                archive.writestr(file, json.dumps(notebook))
    (folder.parent / "roster.csv").write_text("id,name,group\n1042,Ada,g\n1045,Eve,g\n1043,Bob,\n")


def link_environment(tree: Path) -> None:
    """The project's own, as if `make` had set it up here."""
    (tree / ".venv").mkdir()
    for path in (ROOT / ".venv").iterdir():
        (tree / ".venv" / path.name).symlink_to(path)
    os.utime(tree / "requirements.lock", (0, 0))
    os.utime(tree / "requirements.txt", (0, 0))
    os.utime(tree / "pyproject.toml", (0, 0))


def as_user(uid: int) -> list[str]:
    """What a command of root begins with, to run as a user.

    If the interpreter is in a folder that is closed to others, such as root's home, the command sees another folder in
    that place, open and with nothing but the interpreter in it.
    """
    if uid == os.getuid():
        return []
    user = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    home = Path(sys.base_prefix)
    closed = next((path for path in reversed(home.parents) if not path.stat().st_mode & 0o001), None)
    if closed is None:
        return user
    script = (
        'set -e; kept=$(mktemp -d); mount --bind "$1" "$kept"; mount -t tmpfs -o mode=755 tmpfs "$2"; mkdir -p "$1"; '
        'mount --bind "$kept" "$1"; shift 2; exec "$@"'
    )
    return ["unshare", "--mount", "sh", "-c", script, "sh", str(home), str(closed), *user]


class Terminal:
    """A shell in the root of the repository, of root or of a user."""

    def __init__(self, tree: Path, uid: int) -> None:
        self.tree, self.uid = tree, uid
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "OMP_NUM_THREADS")}
        self.environment = {**kept, "HOME": str(tree / "home"), "JUPYTER_TOKEN": TOKEN, "BROWSER": "true"}

    def start(self, commands: str) -> tuple[subprocess.Popen[str], str]:
        """The shell, and what it should read."""
        (head,) = (block for block in blocks(GUIDE) if block.startswith("export PATH"))
        shell = subprocess.Popen(
            [*as_user(self.uid), "bash", "-e"],
            cwd=self.tree,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return shell, f"shopt -s expand_aliases\n{head}{commands}"

    def run(self, commands: str) -> str:
        process, text = self.start(commands)
        output, _ = process.communicate(text, timeout=900)
        assert process.returncode == 0, output
        return output


@pytest.fixture(params=["root", "user"])
def terminal(request: pytest.FixtureRequest, quick_pages: None) -> Iterator[Terminal]:
    """A copy of the repository, under version control, with a class that was handed in and graded."""
    uid = os.getuid()
    if request.param == "user" and uid == 0:
        uid = USER
    elif request.param == "root" and uid != 0:
        pytest.skip("needs root")
    with tempfile.TemporaryDirectory(prefix="guide-") as name:
        tree = copy_of_the_tree(Path(name) / "tree")
        edit(tree / "assignment.toml", "max_group_size = 1", "max_group_size = 2")
        link_environment(tree)
        for command in (
            ["init", "-q"],
            ["add", "-A"],
            ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "t"],
        ):
            subprocess.run(["git", *command], cwd=tree, check=True)
        (tree / ".git" / "info" / "exclude").write_text("/home/\n")
        (tree / "home").mkdir()
        write_submissions(tree / "class" / "submissions")
        people = {"1042": (Person("1042", "Ada"), Person("1045", "Eve")), "1043": (Person("1043", "Bob"),)}
        graded = graded_class(Path(name) / "graded", {"1042": measured(), "1043": measured()}, people=people)
        shutil.copytree(graded.root, tree / "class" / "results")
        if uid != os.getuid():
            os.chmod(name, 0o755)
            for path in (tree, *tree.rglob("*")):
                os.chown(path, uid, uid, follow_symlinks=False)
        yield Terminal(tree, uid)


def ask(address: str, path: str, body: dict[str, object] | None = None) -> str:
    request = urllib.request.Request(
        f"{address}/formgrader/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"token {TOKEN}"},
        method="GET" if body is None else "PUT",
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: str = answer.read().decode()
        return found


def grade_in_formgrader(terminal: Terminal, student: str) -> int:
    """`make lab`, and 1 point and a comment for each answer; how many there were."""
    lab, text = terminal.start("make lab\n")
    assert lab.stdin is not None
    assert lab.stdout is not None
    lab.stdin.write(text)
    lab.stdin.close()
    try:
        found, seen = None, []
        while found is None:
            seen.append(lab.stdout.readline())
            assert seen[-1], "".join(seen)
            found = re.search(r"http://(?:localhost|127\.0\.0\.1):\d+(?=/lab)", seen[-1])
        address, marks = found[0], 0
        time.sleep(2)
        for name in load_assignment().submission.notebooks:
            for entry in json.loads(ask(address, f"api/submitted_notebooks/hw4/{Path(name).stem}")):
                if entry["student"] == student:
                    assert "never saw what lies behind" in ask(address, f"submissions/{entry['id']}/")
                    for mark in json.loads(ask(address, f"api/grades?submission_id={entry['id']}")):
                        ask(address, f"api/grade/{mark['id']}", {"manual_score": 1, "extra_credit": None})
                        marks += 1
                    for comment in json.loads(ask(address, f"api/comments?submission_id={entry['id']}")):
                        ask(address, f"api/comment/{comment['id']}", {"manual_comment": f"well seen, {student}"})
        return marks
    finally:
        os.killpg(lab.pid, 15)
        lab.wait()


@pytest.mark.verify
def test_written_answers_are_graded_as_the_guide_says(terminal: Terminal) -> None:
    first, last = blocks(SECTION)
    assert "Filed the notebooks of 3 people" in terminal.run(first)
    similarity, *_ = re.findall(r"autograder similarity \S+", GUIDE)
    assert "1042 and 1043: answer" in terminal.run(similarity)
    page = (terminal.tree / "class" / "results" / "index.html").read_text()
    assert "of the answer" in page
    count = 0
    for student in ("1042", "1045", "1043"):
        count = grade_in_formgrader(terminal, student)
        assert count > 5
    terminal.run(last)
    (export,) = re.findall(r"autograder export \S+ --database.*", GUIDE)
    (feedback,) = re.findall(r"autograder feedback .*\.zip", GUIDE)
    terminal.run(f"{export}\n{feedback}")
    with (terminal.tree / "class" / "marks.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert {float(row["written"]) + float(row["written bonus"] or 0) for row in rows.values()} == {float(count)}
    with zipfile.ZipFile(terminal.tree / "class" / "feedback.zip") as archive:
        assert archive.namelist() == ["1042_1042_942_hw4.zip", "1043_1043_943_hw4.zip"]
    with_answers = [f"{Path(name).stem}.html" for name in RELEASED_ANSWERS]
    for student in ("1042", "1045", "1043"):
        for name in with_answers:
            page = terminal.tree / "notebooks" / "feedback" / student / "hw4" / name
            assert f"well seen, {student}" in page.read_text()
    status = subprocess.run(
        ["git", "-c", "safe.directory=*", "status", "--porcelain", "--untracked-files=all"],
        cwd=terminal.tree,
        capture_output=True,
        text=True,
        check=True,
    )
    assert status.stdout == ""
