"""build/zoo.html: which bug fails which hidden test, which hint it gets, and what its recorded curves say."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from autograder.grading.curves import load_bars, score_of_run
from autograder.hidden_tests.graded import DECLARED, Declared
from autograder.recorded.calibration import REFERENCE, implementations, key_of, read_recorded
from autograder.zoo import SLIPS, load_animals, main_stub
from autograder.zoo.visit import Visit, named_share
from hw4.handin.assignment import RunItem, Stub, load_assignment

TEMPLATES = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Column:
    """One hidden test and the bugs it catches."""

    test: Declared
    caught: tuple[str, ...]  # names of wrong animals
    alone: tuple[str, ...]  # of these, the ones that no other test catches


@dataclass(frozen=True)
class Panel:
    """The matrix of one function: its bugs against its tests."""

    stub: Stub
    columns: tuple[Column, ...]
    visits: tuple[Visit, ...]


@dataclass(frozen=True)
class Recorded:
    """The recorded runs of one implementation on one curve or effect."""

    name: str
    expected: str  # "pass", "fail" or ""
    num_runs: int
    num_stale: int  # recorded with other code than today's
    median: float
    above: int  # runs at or above the bar


def zoo_page(visits: list[Visit]) -> str:
    """The whole page, self-contained."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["code"] = _code
    wrong = [visit for visit in visits if visit.animal.kind == "wrong"]
    panels = _panels(wrong)
    assignment = load_assignment()
    return environment.get_template("page.html.j2").render(
        course=assignment.course,
        num_visits=len(visits),
        wrong=wrong,
        correct=[visit for visit in visits if visit.animal.kind == "correct"],
        panels=panels,
        slips=[(text, [visit for visit in wrong if visit.animal.slip == slip]) for slip, text in SLIPS.items()],
        columns=[column for panel in panels for column in panel.columns],
        probe_points=sum(stub.points for stub in assignment.stubs),
        named_share=named_share(visits),
        surprised=[visit for visit in visits if visit.surprises],
        recorded=[(item, load_bars()[item.id], recorded_results(item)) for item in assignment.run_items],
    )


def columns_of(wrong: Iterable[Visit]) -> list[Column]:
    """Every hidden test with the wrong animals it catches."""
    wrong = list(wrong)
    columns = []
    for test in DECLARED.values():
        caught = [visit for visit in wrong if test.name in visit.failed]
        alone = [visit.animal.name for visit in caught if len(visit.failed) == 1]
        columns.append(Column(test, tuple(visit.animal.name for visit in caught), tuple(alone)))
    return columns


def _panels(wrong: list[Visit]) -> list[Panel]:
    columns = columns_of(wrong)
    panels = []
    for stub in load_assignment().stubs:
        own = tuple(column for column in columns if column.test.stub_id == stub.id)
        panels.append(Panel(stub, own, tuple(visit for visit in wrong if main_stub(visit.animal) == stub.id)))
    return panels


def recorded_results(item: RunItem) -> list[Recorded]:
    """What is recorded for a curve or an effect, by implementation. Empty while it is recorded in another format."""
    try:
        runs = read_recorded(item)
    except (KeyError, ValueError, OSError):
        return []
    bar = load_bars()[item.id].bar
    code = implementations(item)
    results = []
    for name in dict.fromkeys([*code, *(run.implementation for run in runs)]):
        own = [run for run in runs if run.implementation == name]
        today = key_of(item, code[name]) if name in code else ""
        fresh = [run for run in own if run.code_hash == today]
        scores = [score_of_run(item, run.returns) for run in fresh]
        results.append(
            Recorded(
                name=name,
                expected=_expected(name, item),
                num_runs=len(fresh),
                num_stale=len(own) - len(fresh),
                median=float(np.median(scores)) if scores else float("nan"),
                above=sum(score >= bar for score in scores),
            )
        )
    return results


def _expected(name: str, item: RunItem) -> str:
    animal = load_animals().get(name)
    if animal is None:
        return "pass" if name == REFERENCE else ""
    if animal.kind == "correct" or item.id in animal.curves_pass:
        return "pass"
    return "fail" if item.id in animal.curves_fail else ""


def _code(text: str) -> Markup:
    """Escape a text and set the parts between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text)))
