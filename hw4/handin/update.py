"""Brings the given files up to date from a newer student bundle, and keeps a student's work (given; standard library).

A bundle lists a hash of each of its files (`hw4/bundle.json`), and so does the one that was unpacked before. With both
lists each file is one of: unchanged by the student, then it is replaced; changed, then the student's version is kept.

An update happens as a whole or not at all. Everything new is written to a folder of its own first, where a full disk
does no harm. Then files only change places, and each step can be taken back: at once if one fails, or by the next
update if the process was ended in between.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import re
import shutil
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from hw4.handin.at_once import write_at_once
from hw4.handin.members import collision_key

MANIFEST = "hw4/bundle.json"
BUNDLE_FOLDER = "hw4-model-based-rl"
VERSION = re.compile(r"[0-9a-z.-]{1,40}")
MAX_BYTES = 100_000_000
# What a bundle may hold: nothing hidden, no folder but these, and next to them nothing that Python would import.
FOLDERS = ("hw4", "notebooks")
PLAIN_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
SUFFIXES = (".csv", ".ipynb", ".json", ".md", ".pdf", ".png", ".py", ".svg", ".toml", ".txt")
TOP_SUFFIXES = ("", ".lock", ".md", ".pdf", ".toml", ".txt")
RESERVED = re.compile(r"(aux|con|nul|prn|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # by Windows
WORKSHOP = ".hw4-update"  # the folder in which an update is prepared
# What the standard library raises over an archive that is damaged, encrypted or compressed in an unusual way.
UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, RuntimeError, ValueError)


class UpdateRefused(ValueError):
    """Nothing was changed, and why."""


@dataclass(frozen=True)
class Bundle:
    version: str
    hashes: dict[str, str]  # file name -> SHA-256
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Updated:
    """What an update did, by file name."""

    old_version: str
    new_version: str
    replaced: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)  # the student's work -> where the new version is, or ""
    moved: dict[str, str] = field(default_factory=dict)  # a given file that the student changed -> where theirs is


def installed_version(root: Path) -> str:
    """Version of the bundle in a folder, or "" if nothing says."""
    bundle = _installed(root)
    return bundle.version if bundle else ""


def is_as_released(root: Path, name: str, content: bytes) -> bool:
    """Whether a file is as the unpacked bundle had it; True if no bundle was unpacked."""
    bundle = _installed(root)
    return bundle is None or bundle.hashes.get(name) == hashlib.sha256(content).hexdigest()


@cache
def published_files(root: Path) -> frozenset[str]:
    """Names of the files that students were given, such as "hw4/agents.py": without those they added.

    Where no bundle was unpacked, as in the grader, these are the Python files that are there.
    """
    bundle = _installed(root)
    if bundle is not None:
        return frozenset(bundle.hashes)
    return frozenset(path.relative_to(root).as_posix() for path in (root / "hw4").rglob("*.py"))


def read_bundle(archive: Path) -> Bundle:
    """Read and check a student bundle.

    Raises:
        UpdateRefused: no archive, not a student bundle, or not all of it.
    """
    try:
        files = _unpacked(archive)
    except FileNotFoundError:
        raise UpdateRefused(f"there is no file {archive}") from None
    except UpdateRefused:
        raise
    except UNREADABLE as error:
        why = "it is encrypted" if "password" in str(error) else f"{error}".splitlines()[0] if str(error) else "damaged"
        raise UpdateRefused(f"{archive.name} cannot be read: {why}. Download it again") from None
    if MANIFEST not in files:
        raise UpdateRefused(f"{archive.name} is not a student bundle of this homework: it has no {MANIFEST}")
    bundle = _parsed(files.pop(MANIFEST), archive.name)
    found = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    if found != bundle.hashes:
        odd = sorted(name for name in {*found, *bundle.hashes} if found.get(name) != bundle.hashes.get(name))
        raise UpdateRefused(f"{archive.name}: {odd[0]!a} does not match the bundle's list of files. Download it again")
    if odd := sorted(name for name in files if not _may_be_in_a_bundle(name)):
        raise UpdateRefused(f"{archive.name} holds {odd[0]!a}, which no bundle of this homework does")
    if clash := _clash([*files, MANIFEST]):
        raise UpdateRefused(f"{archive.name} holds {clash[0]!a} and {clash[1]!a}, which are in each other's place")
    return Bundle(bundle.version, bundle.hashes, files)


def _unpacked(archive: Path) -> dict[str, bytes]:
    """Every file in the archive, by its name without the bundle's folder."""
    with zipfile.ZipFile(archive) as opened:
        entries = [entry for entry in opened.infolist() if not entry.is_dir()]
        if sum(entry.file_size for entry in entries) > MAX_BYTES:
            raise UpdateRefused(f"{archive.name} is larger than a student bundle can be")
        files: dict[str, bytes] = {}
        for entry in entries:
            name = entry.filename.removeprefix(f"{BUNDLE_FOLDER}/")
            if name in files:
                raise UpdateRefused(f"{archive.name} holds {name!a} more than once. Download it again")
            files[name] = opened.read(entry)
    return files


def _may_be_in_a_bundle(name: str) -> bool:
    """Whether a file of this name may be written: a homework changes its own files, and no others of a student's."""
    path = PurePosixPath(name)
    is_plain = all(PLAIN_PART.fullmatch(part) and not RESERVED.fullmatch(part) for part in name.split("/"))
    if len(path.parts) == 1:
        return is_plain and path.suffix in TOP_SUFFIXES
    return is_plain and path.parts[0] in FOLDERS and path.suffix in SUFFIXES


def _clash(names: list[str]) -> tuple[str, str] | None:
    """Two names that cannot both be there, on some system: one file, or a file and a folder."""
    known: dict[str, str] = {}
    for name in names:
        if (other := known.setdefault(collision_key(name), name)) != name:
            return other, name
    for name in names:
        for folder in PurePosixPath(collision_key(name)).parents:
            if str(folder) in known:
                return known[str(folder)], name
    return None


@dataclass(frozen=True)
class _Step:
    """One file that changes places: `name` is put aside as `aside` or thrown away, and new content takes its place."""

    name: str
    aside: str = ""  # name of the same file next to it, for a student's version that is kept
    content: bytes | None = None  # None: nothing new comes


def update(root: Path, bundle: Bundle, code: tuple[str, ...]) -> Updated:
    """Bring the folder `root`, which holds `hw4`, up to date.

    A code file or a notebook in which something was written is never touched; if the bundle has a new version of it,
    that is put next to it. A given file that the student changed is replaced, and theirs is kept next to it.

    Args:
        root: the folder of the unpacked bundle.
        bundle: from `read_bundle`.
        code: names of the files that students write, from `assignment.toml`.

    Raises:
        UpdateRefused: something is in the way, or the disk is full. Everything is as it was.
    """
    workshop = root / WORKSHOP
    try:
        _recover(root, workshop)
        done, steps = _plan(root, bundle, code)
        _take(root, workshop, steps)
    except OSError as error:
        raise UpdateRefused(f"{error.strerror or error}: {error.filename or root}") from None
    return done


def _plan(root: Path, bundle: Bundle, code: tuple[str, ...]) -> tuple[Updated, list[_Step]]:
    """What is to be done, without doing it. The new list of files comes last."""
    before = _installed(root)
    old = before.hashes if before else {}
    done = Updated(before.version if before else "unknown", bundle.version)
    work = {f"hw4/{name}" for name in code}
    steps = []
    for name, content in bundle.files.items():
        path = root / name
        _refuse_obstacles(root, name)
        here = _hash(path)
        if here == bundle.hashes[name]:
            continue
        own = (name in work or name.endswith(".ipynb")) and here != old.get(name)
        if here is None:
            done.added.append(name)
        elif own:
            place = "" if bundle.hashes[name] == old.get(name) else _free_name(path, "new")
            if place:
                steps.append(_Step(PurePosixPath(name).with_name(place).as_posix(), content=content))
            done.kept[name] = place
            continue
        else:
            if here != old.get(name):
                done.moved[name] = _free_name(path, "mine")
            done.replaced.append(name)
        steps.append(_Step(name, done.moved.get(name, ""), content))
    for name in sorted(old.keys() - bundle.hashes.keys()):
        if _hash(root / name) == old[name]:
            steps.append(_Step(name))
            done.removed.append(name)
    manifest = {"version": bundle.version, "files": bundle.hashes}
    steps.append(_Step(MANIFEST, content=(json.dumps(manifest, indent=1) + "\n").encode()))
    return done, steps


def _refuse_obstacles(root: Path, name: str) -> None:
    path = root / name
    if path.exists() and not path.is_file():
        raise UpdateRefused(f"{name} is a folder here: move it away")
    for folder in path.relative_to(root).parents:
        if (root / folder).exists() and not (root / folder).is_dir():
            raise UpdateRefused(f"{folder.as_posix()} is a file here, and has to become a folder: move it away")


def _take(root: Path, workshop: Path, steps: list[_Step]) -> None:
    """Take all steps, or none: first everything new is written, then files change places."""
    try:
        for number, step in enumerate(steps):
            if step.content is not None:
                write_at_once(workshop / f"new-{number}", step.content)
        plan = [{"name": step.name, "aside": step.aside, "is_new": step.content is not None} for step in steps]
        write_at_once(workshop / "plan.json", json.dumps(plan).encode())  # from here on, steps can be taken back
        for number, step in enumerate(steps):
            path = root / step.name
            if path.exists():
                os.replace(path, path.with_name(step.aside) if step.aside else workshop / f"old-{number}")
            if step.content is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(workshop / f"new-{number}", path)
    except BaseException:
        _recover(root, workshop)
        raise
    shutil.rmtree(workshop, ignore_errors=True)


def _recover(root: Path, workshop: Path) -> None:
    """Take back what an update did that was stopped, unless its last step was done."""
    try:
        plan = json.loads((workshop / "plan.json").read_bytes())
    except (OSError, ValueError):
        plan = []
    if plan and (workshop / f"new-{len(plan) - 1}").exists():
        for number, step in reversed([*enumerate(plan)]):
            path, old = root / step["name"], workshop / f"old-{number}"
            aside = path.with_name(step["aside"]) if step["aside"] else old
            if step["is_new"] and not (workshop / f"new-{number}").exists():
                os.replace(path, workshop / f"new-{number}")
            if aside.exists():
                os.replace(aside, path)
    shutil.rmtree(workshop, ignore_errors=True)


def _installed(root: Path) -> Bundle | None:
    try:
        return _parsed((root / MANIFEST).read_bytes(), MANIFEST)
    except (FileNotFoundError, UpdateRefused):
        return None


def _parsed(manifest: bytes, where: str) -> Bundle:
    try:
        facts = json.loads(manifest)
        version, hashes = facts["version"], facts["files"]
        is_right = VERSION.fullmatch(version) and all(_is_plain(n) and isinstance(h, str) for n, h in hashes.items())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        is_right = False
    if not is_right:
        raise UpdateRefused(f"{where}: its list of files cannot be read")
    return Bundle(version, hashes)


def _is_plain(name: str) -> bool:
    """Whether a name stays inside the folder, on every system."""
    parts = name.split("/")
    return bool(name) and not re.search(r"[\\:\0]", name) and all(part not in ("", ".", "..") for part in parts)


def _hash(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _free_name(path: Path, word: str) -> str:
    """ "mpc.py.new", or "mpc.py.new2" if that is taken: not imported, not handed in."""
    names = (f"{path.name}.{word}{'' if i == 1 else i}" for i in range(1, 1000))
    return next(name for name in names if not path.with_name(name).exists())
