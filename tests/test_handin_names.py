"""Names of files: copies are asked about, letters of every language are read, and code is read as one Python."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest
from small_submissions import CODE, folder_of, in_every_container, read_bytes, refusal, tar_bytes, zip_bytes

from hw4.handin.assignment import load_assignment
from hw4.handin.code_files import SyntaxProblem, parse
from hw4.handin.intake import Intake, read_submission
from hw4.handin.look_alikes import meant_by
from hw4.handin.packing import notes_on_the_folder, write_submission
from hw4.handin.refusal import SubmissionRefused

ROOT = Path(__file__).resolve().parent.parent
ASSIGNMENT = load_assignment()
COPIES = (
    *("{stem} (1){suffix}", "{stem}(1){suffix}", "{stem}-1{suffix}", "{stem}_1{suffix}", "{stem}1{suffix}"),
    *("{stem} copy{suffix}", "{stem} copy 2{suffix}", "Copy of {stem}{suffix}", "{stem} - Copy (2){suffix}"),
    *("Kopie von {stem}{suffix}", "{stem} - Kopie{suffix}", "Copie de {stem}{suffix}", "{stem} - copie{suffix}"),
    *("Copia de {stem}{suffix}", "Copia di {stem}{suffix}", "{stem} copia{suffix}", "Cópia de {stem}{suffix}"),
    *("{stem} - コピー{suffix}", "{stem}のコピー{suffix}", "{stem} - 副本{suffix}", "{stem}的副本{suffix}"),
    *("Копия {stem}{suffix}", "{stem} — копия{suffix}", "{stem}의 사본{suffix}", "نسخة {stem}{suffix}"),
    *("{stem}_v2{suffix}", "{stem}_final{suffix}", "{stem}-final-2{suffix}", "{stem}.v2{suffix}", "my_{stem}{suffix}"),
    *("{stem}{suffix}.txt", "{stem}{suffix}{suffix}", "{stem} {suffix}", "{stem}\u200b{suffix}", "{stem}"),
)


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("wanted", ["mpc.py", "dynamics_model.py", "topics/mppi.py", "replanning.ipynb"])
def test_a_copy_is_known_by_the_name_in_it(copy: str, wanted: str) -> None:
    path = Path(wanted)
    name = copy.format(stem=path.stem, suffix=path.suffix)
    assert meant_by(name, ASSIGNMENT) == (wanted if "." in name or path.stem != "mppi" else meant_by(name, ASSIGNMENT))
    if path.stem != "mppi":
        assert meant_by(unicodedata.normalize("NFD", name.upper()), ASSIGNMENT) == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("dynamics model.py", "dynamics_model.py"),
        ("DynamicsModel.py", "dynamics_model.py"),
        ("dynamic_model.py", "dynamics_model.py"),
        ("ensembles.py", "ensemble.py"),
        ("Ensemble.PY", "ensemble.py"),
        ("replaning.ipynb", "replanning.ipynb"),
        ("mppi (1).ipynb", "mppi.ipynb"),
        ("mppi (1).py", "topics/mppi.py"),
    ],
)
def test_a_slip_of_the_pen_is_understood(name: str, wanted: str) -> None:
    assert meant_by(name, ASSIGNMENT) == wanted


@pytest.mark.parametrize(
    "name", ["mpc.py", "test_mpc.py", "networks.py", "rewards.py", "notes.txt", "mpc.pdf", "compchem.py", "hw4.py"]
)
def test_other_files_are_no_copies(name: str) -> None:
    assert meant_by(name, ASSIGNMENT) is None


def notes_of(tmp_path: Path, *names: str) -> str:
    members = [(name, CODE.get(name, b"x = 1\n")) for name in names]
    return "\n".join(in_every_container(tmp_path, ASSIGNMENT, *members).notes)


def test_a_copy_is_named_next_to_what_is_missing(tmp_path: Path) -> None:
    notes = notes_of(tmp_path, "ensemble.py", "mpc (1).py", "notebooks/Copy of replanning.ipynb", "topics/mppi-1.py")
    assert (
        "mpc.py is missing: everything in it counts as not started; did you mean 'mpc (1).py'? If so, rename it to "
        "mpc.py\n"
    ) in notes
    assert "replanning.ipynb is missing: this costs only written points" in notes
    assert "did you mean 'notebooks/Copy of replanning.ipynb'? If so, rename it to replanning.ipynb" in notes
    assert "topics/mppi.py is not handed in; did you mean 'topics/mppi-1.py'?" in notes


def test_a_copy_next_to_the_file_itself_is_named_too(tmp_path: Path) -> None:
    """The work may be in the copy."""
    notes = notes_of(tmp_path, *CODE, "mpc (1).py", "mpc_old.py")
    assert "mpc.py is handed in, and what looks like a copy of it is not: 'mpc (1).py', 'mpc_old.py'" in notes


def test_a_submission_of_copies_alone_is_refused_with_the_names_to_give(tmp_path: Path) -> None:
    refused = refusal(tmp_path, zip_bytes(("hw4/mpc (1).py", b""), ("hw4/Copy of ensemble.py", b"")), ASSIGNMENT)
    assert "Did you mean 'hw4/mpc (1).py'? If so, rename it to mpc.py" in refused.fix
    assert "did you mean 'hw4/Copy of ensemble.py'? If so, rename it to ensemble.py" in refused.fix


def test_submit_names_copies_in_the_students_folders(tmp_path: Path) -> None:
    """The zip that it writes holds the right names alone, so its own notes cannot."""
    names = ("hw4/ensemble.py", "hw4/mpc (1).py", "hw4/topics/mppi copy.py", "notebooks/replanning (1).ipynb")
    root = folder_of(tmp_path, *((name, b"x = 1\n") for name in (*names, "notebooks/replanning.ipynb")))
    write_submission(root / "hw4", root / "notebooks", tmp_path / "a.zip", ASSIGNMENT)
    packed = read_submission(tmp_path / "a.zip", ASSIGNMENT).files
    assert notes_on_the_folder(root / "hw4", root / "notebooks", packed, ASSIGNMENT) == [
        "mpc.py is not handed in; did you mean 'hw4/mpc (1).py'? If so, rename it to mpc.py",
        "topics/mppi.py is not handed in; did you mean 'hw4/topics/mppi copy.py'? If so, rename it to topics/mppi.py",
        "replanning.ipynb is handed in, and what looks like a copy of it is not: 'notebooks/replanning (1).ipynb'",
    ]
    (root / "notebooks" / "Untitled.ipynb").write_bytes(b"{}")
    (*_, note) = notes_on_the_folder(root / "hw4", root / "notebooks", packed, ASSIGNMENT)
    assert note == "notebooks/Untitled.ipynb is not handed in: no notebook of the homework is called that"
    (root / "hw4" / "ensemble.py").unlink()
    with pytest.raises(SubmissionRefused, match=r"Did you mean 'hw4/mpc \(1\)\.py'\? If so, rename it to mpc\.py"):
        write_submission(root / "hw4", root / "notebooks", tmp_path / "a.zip", ASSIGNMENT)


def test_submit_says_that_a_changed_notebook_of_a_topic_was_not_run(tmp_path: Path) -> None:
    """As it was released, nothing is said of it."""
    released = json.dumps({"cells": [{"cell_type": "code", "metadata": {}, "source": "", "outputs": []}]}).encode()
    root = folder_of(tmp_path, *((f"hw4/{name}", content) for name, content in CODE.items()))
    root = folder_of(tmp_path, ("notebooks/mppi.ipynb", released))
    hashes = {"notebooks/mppi.ipynb": hashlib.sha256(released).hexdigest()}
    (root / "hw4" / "bundle.json").write_text(json.dumps({"version": "2030-01-01.aaaaaaaa", "files": hashes}))
    assert notes_on_the_folder(root / "hw4", root / "notebooks", CODE, ASSIGNMENT) == []
    (root / "notebooks" / "mppi.ipynb").write_bytes(released + b"\n")
    assert notes_on_the_folder(root / "hw4", root / "notebooks", CODE, ASSIGNMENT) == [
        "notebooks/mppi.ipynb is not handed in, because it was not run: run all its cells and save"
    ]


def test_a_folder_that_is_not_opened_is_listed(tmp_path: Path) -> None:
    members = [*CODE.items(), (".hw4/mpc.py", b"x = 1\n"), ("venv/pyvenv.cfg", b""), ("__pycache__/mpc.pyc", b"")]
    assert read_submission(folder_of(tmp_path, *members), ASSIGNMENT).ignored == (
        ".hw4/(not opened)",
        "__pycache__/(not opened)",
        "venv/(not opened)",
    )


# Letters --------------------------------------------------------------------------------------------------------------

FOLDERS = {
    "cp932": "表計算 ソース",  # the second halves of two letters are a backslash
    "gbk": "作业 繺",
    "big5": "功課 許功蓋",
    "cp949": "과제 똠방",
    "cp866": "Домашняя работа",
    "cp1253": "Εργασία",
    "cp862": "שיעורי בית",
    "cp437": "Übung größe",
    "utf-8": "ödev 作業 домашка",
}


def raw_zip(*members: tuple[bytes, bytes], flags: int = 0, extra: bytes = b"") -> bytes:
    """Names as bytes: `zipfile` would choose the encoding itself."""
    local, directory = b"", b""
    for name, content in members:
        facts = struct.pack("<3L2H", zlib.crc32(content), len(content), len(content), len(name), len(extra))
        head = struct.pack("<5H", 20, flags, 0, 0, 33)
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + head + facts
        directory += struct.pack("<3H2L", 0, 0, 0, 0, len(local)) + name + extra
        local += b"PK\x03\x04" + head + facts + name + extra + content
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, len(members), len(members), len(directory), len(local), 0)
    return local + directory + end


@pytest.mark.parametrize("encoding", FOLDERS)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_an_archive_of_any_code_page_is_read(tmp_path: Path, encoding: str, form: str) -> None:
    folder = FOLDERS[encoding]
    if encoding == "utf-8":
        folder = unicodedata.normalize(form, folder)
    raw = folder.encode(encoding)
    data = raw_zip(
        *((raw + b"/" + name.encode(), content) for name, content in CODE.items()), (raw + b"/\x83A.txt", b"")
    )
    assert read_bytes(tmp_path, data, ASSIGNMENT).files == CODE


def test_the_folders_above_hold_a_backslash_byte_at_all() -> None:
    assert all(b"\\" in FOLDERS[encoding].encode(encoding) for encoding in ("cp932", "gbk", "big5"))


def test_letters_of_an_unknown_code_page_are_no_other_case_of_each_other(tmp_path: Path) -> None:
    """ア and チ: in Shift JIS their second halves are A and a."""
    names = [name.encode("cp932") for name in ("ア.txt", "チ.txt", "ミ.txt", "ヤ.txt")]
    data = raw_zip(*((name.encode(), content) for name, content in CODE.items()), *((name, b"") for name in names))
    assert read_bytes(tmp_path, data, ASSIGNMENT).files == CODE
    twice = raw_zip(*((name.encode(), content) for name, content in CODE.items()), *[(names[0], b"")] * 2)
    assert "appears twice" in refusal(tmp_path, twice, ASSIGNMENT).reason


def test_a_true_backslash_is_still_refused(tmp_path: Path) -> None:
    assert "backslash" in refusal(tmp_path, raw_zip((b"hw4\\mpc.py", b"")), ASSIGNMENT).reason


@pytest.mark.parametrize("container", ["tar", "folder"])
def test_names_that_are_not_utf_8_are_read_from_every_container(tmp_path: Path, container: str) -> None:
    name = os.fsdecode("課題".encode("cp932"))
    if container == "tar":
        data = tar_bytes(*((f"{name}/{file}", content) for file, content in CODE.items()), tar_format=1)
        assert read_bytes(tmp_path, data, ASSIGNMENT).files == CODE
    else:
        root = folder_of(tmp_path, *((f"{name}/{file}", content) for file, content in CODE.items()))
        assert read_submission(root, ASSIGNMENT).files == CODE


def unicode_path(raw: bytes, name: str, *, checksum: int | None = None) -> bytes:
    body = struct.pack("<BL", 1, zlib.crc32(raw) if checksum is None else checksum) + name.encode()
    return struct.pack("<HH", 0x7075, len(body)) + body


@pytest.mark.parametrize(
    ("raw", "name", "is_read"),
    [
        (b"??/mpc.py", "課題/mpc.py", True),  # letters that the code page lacks
        (b"__/mpc.py", "課題/mpc.py", True),
        ("課題".encode("cp932") + b"/mpc.py", "課題/mpc.py", True),
        ("Übung".encode("cp437") + b"/mpc.py", "U\u0308bung/mpc.py", True),
        (b"hw4/mpc.py", "hw4/mpc.py", True),
        (b"hw4/mpc.py", "hw4/mpd.py", False),
        (b"hw4/mpc.py", "課題/hw4/mpc.py", False),
        (b"hw4/mpc.py", "../mpc.py", False),
        (b"??/mpc.py", "課題/../mpc.py", False),
    ],
)
def test_a_name_in_the_unicode_field_may_spell_letters_and_lead_nowhere_else(
    tmp_path: Path, raw: bytes, name: str, is_read: bool
) -> None:
    data = raw_zip((raw, CODE["mpc.py"]), extra=unicode_path(raw, name))
    if is_read:
        assert read_bytes(tmp_path, data, ASSIGNMENT).files == {"mpc.py": CODE["mpc.py"]}
    else:
        refusal(tmp_path, data, ASSIGNMENT)


def test_a_unicode_field_of_an_earlier_name_is_ignored(tmp_path: Path) -> None:
    data = raw_zip((b"hw4/mpc.py", b"x = 1\n"), extra=unicode_path(b"", "課題/mpc.py", checksum=7))
    assert read_bytes(tmp_path, data, ASSIGNMENT).files == {"mpc.py": b"x = 1\n"}


@pytest.mark.parametrize(
    "folder",
    [
        "می\u200cخواهم",  # noqa: RUF001
        "क्\u200dष",
        "👩\u200d🔬",
        "❤\ufe0f hw4",
        "🏴\U000e0067\U000e007f",
        "co\u00adop",
        "\u200fשלום",  # noqa: RUF001
        "\ufeffhw4",
    ],
)
def test_invisible_joiners_in_a_folders_name_refuse_nothing(tmp_path: Path, folder: str) -> None:
    intake = in_every_container(
        tmp_path, ASSIGNMENT, *((f"{folder}/{name}", content) for name, content in CODE.items())
    )
    assert intake.files == CODE


def test_an_invisible_letter_in_a_code_files_own_name_is_asked_about(tmp_path: Path) -> None:
    (note, *_) = in_every_container(tmp_path, ASSIGNMENT, ("ensemble.py", b""), ("mp\u200dc.py", b"")).notes[1:]
    assert note.startswith("mpc.py is missing")
    assert "did you mean 'mp?c.py'? If so, rename it to mpc.py" in note


# Notebooks that cannot be read ----------------------------------------------------------------------------------------


def with_a_notebook(content: bytes, **options: int) -> bytes:
    return zip_bytes(*CODE.items(), ("notebooks/replanning.ipynb", content), **options)


def is_graded_without_the_notebook(intake: Intake, reason: str) -> bool:
    (problem,) = intake.unread_notebooks
    assert set(CODE) <= set(intake.files)
    assert problem.file == "replanning.ipynb"
    assert any(note.startswith(str(problem)) and "costs only written points" in note for note in intake.notes)
    return reason in problem.reason


def test_a_notebook_of_any_size_leaves_the_code_to_be_graded(tmp_path: Path) -> None:
    sizes = [ASSIGNMENT.submission.max_notebook_bytes + 1, 30_000_000, 90_000_000]
    for size in sizes:
        members = (*CODE.items(), ("notebooks/replanning.ipynb", bytes(size)))
        for data in (zip_bytes(*members), zip_bytes(*members, method=zipfile.ZIP_STORED), tar_bytes(*members)):
            intake = read_bytes(tmp_path, data, ASSIGNMENT)
            assert is_graded_without_the_notebook(intake, "it is larger than 10,000,000 bytes")
    (tmp_path / "big").mkdir()
    root = folder_of(tmp_path / "big", *members)
    assert is_graded_without_the_notebook(read_submission(root, ASSIGNMENT), "larger than")


def test_all_notebooks_with_outputs_are_read(tmp_path: Path) -> None:
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "x" * 4_000_000}]
    notebook = json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}).encode()
    members = [*CODE.items(), *((name, notebook) for name in ASSIGNMENT.submission.notebooks)]
    for data in (zip_bytes(*members, method=zipfile.ZIP_STORED), tar_bytes(*members)):
        intake = read_bytes(tmp_path, data, ASSIGNMENT)
        assert set(intake.files) == {*CODE, *ASSIGNMENT.submission.notebooks}
        assert intake.unread_notebooks == ()


def test_a_damaged_an_encrypted_and_an_oddly_packed_notebook_leave_the_code_to_be_graded(tmp_path: Path) -> None:
    good = with_a_notebook(b"{}" * 500, method=zipfile.ZIP_STORED)
    damaged = bytearray(good)
    damaged[good.index(b"{}{}") + 7] ^= 1
    assert is_graded_without_the_notebook(read_bytes(tmp_path, bytes(damaged), ASSIGNMENT), "is damaged")
    encrypted = bytearray(good)
    encrypted[good.rindex(b"PK\x01\x02") + 8] |= 1
    encrypted[good.rindex(b"PK\x03\x04") + 6] |= 1
    assert is_graded_without_the_notebook(read_bytes(tmp_path, bytes(encrypted), ASSIGNMENT), "encrypted")
    buffer = io.BytesIO(zip_bytes(*CODE.items()))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("replanning.ipynb", b"{}")
    assert is_graded_without_the_notebook(read_bytes(tmp_path, buffer.getvalue(), ASSIGNMENT), "an unusual way")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_notebook_that_is_a_link_is_not_followed_and_the_code_is_graded(tmp_path: Path) -> None:
    root = folder_of(tmp_path, *CODE.items())
    (root / "replanning.ipynb").symlink_to("/etc/passwd")
    assert is_graded_without_the_notebook(read_submission(root, ASSIGNMENT), "a symbolic link")


def test_two_different_notebooks_of_one_name_are_both_left_to_people(tmp_path: Path) -> None:
    data = zip_bytes(*CODE.items(), ("a/replanning.ipynb", b"{}"), ("b/replanning.ipynb", b"[]"))
    intake = read_bytes(tmp_path, data, ASSIGNMENT)
    assert is_graded_without_the_notebook(intake, "two different notebooks have this name")
    assert intake.unread_notebooks[0].where == "a/replanning.ipynb and b/replanning.ipynb"


# One Python for all ---------------------------------------------------------------------------------------------------

NEWER = {
    "x = 1\ntype X = int\n": (2, "a `type` statement needs Python 3.12"),
    "def f[T](x: T) -> T: ...\n": (1, "a list of type parameters needs Python 3.12"),
    "x = 1\nclass A[T]: ...\n": (2, "a list of type parameters needs Python 3.12"),
    "class A[T = int]: ...\n": (1, "needs Python 3.1"),
    "try:\n    pass\nexcept A, B:\n    pass\n": (3, "no parentheses needs Python 3.14"),
    "y = t'{x}'\n": (1, "a t-string needs Python 3.14"),
    'y = f"{x["a"]}"\n': (1, "f-string"),
    "y = f\"{'\\n'.join(x)}\"\n": (1, "f-string"),
    "y = f'''{x # why\n}'''\n": (None, "f-string"),
    'y = f"{x\n}"\n': (1, "f-string"),
    "y = f\"{f'\\n'}\"\n": (1, "f-string"),
    "y = f'{x:{w:{p}}}'\n": (1, "f-string"),
    "y = f'{x!r }'\n": (1, "f-string"),
    "y = f'{x!s :>9}'\n": (1, "f-string"),
    'y = f"""{"""a"""}"""\n': (1, "f-string"),
    "y = f'{x + \\\n1}'\n": (None, "f-string"),
}
OLD = (
    "y = f\"{f'{x}'} {d['#']} {x=} {x!r:>{10}} {{z}}\"\n",
    "y = f'\\n{x}\\t' rf'\\d{x}\\w' f'\\'{x}\\''\n",
    'y = f\'\'\'{x\n+ 1}\'\'\' f"""{d["a"]}"""\n',
    "y = f'{x:{w}.{p}}' f'{x:\\n}'\n",
    "try:\n    pass\nexcept* (A, B):\n    pass\n",
    "match x:\n    case 1:\n        pass\n",
    "y = a[*b]\r\nz = f'{x}'\r\n",
    "type = 1\ntype(x)\n",
)


@pytest.mark.parametrize(("code", "found"), NEWER.items())
def test_what_the_graders_python_cannot_read_is_named_with_its_line(code: str, found: tuple[int | None, str]) -> None:
    problem = parse("mpc.py", code.encode(), "3.11")
    assert isinstance(problem, SyntaxProblem)
    line, words = found
    assert line in (None, problem.line)
    assert words in problem.message
    assert "the grader reads code as Python 3.11" in problem.message


@pytest.mark.parametrize("code", OLD)
def test_what_the_graders_python_reads_is_accepted(code: str) -> None:
    assert not isinstance(parse("mpc.py", code.encode(), "3.11"), SyntaxProblem)


@pytest.mark.parametrize("code", ["x = (1\n", 'print(f"{x}"\n', "y = f'{x'\n", "print 'x'\n", "def f(:\n    pass\n"])
def test_a_plain_mistake_is_not_called_newer_on_a_new_python(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    problem = parse("mpc.py", code.encode(), "3.11")
    assert isinstance(problem, SyntaxProblem)
    assert "needs Python" not in problem.message


ASK = """
import json, sys
from hw4.handin.code_files import SyntaxProblem, parse
found = [parse("mpc.py", code.encode(), "3.11") for code in json.load(sys.stdin)]
json.dump([[f.line, f.message] if isinstance(f, SyntaxProblem) else None for f in found], sys.stdout)
"""


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_every_supported_python_gives_the_same_verdict(version: str) -> None:
    """The hand-in needs the standard library alone, so any interpreter will do."""
    python = shutil.which(f"python{version}")
    codes = [*NEWER, *OLD]
    if python is None or subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no Python {version} here")
    done = subprocess.run([python, "-B", "-c", ASK], cwd=ROOT, input=json.dumps(codes), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for code, answer in zip(codes, json.loads(done.stdout), strict=True):
        assert (answer is None) == (code in OLD), (code, answer)
        if answer is not None:
            line, words = NEWER[code]
            assert line in (None, answer[0])
            assert words in answer[1]


def test_the_version_that_code_is_read_as_is_the_oldest_that_the_homework_supports() -> None:
    wanted = ASSIGNMENT.submission.python
    for name, text in (
        ("pyproject.toml", f'requires-python = ">={wanted}"'),
        ("publish/student_pyproject.toml", f'requires-python = ">={wanted}"'),
        ("hw4/README.md", f"Python {wanted} or newer"),
        ("hw4/README.md", f"as Python {wanted}"),
        ("README.md", f"Python {wanted} or newer"),
        ("Makefile", f"Python {wanted} or newer"),
        ("Makefile", f"({wanted.replace('.', ', ')})"),
        ("docs/new-term.md", f"Python {wanted} to {ASSIGNMENT.submission.pythons[-1]}"),
    ):
        assert text in " ".join((ROOT / name).read_text(encoding="utf-8").split()), name


def test_no_page_names_another_version_of_python_than_those_that_are_supported() -> None:
    """`pythons` in assignment.toml is the one place; the handout takes them from there."""
    known = {*ASSIGNMENT.submission.pythons}
    named = {
        (name, version)
        for name in ("README.md", "hw4/README.md", "docs/new-term.md", "docs/ta-guide.md", "handout/installing.typ")
        for version in re.findall(r"[Pp]ython ?(3\.\d+)", (ROOT / name).read_text(encoding="utf-8"))
    }
    assert {(name, version) for name, version in named if version not in known} == set()
    assert not any(name == "handout/installing.typ" for name, _ in named)


INSTALL = "uv pip install --torch-backend cpu"


@pytest.mark.parametrize("name", ["README.md", "hw4/README.md", "handout/installing.typ"])
def test_the_small_torch_is_named_before_a_command_that_downloads_the_large_one(name: str) -> None:
    """And the plain line of pip is there for other systems, but not before it on a page of the README."""
    text = (ROOT / name).read_text(encoding="utf-8")
    small = text.index("make cpu" if name == "README.md" else INSTALL)
    large = text.index("make grade" if name == "README.md" else "pip install -r requirements.txt -e .")
    assert small < large


def test_the_makefile_sets_up_the_small_torch_in_the_recorded_versions() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ncpu:")[1].split("\n\n")[0]
    assert "uv pip install --python $(RUN) --torch-backend cpu -r requirements.lock" in recipe
