"""Names that a shell would read, line ends of Windows, and settings for other homework: none of them does harm."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from copied_tree import copy_of_the_tree

from autograder.solutions import ROOT
from hw4.commands import shell
from hw4.commands.shell import shell_command
from publish import gate, gradescope_bundle
from publish.line_ends import LineEndError, wrong_line_ends

NASTY = (
    "two words.zip",
    "[a] (1) {b}.zip",
    "it's.zip",
    'a "quoted" one.zip',
    "`touch pwned`.zip",
    "$(touch pwned).zip",
    "$(shell touch pwned).zip",
    "$HOME ${PATH} $$ $x.zip",
    "a;touch pwned;.zip",
    "a&touch pwned|x>pwned.zip",
    "back\\slash.zip",
    "*?!~#%.zip",
    "-output.zip",
    "new\nline.zip",
)
RECORDER = """#!/bin/sh
exec {python} -c 'import json, sys; json.dump(sys.argv[1:], open("asked.json", "w"))' "$@"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile in a folder whose name is as odd, with an interpreter that writes down what it is asked."""
    root = tmp_path / "it's a `check` $out"
    (root / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    python = root / ".venv" / "bin" / "python"
    python.write_text(RECORDER.format(python=sys.executable), encoding="utf-8")
    python.chmod(0o755)
    (root / ".venv" / ".ready").touch()
    return root


def make(checkout: Path, *words: str, **environment: str) -> list[str]:
    """What the interpreter was asked for."""
    subprocess.run(["make", *words], cwd=checkout, env={**os.environ, **environment}, check=True, capture_output=True)
    asked: list[str] = json.loads((checkout / "asked.json").read_text(encoding="utf-8"))
    return asked


@pytest.mark.parametrize("name", NASTY)
def test_make_grade_takes_any_name_as_it_is(checkout: Path, name: str) -> None:
    wanted = ["-m", "autograder", "grade", "--output", "build/grade", "--", name]
    assert make(checkout, "grade", f"SUBMISSION={name}") == wanted
    assert make(checkout, "grade", SUBMISSION=name) == wanted
    assert make(checkout, "grade", f"OUTPUT={name}")[4] == name
    assert not (checkout / "pwned").exists()


def test_the_grader_reads_a_name_that_begins_with_a_dash(tmp_path: Path) -> None:
    output = str(tmp_path / "out")
    command = [sys.executable, "-m", "autograder", "grade", "--output", output, "--", "--jobs=nowhere.zip"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    assert "--jobs=nowhere.zip: there is no file or folder with this name" in done.stdout.replace("\n", " ")


def test_every_value_in_a_recipe_of_the_makefile_is_quoted_or_fixed() -> None:
    """What a user gives comes from the environment, in quotes; make itself puts in fixed names alone."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipes = "\n".join(line for line in text.splitlines() if line.startswith("\t"))
    for name in ("SUBMISSION", "OUTPUT", "PYTHON"):
        assert f"$({name})" not in recipes
        assert recipes.count(f"$${name}") == recipes.count(f'"$${name}"')
    assert "$(CURDIR)" not in recipes


@pytest.mark.parametrize("name", NASTY)
def test_a_printed_command_means_the_same_to_a_shell(name: str) -> None:
    assert shlex.split(shell_command("python", "-m", "hw4", "plot", Path(name))) == [
        "python",
        "-m",
        "hw4",
        "plot",
        name,
    ]


def test_a_printed_command_is_quoted_as_windows_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell.os, "name", "nt")
    assert shell_command("python", "two words") == 'python "two words"'


# Line ends ------------------------------------------------------------------------------------------------------------


def test_a_file_with_the_line_ends_of_windows_is_found_with_its_line() -> None:
    files = [
        ("a.sh", b"#!/bin/sh\necho\r\n"),
        ("b.png", b"\0\r\n"),
        ("c.py", b"x = 1\n"),
        ("run", b"\xef\xbb\xbf#!/x\n"),
    ]
    found = [str(finding) for finding in wrong_line_ends(files, ["a.sh", "run"])]
    assert len(found) == 2
    assert found[0].startswith("a.sh:2: has a carriage return")
    assert found[1].startswith("run:1: does not start, because it has a byte-order mark")


@pytest.mark.parametrize("name", ["run_autograder", "setup.sh"])
@pytest.mark.parametrize("spoil", [lambda old: old.replace(b"\n", b"\r\n"), lambda old: b"\xef\xbb\xbf" + old])
def test_a_gradescope_archive_with_a_script_that_does_not_start_is_not_built(
    monkeypatch: pytest.MonkeyPatch, name: str, spoil: object
) -> None:
    files = dict(gradescope_bundle.grader_files())
    files[name] = spoil(files[name])  # type: ignore[operator]
    monkeypatch.setattr(gradescope_bundle, "grader_files", lambda: iter(files.items()))
    with pytest.raises(LineEndError, match=f"{name}:1: "):
        gradescope_bundle.gradescope_bundle()


def test_the_archive_of_this_tree_has_no_carriage_return_and_its_scripts_start() -> None:
    with zipfile.ZipFile(BytesIO(gradescope_bundle.gradescope_bundle())) as archive:
        for name in gradescope_bundle.ENTRY_POINTS:
            assert archive.read(name).startswith(b"#!/usr/bin/env bash\n")


def test_the_gate_looks_at_every_file_of_the_tree() -> None:
    (check,) = (check for title, check in gate.QUICK.items() if "line ends" in title)
    assert list(check()) == []
    names = {name for name, _ in gate.tree_files()}
    assert {".gitattributes", "Makefile", "autograder/gradescope/setup.sh", "hw4/mpc.py"} <= names


def test_a_checkout_as_git_for_windows_makes_it_keeps_the_line_ends(tmp_path: Path) -> None:
    """With `core.autocrlf`, as its installer sets it."""
    source = copy_of_the_tree(tmp_path / "source")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "core.autocrlf=true"]
    for words in (["init", "-q"], ["add", ".gitattributes", "autograder/gradescope"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], cwd=source, check=True, capture_output=True)
    subprocess.run([*git, "clone", "-q", str(source), str(tmp_path / "clone")], check=True, capture_output=True)
    for name in gradescope_bundle.ENTRY_POINTS:
        assert b"\r" not in (tmp_path / "clone" / "autograder" / "gradescope" / name).read_bytes()


# Settings for other homework ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["no such renderer", "egl", "osmesa", "glfw", "wgl", ""])
@pytest.mark.parametrize(
    "program", ["import hw4.envs as e; e.make_env('cartpole').reset(seed=0)", "import autograder.doctor"]
)
def test_no_value_of_mujoco_gl_ends_an_import(value: str, program: str) -> None:
    environment = {**os.environ, "MUJOCO_GL": value}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_recorder_that_loads_mujoco_first_gets_a_value_that_ends_nothing() -> None:
    """Its starter has loaded hw4, and it inherits the environment."""
    program = "import os, publish.recorders; print(os.environ['MUJOCO_GL'])"
    environment = {**os.environ, "MUJOCO_GL": "no such renderer"}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "disabled"
