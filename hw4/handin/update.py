"""Brings the given files up to date from a newer student bundle, and keeps a student's work (given; standard library).

A bundle lists a hash of each of its files (`hw4/bundle.json`), and so does the one that was unpacked before. With both
lists each file is one of: unchanged by the student, then it is replaced; changed, then the student's version is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from hw4.handin.at_once import write_at_once

MANIFEST = "hw4/bundle.json"
BUNDLE_FOLDER = "hw4-model-based-rl"
VERSION = re.compile(r"[0-9a-z.-]{1,40}")
MAX_BYTES = 100_000_000


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
        with zipfile.ZipFile(archive) as opened:
            if sum(entry.file_size for entry in opened.infolist()) > MAX_BYTES:
                raise UpdateRefused(f"{archive.name} is larger than a student bundle can be")
            files = {
                entry.filename.removeprefix(f"{BUNDLE_FOLDER}/"): opened.read(entry)
                for entry in opened.infolist()
                if not entry.is_dir()
            }
    except FileNotFoundError:
        raise UpdateRefused(f"there is no file {archive}") from None
    except (zipfile.BadZipFile, OSError) as error:
        raise UpdateRefused(f"{archive.name} cannot be read: {error}. Download it again") from None
    if MANIFEST not in files:
        raise UpdateRefused(f"{archive.name} is not a student bundle of this homework: it has no {MANIFEST}")
    bundle = _parsed(files.pop(MANIFEST), archive.name)
    found = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    if found != bundle.hashes:
        odd = sorted(name for name in {*found, *bundle.hashes} if found.get(name) != bundle.hashes.get(name))
        raise UpdateRefused(f"{archive.name}: {odd[0]} does not match the bundle's list of files. Download it again")
    return Bundle(bundle.version, bundle.hashes, files)


def update(root: Path, bundle: Bundle, code: tuple[str, ...]) -> Updated:
    """Bring the folder `root`, which holds `hw4`, up to date.

    A code file or a notebook in which something was written is never touched; if the bundle has a new version of it,
    that is put next to it. A given file that the student changed is replaced, and theirs is kept next to it.

    Args:
        root: the folder of the unpacked bundle.
        bundle: from `read_bundle`.
        code: names of the files that students write, from `assignment.toml`.
    """
    before = _installed(root)
    old = before.hashes if before else {}
    done = Updated(before.version if before else "unknown", bundle.version)
    work = {f"hw4/{name}" for name in code}
    for name, content in bundle.files.items():
        path = root / name
        here = _hash(path)
        if here == bundle.hashes[name]:
            continue
        own = (name in work or name.endswith(".ipynb")) and here != old.get(name)
        if here is None:
            done.added.append(name)
        elif own:
            place = "" if bundle.hashes[name] == old.get(name) else _free_name(path, "new")
            if place:
                write_at_once(path.with_name(place), content)
            done.kept[name] = place
            continue
        else:
            if here != old.get(name):
                done.moved[name] = _free_name(path, "mine")
                os.replace(path, path.with_name(done.moved[name]))
            done.replaced.append(name)
        write_at_once(path, content)
    for name in sorted(old.keys() - bundle.hashes.keys()):
        if _hash(root / name) == old[name]:
            (root / name).unlink()
            done.removed.append(name)
    manifest = {"version": bundle.version, "files": bundle.hashes}
    # Last: an update that is stopped is repeated.
    write_at_once(root / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    return done


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
    except (ValueError, KeyError, TypeError, AttributeError):
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
