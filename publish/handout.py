"""The handout: facts from their sources, figures from recorded runs, pages by Typst.

    python -m publish.handout           write handout.pdf and build/handout-staff.pdf
    python -m publish.handout figures   record the cliff-hill runs again (minutes), draw the figures, write handout.pdf
    python -m publish.handout draw      draw the figures from recorded runs and published bands, write handout.pdf

Typst gets every fact as one JSON string (`sys.inputs.facts`), so no number in a table is typed by hand. The docstring
of each stub is read from the reference solution without its body.
"""

from __future__ import annotations

import argparse
import ast
import csv
import dataclasses
import inspect
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typst

from autograder.grading.curves import ALL_RUNS, BAR_QUANTILE, FIRST_RUNS, FLOOR_QUANTILE, MAJORITY, load_bars
from autograder.recorded.calibration import REFERENCE, read_recorded
from autograder.recorded.error_rates import ALL_CORRECT, CONFIDENCE, rates_of
from autograder.solutions import ROOT, SOLUTIONS
from hw4.checking import answers as checks
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.handin.assignment import ASSIGNMENT_FILE, Assignment, Curve, load_assignment
from hw4.handin.update import BUNDLE_FOLDER
from publish.staff import STAFF_PDF
from publish.stubs import solution_lines, write_solved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HANDOUT = ROOT / "handout"
DATA = HANDOUT / "data"
FIGURES = HANDOUT / "figures"
PDF = ROOT / "handout.pdf"
BARS = ROOT / "autograder" / "recorded" / "reference" / "bars.json"
BANDS = ROOT / "hw4" / "reference_curves.csv"
RELEASED_NOTEBOOKS = ROOT / "notebooks" / "release" / "hw4"
SOURCE_NOTEBOOKS = ROOT / "notebooks" / "source" / "hw4"

SECTION = re.compile(r"^(Args|Returns|Raises):$")
SIGNATURE_WIDTH = 112  # characters that fit into a box
MINUS = "\N{MINUS SIGN}"
NUMBERED = re.compile(r"^(\d+\.) (.*)$", re.DOTALL)
NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

# What a docstring writes as code without `: terms joined by operators, shapes such as (..., obs_dim), names_like_this.
_TERM = r"(?:\d+(?:/\d+)?|[A-Za-z]\w*(?:\([\w ]*\)|\[\w+\])?|\([a-z ]+\))"
_SHAPE = r"\((?:\.\.\.|[A-Za-z]\w*),(?: (?:\.\.\.|\w+),?)*\)|\(\.\.\.\)"
CODE = re.compile(rf"({_TERM}(?: (?:==|=|[-+*]) {_TERM})+|{_SHAPE}|[A-Za-z]\w*_(?:\{{t\+1\}}|\w+))")

VERSION_COLORS = {"0.5": VERMILION, "1.0": ORANGE, "1.5": BLUE}
MEMBER_COLORS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE)

Row = dict[str, str]


class HandoutError(ValueError):
    """A source of the handout lacks something that the handout shows."""


# ---------------------------------------------------------------------------------------------------------------------
# Facts
# ---------------------------------------------------------------------------------------------------------------------


def gather_facts(assignment: Assignment, bars_file: Path = BARS, *, staff: bool = False) -> dict[str, Any]:
    """Everything the Typst sources show that has a source elsewhere, as plain JSON values.

    Args:
        assignment: the facts of the homework.
        bars_file: bars and floors, if they are recorded.
        staff: with solutions and model answers, for the staff edition.
    """
    course = assignment.course
    specs = {stub.id: stub_spec(stub.file, stub.symbol) for stub in assignment.stubs}
    problems = [
        {
            **dataclasses.asdict(problem),
            "label": problem.label,
            "minutes": sum(stub.minutes for stub in assignment.stubs_of(problem.id)),
            "stubs": len(assignment.stubs_of(problem.id)),
        }
        for problem in assignment.problems
    ]
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
        "points": sum(problem.points for problem in assignment.problems),
        "code_points": assignment.code_points,
        "stubs": [
            {**dataclasses.asdict(stub), "spec": dataclasses.asdict(specs[stub.id])} for stub in assignment.stubs
        ],
        "minutes": sum(stub.minutes for stub in assignment.stubs),
        "stub_lines": sum(stub.lines for stub in assignment.stubs),
        "curves": [
            {
                **dataclasses.asdict(curve),
                "labels": [assignment.problem(needed).label for needed in curve.needs],
                "bar": bar_of(curve.id, bars_file),
            }
            for curve in assignment.curves
        ],
        "submission": dataclasses.asdict(assignment.submission),
        "limits": dataclasses.asdict(assignment.limits),
        "visibility": assignment.visibility_before_due,
        "settings": settings_table([curve.experiment for curve in assignment.curves]),
        "tolerance": tolerance(),
        "min_std": constant_text(SOLUTIONS / "dynamics_model.py", "MIN_STD"),
        "answers": written_answers(assignment),
        "rule": {
            "first_runs": NUMBER_WORDS[FIRST_RUNS],
            "all_runs": NUMBER_WORDS[ALL_RUNS],
            "majority": NUMBER_WORDS[MAJORITY],
            "bar_quantile": f"{BAR_QUANTILE * 100:g} %",
            "floor_quantile": f"{FLOOR_QUANTILE * 100:g} %",
            "confidence": f"{CONFIDENCE * 100:g} %",
        },
        "error_rates": error_rates(assignment, bars_file),
        "policies": policies(assignment),
        "colab_cell": colab_cell(),
        "staff": {"solutions": solutions(assignment), "answers": model_answers(assignment)} if staff else None,
        "hill": hill_facts(),
        "runs": run_facts(),
    }


def policies(assignment: Assignment) -> dict[str, Any]:
    """Rules about time and company."""
    facts = dataclasses.asdict(assignment.policies)
    late = assignment.policies.late
    facts["late"]["percent_per_day"] = shown(float(late.percent_per_day))
    facts["group_size_in_words"] = number_word(assignment.policies.max_group_size)
    return facts


def colab_cell() -> str:
    """What a student runs on Colab: everything of requirements.txt but what is there already."""
    there = ("torch", "numpy", "matplotlib", "jupyterlab")
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith(("#", *there))]
    quoted = " ".join(f'"{line}"' for line in wanted)
    return "\n".join(
        ("!unzip -q student.zip", f"%cd {BUNDLE_FOLDER}", f"!pip install -q {quoted}", "!python -m hw4 check")
    )


def number_word(number: int) -> str:
    return NUMBER_WORDS[number] if number < len(NUMBER_WORDS) else str(number)


def solutions(assignment: Assignment) -> dict[str, str]:
    """The solution of each stub, as the staff edition shows it."""
    return {
        stub_id: textwrap.dedent("\n".join(lines))
        for name in assignment.submission.code
        for stub_id, lines in solution_lines((SOLUTIONS / name).read_text(encoding="utf-8")).items()
    }


def model_answers(assignment: Assignment) -> list[dict[str, Any]]:
    """Model answer and rubric of each written answer: what stands between the solution markers of the notebooks."""
    answers = []
    for name in assignment.submission.notebooks:
        notebook = json.loads((SOURCE_NOTEBOOKS / name).read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            mark = cell["metadata"].get("nbgrader", {})
            text = "".join(cell["source"])
            if mark.get("grade") and mark.get("solution"):
                inside = text.partition("### BEGIN SOLUTION")[2].partition("### END SOLUTION")[0]
                paragraphs = [prose(" ".join(part.split())) for part in re.split(r"\n\s*\n", inside) if part.strip()]
                id_and_points = {"id": mark["grade_id"], "points": mark["points"]}
                answers.append({"notebook": name, **id_and_points, "paragraphs": paragraphs})
    return answers


def prose(text: str) -> list[dict[str, str]]:
    """Markdown in a line, as runs of one look: text, strong, emph, code and math, the last as LaTeX writes it."""
    looks = {"**": "strong", "*": "emph", "`": "code", "$": "code"}
    runs = []
    for part in re.split(r"(\*\*.+?\*\*|\*[^* ][^*]*\*|`[^`]+`|\$[^$]+\$)", text):
        mark = next((mark for mark in looks if len(part) > 2 and part.startswith(mark) and part.endswith(mark)), "")
        if part:
            runs.append({"look": looks.get(mark, "text"), "text": part[len(mark) : len(part) - len(mark)]})
    return runs


def in_words(day: date) -> str:
    """ "Monday 1 March 2027" """
    return f"{day:%A} {day.day} {day:%B %Y}"


@dataclass(frozen=True)
class StubSpec:
    """What the handout shows of a stub: its signature and what its docstring says of the result."""

    signature: str
    blocks: list[dict[str, Any]]  # paragraphs, equations and numbered items, up to "Args:"
    returns: list[dict[str, Any]]
    test: str  # the command that runs the public test, or ""


def stub_spec(file_name: str, symbol: str) -> StubSpec:
    """Signature and docstring of a symbol of a solution file. The body is never looked at."""
    source = (SOLUTIONS / file_name).read_text(encoding="utf-8")
    scope: list[ast.stmt] = ast.parse(source).body
    *classes, function_name = symbol.split(".")
    for class_name in classes:
        scope = next((n.body for n in scope if isinstance(n, ast.ClassDef) and n.name == class_name), [])
    node = next((n for n in scope if isinstance(n, ast.FunctionDef) and n.name == function_name), None)
    docstring = ast.get_docstring(node) if node else None
    if node is None or docstring is None:
        raise HandoutError(f"solutions/{file_name} has no {symbol} with a docstring, but assignment.toml names it")
    parts = split_docstring(docstring)
    return StubSpec(
        signature=signature(node),
        blocks=text_blocks(parts["description"]),
        returns=text_blocks(inspect.cleandoc(parts.get("Returns", ""))),
        test=parts.get("test", ""),
    )


def signature(node: ast.FunctionDef) -> str:
    """The signature, filled to SIGNATURE_WIDTH and broken between parameters only."""
    header = ast.FunctionDef(
        name=node.name, args=node.args, returns=node.returns, body=[ast.Pass()], decorator_list=[], lineno=0
    )
    text = ast.unparse(header).removesuffix(":\n    pass")
    glued, depth = "", 0
    for character in re.sub(r"(?<=:) | (?=->)|(?<=->) |(?<=^def) ", "\0", text):
        depth += {"[": 1, "]": -1}.get(character, 0)
        glued += "\0" if character == " " and depth > 0 else character
    filled = textwrap.fill(
        glued, SIGNATURE_WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return filled.replace("\0", " ")


def split_docstring(docstring: str) -> dict[str, str]:
    """The parts of a docstring: "description", "Args", "Returns", "Raises" and "test" (the public test's command)."""
    parts: dict[str, list[str]] = {"description": []}
    current = "description"
    for line in docstring.splitlines():
        if section := SECTION.match(line):
            current = section[1]
            parts[current] = []
        elif line.startswith("Public test: "):
            parts["test"] = [line.removeprefix("Public test: ")]
        else:
            parts[current].append(line)
    return {name: "\n".join(lines).strip("\n") for name, lines in parts.items()}


def text_blocks(text: str) -> list[dict[str, Any]]:
    """Split docstring text into paragraphs and numbered items, which may be refilled, and equations, which may not."""
    blocks: list[dict[str, Any]] = []
    for chunk in re.split(r"\n\s*\n", text):
        if not chunk.strip():
            continue
        if all(line.startswith("    ") for line in chunk.splitlines()):
            blocks.append({"kind": "equation", "text": inspect.cleandoc("\n" + chunk)})
            continue
        for paragraph in re.split(r"\n(?=\d+\. )", chunk):
            filled = " ".join(paragraph.split())
            numbered = NUMBERED.match(filled)
            if numbered:
                blocks.append({"kind": "item", "number": numbered[1], "spans": spans(numbered[2])})
            else:
                blocks.append({"kind": "paragraph", "spans": spans(filled)})
    return blocks


def spans(text: str) -> list[dict[str, Any]]:
    """Plain text and code in turns: what stands between `, and what CODE takes for code in the rest."""
    parts: list[dict[str, Any]] = []
    for i, outer in enumerate(text.split("`")):
        if i % 2 == 1:
            parts.append({"code": True, "text": outer})
            continue
        parts += [{"code": j % 2 == 1, "text": inner} for j, inner in enumerate(CODE.split(outer)) if inner]
    return parts


def settings_table(names: list[str]) -> dict[str, Any]:
    """Every hyper-parameter of these experiments with its meaning, from `hw4.experiments`."""
    meanings = field_docs(Experiment)
    rows = [
        {
            "name": field.name,
            "meaning": spans(meanings[field.name]),
            "values": [shown(getattr(EXPERIMENTS[name], field.name)) for name in names],
        }
        for field in dataclasses.fields(Experiment)
    ]
    return {"names": names, "rows": rows}


def shown(value: object) -> str:
    """A setting as the table shows it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def field_docs(dataclass_type: type[Any]) -> dict[str, str]:
    """The string below each field of a dataclass."""
    tree = ast.parse(inspect.getsource(dataclass_type)).body[0]
    assert isinstance(tree, ast.ClassDef)
    docs: dict[str, str] = {}
    for field, doc in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(doc, ast.Expr)
            and isinstance(doc.value, ast.Constant)
        ):
            docs[field.target.id] = str(doc.value.value)
    return docs


def tolerance() -> dict[str, str]:
    """The usual tolerance of a check."""
    parameters = inspect.signature(checks.check_close).parameters
    return {name: shown(parameters[name].default) for name in ("rtol", "atol")}


def constant_text(file: Path, name: str) -> str:
    """The text of a module's constant."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return ast.unparse(node.value).replace("1e-06", "1e-6")
    raise HandoutError(f"{file.name} has no constant {name}")


def bar_of(curve_id: str, bars_file: Path = BARS) -> dict[str, str] | None:
    """Bar and floor of a curve, and how many reference runs they rest on, or None while none is recorded."""
    if not bars_file.exists():
        return None
    entry = json.loads(bars_file.read_text(encoding="utf-8")).get(curve_id)
    if entry is None:
        return None
    return {name: f"{entry[name]:g}".replace("-", MINUS) for name in ("bar", "floor", "num_reference_runs")}


def error_rates(assignment: Assignment, bars_file: Path = BARS) -> list[dict[str, Any]]:
    """Of each curve: how often the rule is wrong about each recorded implementation. Empty while none is recorded."""
    if not bars_file.exists():
        return []
    bars = load_bars(bars_file)
    tables = []
    for curve in assignment.curves:
        rates = rates_of(curve, bars[curve.id])
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
        tables.append({"title": curve.title, "rows": rows})
    return tables


def percent(share: float) -> str:
    """Two significant digits, and never a rounded-off zero: "0 %" means that it was never seen."""
    if share == 0:
        return "0 %"
    return "< 0.01 %" if share < 1e-4 else f"{100 * share:.2g} %"


def written_answers(assignment: Assignment) -> dict[str, Any]:
    """The answers in the released notebooks that people grade: how many, the points of each, and where they are.

    Raises:
        HandoutError: their points are not those of the problems that are graded by hand, or a notebook has no title.
    """
    points: list[int] = []
    notebooks = []
    for name in assignment.submission.notebooks:
        notebook = json.loads((RELEASED_NOTEBOOKS / name).read_text(encoding="utf-8"))
        marks = [cell["metadata"].get("nbgrader", {}) for cell in notebook["cells"]]
        own = [mark["points"] for mark in marks if mark.get("grade") and mark.get("solution")]
        title = re.search(r"^# (.+)$", "\n".join("".join(cell["source"]) for cell in notebook["cells"]), re.MULTILINE)
        if title is None:
            raise HandoutError(f"{name} has no title: begin its first cell with '# ...'")
        notebooks.append({"file": name, "title": title[1], "number": len(own), "points": sum(own)})
        points += own
    promised = sum(problem.points for problem in assignment.problems if problem.by_hand)
    if sum(points) != promised:
        raise HandoutError(f"the notebooks' answers are worth {sum(points)} points, assignment.toml says {promised}")
    each = (
        f"worth {points[0]} points each" if len(set(points)) == 1 else f"worth {listed(list(map(str, points)))} points"
    )
    return {"number": number_word(len(points)), "points": each, "notebooks": notebooks}


# ---------------------------------------------------------------------------------------------------------------------
# Recorded runs and figures
# ---------------------------------------------------------------------------------------------------------------------


def read_rows(name: str) -> list[Row]:
    """A recorded CSV file without its comment lines."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def read_paths() -> dict[str, list[Row]]:
    """The recorded paths over the hill by name."""
    rows = read_rows("cliff_hill_paths.csv")
    return {name: [row for row in rows if row["path"] == name] for name in dict.fromkeys(row["path"] for row in rows)}


def recorded_settings(name: str) -> dict[str, dict[str, Any]]:
    """The settings that a CSV file was recorded with, by experiment."""
    with (DATA / name).open(encoding="utf-8") as file:
        line = next(line for line in file if line.startswith("# settings: "))
    settings: dict[str, dict[str, Any]] = json.loads(line.removeprefix("# settings: "))
    return settings


def published_bands() -> dict[str, list[Row]]:
    """The published band of each curve, a row an episode."""
    with BANDS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return {curve.id: [row for row in rows if row["curve"] == curve.id] for curve in load_assignment().curves}


def column(rows: list[Row], name: str) -> list[float]:
    return [float(row[name]) for row in rows]


def seeds_of(rows: list[Row]) -> list[str]:
    return sorted({row["seed"] for row in rows}, key=int)


def hill_facts() -> dict[str, str]:
    """The cliff hill in numbers."""
    from hw4.envs.cliff_hill import BOTTOM_HEIGHT, EDGE_X

    return {
        "edge": f"{EDGE_X:g}",
        "bottom": f"{BOTTOM_HEIGHT:g}".replace("-", MINUS),
        "episode_length": str(EXPERIMENTS["cliff_hill"].task.episode_length),
    }


def run_facts() -> dict[str, str]:
    """Numbers that the text and the captions quote from the recorded runs and the published bands."""
    from hw4.envs.cliff_hill import EDGE_X

    versions, members = read_rows("cliff_hill_versions.csv"), read_rows("cliff_hill_members.csv")
    paths = read_paths()
    first_planned = EXPERIMENTS["cliff_hill"].num_initial_episodes
    last = EXPERIMENTS["cliff_hill"].num_episodes - 1

    def returns(version: str, wanted: Callable[[int], bool]) -> list[float]:
        return column([r for r in versions if r["version"] == version and wanted(int(r["episode"]))], "episode_return")

    falls = returns("0.5", lambda episode: episode >= first_planned)
    second_planned = returns("1.0", lambda episode: episode == first_planned + 1)
    ends = {version: returns(version, lambda episode: episode == last) for version in VERSION_COLORS}
    member_ends = column([row for row in members if row["step"] == members[-1]["step"]], "height")
    return {
        "seeds": str(len(seeds_of(versions))),
        "random": whole(statistics.median(returns("0.5", lambda episode: episode < first_planned))),
        "v05_best": whole(max(falls)),
        "v05_worst": whole(min(falls)),
        "data_max_x": f"{max(column(paths['data'], 'x')):.1f}",
        "imagined_height": f"{float(paths['imagined'][-1]['height']):.1f}",
        "v15_steps_past_edge": str(sum(x > EDGE_X for x in column(paths["happened_1.5"], "x"))),
        "v10_second_plan": whole(statistics.median(second_planned)),
        "v10_below_zero": str(sum(value < 0 for value in ends["1.0"])),
        "v10_median": whole(statistics.median(ends["1.0"])),
        "v10_min": whole(min(ends["1.0"])),
        "v15_median": whole(statistics.median(ends["1.5"])),
        "v15_min": whole(min(ends["1.5"])),
        "members_lowest": f"{min(member_ends):.1f}",
        "search_steps": str(len({row["step"] for row in read_rows("cem_search.csv")})),
        "search_iterations": number_word(len({row["iteration"] for row in read_rows("cem_search.csv")})),
        "search_population": read_rows("cem_search.csv")[0]["population_size"],
        "reference_ends": listed([whole(float(rows[-1]["median"])) for rows in published_bands().values()]),
    }


def whole(number: float) -> str:
    """A whole number with a true minus sign."""
    return f"{number:.0f}".replace("-", MINUS)


def listed(words: list[str]) -> str:
    """ "1, 2 and 3" """
    return f"{', '.join(words[:-1])} and {words[-1]}"


def record_runs() -> None:
    """Record every run that the figures show, in the solved tree, on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        solved = write_solved(Path(folder) / "solved")
        environment = {**os.environ, "PYTHONPATH": str(solved), "OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, str(HANDOUT / "record.py"), str(DATA)], cwd=solved, env=environment, check=True)


def draw_figures(folder: Path = FIGURES) -> list[Path]:
    """Draw every figure from the recorded runs; the same bytes each time."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    drawings: Mapping[str, tuple[tuple[float, float], int, Callable[..., None]]] = {
        "cliff_hill_paths.svg": ((6.7, 2.8), 2, draw_paths),
        "cliff_hill_versions.svg": ((6.7, 2.1), 3, draw_versions),
        "cliff_hill_members.svg": ((6.7, 1.95), 2, draw_members),
        "reference_bands.svg": ((6.7, 2.1), 3, draw_bands),
        "model_errors.svg": ((6.7, 1.75), 3, draw_errors),
        "cem_search.svg": ((6.7, 1.85), 2, draw_search),
    }
    style: dict[Any, Any] = {
        "svg.hashsalt": "handout",
        "svg.fonttype": "path",
        "font.family": "DejaVu Sans",
        "font.size": 7.5,
        "axes.titlesize": 8,
        "legend.fontsize": 7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.6,
        "lines.linewidth": 1.3,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
    }
    written = []
    with matplotlib.rc_context(style):
        for name, (size, num_panels, draw) in drawings.items():
            figure, axes = pyplot.subplots(1, num_panels, figsize=size)
            draw(*axes)
            figure.savefig(folder / name, metadata={"Date": None, "Creator": None})
            pyplot.close(figure)
            written.append(folder / name)
    return written


def draw_paths(top: Axes, side: Axes) -> None:
    """The hill from above and from the side, with the data, a plan, and what happened."""
    import numpy as np

    from hw4.envs.cliff_hill import ARENA, BOTTOM_HEIGHT, CLIFF_SLOPE, EDGE_X, height

    paths = read_paths()
    x, y = np.meshgrid(np.linspace(-2, EDGE_X, 101), np.linspace(-2.5, 2.5, 101))
    ground = height(np.stack([x, y], axis=-1))
    foot = EDGE_X + (EDGE_X - BOTTOM_HEIGHT) / (CLIFF_SLOPE - 1)  # the ridge still rises by 1 m per m
    top.contourf(x, y, ground, levels=12, cmap="Greys_r", alpha=0.55)
    top.axvspan(EDGE_X, foot, color="#777777", lw=0)
    top.axvspan(foot, ARENA, color="#333333", lw=0)
    top.text(ARENA + 0.1, -2.35, f"slope and pit,\ndown to {BOTTOM_HEIGHT:g} m".replace("-", MINUS))
    profile = np.linspace(-2, ARENA, 601)
    level = height(np.stack([profile, np.zeros_like(profile)], axis=-1))
    side.fill_between(profile, level, BOTTOM_HEIGHT - 1, color="#d0d0d0", lw=0)
    side.axvline(EDGE_X, color="#333333", lw=0.7, ls=":")
    looks: dict[str, tuple[str, dict[str, Any]]] = {
        "data": ("base policy's data", {"color": PURPLE, "ls": "", "marker": ".", "ms": 2.5}),
        "imagined": ("version 0.5: the plan, as imagined", {"color": VERMILION, "ls": "--"}),
        "happened_0.5": ("version 0.5: what happened", {"color": VERMILION}),
        "happened_1.5": ("version 1.5: what happened", {"color": BLUE}),
    }
    for name, (label, look) in looks.items():
        top.plot(column(paths[name], "x"), column(paths[name], "y"), label=label, **look)
        side.plot(column(paths[name], "x"), column(paths[name], "height"), **look)
    top.set(xlabel="x (m)", ylabel="y (m)", title="from above", xlim=(-2, 5.6), ylim=(-2.5, 2.5))
    side.set(xlabel="x (m)", ylabel="height (m)", title="from the side", xlim=(-2, 5.6), ylim=(-6, 6))
    top.figure.legend(loc="outside lower center", ncols=4, handlelength=1.8, columnspacing=1.2, markerscale=2.5)


def draw_versions(*panels: Axes) -> None:
    """One panel a version: every seed, and their median."""
    rows = read_rows("cliff_hill_versions.csv")
    initial_steps = EXPERIMENTS["cliff_hill"].initial_steps
    for panel, (version, color) in zip(panels, VERSION_COLORS.items(), strict=True):
        draw_seeds(panel, [row for row in rows if row["version"] == version], color, initial_steps)
        panel.set(title=f"version {version}", xlabel="env steps", ylim=(-120, 90))
    panels[0].set_ylabel("episode return")
    panels[0].text(initial_steps / 2, 86, "base\npolicy", ha="center", va="top", color="#555555")


def draw_seeds(panel: Axes, rows: list[Row], color: str, initial_steps: int) -> None:
    """Returns against env steps: each seed thin, the median thick, the base policy's part shaded."""
    by_seed = [[row for row in rows if row["seed"] == seed] for seed in seeds_of(rows)]
    steps = column(by_seed[0], "env_steps")
    returns = [column(run, "episode_return") for run in by_seed]
    for values in returns:
        panel.plot(steps, values, color=color, lw=0.5, alpha=0.4)
    medians = [statistics.median(values) for values in zip(*returns, strict=True)]
    panel.plot(steps, medians, color=color, lw=2)
    panel.axvspan(0, initial_steps, color="#eeeeee", lw=0, zorder=0)
    panel.set_xlim(0, max(steps) * 1.02)


def draw_members(side: Axes, spread: Axes) -> None:
    """What each member imagines, and how far they disagree."""
    from hw4.envs.cliff_hill import EDGE_X

    rows = read_rows("cliff_hill_members.csv")
    data_max_x = max(column(read_paths()["data"], "x"))
    members = sorted({row["member"] for row in rows})
    for member, color in zip(members, MEMBER_COLORS, strict=True):
        own = [row for row in rows if row["member"] == member]
        side.plot(column(own, "x"), column(own, "y"), color=color)
    side.axvline(EDGE_X, color="#333333", lw=0.7, ls=":")
    side.text(EDGE_X + 0.1, -2.9, "the edge", color="#333333")
    side.axvspan(-0.2, data_max_x, color="#eeeeee", lw=0, zorder=0)
    side.text(-0.1, 3.5, "x seen\nin the data", va="top", color="#555555")
    side.set(xlabel="imagined x (m)", ylabel="imagined y (m)", title="each member's roll-out", xlim=(-0.2, 6))
    side.set_ylim(-3.2, 3.7)
    steps = sorted({int(row["step"]) for row in rows})
    deviations = [statistics.pstdev(column([r for r in rows if int(r["step"]) == s], "height")) for s in steps]
    spread.plot(steps, deviations, color="black")
    inside = [s for s in steps if all(float(r["x"]) <= data_max_x for r in rows if int(r["step"]) == s)]
    spread.axvspan(0, max(inside), color="#eeeeee", lw=0, zorder=0)
    spread.set(xlabel="steps imagined", ylabel="std over members (m)", title="their disagreement on the height")
    spread.set_xlim(0, max(steps))
    spread.set_ylim(bottom=0)


def draw_bands(*panels: Axes) -> None:
    """What each graded curve is compared with: the published band, bar, floor and random policy."""
    for panel, curve in zip(panels, load_assignment().curves, strict=True):
        rows = published_bands()[curve.id]
        steps = column(rows, "env_steps")
        panel.fill_between(
            steps,
            column(rows, "low"),
            column(rows, "high"),
            color=SKY,
            alpha=0.35,
            lw=0,
            label="90 % of reference runs",
        )
        panel.plot(steps, column(rows, "median"), color=BLUE, lw=2, label="their median")
        for name, color, style in (("bar", GREEN, "-"), ("floor", VERMILION, "--"), ("random", "#555555", ":")):
            label = "random policy, median" if name == "random" else name
            panel.axhline(float(rows[0][name]), color=color, lw=1, ls=style, label=label)
        panel.axvspan(0, EXPERIMENTS[curve.experiment].initial_steps, color="#eeeeee", lw=0, zorder=0)
        panel.set(title=textwrap.fill(curve.title, 30), xlabel="env steps", xlim=(0, max(steps) * 1.02))
    panels[0].set_ylabel("episode return")
    handles, labels = panels[0].get_legend_handles_labels()
    panels[0].figure.legend(handles, labels, loc="outside lower center", ncols=5, handlelength=1.8, columnspacing=1.2)


def draw_errors(*panels: Axes) -> None:
    """One-step error of the reference's model on each episode of the graded curves, before it has seen it."""
    for panel, curve in zip(panels, load_assignment().curves, strict=True):
        errors = reference_errors(curve)
        steps = [(i + 1) * EXPERIMENTS[curve.experiment].task.episode_length for i in range(len(errors))]
        panel.fill_between(
            *(steps, [e[0] for e in errors], [e[2] for e in errors]), color=SKY, alpha=0.35, lw=0, label="90 % of runs"
        )
        panel.plot(steps, [e[1] for e in errors], color=BLUE, lw=2, label="median")
        panel.axhline(1.0, color="#555555", lw=1, ls=":", label='"nothing changes"')
        panel.axvspan(0, EXPERIMENTS[curve.experiment].initial_steps, color="#eeeeee", lw=0, zorder=0)
        panel.set(title=textwrap.fill(curve.title, 30), xlabel="env steps", xlim=(0, max(steps) * 1.02), yscale="log")
        panel.set(ylim=(0.012, 3))
        panel.set_yticks([0.1, 1], labels=["0.1", "1"] if panel is panels[0] else [])
        panel.tick_params(which="minor", labelleft=False)
    panels[0].set_ylabel("one-step error")
    handles, labels = panels[0].get_legend_handles_labels()
    panels[0].figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=1.8, columnspacing=1.2)


def reference_errors(curve: Curve) -> list[tuple[float, float, float]]:
    """5 %, 50 % and 95 % quantile over the recorded reference runs, for each episode."""
    runs = [run.errors for run in read_recorded(curve) if run.implementation == REFERENCE]
    episodes = zip(*runs, strict=True)
    return [
        (q[0], statistics.median(values), q[-1]) for values in episodes for q in [statistics.quantiles(values, n=20)]
    ]


def draw_search(plans: Axes, returns: Axes) -> None:
    """What CEM draws, iteration by iteration, and what it earns."""
    rows = read_rows("cem_search.csv")
    iterations = sorted({int(row["iteration"]) for row in rows})
    for iteration, color in zip((iterations[0], iterations[1], iterations[-1]), (VERMILION, ORANGE, BLUE), strict=True):
        own = [row for row in rows if int(row["iteration"]) == iteration]
        steps, means, stds = column(own, "step"), column(own, "mean"), column(own, "std")
        low, high = ([m + sign * s for m, s in zip(means, stds, strict=True)] for sign in (-1, 1))
        plans.fill_between(steps, low, high, color=color, alpha=0.22, lw=0)
        plans.plot(steps, means, color=color, label=f"iteration {iteration}")
    plans.set(xlabel="step of the plan", ylabel="force (N)", title="candidates: mean and std", xlim=(0, max(steps)))
    plans.set(ylim=(-1.05, 1.05), xticks=range(0, len(steps), 5))
    plans.legend(loc="lower left", handlelength=1.5)
    firsts = [next(row for row in rows if int(row["iteration"]) == iteration) for iteration in iterations]
    returns.plot(iterations, column(firsts, "best_return"), color=BLUE, marker="o", ms=3, label="CEM, best candidate")
    returns.plot(
        iterations, column(firsts, "median_return"), color=SKY, marker="o", ms=3, label="CEM, median candidate"
    )
    shot = float(rows[0]["random_shooting_return"])
    returns.axhline(shot, color=VERMILION, lw=1, ls="--", label="random shooting, as many in all")
    returns.set(xlabel="iteration", ylabel="return", title="what they earn", xticks=iterations)
    returns.legend(loc="lower right", handlelength=1.8)


# ---------------------------------------------------------------------------------------------------------------------
# Pages
# ---------------------------------------------------------------------------------------------------------------------


def compile_handout(facts: dict[str, Any], **options: Any) -> bytes:
    """The PDF of these facts. Only Typst's own fonts, the release date as its time: the same bytes each time."""
    year, month, day = facts["course"]["release_ymd"]
    pdf = typst.compile(
        HANDOUT / "handout.typ",
        root=HANDOUT,
        sys_inputs={"facts": json.dumps(facts, ensure_ascii=False)},
        ignore_system_fonts=True,
        timestamp=int(datetime(year, month, day, tzinfo=UTC).timestamp()),
        pdf_standards=["ua-1"],  # tagged, and refused by the compiler unless pictures and equations have a text
        **options,
    )
    assert isinstance(pdf, bytes)
    return pdf


def build_handout(target: Path = PDF, assignment_file: Path = ASSIGNMENT_FILE, *, staff: bool = False) -> Path:
    """Write the handout, or its staff edition, to `target` and return it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(compile_handout(gather_facts(load_assignment(assignment_file), staff=staff)))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m publish.handout", description="Build handout.pdf.")
    parser.add_argument("step", nargs="?", choices=("build", "draw", "figures"), default="build")
    step = parser.parse_args().step
    if step == "figures":
        record_runs()
    if step in ("draw", "figures"):
        for path in draw_figures():
            print(f"wrote {path.relative_to(ROOT)}")
    for path in (build_handout(), build_handout(STAFF_PDF, staff=True)):
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
