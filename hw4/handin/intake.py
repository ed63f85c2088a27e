"""What may be handed in: one set of rules for `python -m hw4 submit` and for the grader (given; standard library only).

A submission is a folder, a .zip or a .tar.gz with the code files named in `assignment.toml`, and the notebooks if there
are any. Nothing is ever unpacked to disk, unpickled or run here. What is ambiguous or dangerous is refused, never
repaired; what an honest upload brings along (given files, a wrapping folder, what macOS adds) is ignored and listed.
"""

from __future__ import annotations

import ast
import codecs
import hashlib
import io
import json
import os
import re
import stat
import struct
import tokenize
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from hw4.handin.assignment import Assignment, Stub, load_assignment
from hw4.handin.update import VERSION, installed_version

# The parts of hw4 that a submission cannot import when it is graded: the environments, the loop that runs them, and
# everything that is not about the lecture.
NOT_WHEN_GRADED = ("__main__", "checking", "commands", "envs", "handin", "imagination", "tests", "training")

PACKAGE = Path(__file__).resolve().parents[1]
MAX_NAME_LENGTH = 255
MAX_POINTS = 1_000  # of one cell of a notebook
MAX_CODE_BYTES = 200_000  # ten times what the homework needs; a syntax tree takes up 600 times as much memory
VERSION_FILE = "bundle_version.txt"  # which student bundle was worked with; in a zip that `submit` wrote
JUNK_FOLDERS = ("__MACOSX", "__pycache__")
JUNK_FILES = (".DS_Store", "Thumbs.db", "desktop.ini", "Icon\r")
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar", ".gz")
ARCHIVE_MAGIC = {
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "an empty zip archive",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\x00": "an xz file",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
}
REPACK = "Run `python -m hw4 submit` and hand in the file that it writes"


class SubmissionRefused(ValueError):
    """The submission is not graded at all. Says why, at which member, and how to mend it."""

    def __init__(self, reason: str, *, where: str, mend: str = REPACK) -> None:
        self.reason = reason
        self.where = _shown(where) or "the submission"
        self.mend = mend
        super().__init__(f"{self.where}: {reason}. {mend}.")


@dataclass(frozen=True)
class SyntaxProblem:
    """A code file that Python cannot read. The other files are still graded."""

    file: str
    line: int
    message: str


@dataclass(frozen=True)
class ForbiddenImport:
    """An import of something that is not there when the file is graded."""

    file: str
    line: int
    module: str


@dataclass(frozen=True)
class Intake:
    """What an accepted submission holds."""

    files: dict[str, bytes]  # the code files and notebooks that are present, named as in assignment.toml
    missing: tuple[str, ...]  # code files that are absent: graded as absent, not refused
    ignored: tuple[str, ...]  # every other member, by its name in the submission
    syntax_errors: tuple[SyntaxProblem, ...]
    forbidden_imports: tuple[ForbiddenImport, ...]
    notes: tuple[str, ...]
    bundle_version: str = ""  # as the submission says; "" if it does not


@dataclass(frozen=True)
class _Member:
    """One entry of a submission. `content` is empty where a folder on disk holds a file that nobody wants."""

    name: str  # "hw4/mpc.py": forward slashes, neither "." nor ".."
    content: bytes
    is_folder: bool = False

    @property
    def base_name(self) -> str:
        return PurePosixPath(self.name).name

    @property
    def folder(self) -> str:
        return self.name[: -len(self.base_name)]

    @property
    def is_junk(self) -> bool:
        *folders, base_name = PurePosixPath(self.name).parts
        return (
            base_name in JUNK_FILES
            or base_name.startswith("._")
            or any(folder in JUNK_FOLDERS or folder.startswith(".") for folder in folders)
        )


def read_submission(path: Path, assignment: Assignment) -> Intake:
    """Read a folder, a .zip or a .tar.gz.

    Raises:
        SubmissionRefused: the same, in verdict and reason, for the student and for the grader.
    """
    with _readable(path.name):
        if path.is_dir():
            entries = list(_folder_members(path, assignment))
        elif path.is_file():
            entries = list(_archive_members(path, assignment))
        else:
            raise SubmissionRefused("there is no file or folder of this name", where=path.name, mend="Look at the path")
    _refuse_colliding_names(entries)
    members = [entry for entry in entries if not entry.is_folder]
    bundle_version = _bundle_version(members)
    members = [entry for entry in members if entry.name != VERSION_FILE]
    found, ignored = _pick_wanted(members, assignment)
    code = {name: found[name].content for name in assignment.submission.code if name in found}
    notebooks = {name: found[name].content for name in assignment.submission.notebooks if name in found}
    _refuse_wrong_content(found, assignment)
    syntax_errors: list[SyntaxProblem] = []
    forbidden_imports: list[ForbiddenImport] = []
    for name, content in code.items():
        tree = _parse(name, content)
        if isinstance(tree, SyntaxProblem):
            syntax_errors.append(tree)
        else:
            forbidden_imports += _forbidden_imports(name, tree, assignment)
    missing = tuple(name for name in assignment.submission.code if name not in code)
    return Intake(
        files={**code, **notebooks},
        missing=missing,
        ignored=tuple(sorted(_shown(member.name) for member in ignored)),
        syntax_errors=tuple(syntax_errors),
        forbidden_imports=tuple(forbidden_imports),
        notes=tuple(_notes(missing, notebooks, ignored, assignment)),
        bundle_version=bundle_version,
    )


def _bundle_version(members: Iterable[_Member]) -> str:
    """What `submit` wrote down, if it looks like a version: nothing is graded by it."""
    content = next((member.content for member in members if member.name == VERSION_FILE), b"")
    found = VERSION.fullmatch(content[:100].decode("ascii", errors="replace").strip())
    return found[0] if found else ""


def write_submission(
    hw4_folder: Path, notebooks_folder: Path | None, target: Path, assignment: Assignment | None = None
) -> Path:
    """Write the canonical zip: sorted names, fixed times, stored, so the same files give the same bytes everywhere.

    Args:
        hw4_folder: holds the code files.
        notebooks_folder: the notebooks lie in it or in folders below it; None hands in none.
        target: the zip to write; overwritten.
        assignment: names the files; `assignment.toml` by default.

    Raises:
        SubmissionRefused: none of the code files is there, or a notebook is there twice.
    """
    assignment = assignment or load_assignment()
    files = {name: hw4_folder / name for name in assignment.submission.code if (hw4_folder / name).is_file()}
    if not files:
        raise _nothing_found(hw4_folder.name, assignment)
    if notebooks_folder is not None:
        files |= _notebooks_below(notebooks_folder, assignment)
    contents = {}
    for name, path in files.items():
        with _readable(name):
            contents[name] = path.read_bytes()
    if version := installed_version(hw4_folder.parent):
        contents[VERSION_FILE] = f"{version}\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, on Windows too
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, contents[name])
    target.write_bytes(buffer.getvalue())
    return target


def _notebooks_below(folder: Path, assignment: Assignment) -> dict[str, Path]:
    found = {}
    for name in assignment.submission.notebooks:
        places = [
            place
            for place in sorted(folder.rglob(name))
            if not any(part.startswith(".") for part in place.relative_to(folder).parts)  # Jupyter's checkpoints
        ]
        if len(places) > 1:
            where = " and ".join(place.relative_to(folder).as_posix() for place in places[:2])
            raise SubmissionRefused("one notebook is there twice", where=where, mend="Keep the one you worked in")
        if places:
            found[name] = places[0]
    return found


def stubs_not_started(files: dict[str, bytes], assignment: Assignment) -> tuple[Stub, ...]:
    """The stubs that still raise their own NotImplementedError, found without running anything."""
    open_ids: set[str] = set()
    for name in assignment.submission.code:
        tree = _parse(name, files.get(name, b""))
        if isinstance(tree, SyntaxProblem):
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Raise(exc=ast.Call(func=ast.Name(id="NotImplementedError"), args=[ast.Constant(str(text))])):
                    open_ids.add(text.partition(":")[0])
    return tuple(stub for stub in assignment.stubs if stub.id in open_ids)


# Names ----------------------------------------------------------------------------------------------------------------


def _checked_name(raw: str) -> str:
    """A member's name as forward-slashed parts; "" for the root folder itself."""
    if raw.startswith("/") or re.match(r"[A-Za-z]:", raw):
        raise SubmissionRefused("the name is absolute", where=raw)
    if "\\" in raw:
        raise SubmissionRefused("the name holds a backslash, which is a folder on one system only", where=raw)
    parts = [part for part in raw.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise SubmissionRefused("the name climbs out of the archive with '..'", where=raw)
    name = "/".join(parts)
    if len(name) > MAX_NAME_LENGTH:
        raise SubmissionRefused(f"the name has {len(name)} characters, at most {MAX_NAME_LENGTH} may be", where=raw)
    visible = "/".join(parts[:-1]) if parts and parts[-1] in JUNK_FILES else name
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in visible):
        raise SubmissionRefused("the name holds an invisible or undecodable character", where=raw)
    return name


def _collision_key(name: str) -> str:
    """Names with the same key are one file on some system: case, Unicode form, trailing dots and spaces."""
    parts = unicodedata.normalize("NFKC", name).casefold().split("/")
    return unicodedata.normalize("NFKC", "/".join(part.rstrip(". ") for part in parts))


def _refuse_colliding_names(entries: list[_Member]) -> None:
    files: dict[str, str] = {}
    for entry in entries:
        if entry.is_folder:
            continue
        key = _collision_key(entry.name)
        if key in files and files[key] == entry.name:
            raise SubmissionRefused("this name is there twice", where=entry.name)
        if key in files:
            raise SubmissionRefused(
                "the two names differ only in case or in their Unicode form and are one file on some systems",
                where=f"{files[key]} and {entry.name}",
            )
        files[key] = entry.name
    for entry in entries:
        path = PurePosixPath(_collision_key(entry.name))
        for folder in (path, *path.parents) if entry.is_folder else path.parents:
            if str(folder) in files:
                raise SubmissionRefused("the name is a file and a folder at once", where=files[str(folder)])


def _shown(name: str) -> str:
    """A name that is safe to print: no control characters, nothing that turns the reading direction, bounded."""
    text = "".join(character if character.isprintable() else "?" for character in name)
    return text if len(text) <= 160 else f"{text[:157]}..."


# Folders --------------------------------------------------------------------------------------------------------------


def _folder_members(root: Path, assignment: Assignment) -> Iterator[_Member]:
    rules = assignment.submission
    wanted = (*rules.code, *rules.notebooks, VERSION_FILE)
    mend = "Name the folder that holds your code files and nothing else"
    num_entries, folders = 0, [root]
    while folders:
        folder = folders.pop()
        with _readable(folder.name), os.scandir(folder) as found:  # no more of a million names than are allowed
            names = [entry.name for entry in islice(found, rules.max_files + 1 - num_entries)]
        num_entries += len(names)
        if num_entries > rules.max_files:
            raise SubmissionRefused(f"the folder holds more than {rules.max_files} files", where=root.name, mend=mend)
        for entry in sorted(folder / name for name in names):
            name = _checked_name(entry.relative_to(root).as_posix())
            with _readable(name):
                mode = entry.lstat().st_mode
                if stat.S_ISDIR(mode):
                    if not _Member(f"{name}/x", b"").is_junk and not (entry / "pyvenv.cfg").exists():
                        folders.append(entry)
                    continue
                if not stat.S_ISREG(mode):
                    raise SubmissionRefused(f"this is {_kind(mode)}, not a plain file", where=name, mend=mend)
                _refuse_special_bits(mode, name)
                content = b""
                if entry.name in wanted:
                    with entry.open("rb") as file:
                        content = file.read(rules.max_file_bytes + 1)
            yield _Member(name, content)


@contextmanager
def _readable(where: str) -> Iterator[None]:
    """Permissions are the submission's fault; any other failure to read is the machine's and passes through."""
    try:
        yield
    except PermissionError:
        raise SubmissionRefused(
            "its permissions do not allow to read it", where=where, mend="Make it and the folders above it readable"
        ) from None


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return "a device" if stat.S_ISBLK(mode) or stat.S_ISCHR(mode) else "a pipe or a socket"


def _refuse_special_bits(mode: int, name: str) -> None:
    if mode & (stat.S_ISUID | stat.S_ISGID):
        raise SubmissionRefused("the file has setuid or setgid bits", where=name)


# Archives -------------------------------------------------------------------------------------------------------------
#
# Read by hand: what `zipfile` and `tarfile` tolerate differs from one version of Python to the next, and both repair.
# Here an archive has one reading only: each byte belongs to one member, and everything that is said twice agrees.


def _archive_members(path: Path, assignment: Assignment) -> Iterator[_Member]:
    limit = assignment.submission.max_total_bytes
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise SubmissionRefused(f"the file has more than {limit:,} bytes", where=path.name)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_members(data, path.name, assignment)
    if data.startswith(b"\x1f\x8b"):
        return _tar_members(data, path.name, assignment)
    what = next((what for magic, what in ARCHIVE_MAGIC.items() if data.startswith(magic)), None)
    reason = f"this is {what}, not a .zip or .tar.gz" if what else "this is not a .zip or .tar.gz archive"
    raise SubmissionRefused(reason if data else "the file is empty", where=path.name)


END_RECORD = struct.Struct("<4s4H2LH")  # signature, disks, entries, size and offset of the directory, comment length
DIRECTORY_ENTRY = struct.Struct("<4s6H3L5H2L")
LOCAL_HEADER = struct.Struct("<4s5H3L2H")  # signature, version, flags, method, time, crc, sizes, name and extra lengths
EXTRA_FIELD = struct.Struct("<HH")  # kind, size
UNICODE_PATH = 0x7075  # an extra field that gives another name
ZIP64_LOCATOR_SIZE = 20
ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000
SIZES_FOLLOW_FLAG = 0x8  # the local header leaves them out; they come after the data
UTF8_FLAG = 0x800
NOT_STATED = (0, 0xFFFFFFFF)  # how a local header leaves a size out


@dataclass(frozen=True)
class _ZipEntry:
    """One entry of a zip's directory."""

    raw_name: bytes
    name: str
    flags: int
    method: int
    crc: int
    compressed: int  # bytes in the archive
    size: int  # bytes unpacked
    mode: int  # Unix mode, or 0
    extra: bytes
    offset: int  # of the local header

    @property
    def is_folder(self) -> bool:
        return self.raw_name.endswith(b"/")

    @property
    def lies(self) -> SubmissionRefused:
        return SubmissionRefused(
            "the member is damaged, or its stated size or checksum is not its own", where=self.name
        )


def _zip_members(data: bytes, archive_name: str, assignment: Assignment) -> Iterator[_Member]:
    rules = assignment.submission
    directory_offset, entries = _zip_directory(data, archive_name, rules.max_files)
    for entry in entries:
        _refuse_zip_entry(entry, archive_name)
    if sum(entry.size for entry in entries) > rules.max_total_bytes:
        raise SubmissionRefused(_too_much(rules.max_total_bytes), where=archive_name)
    spans = [_zip_span(data, entry) for entry in entries]
    _refuse_zip_gaps(data, directory_offset, sorted(zip(spans, entries, strict=True), key=lambda pair: pair[0]))
    for (_, begin, end), entry in zip(spans, entries, strict=True):
        content = _zip_content(data[begin:end], entry)
        yield _Member(_checked_name(entry.name), content, entry.is_folder)


def _zip_directory(data: bytes, archive_name: str, max_files: int) -> tuple[int, list[_ZipEntry]]:
    """Where the directory begins, and its entries; their number is checked before any is read."""
    end = data.rfind(b"PK\x05\x06", max(0, len(data) - END_RECORD.size - 0xFFFF))
    if end < 0 or len(data) - end < END_RECORD.size:
        raise SubmissionRefused("the zip archive is cut off: its directory is missing", where=archive_name)
    _, disk, other_disk, num_here, num_entries, size, offset, comment_length = END_RECORD.unpack_from(data, end)
    if end + END_RECORD.size + comment_length != len(data):
        raise SubmissionRefused("something stands after the zip archive, or it is cut off", where=archive_name)
    if data[max(0, end - ZIP64_LOCATOR_SIZE) : end].startswith(b"PK\x06\x07"):
        raise SubmissionRefused("this is a zip64 archive, which is for gigabytes or 65,535 files", where=archive_name)
    if disk or other_disk or num_here != num_entries:
        raise SubmissionRefused("this is one part of a split zip archive", where=archive_name)
    if num_entries > max_files or size > max_files * (DIRECTORY_ENTRY.size + 2 * MAX_NAME_LENGTH + 200):
        raise SubmissionRefused(f"the archive holds more than {max_files} files", where=archive_name)
    if offset + size != end:
        raise SubmissionRefused("something stands before or inside the zip archive", where=archive_name)
    entries, at = [], offset
    while at < end:
        if end - at < DIRECTORY_ENTRY.size or not data.startswith(b"PK\x01\x02", at):
            raise SubmissionRefused("the zip archive is damaged", where=archive_name)
        _, _, _, flags, method, _, _, crc, compressed, unpacked, *lengths, disk, _, attributes, start = (
            DIRECTORY_ENTRY.unpack_from(data, at)
        )
        name_length, extra_length, comment_length = lengths
        name_end = at + DIRECTORY_ENTRY.size + name_length
        raw_name = data[at + DIRECTORY_ENTRY.size : name_end]
        extra = data[name_end : name_end + extra_length]
        at = name_end + extra_length + comment_length
        if at > end or disk:
            raise SubmissionRefused("the zip archive is damaged", where=archive_name)
        try:
            name = raw_name.decode("utf-8" if flags & UTF8_FLAG else "cp437")
        except UnicodeDecodeError:
            raise SubmissionRefused("a name is not in the encoding that it claims", where=archive_name) from None
        mode = attributes >> 16
        entries.append(_ZipEntry(raw_name, name, flags, method, crc, compressed, unpacked, mode, extra, start))
    if len(entries) != num_entries:
        raise SubmissionRefused(
            f"the zip archive says it has {num_entries} entries and has {len(entries)}", where=archive_name
        )
    return offset, entries


def _refuse_zip_entry(entry: _ZipEntry, archive_name: str) -> None:
    name = entry.name
    if not _checked_name(name) and not entry.is_folder:
        raise SubmissionRefused("a member has no name", where=archive_name)
    if stat.S_IFMT(entry.mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise SubmissionRefused(f"this is {_kind(entry.mode)}, not a plain file", where=name)
    if stat.S_ISDIR(entry.mode) and not entry.is_folder:
        raise SubmissionRefused("the member is a file and a folder at once", where=name)
    if not entry.is_folder:
        _refuse_special_bits(entry.mode, name)
    if entry.flags & ENCRYPTED_FLAGS:
        raise SubmissionRefused("the member is encrypted", where=name)
    if entry.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise SubmissionRefused("the member is compressed in an unusual way", where=name)
    if entry.is_folder and entry.size:
        raise SubmissionRefused("a folder has content", where=name)
    extra = entry.extra
    while len(extra) >= EXTRA_FIELD.size:
        kind, size = EXTRA_FIELD.unpack_from(extra)
        other_name = extra[EXTRA_FIELD.size + 5 : EXTRA_FIELD.size + size]
        if kind == UNICODE_PATH and entry.raw_name.isascii() and other_name != entry.raw_name:
            raise SubmissionRefused("the member has two names", where=name)
        extra = extra[EXTRA_FIELD.size + size :]


def _zip_span(data: bytes, entry: _ZipEntry) -> tuple[int, int, int]:
    """Where the member starts, and where its bytes begin and end; its own header must say what the directory says."""
    start = entry.offset
    if start + LOCAL_HEADER.size > len(data):
        raise entry.lies
    signature, _, flags, method, _, _, *stated, name_length, extra = LOCAL_HEADER.unpack_from(data, start)
    begin = start + LOCAL_HEADER.size + name_length + extra
    end = begin + entry.compressed
    local_name = data[start + LOCAL_HEADER.size :][:name_length]
    if signature != b"PK\x03\x04" or local_name != entry.raw_name or end > len(data):
        raise entry.lies
    checked_flags = ENCRYPTED_FLAGS | UTF8_FLAG | SIZES_FOLLOW_FLAG
    if method != entry.method or (flags ^ entry.flags) & checked_flags:
        raise entry.lies
    for said, known in zip(stated, (entry.crc, entry.compressed, entry.size), strict=True):
        if said != known and not (flags & SIZES_FOLLOW_FLAG and said in NOT_STATED):
            raise entry.lies
    return start, begin, end


def _refuse_zip_gaps(data: bytes, directory_offset: int, members: list[tuple[tuple[int, int, int], _ZipEntry]]) -> None:
    """Each byte before the directory belongs to one member: nothing is shared, and nothing hides between them."""
    starts = [start for (start, _, _), _ in members] + [directory_offset]
    if starts[0] > 0:
        raise SubmissionRefused("something stands before or inside the zip archive", where=members[0][1].name)
    for ((_, _, end), entry), next_start in zip(members, starts[1:], strict=True):
        if end > next_start:
            raise SubmissionRefused("two members share the same bytes of the archive", where=entry.name)
        sizes = (
            struct.pack("<3L", entry.crc, entry.compressed, entry.size),
            struct.pack("<LQQ", entry.crc, entry.compressed, entry.size),
        )
        may_follow = [b"", *sizes, *(b"PK\x07\x08" + size for size in sizes)]
        if data[end:next_start] not in (may_follow if entry.flags & SIZES_FOLLOW_FLAG else [b""]):
            raise SubmissionRefused("something stands before or inside the zip archive", where=entry.name)


def _zip_content(raw: bytes, entry: _ZipEntry) -> bytes:
    """The bytes of one member, never more of them than it states."""
    if entry.method == zipfile.ZIP_DEFLATED:
        decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            raw = decompressor.decompress(raw, entry.size + 1)
        except zlib.error:
            raise entry.lies from None
        if not decompressor.eof or decompressor.unused_data:
            raise entry.lies
    if len(raw) != entry.size or zlib.crc32(raw) != entry.crc:
        raise entry.lies
    return raw


TAR_BLOCK = 512
# name, mode, owner, size, time, checksum, kind, link, magic and version, owner names and device, prefix of the name
TAR_HEADER = struct.Struct("100s8s16s12s12s8sc100s8s80s155s12x")
TAR_KINDS = {b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a pipe"}
TAR_FILES, TAR_FOLDER, TAR_EXTENSIONS = (b"0", b"\0"), b"5", (b"x", b"g", b"L")
PAX_LENGTH = re.compile(rb"([1-9][0-9]{0,8}) ")
PAX_FORBIDDEN = re.compile(rb"size|linkpath|GNU\.sparse.*|SCHILY\.realsize")


def _tar_members(data: bytes, archive_name: str, assignment: Assignment) -> Iterator[_Member]:
    rules = assignment.submission
    unpacked = _gunzip(data, archive_name, rules.max_total_bytes, rules.max_files * 4 * TAR_BLOCK)
    no_tar = SubmissionRefused("the gzip file does not hold a tar archive", where=archive_name)
    damaged = SubmissionRefused("the tar archive is damaged", where=archive_name)
    offset, num_entries, total, long_name = 0, 0, 0, None
    while True:
        block = unpacked[offset : offset + TAR_BLOCK]
        if len(block) < TAR_BLOCK:
            raise (
                no_tar
                if offset == 0
                else SubmissionRefused("the tar archive is cut off: its end is missing", where=archive_name)
            )
        if not any(block):
            break
        raw_name, mode, _, size_field, _, checksum, kind, _, magic, _, prefix = TAR_HEADER.unpack(block)
        if not magic.startswith(b"ustar"):
            raise no_tar if offset == 0 else damaged
        name = _tar_text(raw_name)
        size = _octal(size_field)
        if size is None:
            raise SubmissionRefused("the stated size is not one that an honest archive has", where=name)
        without_checksum = block[:148] + b" " * 8 + block[156:]
        if _octal(checksum) != sum(without_checksum) or _octal(mode) is None:
            raise damaged
        begin = offset + TAR_BLOCK
        if begin + size > len(unpacked):
            raise SubmissionRefused("the archive ends inside this member", where=name)
        content = unpacked[begin : begin + size]
        offset = begin + TAR_BLOCK * -(-size // TAR_BLOCK)
        if kind in TAR_EXTENSIONS:
            given = _tar_long_name(content, name) if kind == b"L" else _pax_path(content, name)
            if given is not None:
                if long_name is not None or kind == b"g":
                    raise SubmissionRefused("the member has two names", where=name)
                long_name = given
            continue
        if any(prefix):
            if not magic.startswith(b"ustar\0"):  # GNU's own format keeps other things there
                raise damaged
            name = f"{_tar_text(prefix)}/{name}"
        name = name if long_name is None else long_name
        long_name = None
        num_entries += 1
        if num_entries > rules.max_files:
            raise SubmissionRefused(f"the archive holds more than {rules.max_files} files", where=archive_name)
        total += size
        if total > rules.max_total_bytes:
            raise SubmissionRefused(_too_much(rules.max_total_bytes), where=archive_name)
        yield _tar_member(name, kind, _octal(mode) or 0, content, archive_name)
    if num_entries == 0:
        raise no_tar
    if long_name is not None:
        raise damaged
    if unpacked.count(b"\0", offset) != len(unpacked) - offset:
        raise SubmissionRefused("something stands after the end of the tar archive", where=archive_name)


def _gunzip(data: bytes, archive_name: str, max_bytes: int, overhead: int) -> bytes:
    """What the gzip file holds, up to the allowed bytes and those of headers and padding."""
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        unpacked = decompressor.decompress(data, max_bytes + overhead + 1)
    except zlib.error:
        raise SubmissionRefused("the gzip file is damaged", where=archive_name) from None
    if len(unpacked) > max_bytes + overhead:
        raise SubmissionRefused(_too_much(max_bytes), where=archive_name)
    if not decompressor.eof:
        raise SubmissionRefused("the gzip file is damaged: it is cut off", where=archive_name)
    if decompressor.unused_data.strip(b"\0"):
        raise SubmissionRefused("something stands after the end of the gzip file", where=archive_name)
    return unpacked


def _tar_member(name: str, kind: bytes, mode: int, content: bytes, archive_name: str) -> _Member:
    clean = _checked_name(name)
    if kind in TAR_KINDS:
        raise SubmissionRefused(f"this is {TAR_KINDS[kind]}, not a plain file", where=name)
    is_folder = kind == TAR_FOLDER or (kind == b"\0" and name.endswith("/"))
    if is_folder and content:
        raise SubmissionRefused("a folder has content", where=name)
    if not is_folder:
        if kind not in TAR_FILES or name.endswith("/"):
            raise SubmissionRefused("this is not a plain file", where=name)
        if not clean:
            raise SubmissionRefused("a member has no name", where=archive_name)
        _refuse_special_bits(mode, name)
    return _Member(clean, content, is_folder)


def _tar_text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")  # `_checked_name` refuses what is not UTF-8


def _octal(field: bytes) -> int | None:
    digits = field.strip(b"\0 ")
    return int(digits or b"0", 8) if re.fullmatch(rb"[0-7]*", digits) else None


def _tar_long_name(content: bytes, where: str) -> str:
    """The name in GNU's extension header."""
    name, _, rest = content.partition(b"\0")
    if any(rest) or not name:
        raise SubmissionRefused("the tar archive is damaged", where=where)
    return _tar_text(name)


def _pax_path(content: bytes, where: str) -> str | None:
    """The name in a pax extension header, if it gives one. Times, owners and comments are ignored."""
    path, at = None, 0
    while at < len(content):
        length = PAX_LENGTH.match(content, at)
        end = at + int(length[1]) if length else 0
        record = content[length.end() : end] if length else b""
        key, equals, value = record[:-1].partition(b"=")
        if end > len(content) or not record.endswith(b"\n") or not equals:
            raise SubmissionRefused("the tar archive is damaged", where=where)
        if PAX_FORBIDDEN.fullmatch(key):
            raise SubmissionRefused("the stated size is not one that an honest archive has", where=where)
        if key == b"path":
            if path is not None:
                raise SubmissionRefused("the member has two names", where=where)
            path = value.decode("utf-8", "surrogateescape")
        at = end
    return path


def _too_much(limit: int) -> str:
    return f"the archive unpacks to more than {limit:,} bytes"


# What is wanted -------------------------------------------------------------------------------------------------------


def _pick_wanted(members: list[_Member], assignment: Assignment) -> tuple[dict[str, _Member], list[_Member]]:
    """The wanted files by name, and all others."""
    rules = assignment.submission
    useful = [member for member in members if not member.is_junk and not _is_given(member, assignment)]
    code = [member for member in useful if member.base_name in rules.code]
    inner = next((member.name for member in useful if member.name.lower().endswith(ARCHIVE_SUFFIXES)), None)
    if inner is not None:
        raise SubmissionRefused(
            "an archive inside the submission is not opened",
            where=inner,
            mend="Leave it out, so that it is clear what you hand in" if code else "Hand in the inner archive itself",
        )
    first_of_folder = {member.folder: member for member in reversed(code)}
    if len(first_of_folder) > 1:
        one, other = sorted(member.name for member in first_of_folder.values())[:2]
        raise SubmissionRefused(
            "code files lie in two different folders, and nothing says which are meant",
            where=f"{one} and {other}",
            mend="Keep one folder",
        )
    if not code:
        raise _nothing_found(_renamed(useful, assignment), assignment)
    found = {member.base_name: member for member in code}
    for notebook in rules.notebooks:
        copies = [member for member in useful if member.base_name == notebook]
        if len({member.content for member in copies}) > 1:
            where = " and ".join(member.name for member in copies[:2])
            raise SubmissionRefused("two different notebooks have this name", where=where, mend="Keep one of them")
        if copies:
            found[notebook] = copies[0]
    return found, [member for member in members if member not in found.values()]


def _is_given(member: _Member, assignment: Assignment) -> bool:
    """Whether a member is at the place of a given file, such as checking/examples/mpc.py: a whole folder may come."""
    parts = PurePosixPath(member.name).parts
    places = ("/".join(parts[i:]) for i in range(len(parts) - 1))
    return any(place not in assignment.submission.code and (PACKAGE / place).is_file() for place in places)


def _nothing_found(where: str, assignment: Assignment) -> SubmissionRefused:
    names = ", ".join(assignment.submission.code)
    return SubmissionRefused(f"none of the code files is there ({names})", where=where)


def _renamed(members: Iterable[_Member], assignment: Assignment) -> str:
    """The first member that looks like a code file under another name, or "the submission"."""
    for member in members:
        if _likely_meant(member.base_name, assignment) is not None:
            return member.name
    return "the submission"


def _likely_meant(base_name: str, assignment: Assignment) -> str | None:
    """ "mpc (1).py", "MPC.py" and "mpc.py.txt" are not mpc.py, but were probably meant to be."""
    plain = re.sub(r"[ _-]*(\(\d+\)|copy|final)|\.txt$", "", base_name.casefold())
    return plain if plain in assignment.submission.code and base_name != plain else None


def _refuse_wrong_content(found: dict[str, _Member], assignment: Assignment) -> None:
    limit = assignment.submission.max_file_bytes
    for member in found.values():
        if len(member.content) > limit:
            raise SubmissionRefused(
                f"the file is larger than {limit:,} bytes",
                where=member.name,
                mend="Clear the notebook's large outputs" if member.name.endswith(".ipynb") else "Hand in code only",
            )
        what = next((what for magic, what in ARCHIVE_MAGIC.items() if member.content.startswith(magic)), None)
        if what is not None:
            raise SubmissionRefused(f"the file is {what} under another name", where=member.name)


def _notes(
    missing: tuple[str, ...], notebooks: dict[str, bytes], ignored: list[_Member], assignment: Assignment
) -> Iterator[str]:
    rules = assignment.submission
    for name in missing:
        yield f"{name} is missing: everything in it is graded as absent"
    yield from _notebook_notes(notebooks, assignment)
    for member in ignored:
        meant = _likely_meant(member.base_name, assignment)
        if meant in missing and not member.is_junk:
            yield f"{_shown(member.name)} is ignored: rename it to {meant} if you meant that"
    others = sum(not member.is_junk for member in ignored)
    if others:
        files = "1 other file is" if others == 1 else f"{others} other files are"
        yield f"{files} ignored: the grader puts {', '.join(rules.code)} into a fresh copy of the given files"


# Notebooks: read as JSON, never run -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Answer:
    """A cell that a person grades, by nbgrader's metadata."""

    grade_id: str
    points: float
    is_open: bool  # empty, or as it was released


def _notebook_notes(notebooks: dict[str, bytes], assignment: Assignment) -> Iterator[str]:
    """What people will miss when they read the answers. None of it touches what is graded by program."""
    written_points = sum(problem.points for problem in assignment.problems if problem.by_hand)
    cost = f"this costs written points alone (of {written_points})"
    answers: list[_Answer] = []
    all_readable = True
    for name in assignment.submission.notebooks:
        content = notebooks.get(name)
        cells = [] if content is None else _cells(content)
        if content is None or isinstance(cells, str):
            all_readable = False
            yield f"{name} is missing: {cost}" if content is None else f"{name} {cells}; {cost}"
            continue
        of_notebook = [answer for cell in cells if (answer := _answer(cell)) is not None]
        answers += of_notebook
        if open_answers := [answer for answer in of_notebook if answer.is_open]:
            yield f"{name}: not answered yet: {_listed(open_answers)}"
        code_cells = [cell for cell in cells if cell.get("cell_type") == "code"]
        if code_cells and not any(cell.get("outputs") for cell in code_cells):
            yield f"{name}: no code cell has an output: run all cells and save, so that your figures are seen"
    found = sum(answer.points for answer in answers)
    if all_readable and assignment.submission.notebooks and found != written_points:
        yield (
            f"the notebooks have cells for {found:g} of {written_points} written points: {_listed(answers)}. A graded "
            "cell is missing, there twice or changed: copy your answers into a fresh copy of the notebook"
        )


def _listed(answers: list[_Answer]) -> str:
    return _shown(", ".join(f"{answer.grade_id} ({answer.points:g} points)" for answer in answers) or "none")


def _cells(content: bytes) -> list[dict[str, Any]] | str:
    """The cells of a notebook, or what is wrong with it, to follow its name."""
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return "is not valid JSON: open it in Jupyter and save it again"
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        return "is not a notebook (nbformat 4 or later): open it in Jupyter and save it again"
    return cells


def _answer(cell: dict[str, Any]) -> _Answer | None:
    match cell.get("metadata"):
        case {
            "nbgrader": {
                "grade": True,
                "solution": True,
                "grade_id": str(grade_id),
                "points": int() | float() as points,
                **others,
            }
        } if 0 <= points <= MAX_POINTS:  # NaN is not
            pass
        case _:
            return None
    lines = cell.get("source", "")  # one string, or a list of lines
    text = lines if isinstance(lines, str) else "".join(map(str, lines)) if isinstance(lines, list) else ""
    released = others.get("checksum")
    is_open = not text.strip() or any(
        released == _nbgrader_checksum(source, str(cell.get("cell_type")), grade_id, points)
        for source in (text, text.strip())
    )
    return _Answer(_shown(grade_id), float(points), is_open)


def _nbgrader_checksum(source: str, cell_type: str, grade_id: str, points: float) -> str:
    """nbgrader's own checksum of a graded answer; the metadata keep that of the cell as it was released."""
    is_grade, is_solution, is_locked = True, True, False
    facts = (source, cell_type, is_grade, is_solution, is_locked, grade_id, float(points))
    return hashlib.md5("".join(map(str, facts)).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


# Code -----------------------------------------------------------------------------------------------------------------


def _parse(name: str, content: bytes) -> ast.Module | SyntaxProblem:
    """The syntax tree of a code file, or what keeps Python from reading it. Nothing is run."""
    if len(content) > MAX_CODE_BYTES:
        return SyntaxProblem(
            name, 1, f"the file has {len(content):,} bytes, at most {MAX_CODE_BYTES:,} are read as code"
        )
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        if codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig"):
            return SyntaxProblem(name, 1, f"the file declares the encoding {encoding}: save it as UTF-8")
        text = content.decode("utf-8-sig")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, filename=name)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return SyntaxProblem(name, line, "the file is not UTF-8: save it as UTF-8")
    except SyntaxError as error:
        if error.lineno is None and _first_bad_byte(content) is not None:
            line = content.count(b"\n", 0, _first_bad_byte(content)) + 1
            return SyntaxProblem(name, line, "the file is not UTF-8: save it as UTF-8")
        return SyntaxProblem(name, error.lineno or 1, _shown(error.msg))
    except (ValueError, RecursionError, MemoryError) as error:
        return SyntaxProblem(name, 1, _shown(str(error)) or "the code is nested too deeply")


def _first_bad_byte(content: bytes) -> int | None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return None


def _forbidden_imports(name: str, tree: ast.Module, assignment: Assignment) -> list[ForbiddenImport]:
    found = []
    for node in ast.walk(tree):
        for module in _imported_modules(node):
            if not _is_allowed(module, assignment):
                found.append(ForbiddenImport(name, getattr(node, "lineno", 1), _shown(module)))
    return sorted(found, key=lambda forbidden: (forbidden.line, forbidden.module))


def _imported_modules(node: ast.AST) -> Iterator[str]:
    """The modules that one node of a syntax tree imports, with full names."""
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            package = {0: "", 1: "hw4"}.get(level, "..")  # code files lie in hw4, so ".x" is hw4.x
            base = ".".join(part for part in (package, module) if part)
            if base in ("hw4", ".."):
                yield from (f"hw4.{alias.name}" if base == "hw4" else f"..{alias.name}" for alias in names)
            else:
                yield base
        case ast.Call(
            func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"), args=args
        ):
            match args:
                case [ast.Constant(str(module)), *_]:
                    yield module
                case _:
                    yield "(a name computed at run time)"


def _is_allowed(module: str, assignment: Assignment) -> bool:
    package, _, rest = module.partition(".")
    if package not in assignment.submission.allowed_imports:
        return False
    if package != "hw4" or not rest:
        return True
    top = rest.split(".")[0]
    is_there = (PACKAGE / f"{top}.py").is_file() or (PACKAGE / top / "__init__.py").is_file()
    return is_there and top not in NOT_WHEN_GRADED
