"""The submissions in a site's download of a class, by its own list (Gradescope) or by its names (`site_names.py`).

Gradescope: `submission_metadata.yml` next to folders (or archives) that it names, as "Export submissions" gives them.
Elsewhere a student has one archive or one folder, or the files of the homework one by one. If somebody handed in more
than once, `attempts` in `assignment.toml` says which attempt counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import yaml

from autograder.classroom.intake.entries import MAX_TEXT, ClassError, Entry, Person, folder_name, safe_text, time_of
from autograder.classroom.intake.site_names import (
    ILIAS_FOLDERS,
    ILIAS_TIME,
    Upload,
    is_team,
    local_time,
    uploads_in,
    visible,
)
from hw4.handin.assignment import load_assignment
from hw4.handin.intake import ARCHIVE_SUFFIXES
from hw4.handin.look_alikes import meant_by

METADATA = "submission_metadata.yml"
NEVER = datetime.min.replace(tzinfo=UTC)


def is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def is_handed_in(name: str) -> bool:
    """Whether a file of this name may be somebody's submission, or a part of it."""
    return is_archive(name) or name.lower().endswith((".py", ".ipynb"))


def gradescope(folder: Path) -> Iterator[Entry]:
    try:
        found = yaml.load((folder / METADATA).read_text(encoding="utf-8"), _Lenient)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ClassError(f"{METADATA} cannot be read: {str(error)[:MAX_TEXT]}") from None
    if not isinstance(found, dict):
        raise ClassError(f"{METADATA} is not in Gradescope's format: it names no submission")
    for name, facts in found.items():
        name = str(name)
        submitters = facts.get(":submitters") if isinstance(facts, dict) else None
        people = tuple(
            Person(*(safe_text(one.get(key)) for key in (":sid", ":name", ":email")))
            for one in (submitters if isinstance(submitters, list) else ())
            if isinstance(one, dict)
        )
        people = tuple(Person(p.id or p.email or p.name, p.name, p.email) for p in people) or (Person(safe_text(name)),)
        if "/" in name or name in ("", ".", ".."):
            raise ClassError(f"{METADATA} names a submission outside the folder: {safe_text(name)}")
        places = [folder / name, *(folder / f"{name}{suffix}" for suffix in ARCHIVE_SUFFIXES)]
        path = next((place for place in places if os.path.lexists(place)), folder / name)
        submitted = time_of(facts.get(":created_at") if isinstance(facts, dict) else None)
        yield Entry(folder_name(people[0].id), people, only_archive(path), submitted=submitted)


def only_archive(path: Path) -> Path:
    """The archive in a folder that holds just one file and that is one: sites and people do not unpack all of them."""
    if path.is_dir() and not path.is_symlink():
        inside = visible(path)
        if len(inside) == 1 and inside[0].is_file() and is_archive(inside[0].name):
            return inside[0]
    return path


class _Lenient(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Reads plain data; a time stays the text that it is, and an object of Ruby becomes its time or None."""


def _ruby(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> str | None:
    """The `utc` of a TimeWithZone."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((str(value.value) for key, value in pairs if key.value == "utc"), None)


_Lenient.add_multi_constructor("!", _ruby)
_Lenient.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: str(node.value))


# Sites that say by names whose a file is ------------------------------------------------------------------------------


def class_folder(folder: Path) -> Path:
    """The folder with the submissions in a download of ILIAS, which has one around it; any other folder itself."""
    inner = [path for path in visible(folder) if path.is_dir() and path.name.casefold() in ILIAS_FOLDERS]
    return inner[0] if len(inner) == 1 and not uploads(folder) and uploads(inner[0]) else folder


def containers(folder: Path) -> set[Path]:
    """The folders of a download that are nobody's: what is in them is somebody's, or listed."""
    inner = class_folder(folder)
    teams = {path for path in visible(inner) if is_team(path)} if uploads(inner) else set()
    return {folder, inner, *teams}


def uploads(folder: Path) -> list[Upload]:
    """The uploads in a folder, if it is a site's download: if most of what may be handed in is one."""
    found = uploads_in(folder)
    tops = {folder / upload.path.relative_to(folder).parts[0] for upload in found}
    candidates = {path for path in visible(folder) if path.is_dir() or is_handed_in(path.name)}
    return found if candidates & tops and 2 * len(tops) >= len(candidates | tops) else []


def entries_of_uploads(found: Iterable[Upload]) -> Iterator[Entry]:
    """One entry for each student or team; with `attempts = "best"`, one for each attempt."""
    by_owner: dict[str, list[Upload]] = {}
    for upload in found:
        by_owner.setdefault(upload.team or upload.student, []).append(upload)
    for owner, own in by_owner.items():
        people = {upload.student: Person(upload.student, upload.name) for upload in own}
        attempts = [_entry(folder_name(owner), tuple(people.values()), one, own) for one in attempts_of(own)]
        policy = load_assignment().policies.attempts
        if policy != "best" or len(attempts) == 1:
            yield attempts[0 if policy == "first" else -1]
            continue
        for number, entry in enumerate(attempts[:-1], start=1):
            yield replace(entry, student=f"{entry.student}-attempt-{number}", attempt_of=entry.student)
        yield replace(attempts[-1], attempt_of=attempts[-1].student)


def attempts_of(own: list[Upload]) -> list[list[Upload]]:
    """What one student handed in, by attempt, the first one first.

    Some sites say when each attempt was. Elsewhere the n-th attempt has the n-th upload of each name, or the last one
    of a name that was not uploaded so often.
    """
    counts = [upload for upload in own if not upload.is_note and _may_count(upload)]
    if not counts:
        return [own]
    if any(upload.when for upload in counts):
        times = sorted({upload.when or NEVER for upload in counts})
        return [[upload for upload in counts if (upload.when or NEVER) == when] for when in times]
    copies: dict[tuple[str, Path | None], list[Upload]] = {}
    for upload in sorted(counts, key=lambda upload: upload.number):
        copies.setdefault((upload.file, None if upload.file else upload.path), []).append(upload)
    num_attempts = max(map(len, copies.values()))
    return [[of_name[min(n, len(of_name) - 1)] for of_name in copies.values()] for n in range(num_attempts)]


def _entry(student: str, people: tuple[Person, ...], attempt: list[Upload], own: list[Upload]) -> Entry:
    """One attempt: a folder, an archive, or files of the homework one by one."""
    names = {upload.file or upload.path.name: upload.path for upload in attempt}
    folders = {upload.path.name: upload.path for upload in attempt if upload.path.is_dir() and not upload.is_note}
    archives = {name: path for name, path in folders.items() if any(visible(path))} or folders
    archives |= {name: path for name, path in names.items() if is_archive(name) and not path.is_dir()}
    wanted = {name: path for name, path in names.items() if _is_of_the_homework(name) and name not in archives}
    problem, shown = "", ", ".join(map(safe_text, {**archives, **wanted} or names))
    if len(archives) > 1 or (archives and wanted):
        problem = f"several files instead of one archive: {shown}. Put the right ones into one folder or archive"
    elif not archives and not wanted:
        problem = f"neither an archive nor a file of the homework: {shown}"
    meant = {**archives, **wanted} if problem and (archives or wanted) else archives or wanted or names
    times = [time for upload in attempt if (time := _time_of(upload)) is not None]
    return Entry(
        student,
        people,
        only_archive(next(iter(meant.values()))),
        group=attempt[0].team,
        late=any(upload.late for upload in own),
        problem=problem,
        submitted=max(times, default=None),
        files=() if archives or problem else tuple(sorted(wanted.items())),
        named_in_problem=tuple(meant.values()) if problem else (),
    )


def _time_of(upload: Upload) -> datetime | None:
    if upload.site == "ILIAS" and (match := ILIAS_TIME.fullmatch(upload.path.name)):
        return local_time(match["when"], "%Y%m%d%H%M%S")
    return upload.when


def _may_count(upload: Upload) -> bool:
    return upload.path.is_dir() or is_archive(upload.file) or _is_of_the_homework(upload.file)


def _is_of_the_homework(name: str) -> bool:
    """Whether a file belongs to a submission, or looks as if it should. Sites know no folders: topics have none."""
    rules = load_assignment().submission
    names = {PurePosixPath(file).name for file in (*rules.code, *rules.notebooks)}
    return name in names or meant_by(name, load_assignment()) is not None
