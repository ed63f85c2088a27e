"""Which submissions share more code than independent work does, side by side. copydetect finds it; people judge it.

Names, comments and texts do not count, and neither does anything that all were given: stubs, given files. A pair is
shown if a good part of the code that one of the two wrote is also in the other.
"""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from copydetect import CodeFingerprint, compare_files
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from autograder.classroom.intake.entries import ClassError, OwnerUnclear
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.intake.submissions import find_submissions, read_entry
from autograder.classroom.marks import similar_answers
from autograder.classroom.marks.alike import Alike, read_alike, stored, write_alike
from autograder.classroom.marks.dashboard import sha256_source
from autograder.report.page_style import PAGE_STYLE
from autograder.solutions import ROOT, reference_code
from hw4.handin.assignment import load_assignment
from hw4.handin.code_files import MAX_CODE_BYTES
from hw4.handin.refusal import SubmissionRefused

NOISE = 25  # characters of filtered code: what is shorter is never a match (copydetect's own default)
GUARANTEE = 30  # what is as long as this is always found (copydetect's own default)
THRESHOLD = 0.5  # of the code that one of the two wrote
MIN_OVERLAP = 400  # characters of filtered code, about three short functions: less proves nothing
# Of the code of both. The most alike of 820 pairs of correct submissions, mixed from the zoo, share 82 %.
NEARLY = 0.9
MIN_HASHES = 100  # of a submission's own code, about three short functions: less is nobody's alone
MAX_PAIRS = 100  # on the page
CONTEXT = 4  # lines before and after a part that is shared
TEMPLATES = Path(__file__).resolve().parent
SOLUTION = "the course's own solution"


@dataclass(frozen=True)
class Work:
    """The code of one submission, all files as one text."""

    name: str
    text: str
    is_earlier: bool = False  # of an earlier year, or the solution: never compared with its own kind
    called: str = ""  # the name of whoever wrote it, where it is known
    attempt_of: str = ""  # names whoever has several attempts: those are never compared with each other


@dataclass(frozen=True)
class Pair:
    """Two submissions that share code."""

    one: Work
    other: Work
    shares: tuple[float, float]  # of the code that each of the two wrote
    overlap: int  # characters of filtered code
    slices: tuple[Any, Any]  # where it is in each text

    @property
    def share(self) -> float:
        return max(self.shares)


def work_of(
    name: str, files: dict[str, bytes], *, is_earlier: bool = False, called: str = "", attempt_of: str = ""
) -> Work:
    """One text; a file too long to be read as code is left out."""
    parts = []
    for file in load_assignment().submission.code:
        content = files.get(file, b"")
        if len(content) <= MAX_CODE_BYTES:
            parts.append(f"# {file}\n{content.decode('utf-8-sig', 'replace')}\n")
    return Work(name, "\n".join(parts), is_earlier, called, attempt_of)


def works_in(folder: Path, *, is_earlier: bool = False) -> list[Work]:
    """The submissions of a graded class, or of a folder of submissions as downloaded. Raises ClassError."""
    place = ClassFolder(folder)
    prefix = f"{folder.name}/" if is_earlier else ""
    works = []
    if (folder / "class.json").exists():
        of_student = {entry["student"]: entry for entry in place.read_class()["students"]}
        for student in place.all_done():
            encoded = place.record(student).get("files", {})
            files = {name: base64.b64decode(content) for name, content in encoded.items()}
            entry = of_student.get(student, {"people": ()})
            called = ", ".join(person["name"] for person in entry["people"] if person["name"])
            owner = entry.get("attempt_of") or ""
            works.append(work_of(prefix + student, files, is_earlier=is_earlier, called=called, attempt_of=owner))
        return works
    for one in find_submissions(folder):
        try:
            files = read_entry(one).files
        except (SubmissionRefused, OwnerUnclear):  # nothing of it is graded, so nothing of it is compared
            continue
        called = ", ".join(person.name for person in one.people if person.name)
        name, owner = prefix + one.student, one.attempt_of
        works.append(work_of(name, files, is_earlier=is_earlier, called=called, attempt_of=owner))
    return works


@cache
def given_hashes() -> frozenset[int]:
    """Of the fingerprints of everything that all students were given."""
    given = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "hw4").rglob("*.py"))]
    return frozenset().union(*(_fingerprint("given.py", text, frozenset()).hashes for text in given))


def similar(works: Iterable[Work], *, threshold: float = THRESHOLD) -> list[Pair]:
    """All pairs that share more than `threshold` of what one of the two wrote, most similar first."""
    pairs = []
    for (one, first), (other, second) in itertools.combinations(fingerprints_of(works), 2):
        if not _may_have_copied(one, other) or not first.hashes & second.hashes:
            continue
        overlap, shares, slices = compare_files(first, second)
        if overlap >= MIN_OVERLAP and max(shares) >= threshold:
            pairs.append(Pair(one, other, (float(shares[0]), float(shares[1])), int(overlap), slices))
    return sorted(pairs, key=lambda pair: (-pair.share, pair.one.name, pair.other.name))


def _may_have_copied(one: Work, other: Work) -> bool:
    """Not within earlier years, and not from another attempt of one's own."""
    if one.is_earlier or other.is_earlier:
        return not (one.is_earlier and other.is_earlier)
    return not one.attempt_of or one.attempt_of != other.attempt_of


def fingerprints_of(works: Iterable[Work]) -> list[tuple[Work, Any]]:
    """Each work with its fingerprint, in which nothing that was given counts."""
    return [(work, _fingerprint(f"{work.name}.py", work.text, given_hashes())) for work in works]


def _fingerprint(name: str, text: str, given: frozenset[int]) -> Any:
    window = GUARANTEE - NOISE + 1
    return CodeFingerprint(name, NOISE, window, np.array(list(given)), language="python", fp=io.StringIO(text))


def all_works(folder: Path, earlier: Iterable[Path]) -> list[Work]:
    """A class, the course's solution and earlier years. Raises ClassError."""
    works = works_in(folder)
    if not works:
        raise ClassError(f"{folder} contains no submission to compare")
    works.append(work_of(SOLUTION, reference_code(), is_earlier=True))
    for place in earlier:
        works += works_in(place, is_earlier=True)
    return works


def similarity(folder: Path, earlier: Iterable[Path]) -> list[Pair]:
    """Compare a class with itself, with the course's solution and with earlier years. Raises ClassError."""
    return similar(all_works(folder, earlier))


def nearly_identical(works: Iterable[Work]) -> dict[str, list[Alike]]:
    """Whose code is, nearly whole, also that of somebody else: student -> the others, most alike first.

    A pair counts from `NEARLY` on, of the code of whichever of the two wrote more. Independent work comes nowhere near.
    """
    known = [(work, frozenset(found.hashes)) for work, found in fingerprints_of(works)]
    pairs: dict[str, list[tuple[float, Alike]]] = {}
    for (one, first), (other, second) in itertools.combinations(known, 2):
        if not _may_have_copied(one, other) or min(len(first), len(second)) < MIN_HASHES:
            continue
        share = len(first & second) / max(len(first), len(second))
        if share < NEARLY:
            continue
        words = f"{share:.0%} of the code is that of"
        if first == second:
            same = one.text == other.text
            words = "byte-identical to" if same else "identical but for names, comments and texts to"
        for own, its in ((one, other), (other, one)):
            if not own.is_earlier:
                called = f"{its.name} ({its.called})" if its.is_earlier and its.called else its.name
                pairs.setdefault(own.name, []).append((-share, Alike(called, words)))
    return {
        name: [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].name))]
        for name, found in pairs.items()
    }


def look_for_copies(folder: ClassFolder, earlier: Sequence[Path] | None) -> int:
    """Keep in a class's folder whose code is nearly the same, for the page of the class. Returns of how many it is.

    Args:
        folder: results of the class.
        earlier: folders of earlier classes; None: those of the last time that are still there.

    Raises:
        ClassError: an earlier folder is none.
    """
    known = stored(folder.root)
    if earlier is None:
        earlier = [Path(path) for path in known.get("earlier", ()) if Path(path).is_dir()]
    compared = [sorted((done.student, done.submission) for done in folder.all_done().values()), list(map(str, earlier))]
    key = hashlib.sha256(json.dumps(compared).encode()).hexdigest()
    if known.get("key") != key:
        write_alike(folder.root, key, earlier, nearly_identical(all_works(folder.root, earlier)))
    return len(read_alike(folder.root))


def similarity_page(pairs: list[Pair], num_works: int, answers: Sequence[similar_answers.AnswerPair] = ()) -> str:
    """One self-contained page; the code and the answers of students are escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    style = PAGE_STYLE + (TEMPLATES / "dashboard.css").read_text(encoding="utf-8") + SIDE_BY_SIDE
    shown = [
        (pair, marked(pair.one.text, pair.slices[0]), marked(pair.other.text, pair.slices[1]))
        for pair in pairs[:MAX_PAIRS]
    ]
    return environment.get_template("similarity.html.j2").render(
        course=load_assignment().course,
        pairs=shown,
        num_pairs=len(pairs),
        answers=answers[:MAX_PAIRS],
        num_answers=len(answers),
        answer_threshold=similar_answers.THRESHOLD,
        num_works=num_works,
        threshold=THRESHOLD,
        style=Markup(style),
        style_hash=sha256_source(style),
    )


SIDE_BY_SIDE = """
.sides { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem; }
@media (max-width: 50rem) { .sides { grid-template-columns: minmax(0, 1fr); } }
pre { max-height: 40rem; overflow: auto; background: var(--card); padding: .6rem;
  font: 12px/1.4 ui-monospace, monospace; }
mark { background: #ffe08a; color: #1a1a1a; print-color-adjust: exact; }
pre.answer { white-space: pre-wrap; overflow-wrap: anywhere; }
.pairs { max-width: 50rem; } .pairs th { white-space: normal; }
@media print { .sides { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  pre { max-height: none; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 8px; } }
"""


def marked(text: str, slices: Any) -> Markup:
    """A text with its shared parts marked."""
    parts, at = [], 0
    for start, end in sorted(zip(*(np.asarray(edge, dtype=int).tolist() for edge in slices), strict=True)):
        start, end = max(start, at), min(end, len(text))
        if start < end:
            parts += [_shortened(text[at:start]), Markup("<mark>{}</mark>").format(text[start:end])]
            at = end
    return Markup("").join([*parts, _shortened(text[at:])])


def _shortened(text: str) -> Markup:
    """What is not shared, without the middle of it where it is long."""
    lines = text.split("\n")
    left_out = len(lines) - 2 * CONTEXT
    if left_out < CONTEXT:
        return escape(text)
    return escape("\n".join([*lines[:CONTEXT], f"[{left_out} other lines]", *lines[-CONTEXT:]]))
