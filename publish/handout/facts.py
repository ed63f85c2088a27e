"""Everything the Typst sources show that has a source elsewhere, as plain JSON values."""

from __future__ import annotations

import dataclasses
import inspect
import json
import textwrap
from pathlib import Path
from typing import Any

from autograder.grading.curves import (
    ALL_RUNS,
    BAR_QUANTILE,
    FIRST_RUNS,
    FLOOR_QUANTILE,
    GATE_OPEN,
    GATE_SHUT,
    MAJORITY,
    MEDIAN_RUNS,
    load_bars,
)
from autograder.recorded.calibration import BY_HEART, REFERENCE
from autograder.recorded.error_rates import ALL_CORRECT, CONFIDENCE, Rate, rates_of
from autograder.solutions import ROOT, SOLUTIONS
from hw4.checking.answers import check_close
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.handin.assignment import Assignment
from hw4.handin.update import BUNDLE_FOLDER
from publish.checked_sentences import sentence_tables
from publish.handout import MINUS
from publish.handout.docstrings import constant_text, field_docs, spans, stub_summary
from publish.handout.ledge import ledge_facts
from publish.handout.notebook_answers import model_answers, written_answers
from publish.handout.notebook_findings import notebook_facts
from publish.handout.quoted_runs import command_times, hill_facts, recorded, run_facts
from publish.handout.tradeoffs import model_class_facts
from publish.handout.wording import NUMBER_WORDS, in_words, number_word, percent, ranges, shown
from publish.stubs import solution_lines
from publish.student_bundle import student_requirements

BARS = ROOT / "autograder" / "recorded" / "reference" / "bars.json"


def gather_facts(assignment: Assignment, bars_file: Path = BARS, *, staff: bool = False) -> dict[str, Any]:
    """Everything the Typst sources show that has a source elsewhere, as plain JSON values.

    Args:
        assignment: the facts of the homework.
        bars_file: bars and floors, if they are recorded.
        staff: with what students do not get, for the staff edition.
    """
    course = assignment.course
    problems = [
        {
            **dataclasses.asdict(problem),
            "label": problem.label,
            "minutes": assignment.minutes_of(problem),
            "stubs": len(assignment.stubs_of(problem.id)),
        }
        for problem in assignment.problems
    ]
    required = [stub for stub in assignment.stubs if not assignment.is_optional(stub)]
    experiments = [curve.experiment for curve in assignment.curves if not assignment.is_optional(curve)]
    return {
        "course": {
            "title": course.title,
            "course": course.course,
            "lecture": course.lecture,
            "term": course.term,
            "release": in_words(course.release),
            "due": in_words(course.due.date()) + f", {course.due:%H:%M} ({course.due.tzname()})".replace("-", MINUS),
            "release_ymd": [course.release.year, course.release.month, course.release.day],
        },
        "problems": problems,
        "points": assignment.code_points + assignment.written_points,
        "code_points": assignment.code_points,
        "bonus_points": assignment.bonus_points,
        "code_bonus_points": assignment.code_bonus_points,
        "stubs": [
            {
                **dataclasses.asdict(stub),
                "optional": assignment.is_optional(stub),
                "summary": stub_summary(stub.file, stub.id, stub.symbol),
            }
            for stub in assignment.stubs
        ],
        "num_stubs": len(required),
        "words": [number_word(number) for number in range(len(assignment.stubs) + 1)],
        "minutes": sum(assignment.minutes_of(problem) for problem in assignment.problems if not problem.optional),
        "stub_minutes": sum(stub.minutes for stub in required),
        "stub_lines": sum(stub.lines for stub in required),
        "curves": [
            {
                **dataclasses.asdict(curve),
                "optional": assignment.is_optional(curve),
                "numbers": ranges([stub.number for stub in assignment.stubs_behind(curve)]),
                "bar": bar_of(curve.id, bars_file),
            }
            for curve in assignment.curves
        ],
        "num_curves": number_word(len(experiments)),
        "effects": [
            {
                **dataclasses.asdict(effect),
                "optional": assignment.is_optional(effect),
                "numbers": ranges([stub.number for stub in assignment.stubs_behind(effect)]),
                "bar": bar_of(effect.id, bars_file),
            }
            for effect in assignment.effects
        ],
        "submission": {
            **dataclasses.asdict(assignment.submission),
            "required_code": assignment.required_code,
            "optional_code": assignment.optional_code,
            "required_notebooks": [
                name for name in assignment.submission.notebooks if name not in assignment.optional_notebooks
            ],
        },
        "limits": dataclasses.asdict(assignment.limits),
        "visibility": assignment.visibility_before_due,
        "settings": settings_table(experiments),
        "tolerance": tolerance(),
        "min_std": constant_text(SOLUTIONS / "dynamics_model.py", "MIN_STD"),
        "answers": written_answers(assignment),
        "rule": {
            "first_runs": NUMBER_WORDS[FIRST_RUNS],
            "median_runs": NUMBER_WORDS[MEDIAN_RUNS],
            "all_runs": NUMBER_WORDS[ALL_RUNS],
            "majority": NUMBER_WORDS[MAJORITY],
            "bar_quantile": f"{BAR_QUANTILE * 100:g} %",
            "floor_quantile": f"{FLOOR_QUANTILE * 100:g} %",
            "gate_open": f"{GATE_OPEN * 100:g} %",
            "gate_shut": f"{GATE_SHUT * 100:g} %",
            "confidence": f"{CONFIDENCE * 100:g} %",
        },
        "worst_rate": worst_rate(assignment, bars_file),
        "policies": policies(assignment),
        "colab_cell": colab_cell(),
        "staff": facts_for_staff(assignment, bars_file) if staff else None,
        "hill": hill_facts(),
        "ledge": ledge_facts(),
        "classes": model_class_facts(),
        "runs": run_facts(),
        "found": notebook_facts(),
        "calls": _calls(assignment),
        "times": command_times(),
    }


def facts_for_staff(assignment: Assignment, bars_file: Path = BARS) -> dict[str, Any]:
    """What the staff edition adds."""
    return {
        "solutions": solutions(assignment),
        "answers": model_answers(assignment),
        "sentences": sentence_tables(assignment),
        "error_rates": error_rates(assignment, bars_file),
    }


def policies(assignment: Assignment) -> dict[str, Any]:
    """Rules about time and company."""
    facts = dataclasses.asdict(assignment.policies)
    late = assignment.policies.late
    facts["late"]["percent_per_day"] = shown(float(late.percent_per_day))
    facts["group_size_in_words"] = number_word(assignment.policies.max_group_size)
    return facts


def colab_cell() -> str:
    """What a student runs on Colab: everything that a student installs but what is there already."""
    there = ("torch", "numpy", "matplotlib", "jupyterlab")
    wanted = [line for line in student_requirements().splitlines() if line and not line.startswith(("#", *there))]
    quoted = " ".join(f'"{line}"' for line in wanted)
    return "\n".join(
        ("!unzip -q student.zip", f"%cd {BUNDLE_FOLDER}", f"!pip install -q {quoted}", "!python -m hw4 check")
    )


def solutions(assignment: Assignment) -> dict[str, str]:
    """The solution of each stub, as the staff edition shows it."""
    return {
        stub_id: textwrap.dedent("\n".join(lines))
        for name in assignment.submission.code
        for stub_id, lines in solution_lines((SOLUTIONS / name).read_text(encoding="utf-8")).items()
    }


def settings_table(names: list[str]) -> dict[str, Any]:
    """Each hyper-parameter in which these experiments differ, with its meaning, from `hw4.experiments`."""
    meanings = field_docs(Experiment)
    rows = []
    for field in dataclasses.fields(Experiment):
        values = [shown(getattr(EXPERIMENTS[name], field.name)) for name in names]
        if field.name != "task_name" and len(set(values)) > 1:
            rows.append({"name": field.name, "meaning": spans(meanings[field.name]), "values": values})
    return {"names": names, "rows": rows}


def tolerance() -> dict[str, str]:
    """The usual tolerance of a check."""
    parameters = inspect.signature(check_close).parameters
    return {name: shown(parameters[name].default) for name in ("rtol", "atol")}


def bar_of(curve_id: str, bars_file: Path = BARS) -> dict[str, str] | None:
    """Bar and floor of a curve, and how many reference runs they rest on, or None while none is recorded."""
    if not bars_file.exists():
        return None
    entry = json.loads(bars_file.read_text(encoding="utf-8")).get(curve_id)
    if entry is None:
        return None
    return {name: f"{entry[name]:g}".replace("-", MINUS) for name in ("bar", "floor", "num_reference_runs")}


def _best_by_heart(rates: list[Rate]) -> list[Rate]:
    """Of those who know the published physics by heart only the best: they share their worlds, so none adds up."""
    by_heart = [rate for rate in rates if rate.implementation.startswith(BY_HEART)]
    if not by_heart:
        return rates
    best = max(by_heart, key=lambda rate: rate.num_at_bar / rate.num_runs)
    name = f"the published physics alone (best of {len(by_heart)} ways)"
    return [*(rate for rate in rates if rate not in by_heart), dataclasses.replace(best, implementation=name)]


def error_rates(assignment: Assignment, bars_file: Path = BARS) -> list[dict[str, Any]]:
    """Of each curve and effect: how often the rule is wrong about each recorded implementation; none without bars."""
    if not bars_file.exists():
        return []
    bars = load_bars(bars_file)
    tables = []
    for item in (item for item in assignment.run_items if item.id in bars):
        rates = _best_by_heart(rates_of(item, bars[item.id]))
        variant_names = [
            r.implementation for r in rates if r.is_correct and r.implementation not in (REFERENCE, ALL_CORRECT)
        ]
        rows = [
            {
                "name": f"correct, in another way ({variant_names.index(r.implementation) + 1})"
                if r.implementation in variant_names
                else r.implementation.replace("_", " "),
                "is_correct": r.is_correct,
                "at_bar": f"{r.num_at_bar} of {r.num_runs}",
                "wrong": percent(r.wrong),
                "upper": percent(r.upper),
            }
            for r in rates
        ]
        tables.append({"title": item.title, "rows": rows})
    return tables


def worst_rate(assignment: Assignment, bars_file: Path = BARS) -> str | None:
    """How often correct work misses full credit: the bound of the worst curve, over all correct implementations."""
    if not bars_file.exists():
        return None
    bars = load_bars(bars_file)
    curves = [curve for curve in assignment.curves if not assignment.is_optional(curve) and curve.id in bars]
    rates = [rate for curve in curves for rate in rates_of(curve, bars[curve.id]) if rate.implementation == ALL_CORRECT]
    return percent(max(rate.upper for rate in rates)) if rates else None


def _calls(assignment: Assignment) -> list[list[str]]:
    """Which stub calls which, as recorded: [caller, callee, option of `train`], without functions that are given."""
    ours = {"train", *(stub.id for stub in assignment.stubs)}
    calls = ([row["caller"], row["callee"], row["option"]] for row in recorded("stub_calls"))
    return [call for call in calls if {*call[:2]} <= ours]
