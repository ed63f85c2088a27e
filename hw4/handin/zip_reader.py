"""Reads a zip archive by hand, without writing to disk (given; standard library only).

What `zipfile` tolerates differs from one version of Python to the next, and it repairs. Here an archive has one reading
only: each byte belongs to one member, and everything that is said twice agrees.
"""

from __future__ import annotations

import contextlib
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from hw4.handin.assignment import Assignment
from hw4.handin.members import (
    MAX_NAME_LENGTH,
    Budget,
    Member,
    checked_name,
    decoded_name,
    kind_of_file,
    refuse_special_bits,
)
from hw4.handin.refusal import SubmissionRefused

END_RECORD = struct.Struct("<4s4H2LH")  # signature, disks, entries, size and offset of the directory, comment length
DIRECTORY_ENTRY = struct.Struct("<4s6H3L5H2L")
LOCAL_HEADER = struct.Struct("<4s5H3L2H")  # signature, version, flags, method, time, crc, sizes, name and extra lengths
EXTRA_FIELD = struct.Struct("<HH")  # kind, size
UNICODE_PATH = 0x7075  # an extra field that gives the name in UTF-8
UNICODE_PATH_HEAD = struct.Struct("<BL")  # version, checksum of the name that it replaces
ZIP64 = 0x0001  # an extra field that gives the sizes that are too large for their places, or might have become so
TOO_LARGE = 0xFFFFFFFF  # in such a place
ZIP64_LOCATOR_SIZE = 20
ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000
SIZES_FOLLOW_FLAG = 0x8  # the local header leaves them out; they come after the data
UTF8_FLAG = 0x800
NOT_STATED = (0, TOO_LARGE)  # how a local header leaves a size out


@dataclass(frozen=True)
class _ZipEntry:
    """One entry of a zip's directory."""

    raw_name: bytes
    name: str
    compared_as: str  # see `Member`
    flags: int
    method: int
    crc: int
    compressed: int  # bytes in the archive
    size: int  # bytes unpacked
    mode: int  # Unix mode, or 0
    offset: int  # of the local header

    @property
    def is_folder(self) -> bool:
        return self.raw_name.endswith(b"/")

    @property
    def lies(self) -> SubmissionRefused:
        return SubmissionRefused("the member is damaged, or its stated size or checksum is wrong", where=self.name)


def zip_members(data: bytes, archive_name: str, assignment: Assignment) -> Iterator[Member]:
    rules = assignment.submission
    directory_offset, entries = _zip_directory(data, archive_name, rules.max_files)
    budget = Budget(rules)
    problems = [_problem_of(entry, archive_name, budget) for entry in entries]
    spans = [(0, 0)] * len(entries)
    for i, entry in enumerate(entries):
        with _notebooks_only(i, entry, problems, budget):
            spans[i] = _zip_span(data, entry)
    places = _zip_places(directory_offset, entries)
    for i, entry in enumerate(entries):
        if spans[i] != (0, 0):  # else its own header is damaged
            with _notebooks_only(i, entry, problems, budget):
                _refuse_gap(data, spans[i][1], places[i], entry)
    for i, entry in enumerate(entries):
        content = b""
        if not problems[i]:
            with _notebooks_only(i, entry, problems, budget):
                content = _zip_content(data[slice(*spans[i])], entry)
        problem = problems[i]
        yield Member(checked_name(entry.name), content, entry.is_folder, problem, entry.compared_as)


@contextlib.contextmanager
def _notebooks_only(i: int, entry: _ZipEntry, problems: list[str], budget: Budget) -> Iterator[None]:
    """What is wrong with a notebook is kept as its problem, if it has none yet. With anything else it is refused."""
    try:
        yield
    except SubmissionRefused as refused:
        if not budget.is_notebook(entry.name):
            raise
        problems[i] = problems[i] or refused.reason


def _problem_of(entry: _ZipEntry, archive_name: str, budget: Budget) -> str:
    """Why a notebook is not read, or "". Raises SubmissionRefused for any other member that cannot be."""
    if not checked_name(entry.name) and not entry.is_folder:
        raise SubmissionRefused("a member has no name", where=archive_name)
    try:
        _refuse_zip_entry(entry)
    except SubmissionRefused as refused:
        if entry.is_folder or not budget.is_notebook(entry.name):
            raise
        return refused.reason
    return budget.spend(entry.name, entry.size, archive_name)


def _zip_directory(data: bytes, archive_name: str, max_files: int) -> tuple[int, list[_ZipEntry]]:
    """Where the directory begins, and its entries; their number is checked before any is read."""
    end = data.rfind(b"PK\x05\x06", max(0, len(data) - END_RECORD.size - 0xFFFF))
    if end < 0 or len(data) - end < END_RECORD.size:
        raise SubmissionRefused("the zip archive is cut off: its directory is missing", where=archive_name)
    _, disk, other_disk, num_here, num_entries, size, offset, comment_length = END_RECORD.unpack_from(data, end)
    if end + END_RECORD.size + comment_length != len(data):
        raise SubmissionRefused("there is something after the zip archive, or it is cut off", where=archive_name)
    if data[max(0, end - ZIP64_LOCATOR_SIZE) : end].startswith(b"PK\x06\x07"):
        raise SubmissionRefused(
            "this is a zip64 archive, which is meant for gigabytes or 65,535 files", where=archive_name
        )
    if disk or other_disk or num_here != num_entries:
        raise SubmissionRefused("this is one part of a split zip archive", where=archive_name)
    if num_entries > max_files or size > max_files * (DIRECTORY_ENTRY.size + 2 * MAX_NAME_LENGTH + 200):
        raise SubmissionRefused(f"the archive contains more than {max_files} files", where=archive_name)
    if offset + size != end:
        raise SubmissionRefused("there is something before or inside the zip archive", where=archive_name)
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
        names = _names(raw_name, flags, extra, archive_name)
        unpacked, compressed = _stated_sizes((unpacked, compressed), extra)
        mode = attributes >> 16
        entries.append(_ZipEntry(raw_name, *names, flags, method, crc, compressed, unpacked, mode, start))
    if len(entries) != num_entries:
        raise SubmissionRefused(
            f"the zip archive says that it has {num_entries} entries, but it has {len(entries)}", where=archive_name
        )
    return offset, entries


def _refuse_zip_entry(entry: _ZipEntry) -> None:
    name = entry.name
    if stat.S_IFMT(entry.mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise SubmissionRefused(f"this is {kind_of_file(entry.mode)}, not a plain file", where=name)
    if stat.S_ISDIR(entry.mode) and not entry.is_folder:
        raise SubmissionRefused("the member is both a file and a folder", where=name)
    if not entry.is_folder:
        refuse_special_bits(entry.mode, name)
    if entry.flags & ENCRYPTED_FLAGS:
        raise SubmissionRefused("the member is encrypted", where=name)
    if entry.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise SubmissionRefused("the member is compressed in an unusual way", where=name)
    if entry.is_folder and entry.size:
        raise SubmissionRefused("a folder has content", where=name)


def _names(raw: bytes, flags: int, extra: bytes, archive_name: str) -> tuple[str, str]:
    """A member's name, and what it is compared as if that is something else.

    Without the flag for UTF-8 a name is in the code page of some system; macOS leaves the flag out of UTF-8 as well. An
    extra field may then give the name in UTF-8. It may replace letters that the code page lacks, and nothing else.
    """
    try:
        name, compared_as = (raw.decode("utf-8"), "") if flags & UTF8_FLAG else decoded_name(raw)
    except UnicodeDecodeError:
        raise SubmissionRefused("a name is not in the encoding that it claims", where=archive_name) from None
    for checksum, other in _unicode_paths(extra):
        if unicodedata.normalize("NFC", other) == unicodedata.normalize("NFC", name):
            continue
        parts, others = name.split("/"), other.split("/")
        is_spelling = len(parts) == len(others) and all(
            one == two or not two.isascii() for one, two in zip(parts, others, strict=True)
        )
        if flags & UTF8_FLAG or not is_spelling:
            raise SubmissionRefused("the member has two names", where=name)
        if checksum == zlib.crc32(raw):  # else the field belongs to an earlier name
            return other, ""
    return name, compared_as


def _unicode_paths(extra: bytes) -> Iterator[tuple[int, str]]:
    """(checksum of the name that it replaces, name) of each extra field with a name."""
    for kind, field in _extra_fields(extra):
        if kind == UNICODE_PATH and len(field) >= UNICODE_PATH_HEAD.size:
            _, checksum = UNICODE_PATH_HEAD.unpack_from(field)
            yield checksum, field[UNICODE_PATH_HEAD.size :].decode("utf-8", "replace")


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """(kind, content) of each extra field."""
    while len(extra) >= EXTRA_FIELD.size:
        kind, size = EXTRA_FIELD.unpack_from(extra)
        yield kind, extra[EXTRA_FIELD.size : EXTRA_FIELD.size + size]
        extra = extra[EXTRA_FIELD.size + size :]


def _stated_sizes(sizes: tuple[int, int], extra: bytes) -> tuple[int, int]:
    """Sizes unpacked and in the archive, each from the zip64 field if its own place points there.

    Who writes a stream cannot know how large it becomes, and so may leave room for gigabytes.
    """
    field = next((field for kind, field in _extra_fields(extra) if kind == ZIP64), b"")
    found = []
    for size in sizes:
        if size == TOO_LARGE and len(field) >= 8:
            size, field = int.from_bytes(field[:8], "little"), field[8:]
        found.append(size)
    return found[0], found[1]


def _zip_span(data: bytes, entry: _ZipEntry) -> tuple[int, int]:
    """Where the member's bytes begin and end; its own header must say what the directory says."""
    start = entry.offset
    if start + LOCAL_HEADER.size > len(data):
        raise entry.lies
    signature, _, flags, method, _, _, *stated, name_length, extra = LOCAL_HEADER.unpack_from(data, start)
    name_end = start + LOCAL_HEADER.size + name_length
    begin = name_end + extra
    end = begin + entry.compressed
    local_name = data[start + LOCAL_HEADER.size : name_end]
    if signature != b"PK\x03\x04" or local_name != entry.raw_name or end > len(data):
        raise entry.lies
    checked_flags = ENCRYPTED_FLAGS | UTF8_FLAG | SIZES_FOLLOW_FLAG
    if method != entry.method or (flags ^ entry.flags) & checked_flags:
        raise entry.lies
    crc, compressed, size = stated
    size, compressed = _stated_sizes((size, compressed), data[name_end:begin])
    for said, known in zip((crc, compressed, size), (entry.crc, entry.compressed, entry.size), strict=True):
        if said != known and not (flags & SIZES_FOLLOW_FLAG and said in NOT_STATED):
            raise entry.lies
    return begin, end


def _zip_places(directory_offset: int, entries: list[_ZipEntry]) -> list[int]:
    """For each member where the next one begins, or the directory."""
    starts = sorted(entry.offset for entry in entries)
    if not starts:
        return []
    if starts[0] > 0:
        first = min(entries, key=lambda entry: entry.offset)
        raise SubmissionRefused("there is something before or inside the zip archive", where=first.name)
    if starts[-1] >= directory_offset:
        raise next(entry.lies for entry in entries if entry.offset >= directory_offset)
    followed_by = dict(zip(starts, [*starts[1:], directory_offset], strict=True))
    for entry in entries:
        if starts.count(entry.offset) > 1:
            raise SubmissionRefused("two members share the same bytes of the archive", where=entry.name)
    return [followed_by[entry.offset] for entry in entries]


def _refuse_gap(data: bytes, end: int, next_start: int, entry: _ZipEntry) -> None:
    """Each byte before the directory belongs to one member: nothing is shared, and nothing hides between them."""
    if end > next_start:
        raise SubmissionRefused("two members share the same bytes of the archive", where=entry.name)
    sizes = (
        struct.pack("<3L", entry.crc, entry.compressed, entry.size),
        struct.pack("<LQQ", entry.crc, entry.compressed, entry.size),
    )
    may_follow = [b"", *sizes, *(b"PK\x07\x08" + size for size in sizes)]
    if data[end:next_start] not in (may_follow if entry.flags & SIZES_FOLLOW_FLAG else [b""]):
        raise SubmissionRefused("there is something before or inside the zip archive", where=entry.name)


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
