"""The intake: what is accepted, what is forgiven, what is refused, and with which words."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_submissions import (
    ANSWERS,
    CODE,
    NOTEBOOK,
    RELEASED_ANSWERS,
    answer_cell,
    code_cell,
    folder_of,
    in_every_container,
    notebook,
    read_bytes,
    refusal,
    small_rules,
    tar_bytes,
    zip_bytes,
)

import hw4.handin.answer_cells
import hw4.handin.code_files
from hw4.handin.answer_cells import DECLARATIONS
from hw4.handin.assignment import Assignment, load_assignment
from hw4.handin.code_files import stubs_not_started
from hw4.handin.intake import read_submission
from hw4.handin.packing import write_submission
from hw4.handin.refusal import SubmissionRefused

PACKAGE = Path(__file__).resolve().parent.parent / "hw4"
RELEASED_NOTEBOOK = (
    Path(__file__).resolve().parent.parent / "notebooks" / "release" / "hw4" / "distribution_shift.ipynb"
).read_bytes()


@pytest.fixture
def assignment(monkeypatch: pytest.MonkeyPatch) -> Assignment:
    """Low limits, and one notebook with two answers."""
    monkeypatch.setattr(hw4.handin.answer_cells, "RELEASED_ANSWERS", RELEASED_ANSWERS)
    return small_rules()


# Accepted and forgiven ------------------------------------------------------------------------------------------------


def test_the_code_files_and_the_notebook_are_taken_as_they_are(tmp_path: Path, assignment: Assignment) -> None:
    intake = in_every_container(tmp_path, assignment, *CODE.items(), *NOTEBOOK.items())
    assert intake.files == {**CODE, **NOTEBOOK}
    assert (intake.missing, intake.ignored, intake.notes) == ((), (), ())


@pytest.mark.parametrize("prefix", ["hw4/", "alice_hw4/hw4/", "Müller, A. (late)/"])
def test_a_wrapping_folder_is_forgiven(tmp_path: Path, assignment: Assignment, prefix: str) -> None:
    intake = in_every_container(tmp_path, assignment, *((prefix + name, content) for name, content in CODE.items()))
    assert intake.files == CODE


def test_a_whole_hw4_folder_is_accepted_and_given_files_are_listed(tmp_path: Path, assignment: Assignment) -> None:
    extra = [("hw4/networks.py", b"edited"), ("hw4/envs/cartpole.py", b""), ("hw4/tests/test_mpc.py", b"")]
    intake = in_every_container(tmp_path, assignment, *((f"hw4/{n}", c) for n, c in CODE.items()), *extra)
    assert intake.files == CODE
    assert intake.ignored == ("hw4/envs/cartpole.py", "hw4/networks.py", "hw4/tests/test_mpc.py")
    assert any("3 other files are ignored" in note for note in intake.notes)


@pytest.mark.parametrize(
    "junk", ["__MACOSX/._mpc.py", ".DS_Store", "__pycache__/mpc.cpython-311.pyc", "__MACOSX/hw4/mpc.py", ".git/mpc.py"]
)
def test_what_systems_add_is_ignored_and_listed(tmp_path: Path, assignment: Assignment, junk: str) -> None:
    for data in (zip_bytes(*CODE.items(), (junk, b"junk")), tar_bytes(*CODE.items(), (junk, b"junk"))):
        intake = read_bytes(tmp_path, data, assignment)
        assert intake.files == CODE
        assert intake.ignored == (junk,)


def test_files_below_a_dot_as_tar_writes_them_are_accepted(tmp_path: Path, assignment: Assignment) -> None:
    assert read_bytes(tmp_path, tar_bytes(*((f"./{n}", c) for n, c in CODE.items())), assignment).files == CODE


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_read_in_every_tar_dialect(tmp_path: Path, assignment: Assignment, tar_format: int) -> None:
    prefix = f"{'a' * 70}/{'b' * 60}/"
    data = tar_bytes(*((prefix + name, content) for name, content in CODE.items()), tar_format=tar_format)
    assert read_bytes(tmp_path, data, assignment).files == CODE


def test_a_streamed_zip_whose_sizes_follow_the_data_is_accepted(tmp_path: Path, assignment: Assignment) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in CODE.items():
            archive.writestr(name, content)
    assert read_bytes(tmp_path, pipe.data, assignment).files == CODE


def test_an_absent_file_is_missing_not_refused(tmp_path: Path, assignment: Assignment) -> None:
    intake = in_every_container(tmp_path, assignment, ("mpc.py", b"import math\n"))
    assert intake.missing == ("dynamics_model.py", "ensemble.py")
    assert any("ensemble.py is missing" in note for note in intake.notes)


def test_a_renamed_file_is_named_with_the_name_it_should_have(tmp_path: Path, assignment: Assignment) -> None:
    intake = in_every_container(tmp_path, assignment, ("mpc.py", b""), ("ensemble (1).py", b""))
    assert any("rename it to ensemble.py" in note for note in intake.notes)


# Notebooks ------------------------------------------------------------------------------------------------------------


def notes_on(tmp_path: Path, assignment: Assignment, notebooks: dict[str, bytes]) -> str:
    intake = in_every_container(tmp_path, assignment, *CODE.items(), *notebooks.items())
    assert intake.syntax_errors == ()
    return "\n".join(intake.notes)


@pytest.mark.parametrize(
    ("notebooks", "note"),
    [
        ({}, "is missing"),
        ({"distribution_shift.ipynb": b"{"}, "cannot be read: it is not valid JSON"),
        ({"distribution_shift.ipynb": b"\xff\xfe"}, "cannot be read: it is not valid JSON"),
        ({"distribution_shift.ipynb": b"[" * 15_000}, "cannot be read: it is not valid JSON"),
        ({"distribution_shift.ipynb": b"[]"}, "cannot be read: it is not a notebook"),
        ({"distribution_shift.ipynb": b'{"cells": {}}'}, "cannot be read: it is not a notebook"),
        ({"distribution_shift.ipynb": b"PK\x03\x04"}, "cannot be read: it is a zip archive under another name"),
        ({"distribution_shift.ipynb": b"x" * 30_001}, "cannot be read: it is larger than 30,000 bytes"),
        ({"distribution_shift.ipynb": b"x" * 5_000_000}, "cannot be read: it is larger than 30,000 bytes"),
        ({f"{d}/distribution_shift.ipynb": d.encode() for d in "ab"}, "cannot be read: two different notebooks"),
        (notebook("text"), "cannot be read: it is not a notebook"),
    ],
)
def test_a_broken_notebook_costs_written_points_alone_and_the_note_says_so(
    tmp_path: Path, assignment: Assignment, notebooks: dict[str, bytes], note: str
) -> None:
    (line,) = notes_on(tmp_path, assignment, notebooks).splitlines()
    assert line.startswith(f"distribution_shift.ipynb {note}")
    assert line.endswith("this costs only written points (of 20)")


def of_one_notebook(notes: tuple[str, ...]) -> list[str]:
    """The notes on distribution_shift.ipynb: the other notebooks were not handed in."""
    return [note for note in notes if note.startswith("distribution_shift.ipynb")]


def test_the_released_notebook_is_neither_answered_nor_run(tmp_path: Path) -> None:
    data = zip_bytes(*CODE.items(), ("distribution_shift.ipynb", RELEASED_NOTEBOOK))
    *undeclared, unanswered, not_run = of_one_notebook(read_bytes(tmp_path, data, load_assignment()).notes)
    assert unanswered.endswith("not answered yet: answer-densities (2 points), answer-honest (2 points)")
    assert [note.partition('"')[2].partition('"')[0] for note in undeclared] == [*DECLARATIONS]
    assert "no code cell has an output" in not_run


@pytest.mark.parametrize(("switch", "is_noted"), [("False  # True: your code", True), ("True", False), (None, False)])
def test_a_notebook_that_was_run_without_ones_own_code_is_noted(
    tmp_path: Path, switch: str | None, is_noted: bool
) -> None:
    notebook = json.loads(RELEASED_NOTEBOOK)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    cells[0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "ready"}]
    (parameters,) = (cell for cell in cells if cell["id"] == "parameters")
    assert "USE_MY_CODE = False" in "".join(parameters["source"])
    parameters["source"] = "# USE_MY_CODE = False" if switch is None else f'STUDENT_ID = "x"\nUSE_MY_CODE = {switch}'
    data = zip_bytes(*CODE.items(), ("distribution_shift.ipynb", json.dumps(notebook).encode()))
    notes = of_one_notebook(read_bytes(tmp_path, data, load_assignment()).notes)
    assert any("USE_MY_CODE is False" in note for note in notes) == is_noted


def test_an_answer_below_the_placeholder_or_in_its_place_counts_as_one(tmp_path: Path) -> None:
    released = json.loads(RELEASED_NOTEBOOK)
    first, second = (c for c in released["cells"] if c["metadata"].get("nbgrader", {}).get("grade"))
    first["source"] = [*first["source"], "\n\nThe two distributions are ..."]
    second["source"] = "Three things."
    (declaration,) = (cell for cell in released["cells"] if cell["id"] == "declaration")
    declaration["source"] = "".join(declaration["source"]).replace(":", ": nobody, nothing")
    data = zip_bytes(*CODE.items(), ("distribution_shift.ipynb", json.dumps(released).encode()))
    (not_run,) = of_one_notebook(read_bytes(tmp_path, data, load_assignment()).notes)
    assert "no code cell has an output" in not_run


ASKED, ALSO_ASKED = DECLARATIONS


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (f"{ASKED}\n\n{ALSO_ASKED}\n", (ASKED, ALSO_ASKED)),
        (f"{ASKED} Kim, on the planner\n\n{ALSO_ASKED} ", (ALSO_ASKED,)),
        (f"{ASKED}\n\n{ALSO_ASKED}\n\nnothing", (ASKED,)),
        (f"{ASKED} nobody\n{ALSO_ASKED} nothing", ()),
        ("I worked with Kim and used no tool.", ()),
    ],
)
def test_lines_about_help_are_asked_for_while_nothing_is_written(
    tmp_path: Path, assignment: Assignment, text: str, asked: tuple[str, ...]
) -> None:
    """As text and as a list of lines. Nothing is refused, and no point depends on it."""
    for source in (text, text.splitlines(keepends=True)):
        cell = {"cell_type": "markdown", "metadata": {}, "source": source}
        notes = notes_on(tmp_path, assignment, notebook(*ANSWERS, cell)).splitlines()
        assert [note.partition('"')[2].partition('"')[0] for note in notes] == [*asked]
        assert all("points" not in note and "To fix it, fill in that line" in note for note in notes)


def test_an_emptied_answer_is_open(tmp_path: Path, assignment: Assignment) -> None:
    notes = notes_on(tmp_path, assignment, notebook(ANSWERS[0], answer_cell("answer-b", " \n")))
    assert notes == "distribution_shift.ipynb: not answered yet: answer-b (10 points)"


LACKING = "distribution_shift.ipynb: the cells for these answers are missing or have lost their metadata: "
ODD = "distribution_shift.ipynb: these graded cells are duplicated or changed: "


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ((), [f"{LACKING}answer-a (10 points), answer-b (10 points)."]),
        (ANSWERS[:1], [f"{LACKING}answer-b (10 points)."]),
        ((*ANSWERS, ANSWERS[0]), [f"{ODD}answer-a (10 points)."]),
        ((*ANSWERS, answer_cell("mine", "More points.", 5)), [f"{ODD}mine (5 points)."]),
        ((ANSWERS[0], answer_cell("answer-b", "Three things.", 20)), [f"{ODD}answer-b (20 points)."]),
        ((ANSWERS[0], {"cell_type": "markdown", "source": "Three things."}), [f"{LACKING}answer-b (10 points)."]),
    ],
)
def test_graded_cells_that_are_not_as_released_are_listed(
    tmp_path: Path, assignment: Assignment, cells: tuple[dict[str, Any], ...], found: list[str]
) -> None:
    """Each notebook by itself: a missing one hides nothing of the others."""
    notes = notes_on(tmp_path, assignment, notebook(*cells)).splitlines()
    assert [note.partition(" Copy your answers")[0] for note in notes] == found


def test_a_deleted_answer_is_named_although_other_notebooks_are_missing(tmp_path: Path) -> None:
    released = json.loads(RELEASED_NOTEBOOK)
    released["cells"] = [cell for cell in released["cells"] if cell["id"] != "answer-honest"]
    data = zip_bytes(*CODE.items(), ("distribution_shift.ipynb", json.dumps(released).encode()))
    notes = of_one_notebook(read_bytes(tmp_path, data, load_assignment()).notes)
    assert any(note.startswith(f"{LACKING}answer-honest (2 points). Copy your answers") for note in notes)


@pytest.mark.parametrize("points", [-1, 10**400, float("nan"), float("inf"), "10", None, [10]])
def test_points_that_are_no_points_make_no_answer(tmp_path: Path, assignment: Assignment, points: Any) -> None:
    cells = (ANSWERS[0], answer_cell("answer-b\u202e", "Three things.", points))
    assert f"{LACKING}answer-b (10 points)." in notes_on(tmp_path, assignment, notebook(*cells))


@pytest.mark.parametrize("change", [{"metadata": 3}, {"source": {"a": 1}}, {"source": [None]}, {"cell_type": []}])
def test_odd_cells_never_crash_the_intake(tmp_path: Path, assignment: Assignment, change: dict[str, Any]) -> None:
    notes_on(tmp_path, assignment, notebook(*({**cell, **change} for cell in (*ANSWERS, code_cell()))))


# Refused --------------------------------------------------------------------------------------------------------------

BAD_NAMES = {
    "../mpc.py": "climbs out",
    "hw4/../../mpc.py": "climbs out",
    "/etc/mpc.py": "absolute",
    "C:/hw4/mpc.py": "absolute",
    "hw4\\mpc.py": "backslash",
    "mpc\u202e.py": "invisible",
    "mpc\n.py": "invisible",
    "a" * 300: "300 characters",
}


@pytest.mark.parametrize(("name", "reason"), BAD_NAMES.items())
@pytest.mark.parametrize("pack", [zip_bytes, tar_bytes])
def test_a_name_that_leads_elsewhere_is_refused(
    tmp_path: Path, assignment: Assignment, pack: Callable[..., bytes], name: str, reason: str
) -> None:
    assert reason in refusal(tmp_path, pack(*CODE.items(), (name, b"")), assignment).reason


@pytest.mark.parametrize("name", ["", ".", "./."])
def test_a_file_without_a_name_is_refused(tmp_path: Path, assignment: Assignment, name: str) -> None:
    for pack in (zip_bytes, tar_bytes):
        assert "no name" in refusal(tmp_path, pack(*CODE.items(), (name, b"x")), assignment).reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mpc.py", "appears twice"),
        ("MPC.py", "differ only in case"),
        ("mpc.py.", "differ only in case"),
        ("\uff4dpc.py", "differ only in case or in their Unicode form"),
        ("mpc.py/inner.txt", "both a file and a folder"),
    ],
)
@pytest.mark.parametrize("pack", [zip_bytes, tar_bytes])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_names_that_are_one_file_somewhere_are_refused(
    tmp_path: Path, assignment: Assignment, pack: Callable[..., bytes], name: str, reason: str
) -> None:
    assert reason in refusal(tmp_path, pack(*CODE.items(), (name, b"x")), assignment).reason


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (tarfile.GNUTYPE_SPARSE, "not a plain file"),
    ],
)
def test_what_is_not_a_plain_file_in_a_tar_is_refused(
    tmp_path: Path, assignment: Assignment, kind: bytes, reason: str
) -> None:
    refused = refusal(tmp_path, tar_bytes(*CODE.items(), kind=kind), assignment)
    assert reason in refused.reason
    assert refused.where == "special"


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (stat.S_IFLNK | 0o777, "a symbolic link"),
        (stat.S_IFCHR | 0o666, "a device"),
        (stat.S_IFREG | stat.S_ISUID | 0o755, "setuid"),
    ],
)
def test_what_is_not_a_plain_file_in_a_zip_is_refused(
    tmp_path: Path, assignment: Assignment, mode: int, reason: str
) -> None:
    assert reason in refusal(tmp_path, zip_bytes(("mpc.py", b"/etc/passwd"), mode=mode << 16), assignment).reason


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege on Windows")
def test_a_symbolic_link_in_a_folder_is_refused(tmp_path: Path, assignment: Assignment) -> None:
    root = folder_of(tmp_path, *CODE.items())
    (root / "mpc.py").unlink()
    (root / "mpc.py").symlink_to("/etc/passwd")
    with pytest.raises(SubmissionRefused, match=r"mpc\.py: this is a symbolic link"):
        read_submission(root, assignment)


def test_an_encrypted_member_is_refused(tmp_path: Path, assignment: Assignment) -> None:
    data = bytearray(zip_bytes(*CODE.items()))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in refusal(tmp_path, bytes(data), assignment).reason


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unusual_compression_is_refused(tmp_path: Path, assignment: Assignment, method: int) -> None:
    assert "unusual" in refusal(tmp_path, zip_bytes(*CODE.items(), method=method), assignment).reason


@pytest.mark.parametrize("stated", [1, 5_000])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_lying_size_in_a_zip_is_refused(tmp_path: Path, assignment: Assignment, stated: int, method: int) -> None:
    data = bytearray(zip_bytes(("mpc.py", b"x = 1\n" * 100), method=method))
    struct.pack_into("<L", data, data.index(b"PK\x01\x02") + 24, stated)  # in the directory
    struct.pack_into("<L", data, 22, stated)  # in the member's own header
    assert "its stated size or checksum" in refusal(tmp_path, bytes(data), assignment).reason


def test_a_bomb_that_lies_about_its_size_is_refused_early(tmp_path: Path, assignment: Assignment) -> None:
    data = bytearray(zip_bytes(("mpc.py", b"#" * 50_000_000)))
    assert len(data) < 60_000
    struct.pack_into("<L", data, data.index(b"PK\x01\x02") + 24, 10)
    struct.pack_into("<L", data, 22, 10)
    assert "its stated size or checksum" in refusal(tmp_path, bytes(data), assignment).reason


def test_two_names_for_a_zip_member_are_refused(tmp_path: Path, assignment: Assignment) -> None:
    data = zip_bytes(*CODE.items()).replace(b"mpc.py", b"mpd.py", 1)
    assert "checksum is wrong" in refusal(tmp_path, data, assignment).reason


def test_members_that_share_bytes_are_refused(tmp_path: Path, assignment: Assignment) -> None:
    data = zip_bytes(("mpc.py", b"x = 1\n"))
    directory, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data[directory:end]
    shared = bytearray(data[:end] + entry + data[end:])
    struct.pack_into("<HHL", shared, end + len(entry) + 8, 2, 2, 2 * len(entry))
    assert "share the same bytes" in refusal(tmp_path, bytes(shared), assignment).reason


@pytest.mark.parametrize("pack", [zip_bytes, tar_bytes])
def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, assignment: Assignment, pack: Callable[..., bytes]
) -> None:
    data = pack(*CODE.items(), ("zeros.bin", bytes(5_000_000)))
    assert len(data) < 60_000
    assert "unpacks to more than 60,000 bytes" in refusal(tmp_path, data, assignment).reason


def test_a_file_that_is_too_large_is_refused_whatever_holds_it(tmp_path: Path, assignment: Assignment) -> None:
    members = [("mpc.py", b"#" * 20_001)]
    for data in (zip_bytes(*members), tar_bytes(*members)):
        assert "larger than 20,000 bytes" in refusal(tmp_path, data, assignment).reason
    with pytest.raises(SubmissionRefused, match="larger than 20,000 bytes"):
        read_submission(folder_of(tmp_path, *members), assignment)


def test_too_many_files_are_refused_whatever_holds_them(tmp_path: Path, assignment: Assignment) -> None:
    members = [*CODE.items(), *((f"notes/{i}.txt", b"") for i in range(10))]
    for data in (zip_bytes(*members), tar_bytes(*members)):
        assert "more than 12 files" in refusal(tmp_path, data, assignment).reason
    with pytest.raises(SubmissionRefused, match="more than 12 files"):
        read_submission(folder_of(tmp_path, *members), assignment)


def test_a_zip_that_hides_entries_from_its_count_is_refused(tmp_path: Path, assignment: Assignment) -> None:
    data = bytearray(zip_bytes(*CODE.items()))
    struct.pack_into("<HH", data, data.index(b"PK\x05\x06") + 8, 2, 2)
    assert "says that it has 2 entries, but it has 3" in refusal(tmp_path, bytes(data), assignment).reason


def test_a_negative_size_in_a_tar_is_refused(tmp_path: Path, assignment: Assignment) -> None:
    raw = bytearray(gzip.decompress(tar_bytes(*CODE.items())))
    raw[124:136] = b"\xff" * 12  # -1 in base 256
    assert "stated size" in refusal(tmp_path, gzip.compress(bytes(raw)), assignment).reason


def test_a_size_in_an_extended_tar_header_is_refused(tmp_path: Path, assignment: Assignment) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("mpc.py")
        entry.pax_headers = {"size": "-512"}
        archive.addfile(entry)
    assert "stated size" in refusal(tmp_path, gzip.compress(buffer.getvalue()), assignment).reason


def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path, assignment: Assignment) -> None:
    assert "cut off" in refusal(tmp_path, zip_bytes(*CODE.items())[:-30], assignment).reason
    assert "damaged" in refusal(tmp_path, tar_bytes(*CODE.items())[:-30], assignment).reason
    raw = gzip.decompress(tar_bytes(("mpc.py", b"#" * 2_000)))[:1_024]
    assert "ends inside this member" in refusal(tmp_path, gzip.compress(raw), assignment).reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"import torch\n", "not a .zip or .tar.gz archive"),
        (b"Rar!\x1a\x07\x00", "this is a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "this is a 7z archive"),
        (gzip.compress(b"import torch\n" * 100, mtime=0), "does not contain a tar archive"),
        (b"PK\x03\x04" + bytes(100), "cut off"),
    ],
)
def test_what_is_no_archive_is_refused_by_name(
    tmp_path: Path, assignment: Assignment, data: bytes, reason: str
) -> None:
    assert reason in refusal(tmp_path, data, assignment).reason


def test_a_path_that_is_not_there_is_refused(tmp_path: Path, assignment: Assignment) -> None:
    with pytest.raises(SubmissionRefused, match="no file or folder with this name"):
        read_submission(tmp_path / "nowhere.zip", assignment)


def test_something_before_the_zip_is_refused(tmp_path: Path, assignment: Assignment) -> None:
    first = zip_bytes(("mpc.py", b"print(1)\n"))
    assert "before" in refusal(tmp_path, first + zip_bytes(*CODE.items()), assignment).reason


def test_an_archive_inside_the_archive_is_not_opened(tmp_path: Path, assignment: Assignment) -> None:
    refused = refusal(tmp_path, zip_bytes(("hw4.zip", zip_bytes(*CODE.items()))), assignment)
    assert "an archive inside" in refused.reason
    assert refused.where == "hw4.zip"
    disguised = refusal(tmp_path, zip_bytes(("mpc.py", zip_bytes(*CODE.items()))), assignment)
    assert "a zip archive under another name" in disguised.reason


def test_no_code_file_at_all_is_refused_and_the_likely_one_named(tmp_path: Path, assignment: Assignment) -> None:
    refused = refusal(tmp_path, zip_bytes(("readme.txt", b""), ("hw4/mpc.py.txt", b"")), assignment)
    assert "none of the code files was found (dynamics_model.py, mpc.py, ensemble.py)" in refused.reason
    assert refused.where == "hw4/mpc.py.txt"


def test_code_in_two_folders_is_refused_naming_both(tmp_path: Path, assignment: Assignment) -> None:
    members = [*((f"hw4/{n}", c) for n, c in CODE.items()), ("hw4 copy/mpc.py", b"")]
    assert refusal(tmp_path, zip_bytes(*members), assignment).where == "hw4 copy/mpc.py and hw4/dynamics_model.py"


def test_an_archive_beside_the_code_is_refused_too(tmp_path: Path, assignment: Assignment) -> None:
    members = [*CODE.items(), ("old/hw4_submission.zip", b"PK")]
    for data in (zip_bytes(*members), tar_bytes(*members)):
        refused = refusal(tmp_path, data, assignment)
        assert "an archive inside" in refused.reason
        assert "Leave it out" in refused.fix
    with pytest.raises(SubmissionRefused, match="an archive inside"):
        read_submission(folder_of(tmp_path, *members), assignment)


def test_a_tar_whose_folder_hides_other_headers_is_refused(tmp_path: Path, assignment: Assignment) -> None:
    """Old readers take a nameless kind with a final slash for a folder, and its content for the next headers."""
    inner = gzip.decompress(tar_bytes(("mpc.py", b"import os\n")))[:1_024]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("notes/")
        entry.type, entry.size = tarfile.AREGTYPE, len(inner)
        archive.addfile(entry, io.BytesIO(inner))
    assert "a folder has content" in refusal(tmp_path, gzip.compress(buffer.getvalue()), assignment).reason


def test_a_second_name_in_an_extra_field_is_refused(tmp_path: Path, assignment: Assignment) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("mpc.py")
        entry.extra = struct.pack("<HHBL", 0x7075, 12, 1, 0) + b"ensembl"
        archive.writestr(entry, b"")
    assert "two names" in refusal(tmp_path, buffer.getvalue(), assignment).reason


def test_a_million_entries_are_refused_before_they_are_read(
    tmp_path: Path, assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = zip_bytes(("x", b""))
    entry = entry[entry.index(b"PK\x01\x02") : entry.index(b"PK\x05\x06")]
    directory = entry * 300_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 12, 12, len(directory), 4, 0)
    many_in_tar = gzip.compress(gzip.decompress(tar_bytes(("x", b"")))[:512] * 100_000, 1)
    real = load_assignment()
    for data, reason in ((b"PK\x03\x04" + directory + end, "more than 400 files"), (many_in_tar, "more than")):
        (tmp_path / "many").write_bytes(data)
        tracemalloc.start()
        with pytest.raises(SubmissionRefused, match=reason):
            read_submission(tmp_path / "many", real)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3 * real.submission.max_total_bytes

    class Endless:
        def __enter__(self) -> Iterator[Any]:
            yield from (SimpleNamespace(name=f"{i}.txt") for i in range(100))
            raise AssertionError("more names were read than may be there")

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(os, "scandir", lambda path: Endless())
    with pytest.raises(SubmissionRefused, match="more than 12 files"):
        read_submission(tmp_path, assignment)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root reads everything: for a while we are somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
@pytest.mark.parametrize("closed", ["mpc.py", "notes", ""])
def test_what_may_not_be_read_is_refused_and_no_fault(assignment: Assignment, closed: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = folder_of(Path(place), *CODE.items(), ("notes/a.txt", b""))
        Path(place).chmod(0o755)
        (root / closed).chmod(0)
        with as_nobody(), pytest.raises(SubmissionRefused, match="its permissions do not allow") as caught:
            read_submission(root, assignment)
        (root / closed).chmod(0o755)
    assert caught.value.where == (closed or "submission")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_and_a_setuid_file_in_a_folder_are_refused(tmp_path: Path, assignment: Assignment) -> None:
    root = folder_of(tmp_path, *CODE.items())
    (root / "mpc.py").chmod(0o4755)
    with pytest.raises(SubmissionRefused, match=r"mpc\.py: the file has setuid"):
        read_submission(root, assignment)
    (root / "mpc.py").unlink()
    os.mkfifo(root / "mpc.py")
    with pytest.raises(SubmissionRefused, match=r"mpc\.py: this is a pipe"):
        read_submission(root, assignment)


def test_nothing_that_is_shown_can_steer_a_terminal(tmp_path: Path, assignment: Assignment) -> None:
    """Line separators and private characters pass the check of names, and notes repeat names."""
    odd = "\u2028\ue000"
    intake = in_every_container(tmp_path, assignment, ("mpc.py", b""), (f"{odd}/ensemble (1).py", b""))
    assert any("rename it to ensemble.py" in note for note in intake.notes)
    assert all(text.isprintable() for text in (*intake.notes, *intake.ignored))


# Code -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"x = 1\ndef f(:\n", 2, "invalid syntax"),
        (b"x = 1\ny = '\xe9'\n", 2, "save it as UTF-8"),
        (b"# -*- coding: utf-7 -*-\n", 1, "declares the encoding utf-7"),
        ("x = 1\n".encode("utf-16"), 1, "save it as UTF-8"),
        (b"x = 1\0\n", 1, "null"),
        (b"(" * 5_000, 1, "parenthes"),
    ],
)
def test_a_file_that_python_cannot_read_is_named_and_the_rest_is_kept(
    tmp_path: Path, assignment: Assignment, content: bytes, line: int, message: str
) -> None:
    intake = in_every_container(tmp_path, assignment, *{**CODE, "mpc.py": content}.items())
    (problem,) = intake.syntax_errors
    assert (problem.file, problem.line) == ("mpc.py", line)
    assert message in problem.message
    assert set(intake.files) == set(CODE)


def test_a_code_file_too_large_to_be_written_by_hand_is_not_parsed(tmp_path: Path) -> None:
    data = zip_bytes(*{**CODE, "mpc.py": b"x = 1\n" * 40_000}.items())
    (problem,) = read_bytes(tmp_path, data, load_assignment()).syntax_errors
    assert problem.message == "the file has 240,000 bytes; a code file may have at most 200,000"


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfx = 1\r\n", b"# coding: utf8\nx = '\xc3\xa9'\n", b"x = '\\d'\n"])
def test_a_byte_order_mark_and_windows_line_ends_are_accepted(
    tmp_path: Path, assignment: Assignment, content: bytes
) -> None:
    intake = in_every_container(tmp_path, assignment, ("mpc.py", content))
    assert intake.syntax_errors == ()
    assert intake.files["mpc.py"] == content


@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("import os", "os"),
        ("import numpy, gymnasium as gym", "gymnasium"),
        ("from mujoco import MjModel", "mujoco"),
        ("import hw4.envs.cartpole", "hw4.envs.cartpole"),
        ("from hw4 import envs", "hw4.envs"),
        ("from hw4.envs import make_env", "hw4.envs"),
        ("from . import training", "hw4.training"),
        ("from .envs import make_env", "hw4.envs"),
        ("from hw4 import *", "hw4.*"),
        ("from .. import solutions", "..solutions"),
        ("__import__('subprocess')", "subprocess"),
        ("__import__('o' + 's')", "(a name computed at run time)"),
        ("x = [i.import_module('socket') for i in y]", "socket"),
        ("def f():\n        import ctypes", "ctypes"),
    ],
)
def test_an_import_that_is_not_allowed_is_named_with_its_line(
    tmp_path: Path, assignment: Assignment, line: str, module: str
) -> None:
    content = f"import math\nif True:\n    {line}\n".encode()
    intake = in_every_container(tmp_path, assignment, *{**CODE, "ensemble.py": content}.items())
    (forbidden,) = intake.forbidden_imports
    assert (forbidden.file, forbidden.module) == ("ensemble.py", module)
    assert forbidden.line == (4 if "\n" in line else 3)


def test_a_module_that_a_student_added_is_not_there_when_graded(
    tmp_path: Path, assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unpacked bundle's own list says what is given, whatever lies in the folder by now."""
    (tmp_path / "hw4").mkdir()
    (tmp_path / "hw4" / "own.py").touch()
    files = {f"hw4/{name}": "" for name in ("mpc.py", "rewards.py", "topics/__init__.py")}
    manifest = {"version": "2030-01-01.aaaaaaaa", "files": files}
    (tmp_path / "hw4" / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    monkeypatch.setattr(hw4.handin.code_files, "ROOT", tmp_path)
    code = b"from hw4 import mpc, own, rewards, topics\nimport hw4.own_too\n"
    forbidden = read_bytes(tmp_path, zip_bytes(("mpc.py", code)), assignment).forbidden_imports
    assert [found.module for found in forbidden] == ["hw4.own", "hw4.own_too"]


def test_a_stub_whose_exception_was_left_below_the_solution_is_started() -> None:
    assignment = load_assignment()
    name = assignment.stubs[0].file
    stub = (PACKAGE / name).read_text(encoding="utf-8")
    first = assignment.stubs[0].id
    written = stub.replace(f"# TODO({first})", f"return None  # TODO({first})")
    open_ids = [stub.id for stub in stubs_not_started({name: written.encode()}, assignment)]
    assert open_ids == [stub.id for stub in assignment.stubs[1:] if stub.file == name]


def test_what_the_reference_solution_imports_is_allowed() -> None:
    solutions = Path(__file__).resolve().parent.parent / "solutions"
    intake = read_submission(solutions, load_assignment())
    assert (intake.missing, intake.syntax_errors, intake.forbidden_imports) == ((), (), ())
    assert stubs_not_started(intake.files, load_assignment()) == ()


def test_the_released_stubs_are_accepted_and_none_is_started() -> None:
    assignment = load_assignment()
    intake = read_submission(PACKAGE, assignment)
    assert (intake.missing, intake.syntax_errors, intake.forbidden_imports) == ((), (), ())
    required = tuple(stub for stub in assignment.stubs if not assignment.is_optional(stub))
    assert stubs_not_started(intake.files, assignment) == required
    released = {name: (PACKAGE / name).read_bytes() for name in assignment.submission.code}
    assert stubs_not_started(released, assignment) == assignment.stubs


# Both sides -----------------------------------------------------------------------------------------------------------


def test_the_canonical_zip_depends_on_the_files_alone(tmp_path: Path, assignment: Assignment) -> None:
    root = folder_of(
        tmp_path, *CODE.items(), ("notebooks/release/distribution_shift.ipynb", NOTEBOOK["distribution_shift.ipynb"])
    )
    first = write_submission(root, root / "notebooks", tmp_path / "a.zip", assignment).read_bytes()
    os.utime(root / "mpc.py", (0, 0))
    second = write_submission(root, root / "notebooks", tmp_path / "b.zip", assignment).read_bytes()
    assert first == second
    intake = read_submission(tmp_path / "a.zip", assignment)
    assert intake.files == {**CODE, **NOTEBOOK}
    assert list(zipfile.ZipFile(tmp_path / "a.zip").namelist()) == sorted([*CODE, *NOTEBOOK])


def test_writing_refuses_what_reading_would(tmp_path: Path, assignment: Assignment) -> None:
    with pytest.raises(SubmissionRefused, match="none of the code files"):
        write_submission(tmp_path, None, tmp_path / "a.zip", assignment)
    root = folder_of(tmp_path, *CODE.items(), *((f"n/{d}/distribution_shift.ipynb", b"{}") for d in "ab"))
    with pytest.raises(SubmissionRefused, match="appears twice"):
        write_submission(root, root / "n", tmp_path / "a.zip", assignment)


@pytest.mark.parametrize("pack", [zip_bytes, tar_bytes])
def test_damaged_archives_are_read_or_refused_and_never_crash(
    tmp_path: Path, assignment: Assignment, pack: Callable[..., bytes]
) -> None:
    rng = random.Random(0)
    whole = pack(*CODE.items(), *NOTEBOOK.items())
    plain = gzip.decompress(whole) if pack is tar_bytes else whole
    refused = 0
    for _ in range(200):
        damaged = bytearray(plain)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        if rng.random() < 0.2:
            del damaged[rng.randrange(len(damaged)) :]
        data = gzip.compress(bytes(damaged), 1) if pack is tar_bytes else bytes(damaged)
        try:
            read_bytes(tmp_path, data, assignment)
        except SubmissionRefused:
            refused += 1
    assert refused > 40


def test_the_module_needs_the_standard_library_only() -> None:
    program = "import sys, hw4.handin.intake; print([m for m in ('numpy', 'torch', 'tyro') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


# Archives of writers that do not know beforehand how much they write --------------------------------------------------


class Stream(io.RawIOBase):
    """What cannot be rewound, such as a pipe."""

    def __init__(self) -> None:
        self.written = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += bytes(data)
        return len(data)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("seekable", [True, False])
def test_headers_with_room_for_gigabytes_are_read(
    tmp_path: Path, assignment: Assignment, method: int, seekable: bool
) -> None:
    target: Any = io.BytesIO() if seekable else Stream()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in CODE.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    path = tmp_path / "mine.zip"
    path.write_bytes(target.getvalue() if seekable else target.written)
    assert b"\xff\xff\xff\xff" in path.read_bytes()
    assert {name: read_submission(path, assignment).files[name] for name in CODE} == CODE


@pytest.mark.parametrize("where", ["local", "directory"])
def test_sizes_in_the_extra_field_must_be_true(tmp_path: Path, assignment: Assignment, where: str) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in CODE.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    data = bytearray(target.getvalue())
    if where == "local":
        at = data.index(struct.pack("<HHQ", 1, 16, len(next(iter(CODE.values()))))) + 4
    else:
        at = data.index(b"PK\x01\x02") + 24
    data[at] ^= 1
    path = tmp_path / "mine.zip"
    path.write_bytes(bytes(data))
    with pytest.raises(SubmissionRefused, match="damaged"):
        read_submission(path, assignment)


@pytest.mark.parametrize("place", [0, 8, 14, 18, 26, 28, 30], ids=lambda at: f"byte {at}")
def test_a_damaged_header_of_a_notebook_costs_the_written_points_alone(
    tmp_path: Path, assignment: Assignment, place: int
) -> None:
    """Its signature, method, checksum, sizes, lengths or name."""
    notebook = assignment.submission.notebooks[0]
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in {**CODE, notebook: b"{}"}.items():
            archive.writestr(name, content)
        offset = archive.getinfo(notebook).header_offset
    data = bytearray(target.getvalue())
    data[offset + place] ^= 0x55
    path = tmp_path / "mine.zip"
    path.write_bytes(bytes(data))
    intake = read_submission(path, assignment)
    assert {name: intake.files[name] for name in CODE} == CODE
    assert [unread.file for unread in intake.unread_notebooks] == [notebook]
    data[zipfile.ZipFile(io.BytesIO(target.getvalue())).infolist()[0].header_offset + place] ^= 0x55
    path.write_bytes(bytes(data))
    with pytest.raises(SubmissionRefused):
        read_submission(path, assignment)
