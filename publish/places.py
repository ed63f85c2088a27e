"""Every place that belongs to a problem, a function, a curve or an effect: whether it is there, and what is left over.

A problem has one file of the same name in each folder of `PARTS`: "mpc.py" or "topics/NAME.py". This lists what one
lacks and what names something unknown, each with its line and with the recipe of docs/new-term.md that says how it is
done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autograder.solutions import ROOT
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Assignment, Curve, RunItem, load_assignment
from hw4.handin.strict_toml import Lines
from publish.findings import (
    ADD_CURVE,
    ADD_EFFECT,
    ADD_PROBLEM,
    ADD_TOPIC,
    DROP_PROBLEM,
    DROP_TOPIC,
    FACTS,
    NOTEBOOK,
    Finding,
    places_of,
)
from publish.symbols import unknown_functions

TOPICS = "topics"  # the folder of optional problems, in every folder below
REFERENCE = "autograder/recorded/reference"
ANIMALS = "autograder/zoo/animals/**/*.toml"


@dataclass(frozen=True)
class Part:
    """What a problem has in one folder: a file, in which each of its functions is named."""

    folder: str
    file: str  # with {name} for the problem's file name
    says: str  # what is missing where a function is not named
    pattern: str  # its group is the id of a function
    holds_others: bool = False  # whether the folder, topics apart, has files of no problem

    @property
    def files(self) -> str:
        """All such files, as a glob."""
        return f"{self.folder}/**/{self.file.format(name='*')}"

    def of(self, file: str) -> str:
        """The part of one problem, by its code file."""
        path = PurePosixPath(file)
        return (PurePosixPath(self.folder) / path.parent / self.file.format(name=path.stem)).as_posix()


HIDDEN_TESTS = Part("autograder/hidden_tests", "test_{name}.py", "no hidden test", r'@graded\(\s*"(\w+)"')
SENTENCES = Part("autograder/hidden_tests", "{name}_sentences.toml", "no list of sentences", r'^stub = "(\w+)"')
PARTS = (
    Part("solutions", "{name}.py", "no solution region", r"### BEGIN SOLUTION (\w+):"),
    Part("hw4/checking/examples", "{name}.py", "no worked example", r'stub_id="(\w+)"'),
    Part("hw4/tests", "test_{name}.py", "no public test", r'mark\.stub\("(\w+)"', holds_others=True),
    HIDDEN_TESTS,
    SENTENCES,
    Part("autograder/zoo/animals", "{name}.toml", "no animal of the zoo", r"^(\w+) = '''"),
    Part("handout", "{name}.typ", "no box in the handout", r'#api\("(\w+)"', holds_others=True),
)
ALSO_WITH_TOPICS = ("hw4", "hw4/checking/hints")  # folders that have files of topics next to those of PARTS
# Other places that name ids: files, and a pattern whose group is the id.
STUB_IDS = (("handout/**/*.typ", r'\b(?:stub|number-of-stubs-until)\("(\w+)"'),)
PROBLEM_IDS = (
    ("hw4/tests/**/test_*.py", r'mark\.problem\("(\w+)"'),
    ("handout/**/*.typ", r'(?:#problem(?:-heading)?|\b(?:label|files|mark)-of)\("(\w+)"'),
    ("notebooks/masters/*.py", r"\{\{ problem:(\w+) \}\}"),
)
CURVE_IDS = ((ANIMALS, r'"(curve_\w+)"'), ("hw4/tests/**/test_*.py", r'"(curve_\w+)"'))
EFFECT_IDS = (("autograder/hidden_tests/**/*.py", r'@effect\(\s*"(\w+)"'),)
HEADING = r'#problem-heading\("(\w+)"'


def misnamed(root: Path = ROOT) -> Iterator[Finding]:
    """Everything that is named but not there, and everything that is there but not named where it should be."""
    assignment = load_assignment(root / FACTS)
    lines = Lines((root / FACTS).read_text(encoding="utf-8"))
    left_over = {finding.file for finding in _left_over(root, assignment)}  # one finding for the whole file
    for kind, known, where in (
        ("stub", [stub.id for stub in assignment.stubs], (*((p.files, p.pattern) for p in PARTS), *STUB_IDS)),
        ("problem", [problem.id for problem in assignment.problems], PROBLEM_IDS),
        ("curve", [curve.id for curve in assignment.curves], CURVE_IDS),
        ("effect", [effect.id for effect in assignment.effects], EFFECT_IDS),
    ):
        for files, pattern in where:
            for file, line, found in places_of(root, files, pattern):
                if found not in known and file not in left_over:
                    says = f"names the {kind} {found!r}, which is not in {FACTS}"
                    yield Finding(file, line, says, DROP_TOPIC if _is_a_topics(file) else DROP_PROBLEM)
    yield from _animals(root)
    yield from _functions(root, assignment, lines)
    yield from _problems(root, assignment, lines)
    yield from unknown_functions(root, assignment, lines)
    yield from _curves_and_effects(root, assignment, lines)
    yield from _notebooks(root, assignment, lines)
    yield from _left_over(root, assignment)


def _animals(root: Path) -> Iterator[Finding]:
    """Animals that combine others which are not there."""
    known = {name for _, _, name in places_of(root, ANIMALS, r'^name = "(\w+)"')}
    for file, line, listed in places_of(root, ANIMALS, r'^parts = \[((?:\s*"\w+",?)*)\s*\]$'):
        for match in re.finditer(r'"(\w+)"', listed):
            if match[1] not in known:
                at = line + listed.count("\n", 0, match.start())
                yield Finding(file, at, f"takes the unknown animal {match[1]!r}", DROP_PROBLEM)


def _is_a_topics(file: str) -> bool:
    return TOPICS in PurePosixPath(file).parts


# Problems and functions -----------------------------------------------------------------------------------------------


def _functions(root: Path, assignment: Assignment, lines: Lines) -> Iterator[Finding]:
    """What each function lacks."""
    for part in PARTS:
        named = {found for _, _, found in places_of(root, part.files, part.pattern)}
        for i, stub in enumerate(assignment.stubs):
            if stub.id not in named:
                is_optional = assignment.is_optional(stub)
                place = "handout/handout.typ" if part.folder == "handout" and not is_optional else part.of(stub.file)
                says = f"{stub.id} has {part.says} in {place}"
                yield Finding(FACTS, lines.line("stubs", i, "id"), says, ADD_TOPIC if is_optional else ADD_PROBLEM)


def _problems(root: Path, assignment: Assignment, lines: Lines) -> Iterator[Finding]:
    """Problems without a chapter in the handout, and topics with files of another name."""
    with_chapter = {found for _, _, found in places_of(root, "handout/**/*.typ", HEADING)}
    for i, problem in enumerate(assignment.problems):
        if problem.id not in with_chapter:
            place = f"handout/{TOPICS}/{problem.id}.typ" if problem.optional else "handout/handout.typ"
            says = f'there is no #problem-heading("{problem.id}") in {place}'
            yield Finding(FACTS, lines.line("problems", i, "id"), says, ADD_TOPIC if problem.optional else ADD_PROBLEM)
    for i, stub in enumerate(assignment.stubs):
        wanted = f"{TOPICS}/{stub.problem}.py"
        if assignment.is_optional(stub) and stub.file != wanted:
            says = f"{stub.id} belongs to the topic {stub.problem}, so its file must be {wanted}, not {stub.file}"
            yield Finding(FACTS, lines.line("stubs", i, "file"), says, ADD_TOPIC)
        elif not assignment.is_optional(stub) and _is_a_topics(stub.file):
            says = f"{stub.id} is in {stub.file}, but its problem {stub.problem} is not optional"
            yield Finding(FACTS, lines.line("stubs", i, "file"), says, ADD_PROBLEM)


def _left_over(root: Path, assignment: Assignment) -> Iterator[Finding]:
    """Files of problems and topics that are not in assignment.toml."""
    known = [stub.id for stub in assignment.stubs]
    for part in PARTS:
        wanted = {part.of(name) for name in assignment.submission.code}
        named = list(places_of(root, part.files, part.pattern))
        of_others = {file for file, _, found in named if found in known}
        silent = {path.relative_to(root).as_posix() for path in root.glob(part.files)} - {file for file, *_ in named}
        of_others |= silent
        for path in sorted(root.glob(part.files)):
            file = path.relative_to(root).as_posix()
            if part.holds_others and (file in of_others or path.suffix == ".typ"):
                continue  # a chapter says more than what its boxes are about
            if not (_is_a_topics(file) or path.stem.startswith("__") or file in wanted):
                yield Finding(file, None, f"belongs to no problem of {FACTS}", DROP_PROBLEM)
    topics = [problem.id for problem in assignment.problems if problem.optional]
    for folder in (*(part.folder for part in PARTS), *ALSO_WITH_TOPICS):
        for path in sorted((root / folder / TOPICS).glob("*.*")):
            if not path.stem.startswith("__") and not any(topic in path.stem for topic in topics):
                file = path.relative_to(root).as_posix()
                yield Finding(file, None, f"belongs to no topic of {FACTS}", DROP_TOPIC)


# Curves, effects and notebooks ----------------------------------------------------------------------------------------


def _curves_and_effects(root: Path, assignment: Assignment, lines: Lines) -> Iterator[Finding]:
    """What a graded curve or an effect needs."""
    bars_file = root / REFERENCE / "bars.json"
    bars = json.loads(bars_file.read_text(encoding="utf-8")) if bars_file.exists() else {}
    caught = {
        item_id
        for _, _, listed in places_of(root, ANIMALS, r"curves_fail = \[([^\]]*)\]")
        for item_id in re.findall(r'"(\w+)"', listed)
    }
    computed = {found for files, pattern in EFFECT_IDS for _, _, found in places_of(root, files, pattern)}
    for item in assignment.run_items:
        add = ADD_CURVE if item.kind == "curve" else ADD_EFFECT

        def at(key: str, says: str, fix: str, item: RunItem = item) -> Finding:
            alike = [other for other in assignment.run_items if other.kind == item.kind]
            return Finding(FACTS, lines.line(f"{item.kind}s", alike.index(item), key), says, fix)

        if item.kind == "curve":
            yield from _curve(item, at)
        elif item.id not in computed:
            yield at("id", f"no hidden check computes {item.id}", add)
        if item.id not in caught:
            yield at("id", f"no animal names {item.id} in curves_fail: nothing sets its floor", add)
        if not (root / REFERENCE / f"{item.id}.csv").exists():
            yield at("id", f"nothing is recorded for {item.id}", "run `make calibrate`, then `make publish`")
        elif item.id not in bars:
            yield at("id", f"there is no bar for {item.id}", "run `make publish`")
    known_ids = {item.id for item in assignment.run_items}
    for path in sorted((root / REFERENCE).glob("*.csv")):
        if path.stem not in known_ids:
            says = f"belongs to no curve and no effect of {FACTS}"
            yield Finding(path.relative_to(root).as_posix(), None, says, DROP_PROBLEM)


def _curve(curve: Curve, at: Callable[[str, str, str], Finding]) -> Iterator[Finding]:
    """Whether a curve scores more episodes than its experiment has."""
    experiment = EXPERIMENTS[curve.experiment]
    if curve.score_episodes > experiment.num_episodes - experiment.num_initial_episodes:
        says = f"score_episodes = {curve.score_episodes}, but {curve.experiment} has fewer planned episodes"
        yield at("score_episodes", says, f"choose fewer, {ADD_CURVE}")


def _notebooks(root: Path, assignment: Assignment, lines: Lines) -> Iterator[Finding]:
    """Notebooks that may be handed in, their masters, and what earlier ones left behind."""
    masters = {path.stem for path in (root / "notebooks" / "masters").glob("*.py")}
    handed_in = {PurePosixPath(notebook.file).stem: notebook for notebook in assignment.notebooks}
    for i, name in enumerate(handed_in):
        if name not in masters:
            says = f"notebooks/masters has no {name}.py"
            yield Finding(FACTS, lines.line("notebooks", i, "file"), says, f"write it, or remove the table, {NOTEBOOK}")
    for name in sorted(masters - handed_in.keys()):
        says = f"{name}.ipynb is in no [[notebooks]] of {FACTS}"
        yield Finding(f"notebooks/masters/{name}.py", None, says, f"add it there, or remove the master, {NOTEBOOK}")
    for files in ("data/*/*", "source/hw4/*.ipynb", "release/hw4/*.ipynb"):
        for path in sorted((root / "notebooks").glob(files)):
            name = path.parent.name if files.startswith("data") else path.stem
            if name not in masters:
                says = f"belongs to no notebook: notebooks/masters has no {name}.py"
                yield Finding(path.relative_to(root).as_posix(), None, says, f"remove it, {NOTEBOOK}")
