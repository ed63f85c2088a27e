"""Two hundred malformed submissions, and both sides' word on each: same verdict, same reason, and the right one.

The student's side is `python -m hw4 submit --only-check` in a copy of the tree that students get, in a process of its
own; the grader's side is `autograder.__main__.grade`, and for a sample its command.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import autograder.__main__ as grader
from hw4.handin.assignment import Assignment, load_assignment
from hw4.handin.intake import Intake

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links; grading needs Linux")

ROOT = Path(__file__).resolve().parent.parent
NUM_MALFORMED, NUM_FORGIVEN = 200, 20
LIMITS = {"max_file_bytes": 20_000, "max_total_bytes": 60_000, "max_files": 30}
ZIP, TAR, FOLDER = "zip", "tar.gz", "folder"
ANY, PACKED = (ZIP, TAR, FOLDER), (ZIP, TAR)


@dataclass
class Entry:
    name: str
    content: bytes = b"import torch\n"
    kind: str = "file"  # or "symlink", "hardlink", "device", "pipe", "sparse"
    mode: int = 0o644


@dataclass(frozen=True)
class Fault:
    """What is wrong with a submission, where it can be, and what its refusal must say."""

    reason: str
    containers: tuple[str, ...]
    spoil: Callable[[random.Random, Any], Any]  # changes a list of entries, or returns other bytes


@dataclass
class Case:
    path: Path
    reasons: list[str] = field(default_factory=list)  # one of these; none: accepted
    ignored: list[str] = field(default_factory=list)


def add(*entries: Entry) -> Callable[[random.Random, list[Entry]], None]:
    def spoil(rng: random.Random, members: list[Entry]) -> None:
        for entry in entries:
            members.insert(rng.randrange(len(members) + 1), replace(entry))

    return spoil


def change(**changes: Any) -> Callable[[random.Random, list[Entry]], None]:
    """One of the code files is something else."""

    def spoil(rng: random.Random, members: list[Entry]) -> None:
        at = rng.choice([i for i, entry in enumerate(members) if entry.name.endswith((*CODE, "file"))])
        members[at] = replace(members[at], **changes)

    return spoil


def no_code(rng: random.Random, members: list[Entry]) -> None:
    for entry in members:
        if entry.name.rpartition("/")[2] in CODE:
            entry.name = entry.name.replace(".py", ".txt")


CODE = load_assignment().required_code
TWO_NAMES = "differ only in case or in their Unicode form"
ENTRY_FAULTS = {
    "dots": Fault("climbs out", PACKED, add(Entry("../mpc.py"))),
    "dots_inside": Fault("climbs out", PACKED, add(Entry("hw4/../../x"))),
    "absolute": Fault("absolute", PACKED, add(Entry("/etc/passwd"))),
    "drive": Fault("absolute", ANY, add(Entry("c:mpc.py"))),
    "backslash": Fault("backslash", ANY, add(Entry("..\\mpc.py"))),
    "right_to_left": Fault("invisible", ANY, add(Entry("notes/\u202eyp.cpm"))),
    "escape": Fault("invisible", ANY, add(Entry("\x1b[2J\x1b[31mpassed"))),
    "newline": Fault("invisible", ANY, add(Entry("mpc.py\nscore: 100"))),
    "long": Fault("300 characters", PACKED, add(Entry("x" * 300))),
    "nameless": Fault("no name", PACKED, add(Entry("."))),
    "twice": Fault("appears twice", PACKED, add(Entry("notes.txt", b"1"), Entry("notes.txt", b"2"))),
    "case": Fault(TWO_NAMES, ANY, add(Entry("notes.txt"), Entry("Notes.TXT"))),
    "composed": Fault(TWO_NAMES, ANY, add(Entry("caf\xe9"), Entry("cafe\u0301"))),
    "compatible": Fault(TWO_NAMES, ANY, add(Entry("\ufb01n"), Entry("fin"))),
    "folded": Fault(TWO_NAMES, ANY, add(Entry("Stra\xdfe"), Entry("STRASSE"))),
    "dotted": Fault(TWO_NAMES, ANY, add(Entry("aux"), Entry("aux. ."))),
    "both": Fault("both a file and a folder", PACKED, add(Entry("data"), Entry("data/x"))),
    "symlink": Fault("a symbolic link", ANY, change(kind="symlink")),
    "hardlink": Fault("a hard link", (TAR,), change(kind="hardlink")),
    "device": Fault("a device", PACKED, change(kind="device")),
    "pipe": Fault("a pipe", ANY, change(kind="pipe")),
    "sparse": Fault("not a plain file", (TAR,), change(kind="sparse")),
    "setuid": Fault("setuid", ANY, change(mode=0o4755)),
    "setgid": Fault("setuid", ANY, change(mode=0o2755)),
    "too_many": Fault("more than 30 files", ANY, add(*(Entry(f"logs/{i}.txt", b"") for i in range(31)))),
    "nested": Fault("an archive inside", ANY, add(Entry("old/hw4.ZIP", b"PK"))),
    "disguised": Fault("under another name", ANY, change(content=b"PK\x03\x04" + bytes(26))),
    "large": Fault("larger than 20,000 bytes", ANY, change(content=b"#" * 20_001)),
    "bomb": Fault("unpacks to more than 60,000 bytes", PACKED, add(Entry("zeros", bytes(2_000_000)))),
    "two_folders": Fault("two different folders", ANY, add(Entry("copy/mpc.py"))),
    "no_code": Fault("none of the code files", ANY, no_code),
}
DAMAGED, STRAY, SIZE = "is damaged", "there is something", "stated size"


def overwrite(signature: bytes, offset: int, layout: str, *numbers: int) -> Callable[[random.Random, bytes], bytes]:
    """Write numbers at an offset from the first record with this signature."""

    def spoil(rng: random.Random, data: bytes) -> bytes:
        spoiled = bytearray(data)
        struct.pack_into(layout, spoiled, data.index(signature) + offset, *numbers)
        return bytes(spoiled)

    return spoil


def in_tar(spoil: Callable[[bytearray], None], *, checksum: bool = True) -> Callable[[random.Random, bytes], bytes]:
    """Change the unpacked tar and pack it again; the first header gets its checksum back."""

    def spoil_packed(rng: random.Random, data: bytes) -> bytes:
        raw = bytearray(gzip.decompress(data))
        spoil(raw)
        if checksum:
            raw[148:156] = b" " * 8
            raw[148:156] = b"%06o\0 " % sum(raw[:512])
        return gzip.compress(bytes(raw), 1)

    return spoil_packed


def remove_end(raw: bytearray) -> None:
    while not any(raw[-512:]):
        del raw[-512:]


def put(at: int, data: bytes) -> Callable[[bytearray], None]:
    def spoil(raw: bytearray) -> None:
        raw[at : at + len(data)] = data

    return spoil


def pax(*records: bytes) -> Callable[[bytearray], None]:
    """An extension header before everything else."""

    def spoil(raw: bytearray) -> None:
        body = b"".join(b"%d %s\n" % (len(record) + 4 + (len(record) > 95), record) for record in records)
        header = tarfile.TarInfo("pax")
        header.type, header.size = tarfile.XHDTYPE, len(body)
        raw[:0] = header.tobuf(tarfile.USTAR_FORMAT) + body.ljust(512, b"\0")

    return spoil


def share(rng: random.Random, data: bytes) -> bytes:
    """The first entry of the directory once more, under the same name and for the same bytes."""
    start, end = data.index(b"PK\x01\x02"), data.rindex(b"PK\x05\x06")
    name, extra, comment = struct.unpack_from("<3H", data, start + 28)
    entry = data[start : start + 46 + name + extra + comment]
    count, size = struct.unpack_from("<HL", data, end + 10)
    spoiled = bytearray(data[:end] + entry + data[end:])
    struct.pack_into("<HHL", spoiled, end + len(entry) + 8, count + 1, count + 1, size + len(entry))
    return bytes(spoiled)


def leave_gap(rng: random.Random, data: bytes) -> bytes:
    """Bytes between the last member and the directory, with every offset as it should be."""
    start, end = data.index(b"PK\x01\x02"), data.rindex(b"PK\x05\x06")
    spoiled = bytearray(data[:start] + b"hidden" + data[start:])
    struct.pack_into("<L", spoiled, end + 6 + 16, start + 6)
    return bytes(spoiled)


BYTE_FAULTS = {
    "encrypted": Fault("encrypted", (ZIP,), overwrite(b"PK\x01\x02", 8, "<H", 1)),
    "encrypted_inside": Fault("its stated size", (ZIP,), overwrite(b"PK\x03\x04", 6, "<H", 1)),
    "size": Fault("its stated size", (ZIP,), overwrite(b"PK\x01\x02", 24, "<L", 5)),
    "size_inside": Fault("its stated size", (ZIP,), overwrite(b"PK\x03\x04", 22, "<L", 5)),
    "packed_size": Fault("its stated size", (ZIP,), overwrite(b"PK\x01\x02", 20, "<L", 5)),
    "terabytes": Fault("unpacks to more", (ZIP,), overwrite(b"PK\x01\x02", 24, "<L", 0xFFFFFFFF)),
    "zip_checksum": Fault("its stated size or checksum", (ZIP,), overwrite(b"PK\x01\x02", 16, "<L", 7)),
    "method": Fault("an unusual way", (ZIP,), overwrite(b"PK\x01\x02", 10, "<H", 99)),
    "other_name": Fault("its stated size", (ZIP,), overwrite(b"PK\x03\x04", 30, "<B", 0x7E)),
    "offset": Fault("its stated size", (ZIP,), overwrite(b"PK\x01\x02", 42, "<L", 0xFFFFFFF0)),
    "count": Fault("says that it has 1 entries", (ZIP,), overwrite(b"PK\x05\x06", 8, "<HH", 1, 1)),
    "million": Fault("more than 30 files", (ZIP,), overwrite(b"PK\x05\x06", 8, "<HH", 65_000, 65_000)),
    "split": Fault("one part of a split", (ZIP,), overwrite(b"PK\x05\x06", 4, "<HH", 3, 3)),
    "shared": Fault("share the same bytes", (ZIP,), share),
    "gap": Fault(STRAY, (ZIP,), leave_gap),
    "zip_before": Fault("not a .zip", (ZIP,), lambda rng, data: b"#!/bin/sh\n" + data),
    "zip_zip_before": Fault(STRAY, (ZIP,), lambda rng, data: b"PK\x03\x04" + data),
    "zip_after": Fault(STRAY, (ZIP,), lambda rng, data: data + b"\n"),
    "zip64": Fault(
        "zip64",
        (ZIP,),
        lambda rng, data: data[: (end := data.rindex(b"PK\x05\x06"))] + b"PK\x06\x07" + bytes(16) + data[end:],
    ),
    "zip_cut": Fault("cut off", (ZIP,), lambda rng, data: data[: -rng.randrange(1, 60)]),
    "tar_cut": Fault("cut off", (TAR,), lambda rng, data: data[: -rng.randrange(1, 60)]),
    "tar_after": Fault(STRAY, (TAR,), lambda rng, data: data + b"x"),
    "tar_second": Fault(STRAY, (TAR,), lambda rng, data: data + data),
    "gzip_checksum": Fault("gzip file is damaged", (TAR,), lambda rng, data: data[:-8] + bytes(4) + data[-4:]),
    "tar_checksum": Fault(DAMAGED, (TAR,), in_tar(put(150, b"0"), checksum=False)),
    "negative": Fault(SIZE, (TAR,), in_tar(put(124, b"\xff" * 12))),
    "base256": Fault(SIZE, (TAR,), in_tar(put(124, b"\x80" + bytes(10) + b"\x05"))),
    "endless": Fault("unpacks to more than 60,000 bytes", (TAR,), in_tar(put(124, b"77777777777\0"))),
    "end_missing": Fault("its end is missing", (TAR,), in_tar(remove_end)),
    "after_end": Fault(STRAY, (TAR,), in_tar(lambda raw: put(len(raw) - 9, b"hidden")(raw))),
    "pax_size": Fault(SIZE, (TAR,), in_tar(pax(b"size=-512"))),
    "pax_sparse": Fault(SIZE, (TAR,), in_tar(pax(b"GNU.sparse.realsize=9"))),
    "pax_link": Fault(SIZE, (TAR,), in_tar(pax(b"linkpath=/etc"))),
    "pax_climbs": Fault("climbs out", (TAR,), in_tar(pax(b"path=../../mpc.py"))),
    "pax_twice": Fault("two names", (TAR,), in_tar(pax(b"path=mpc.py", b"path=mpd.py"))),
    "pax_length": Fault(DAMAGED, (TAR,), in_tar(lambda raw: (pax(b"path=mpc.py")(raw), put(512, b"99")(raw)))),
    "rar": Fault("a RAR archive", PACKED, lambda rng, data: b"Rar!" + data),
    "7z": Fault("a 7z archive", PACKED, lambda rng, data: b"7z\xbc\xaf\x27\x1c" + data),
    "bzip2": Fault("a bzip2 file", PACKED, lambda rng, data: b"BZh9" + data),
    "nothing": Fault("the file is empty", PACKED, lambda rng, data: b""),
    "text": Fault("not a .zip or .tar.gz", PACKED, lambda rng, data: b"import torch\n"),
}
BROUGHT_ALONG = (
    "__MACOSX/._mpc.py",
    ".DS_Store",
    "__pycache__/mpc.cpython-311.pyc",
    "networks.py",
    "tests/test_mpc.py",
)


def write_zip(path: Path, entries: list[Entry]) -> None:
    types = {"file": stat.S_IFREG, "symlink": stat.S_IFLNK, "device": stat.S_IFCHR, "pipe": stat.S_IFIFO}
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # duplicate names
        for entry in entries:
            info = zipfile.ZipInfo("x")
            info.filename = info.orig_filename = entry.name
            info.external_attr = (types[entry.kind] | entry.mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entry.content)


def write_tar(path: Path, entries: list[Entry]) -> None:
    types = {"file": b"0", "symlink": b"2", "hardlink": b"1", "device": b"3", "pipe": b"6", "sparse": b"S"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.name)
            info.type, info.mode, info.linkname = types[entry.kind], entry.mode, "mpc.py" * (entry.kind != "file")
            info.size = len(entry.content) * (entry.kind == "file")
            archive.addfile(info, io.BytesIO(entry.content))
    path.write_bytes(gzip.compress(buffer.getvalue(), 1, mtime=0))


def write_folder(path: Path, entries: list[Entry]) -> None:
    for entry in entries:
        place = path / entry.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if entry.kind == "symlink":
            place.symlink_to("/etc/passwd")
        elif entry.kind == "pipe":
            os.mkfifo(place)
        else:
            place.write_bytes(entry.content)
            place.chmod(entry.mode)


WRITERS = {ZIP: write_zip, TAR: write_tar, FOLDER: write_folder}


def make_case(folder: Path, number: int, *, malformed: bool) -> Case:
    """A submission with one to three faults; its number decides everything, and each fault comes up as the first."""
    rng = random.Random(f"{malformed} {number}")
    faults = {**ENTRY_FAULTS, **BYTE_FAULTS}
    first = faults[list(faults)[number % len(faults)]]
    container = rng.choice(first.containers) if malformed else rng.choice(ANY)
    possible = [fault for fault in ENTRY_FAULTS.values() if container in fault.containers and fault is not first]
    chosen = [first, *rng.sample(possible, rng.choice([0, 0, 1, 2]))] if malformed else []
    wrapper = rng.choice(["", "hw4/", "alice_hw4/hw4/"])
    entries = [Entry(wrapper + name) for name in CODE]
    brought = rng.sample(BROUGHT_ALONG, rng.randrange(len(BROUGHT_ALONG)))
    entries += [Entry(wrapper + name, b"junk") for name in brought]
    for fault in chosen:
        if fault not in BYTE_FAULTS.values():
            fault.spoil(rng, entries)
    case = Case(folder / f"{'bad' if malformed else 'good'}-{number}.{container}", [fault.reason for fault in chosen])
    in_junk = ("__MACOSX", "__pycache__") if container == FOLDER else ()  # on disk such folders are not opened
    case.ignored = sorted(
        wrapper + (f"{name.partition('/')[0]}/(not opened)" if name.startswith(in_junk) else name) for name in brought
    )
    WRITERS[container](case.path, entries)
    if first in BYTE_FAULTS.values() and malformed:
        case.path.write_bytes(first.spoil(rng, case.path.read_bytes()))
    return case


def plain(text: str) -> str:
    """The words alone: a terminal breaks lines where it likes."""
    return "".join(text.split())


@dataclass(frozen=True)
class Answer:
    refused: bool
    text: str  # the refusal, or the files and notes


# The two sides --------------------------------------------------------------------------------------------------------

ASK_STUDENT_SIDE = """
import contextlib, io, json, sys
from hw4.commands.cli import main
answers = []
for path in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["submit", "--only-check", path])
    answers.append([status, out.getvalue(), err.getvalue()])
json.dump(answers, sys.stdout)
"""


def student_side(tree: Path, paths: list[Path]) -> list[tuple[int, str, str]]:
    """(exit status, stdout, stderr) of `submit --only-check`, run in the released tree."""
    shutil.copytree(ROOT / "hw4", tree / "hw4", ignore=shutil.ignore_patterns("__pycache__"))
    facts = (ROOT / "assignment.toml").read_text(encoding="utf-8")
    for name, limit in LIMITS.items():
        line = next(line for line in facts.splitlines() if line.startswith(f"{name} ="))
        facts = facts.replace(line, f"{name} = {limit}")
    (tree / "assignment.toml").write_text(facts, encoding="utf-8")
    environment = {**os.environ, "PYTHONUTF8": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-c", ASK_STUDENT_SIDE],
        cwd=tree,
        env=environment,
        input=json.dumps([str(path) for path in paths]),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [tuple(answer) for answer in json.loads(done.stdout)]


class IntakePassed(BaseException):
    """Ends the grading after the intake. Not an Exception, so that nothing takes it for a grader fault."""

    def __init__(self, intake: Intake) -> None:
        super().__init__()
        self.intake = intake


class GraderThatStops:
    def __init__(self, **options: Any) -> None: ...

    def __enter__(self) -> GraderThatStops:
        return self

    def __exit__(self, *_: object) -> None: ...

    def grade(self, intake: Intake, *_: object, **__: object) -> None:
        raise IntakePassed(intake)


def small_limits() -> Assignment:
    real = load_assignment()
    return replace(real, submission=replace(real.submission, **LIMITS))


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    folder = tmp_path_factory.mktemp("cases")
    return [
        *(make_case(folder, number, malformed=True) for number in range(NUM_MALFORMED)),
        *(make_case(folder, number, malformed=False) for number in range(NUM_FORGIVEN)),
    ]


def test_both_sides_give_the_same_verdict_and_reason_and_the_right_one(
    cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(grader, "load_assignment", small_limits)
    monkeypatch.setattr("autograder.grading.session.Grader", GraderThatStops)
    answers = student_side(tmp_path / "student", [case.path for case in cases])
    reasons_seen = set()
    for case, (status, printed, complained) in zip(cases, answers, strict=True):
        try:
            grader_status, intake = grader.grade(case.path, output=tmp_path / "grade"), None
        except IntakePassed as passed:
            grader_status, intake = None, passed.intake
        on_screen = capsys.readouterr().out
        what = f"{case.path.name}: {case.reasons}"
        if case.reasons:
            assert (status, grader_status) == (1, grader.REFUSED), what
            document = json.loads((tmp_path / "grade" / "results.json").read_text(encoding="utf-8"))
            heading, _, text = document["output"].partition("\n")
            assert heading == "The submission was refused, so nothing was graded."
            assert plain(complained) == plain(f"Refused, as the grader would: {text}"), what
            assert plain(on_screen) == plain(f"Refused, nothing was graded: {text}"), what
            assert text.isprintable(), what
            reasons_seen |= {reason for reason in case.reasons if reason in text}
            assert any(reason in text for reason in case.reasons), f"{what}: {text}"
        else:
            assert intake is not None, what
            assert status == 0, f"{what}: {complained}"
            assert intake.ignored == tuple(case.ignored), what
            assert plain(printed).startswith(plain(f"Read {case.path}: {', '.join(intake.files)}")), what
            assert all(plain(f"note: {note}") in plain(printed) for note in intake.notes), what
    every_reason = {fault.reason for fault in (*ENTRY_FAULTS.values(), *BYTE_FAULTS.values())}
    assert reasons_seen == every_reason


@pytest.mark.parametrize("number", [list(ENTRY_FAULTS).index("right_to_left"), len(ENTRY_FAULTS)])
def test_the_graders_command_ends_with_status_4_and_the_same_text(
    cases: list[Case], tmp_path: Path, number: int
) -> None:
    case = cases[number]
    (status, _, complained), *_ = student_side(tmp_path / "student", [case.path])
    assert status == 1
    done = subprocess.run(
        [sys.executable, "-m", "autograder", "grade", str(case.path), "--output", str(tmp_path / "grade")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 4, done.stderr
    assert plain(done.stdout).removeprefix("Refused,nothingwasgraded:") == plain(complained).removeprefix(
        "Refused,asthegraderwould:"
    )
    assert done.stdout.replace("\n", "").isprintable()
