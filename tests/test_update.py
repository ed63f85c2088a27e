"""`python -m hw4 update student.zip`: given files are brought up to date, what a student wrote is never lost."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import random
import re
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest

import hw4.commands.cli
from hw4.commands.cli import main
from hw4.handin.assignment import load_assignment
from hw4.handin.intake import read_submission
from hw4.handin.packing import write_submission
from hw4.handin.update import BUNDLE_FOLDER, MANIFEST, UpdateRefused, installed_version, read_bundle, update
from publish.archive import zip_of
from publish.student_bundle import student_bundle, student_files

CODE = (*load_assignment().required_code, "topics/daydream.py")
FILES = {
    **{f"hw4/{name}": b"raise NotImplementedError\n" for name in CODE},
    "hw4/training.py": b"LOOP = 1\n",
    "hw4/gone.py": b"OLD = 1\n",
    "notebooks/a.ipynb": b"{}",
    "requirements.txt": b"numpy\n",
}
OLD, NEW = "2030-01-01.aaaaaaaa", "2030-01-01.bbbbbbbb"


def bundle(files: dict[str, bytes], version: str) -> bytes:
    manifest = {"version": version, "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}}
    everything = {**files, MANIFEST: json.dumps(manifest).encode()}
    return zip_of((f"{BUNDLE_FOLDER}/{name}", data) for name, data in everything.items())


@pytest.fixture
def student(tmp_path: Path) -> Path:
    """The unpacked first bundle."""
    with zipfile.ZipFile(io.BytesIO(bundle(FILES, OLD))) as archive:
        archive.extractall(tmp_path)
    return tmp_path / BUNDLE_FOLDER


def updated(student: Path, **changes: bytes | None):  # type: ignore[no-untyped-def]
    """Update to a bundle in which these files (with / as __ and . as _DOT_) are changed, or left out."""
    named = {name.replace("__", "/").replace("_DOT_", "."): data for name, data in changes.items()}
    files = {name: data for name, data in {**FILES, **named}.items() if data is not None}
    archive = student.parent / "student.zip"
    archive.write_bytes(bundle(files, NEW))
    return update(student, read_bundle(archive), CODE)


def test_given_files_are_replaced_added_and_removed(student: Path) -> None:
    done = updated(student, hw4__training_DOT_py=b"LOOP = 2\n", hw4__new_DOT_py=b"NEW = 1\n", hw4__gone_DOT_py=None)
    assert (student / "hw4" / "training.py").read_bytes() == b"LOOP = 2\n"
    assert (student / "hw4" / "new.py").is_file()
    assert not (student / "hw4" / "gone.py").exists()
    assert (done.replaced, done.added, done.removed) == (["hw4/training.py"], ["hw4/new.py"], ["hw4/gone.py"])
    assert (done.old_version, done.new_version, installed_version(student)) == (OLD, NEW, NEW)


@pytest.mark.parametrize("name", [CODE[0], "topics/daydream.py"])
def test_what_a_student_wrote_is_kept_and_a_new_stub_is_put_next_to_it(student: Path, name: str) -> None:
    mine = student / "hw4" / name
    mine.write_bytes(b"my solution\n")
    done = updated(student, **{f"hw4/{name}": b"new docstring\n"})
    assert mine.read_bytes() == b"my solution\n"
    assert mine.with_name(f"{mine.name}.new").read_bytes() == b"new docstring\n"
    assert done.kept == {f"hw4/{name}": f"{mine.name}.new"}


def test_a_stub_in_which_nothing_was_written_is_replaced_or_removed(student: Path) -> None:
    done = updated(student, **{f"hw4/{CODE[0]}": b"new docstring\n", "hw4/topics/daydream.py": None})
    assert (student / "hw4" / CODE[0]).read_bytes() == b"new docstring\n"
    assert (done.replaced, done.removed, done.kept) == ([f"hw4/{CODE[0]}"], ["hw4/topics/daydream.py"], {})
    assert not list(student.rglob("*.new"))


def test_a_topic_that_the_new_bundle_drops_is_kept_if_something_was_written(student: Path) -> None:
    mine = student / "hw4" / "topics" / "daydream.py"
    mine.write_bytes(b"my solution\n")
    assert updated(student, **{"hw4/topics/daydream.py": None}).removed == []
    assert mine.read_bytes() == b"my solution\n"


def test_what_a_student_wrote_is_kept_without_a_word_if_the_stub_is_the_same(student: Path) -> None:
    (student / "hw4" / CODE[0]).write_bytes(b"my solution\n")
    done = updated(student, hw4__training_DOT_py=b"LOOP = 2\n")
    assert done.kept == {f"hw4/{CODE[0]}": ""}
    assert not list(student.rglob("*.new"))


def test_a_notebook_with_answers_is_kept_and_an_untouched_one_is_replaced(student: Path) -> None:
    notebook = student / "notebooks" / "a.ipynb"
    updated(student, notebooks__a_DOT_ipynb=b'{"second": 1}')
    assert notebook.read_bytes() == b'{"second": 1}'
    notebook.write_bytes(b'{"answer": 1}')
    updated(student, notebooks__a_DOT_ipynb=b'{"third": 1}')
    assert notebook.read_bytes() == b'{"answer": 1}'
    assert notebook.with_name("a.ipynb.new").read_bytes() == b'{"third": 1}'


def test_a_given_file_that_the_student_changed_is_replaced_and_theirs_kept(student: Path) -> None:
    (student / "hw4" / "training.py").write_bytes(b"print('debug')\n")
    done = updated(student, hw4__training_DOT_py=b"LOOP = 2\n")
    assert (student / "hw4" / "training.py").read_bytes() == b"LOOP = 2\n"
    assert (student / "hw4" / done.moved["hw4/training.py"]).read_bytes() == b"print('debug')\n"


def test_an_update_that_is_stopped_leaves_every_file_whole_and_can_be_repeated(
    student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes = Path.write_bytes

    def stopped_halfway(path: Path, content: bytes) -> int:
        if not path.is_relative_to(student):
            return write_bytes(path, content)
        write_bytes(path, content[: len(content) // 2])
        raise KeyboardInterrupt

    changes = {"hw4/training.py": b"LOOP = 2\n"}
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", stopped_halfway)
        with pytest.raises(KeyboardInterrupt):
            updated(student, **changes)
    assert (student / "hw4" / "training.py").read_bytes() == b"LOOP = 1\n"
    assert updated(student, **changes).replaced == ["hw4/training.py"]
    assert (student / "hw4" / "training.py").read_bytes() == b"LOOP = 2\n"


def test_files_that_the_bundle_does_not_know_are_left_alone(student: Path) -> None:
    (student / "runs").mkdir()
    (student / "runs" / "mine.csv").write_bytes(b"1\n")
    updated(student, hw4__gone_DOT_py=None)
    assert (student / "runs" / "mine.csv").read_bytes() == b"1\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK nonsense", "cannot be read"),
        (zip_of([("hw4-staff/solutions/mpc.py", b"")]), "is not a student bundle of this homework"),
        (bundle({"hw4/../../x.py": b""}, NEW), "its list of files cannot be read"),
        (bundle({"C:/x.py": b""}, NEW), "its list of files cannot be read"),
        (bundle(FILES, NEW).replace(b"training.py", b"trainiig.py"), "does not match the bundle's list of files"),
    ],
    ids=["no_zip", "another_zip", "parent", "drive", "torn"],
)
def test_anything_but_a_whole_student_bundle_is_refused(student: Path, content: bytes, says: str) -> None:
    archive = student.parent / "other.zip"
    archive.write_bytes(content)
    with pytest.raises(UpdateRefused, match=says):
        read_bundle(archive)


def encrypted() -> bytes:
    """With the flag that says so: no key is needed to be refused."""
    data = bytearray(bundle(FILES, NEW))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + flags] |= 1
            at = data.find(signature, at + 1)
    return bytes(data)


def with_bytes_flipped(seed: int) -> bytes:
    data = bytearray(bundle(FILES, NEW))
    rng = random.Random(seed)
    for _ in range(3):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def nested_manifest() -> bytes:
    return zip_of([(f"{BUNDLE_FOLDER}/{MANIFEST}", b"[" * 200_000)])


def twice() -> bytes:
    target = io.BytesIO(bundle(FILES, NEW))
    with zipfile.ZipFile(target, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr(f"{BUNDLE_FOLDER}/hw4/training.py", b"LOOP = 3\n")
    return target.getvalue()


def tree_of(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (encrypted(), "it is encrypted"),
        (nested_manifest(), "its list of files cannot be read"),
        (twice(), "more than once"),
        (bundle({**FILES, "hw4/Training.py": b""}, NEW), "in each other's place"),
        (bundle({**FILES, "hw4/training.py/x.py": b""}, NEW), "which no bundle|in each other's place"),
        (bundle({**FILES, "hw4/BUNDLE.json": b""}, NEW), "in each other's place"),
        *(
            (bundle({**FILES, name: b"x"}, NEW), "which no bundle of this homework does")
            for name in (
                *(".git/config", ".git/hooks/post-checkout", ".github/workflows/x.md", ".venv/x.py", "venv/x.py"),
                *("hw4/.hidden/x.py", "hw4/.x.py", "sitecustomize.py", "conftest.py", "numpy/__init__.py", "hw4/x.so"),
                *("hw4/con.py", "hw4/x.py.", "hw4/x .py", "hw4/\x1b[31m.py", ".hw4-update/plan.json", "hw4/mpc.py.new"),
            )
        ),
    ],
)
def test_what_no_bundle_is_changes_nothing_and_is_told_in_one_sentence(
    student: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], content: bytes, says: str
) -> None:
    monkeypatch.setattr(hw4.commands.cli, "PACKAGE", student / "hw4")
    archive = student.parent / "other.zip"
    archive.write_bytes(content)
    before = tree_of(student)
    assert main(["update", str(archive)]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert re.search(says, line)
    assert line.isprintable()
    assert tree_of(student) == before


@pytest.mark.parametrize("seed", range(100))
def test_a_damaged_bundle_never_ends_in_anything_but_a_refusal(student: Path, seed: int) -> None:
    archive = student.parent / "other.zip"
    archive.write_bytes(with_bytes_flipped(seed))
    with contextlib.suppress(UpdateRefused):
        read_bundle(archive)


CHANGES = {"hw4/training.py": b"LOOP = 2\n", "hw4/deep/new.py": b"", "hw4/gone.py": None, "notebooks/a.ipynb": b"[]"}


class Ended(BaseException):
    pass


@pytest.mark.parametrize("ends", ["disk", "process"])
def test_an_update_that_ends_at_any_step_has_changed_nothing(tmp_path: Path, ends: str) -> None:
    """A full disk at each write or change of places; or the process ends there, and the next update begins."""
    steps = 0
    while True:
        place = tmp_path / str(steps)
        place.mkdir()
        with zipfile.ZipFile(io.BytesIO(bundle(FILES, OLD))) as archive:
            archive.extractall(place)
        folder = place / BUNDLE_FOLDER
        (folder / "hw4" / CODE[0]).write_bytes(b"my solution\n")
        (folder / "hw4" / "training.py").write_bytes(b"my loop\n")
        before = {name: content for name, content in tree_of(folder).items() if content is not None}
        left, is_dead = steps, False

        def step(real: Any) -> Any:
            def run(*args: Any, **options: Any) -> Any:
                nonlocal left, is_dead
                left -= 1
                if is_dead or (left < 0 and ends == "process"):
                    is_dead = True
                    raise Ended
                if left == -1:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return real(*args, **options)

            return run

        changed = {**CHANGES, f"hw4/{CODE[0]}": b"new docstring\n"}
        files = {name: data for name, data in {**FILES, **changed}.items() if data is not None}
        (place / "student.zip").write_bytes(bundle(files, NEW))
        new = read_bundle(place / "student.zip")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "replace", step(os.replace))
            patch.setattr(Path, "write_bytes", step(Path.write_bytes))
            patch.setattr(shutil, "rmtree", step(shutil.rmtree))
            with contextlib.suppress(UpdateRefused, Ended):
                update(folder, new, CODE)
            if left >= 0:
                break
        if ends == "disk":
            after = {name: content for name, content in tree_of(folder).items() if content is not None}
            assert after == before or installed_version(folder) == NEW
        update(folder, new, CODE)
        assert (folder / "hw4" / "training.py").read_bytes() == b"LOOP = 2\n"
        assert (folder / "hw4" / "training.py.mine").read_bytes() == b"my loop\n"
        assert (folder / "hw4" / CODE[0]).read_bytes() == b"my solution\n"
        assert (folder / "hw4" / f"{CODE[0]}.new").read_bytes() == b"new docstring\n"
        assert not (folder / "hw4" / f"{CODE[0]}.new2").exists()
        assert not (folder / "hw4" / "gone.py").exists()
        assert installed_version(folder) == NEW
        assert not (folder / ".hw4-update").exists()
        steps += 1
    assert steps > 20


@pytest.mark.parametrize(("name", "is_folder"), [("hw4/new.py", True), ("hw4/deep", False)])
def test_what_is_in_the_way_is_named_before_anything_changes(student: Path, name: str, is_folder: bool) -> None:
    if is_folder:
        (student / name).mkdir()
    else:
        (student / name).write_bytes(b"")
    before = tree_of(student)
    with pytest.raises(UpdateRefused, match=f"{name} is a f"):
        updated(student, hw4__training_DOT_py=b"LOOP = 2\n", hw4__new_DOT_py=b"", hw4__deep__x_DOT_py=b"")
    assert tree_of(student) == before


def test_the_command_says_what_it_did_and_what_to_read(
    student: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hw4.commands.cli, "PACKAGE", student / "hw4")
    (student / "hw4" / CODE[0]).write_bytes(b"my solution\n")
    archive = student.parent / "student.zip"
    archive.write_bytes(bundle({**FILES, f"hw4/{CODE[0]}": b"new\n", "requirements.txt": b"numpy>=2\n"}, NEW))
    assert main(["update", str(archive)]) == 0
    printed = capsys.readouterr().out
    assert f"Version {OLD} -> {NEW}" in printed
    assert "replaced requirements.txt" in printed
    assert f"READ THIS: hw4/{CODE[0]} has a new version" in printed
    assert "pip install -r requirements.txt" in printed
    assert main(["update", str(archive)]) == 0
    assert "Everything is up to date." in capsys.readouterr().out
    assert main(["update", "nowhere.zip"]) == 1
    assert "Nothing was changed: there is no file nowhere.zip" in capsys.readouterr().err


def test_the_real_bundle_updates_itself_to_a_newer_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(student_bundle())) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / BUNDLE_FOLDER
    files = {name: data for name, data in student_files() if name != MANIFEST}
    (tmp_path / "student.zip").write_bytes(bundle({**files, "hw4/rewards.py": b"# repaired\n"}, NEW))
    done = update(folder, read_bundle(tmp_path / "student.zip"), CODE)
    assert done.replaced == ["hw4/rewards.py"]
    assert (done.added, done.removed, done.moved) == ([], [], {})
    assert not any(done.kept.values())


def test_a_submission_says_which_bundle_it_was_made_with(student: Path, tmp_path: Path) -> None:
    intake = read_submission(write_submission(student / "hw4", None, tmp_path / "mine.zip"), load_assignment())
    assert intake.bundle_version == OLD
    assert set(intake.files) == set(load_assignment().required_code)
    assert not intake.ignored
    with zipfile.ZipFile(tmp_path / "mine.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    assert read_submission(tmp_path / "unpacked", load_assignment()).bundle_version == OLD
    (tmp_path / "unpacked" / "bundle_version.txt").write_text("<script>\n")
    assert read_submission(tmp_path / "unpacked", load_assignment()).bundle_version == ""
