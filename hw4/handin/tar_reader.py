"""Reads a .tar.gz archive by hand, without writing to disk (given; standard library only).

What `tarfile` tolerates differs from one version of Python to the next, and it repairs. Here an archive has one reading
only: each byte belongs to one member, and everything that is said twice agrees.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from hw4.handin.assignment import Assignment
from hw4.handin.members import MAX_ARCHIVE_BYTES, Budget, Member, checked_name, decoded_name, refuse_special_bits
from hw4.handin.refusal import SubmissionRefused, unpacks_to_more_than

TAR_BLOCK = 512
PIECE = 65_536  # bytes that are unpacked at once
MAX_EXTENSION = 100_000  # bytes of a header's extension: names, times, owners
# name, mode, owner, size, time, checksum, kind, link, magic and version, owner names and device, prefix of the name
TAR_HEADER = struct.Struct("100s8s16s12s12s8sc100s8s80s155s12x")
TAR_KINDS = {b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a pipe"}
TAR_FILES, TAR_FOLDER, TAR_EXTENSIONS = (b"0", b"\0"), b"5", (b"x", b"g", b"L")
PAX_LENGTH = re.compile(rb"([1-9][0-9]{0,8}) ")
PAX_FORBIDDEN = re.compile(rb"size|linkpath|GNU\.sparse.*|SCHILY\.realsize")


def tar_members(data: bytes, archive_name: str, assignment: Assignment) -> Iterator[Member]:
    rules, budget = assignment.submission, Budget(assignment.submission)
    unpacked = _Unpacked(data, archive_name)
    no_tar = SubmissionRefused("the gzip file does not contain a tar archive", where=archive_name)
    damaged = SubmissionRefused("the tar archive is damaged", where=archive_name)
    is_first, num_entries, long_name = True, 0, None
    while True:
        block = unpacked.take(TAR_BLOCK)
        if len(block) < TAR_BLOCK:
            raise (
                no_tar
                if is_first
                else SubmissionRefused("the tar archive is cut off: its end is missing", where=archive_name)
            )
        if not any(block):
            break
        raw_name, mode, _, size_field, _, checksum, kind, _, magic, _, prefix = TAR_HEADER.unpack(block)
        if not magic.startswith(b"ustar"):
            raise no_tar if is_first else damaged
        is_first = False
        name = _tar_text(raw_name)
        size = _octal(size_field)
        if size is None:
            raise SubmissionRefused("the stated size cannot be right", where=name)
        without_checksum = block[:148] + b" " * 8 + block[156:]
        if _octal(checksum) != sum(without_checksum) or _octal(mode) is None:
            raise damaged
        if kind in TAR_EXTENSIONS:
            if size > MAX_EXTENSION:
                raise damaged
            content = unpacked.content(size, where=name)
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
            raise SubmissionRefused(f"the archive contains more than {rules.max_files} files", where=archive_name)
        problem = budget.spend(name, size, archive_name)
        content = unpacked.content(size, where=name, is_wanted=not problem)
        yield _tar_member(name, kind, _octal(mode) or 0, content, archive_name, budget, problem)
    if num_entries == 0:
        raise no_tar
    if long_name is not None:
        raise damaged
    unpacked.expect_nothing_more()


class _Unpacked:
    """What a gzip file unpacks to, piece by piece: nothing that is skipped is kept."""

    def __init__(self, data: bytes, archive_name: str) -> None:
        self._data, self._at, self._name = data, 0, archive_name
        self._decompressor = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._ahead = b""  # unpacked and not yet taken
        self._num_unpacked = 0

    def take(self, size: int) -> bytes:
        """The next bytes; fewer at the end."""
        pieces, wanted = [], size
        while wanted and (self._ahead or self._unpack_more()):
            piece = self._ahead[:wanted]
            self._ahead = self._ahead[len(piece) :]
            wanted -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def content(self, size: int, *, where: str, is_wanted: bool = True) -> bytes:
        """The content of a member, and past its padding; empty if it is only skipped."""
        left, pieces = size, []
        while left:
            piece = self.take(min(left, PIECE))
            if not piece:
                raise SubmissionRefused("the archive ends inside this member", where=where)
            left -= len(piece)
            if is_wanted:
                pieces.append(piece)
        self.take(-size % TAR_BLOCK)
        return b"".join(pieces)

    def expect_nothing_more(self) -> None:
        """Raises SubmissionRefused unless only zeros follow, in the tar and after the gzip file."""
        while piece := self.take(PIECE):
            if any(piece):
                raise SubmissionRefused("there is something after the end of the tar archive", where=self._name)
        if (self._decompressor.unused_data + self._data[self._at :]).strip(b"\0"):
            raise SubmissionRefused("there is something after the end of the gzip file", where=self._name)

    def _unpack_more(self) -> bool:
        """Unpack the next piece. Returns whether there was one."""
        while not self._ahead and not self._decompressor.eof:
            packed = self._decompressor.unconsumed_tail
            if not packed:
                packed = self._data[self._at : self._at + PIECE]
                self._at += len(packed)
            try:
                self._ahead = self._decompressor.decompress(packed, PIECE)
            except zlib.error:
                raise SubmissionRefused("the gzip file is damaged", where=self._name) from None
            self._num_unpacked += len(self._ahead)
            if self._num_unpacked > MAX_ARCHIVE_BYTES:
                raise SubmissionRefused(unpacks_to_more_than(MAX_ARCHIVE_BYTES), where=self._name)
            if not packed and not self._ahead and not self._decompressor.eof:
                raise SubmissionRefused("the gzip file is damaged: it is cut off", where=self._name)
        return bool(self._ahead)


def _tar_member(
    name: str, kind: bytes, mode: int, content: bytes, archive_name: str, budget: Budget, problem: str
) -> Member:
    decoded, compared_as = decoded_name(name.encode("utf-8", "surrogateescape"))
    clean = checked_name(decoded)
    is_folder = kind == TAR_FOLDER or (kind == b"\0" and name.endswith("/"))
    try:
        if kind in TAR_KINDS:
            raise SubmissionRefused(f"this is {TAR_KINDS[kind]}, not a plain file", where=name)
        if not is_folder:
            if kind not in TAR_FILES or name.endswith("/"):
                raise SubmissionRefused("this is not a plain file", where=name)
            refuse_special_bits(mode, name)
    except SubmissionRefused as refused:
        if not budget.is_notebook(clean):
            raise
        content, problem = b"", refused.reason
    if is_folder and content:
        raise SubmissionRefused("a folder has content", where=name)
    if not is_folder and not clean:
        raise SubmissionRefused("a member has no name", where=archive_name)
    return Member(clean, content, is_folder, problem, compared_as)


def _tar_text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")  # `decoded_name` takes it back


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
            raise SubmissionRefused("the stated size cannot be right", where=where)
        if key == b"path":
            if path is not None:
                raise SubmissionRefused("the member has two names", where=where)
            path = value.decode("utf-8", "surrogateescape")
        at = end
    return path
