"""The handout: rebuilt identically, fed from its sources alone, and without a line of the solutions."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typst
from changed_assignment import changed_assignment
from recorded_notebook import runs_module

from autograder.grading.curves import Bar, dump_bars
from autograder.recorded.calibration import BY_HEART
from autograder.recorded.error_rates import rate
from autograder.solutions import ROOT, SOLUTIONS
from hw4.checking.hints import HINTS
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import ASSIGNMENT_FILE, Notebook, load_assignment
from hw4.rewards import LEDGE_EDGE
from publish.handout import DATA, FIGURES, HANDOUT, PDF, HandoutError, notebook_answers
from publish.handout import facts as handout_facts
from publish.handout.docstrings import spans, stub_summary
from publish.handout.facts import _best_by_heart, gather_facts
from publish.handout.figures import draw_figures
from publish.handout.ledge import COSTS, ledge_facts, path_of
from publish.handout.notebook_answers import prose, written_answers
from publish.handout.quoted_runs import recorded
from publish.handout.typesetting import build_handout, compile_handout
from publish.handout.wording import ranges, shown
from publish.recorded_tables import settings_of
from publish.stubs import build_stubs, solution_lines
from publish.student_bundle import student_requirements

MAX_PAGES = 13  # without topics
MAX_PAGES_OF_A_TOPIC = 2  # on average, with their introduction
BAR = Bar(bar=51.5, floor=-7.0, cpu_seconds=1.0, speed=0.1, num_reference_runs=3, code_hash="")


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    return gather_facts(load_assignment())


def queried(facts: dict[str, Any], selector: str) -> list[dict[str, Any]]:
    """The elements of the compiled document that a Typst selector finds."""
    found = typst.query(
        HANDOUT / "handout.typ",
        selector,
        root=HANDOUT,
        sys_inputs={"facts": json.dumps(facts)},
        ignore_system_fonts=True,
    )
    return list(json.loads(found))


def flat_text(content: Any) -> str:
    """The text inside an element that `queried` returned."""
    if isinstance(content, list):
        return "".join(flat_text(part) for part in content)
    if not isinstance(content, dict):
        return ""
    if content.get("func") == "space":
        return " "
    if isinstance(content.get("text"), str):
        return str(content["text"])
    return "".join(flat_text(part) for part in content.values())


def table_rows(facts: dict[str, Any], *first_cells: str) -> list[list[str]]:
    """The cells, row by row, of the table whose head starts with these cells."""
    for table in queried(facts, "table"):
        width = len(table["columns"])
        cells: list[str] = []
        for child in table["children"]:
            if child["func"] == "header":
                cells.extend(flat_text(cell) for cell in child["children"])
            elif child["func"] == "cell":
                cells.append(flat_text(child))
        if cells[: len(first_cells)] == list(first_cells):
            return [cells[i : i + width] for i in range(0, len(cells), width)]
    raise LookupError(f"no table begins with {first_cells}")


def test_rebuild_is_identical_to_the_pdf_in_the_tree(tmp_path: Path) -> None:
    rebuilt = build_handout(tmp_path / "handout.pdf").read_bytes()
    assert rebuilt == build_handout(tmp_path / "again.pdf").read_bytes()
    assert rebuilt == PDF.read_bytes(), "handout.pdf has drifted: run `python -m publish.handout`"


def test_figures_are_drawn_from_the_recorded_runs(tmp_path: Path) -> None:
    drawn = draw_figures(tmp_path)
    assert {path.name for path in drawn} == {path.name for path in FIGURES.iterdir()}
    for path in drawn:
        drifted = f"{path.name} has drifted: run `python -m publish.handout draw`"
        assert path.read_bytes() == (FIGURES / path.name).read_bytes(), drifted


@pytest.mark.parametrize("path", sorted(DATA.glob("*.csv")), ids=lambda path: path.name)
def test_recorded_runs_have_the_settings_of_today(path: Path) -> None:
    for name, settings in settings_of(path).items():
        stale = (
            f"{path.name} was recorded with other settings of {name}: run `python -m publish.recorders handout_runs`"
        )
        assert settings == dataclasses.asdict(EXPERIMENTS[name]), stale


def test_tables_hold_what_the_assignment_says(facts: dict[str, Any]) -> None:
    assignment = load_assignment()
    problems = table_rows(facts, "", "Problem")
    required_problems = [problem for problem in assignment.problems if not problem.optional]
    stubs, notebooks = assignment.stubs, assignment.notebooks
    for problem, row in zip(required_problems, problems[1:-1], strict=True):
        assert row[:2] == [problem.label, problem.title]
        minutes = sum(stub.minutes for stub in stubs if stub.problem == problem.id)
        minutes += sum(notebook.minutes for notebook in notebooks if problem.by_hand and not notebook.optional)
        assert row[-2] == (str(minutes) if minutes else "")
        assert row[-1] == str(problem.points)
    assert problems[-1][-1] == str(sum(problem.points for problem in required_problems))
    required_stubs = [stub for stub in assignment.stubs if not assignment.is_optional(stub)]
    minutes = sum(item.minutes for item in (*required_stubs, *(book for book in notebooks if not book.optional)))
    assert problems[-1][-3:-1] == [str(len(required_stubs)), str(minutes)]
    curves = table_rows(facts, "No.", "Curve")
    required_curves = [curve for curve in assignment.curves if not assignment.is_optional(curve)]
    assert [row[0] for row in curves[1:]] == [curve.number for curve in required_curves]
    assert [row[-1] for row in curves[1:]] == [str(curve.points) for curve in required_curves]


def test_of_those_who_know_the_physics_by_heart_the_best_is_shown() -> None:
    arms = {"a": (0, 40), "b": (3, 40), "c": (2, 40)}
    rates = [rate(f"{BY_HEART}{arm}", *counts, is_correct=False) for arm, counts in arms.items()]
    bug = rate("fits_once", 1, 12, is_correct=False)
    shown = _best_by_heart([rates[0], bug, *rates[1:]])
    assert [(one.implementation, one.num_at_bar) for one in shown] == [
        ("fits_once", 1),
        ("the published physics alone (best of 3 ways)", 3),
    ]
    assert _best_by_heart([bug]) == [bug]


def test_the_table_of_costs_shows_arms_of_the_notebook_that_search_equally_hard() -> None:
    cells = runs_module("uncertainty_aware")
    assert COSTS.keys() < cells["ARMS"].keys()
    for arm in COSTS:
        experiment = cells["experiment_of"](arm, "ledge")
        roll_outs = experiment.ensemble_size * max(experiment.num_particles, 1)
        assert str(experiment.population_size * roll_outs) == ledge_facts()["evaluations"]


def test_no_cell_of_the_table_of_costs_is_blank() -> None:
    rows = ledge_facts()["costs"]
    assert isinstance(rows, list)
    assert all(row["far"] == "not run" or row["far"].endswith(" %") for row in rows)
    assert {row["far"] == "not run" for row in rows} == {True, False}


def test_what_the_notebooks_ask_to_predict_comes_after_the_written_questions() -> None:
    text = (ROOT / "handout" / "handout.typ").read_text(encoding="utf-8")
    before, after = text.split("== What the recorded runs say <found>")
    assert '#problem-heading("written")' in before
    quoted = ("#found.", "#ledge.costs", "ledge.costs", "#ledge.perfect", "#ledge.members", "#ledge.noise ")
    assert [word for word in quoted if word in before] == []
    assert {word for word in ("#found.replanning_alone", "#found.good_steps", "#found.held") if word in after}


def test_the_readme_says_how_long_a_seed_takes_as_it_was_measured() -> None:
    seconds = {row["command"]: float(row["cpu_seconds"]) for row in recorded("command_times")}
    graded = [f"python -m hw4 train {curve.experiment}" for curve in load_assignment().curves]
    slowest = max(seconds[command] for command in graded if command in seconds) / 3  # three seeds
    readme = (ROOT / "hw4" / "README.md").read_text(encoding="utf-8")
    assert f"up to {slowest:.0f} s of processor time" in " ".join(readme.split())


def test_the_walks_that_are_drawn_fall_as_often_as_the_caption_says(facts: dict[str, Any]) -> None:
    for arm, falls in facts["ledge"]["falls"].items():
        assert len(path_of(arm)) == 41
        assert (path_of(arm)[:, 0] > LEDGE_EDGE).sum() == int(falls)
    assert int(facts["ledge"]["falls"]["one_mean"]) > 0


def test_a_changed_point_changes_the_pages(tmp_path: Path, facts: dict[str, Any]) -> None:
    moved = ASSIGNMENT_FILE.read_text(encoding="utf-8")
    for symbol, points, new_points in (("fit_normalizer", 3, 2), ("DynamicsModel.predict", 5, 6)):
        before, stub, after = moved.partition(f'symbol = "{symbol}"')
        moved = before + stub + after.replace(f"points = {points}", f"points = {new_points}", 1)
    copy = tmp_path / "assignment.toml"
    copy.write_text(moved, encoding="utf-8")

    changed = gather_facts(load_assignment(copy))
    assert [stub["points"] for stub in changed["stubs"][:2]] == [2, 6]
    assert [stub["points"] for stub in facts["stubs"][:2]] == [3, 5]
    assert build_handout(tmp_path / "moved.pdf", copy).read_bytes() != PDF.read_bytes()


def test_settings_table_holds_every_hyper_parameter_in_which_the_experiments_differ(facts: dict[str, Any]) -> None:
    head, *rows = table_rows(facts, "Setting")
    names = head[2:]
    assignment = load_assignment()
    assert names == [curve.experiment for curve in assignment.curves if not assignment.is_optional(curve)]
    shown_rows = {row[0]: row[1:] for row in rows}
    for field in dataclasses.fields(EXPERIMENTS[names[0]]):
        values = [shown(getattr(EXPERIMENTS[name], field.name)) for name in names]
        if field.name == "task_name" or len(set(values)) == 1:
            assert field.name not in shown_rows
        else:
            meaning, *cells = shown_rows.pop(field.name)
            assert meaning, f"{field.name} has no meaning below it in hw4/experiments.py"
            assert cells == values
    assert shown_rows == {}


def test_bars_are_shown_once_they_are_recorded(tmp_path: Path) -> None:
    assignment = load_assignment()
    bars = tmp_path / "bars.json"
    bars.write_text(dump_bars({curve.id: BAR for curve in assignment.curves}))

    head, *rows = table_rows(gather_facts(assignment, bars), "No.", "Curve")
    assert head[-3:] == ["Floor", "Bar", "Points"]
    assert rows
    assert [row[-3:-1] for row in rows] == [["\N{MINUS SIGN}7", "51.5"]] * len(rows)

    without = gather_facts(assignment, tmp_path / "absent.json")
    assert "Bar" not in table_rows(without, "No.", "Curve")[0]


def test_the_written_answers_are_counted_in_the_released_notebooks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def release(*points: int, title: str = "# Why it falls") -> None:
        marks = [{"grade": True, "solution": True, "points": number} for number in points]
        marks += [{"grade": True, "solution": False, "points": 3}, {"grade": False, "solution": False}]
        cells = [{"metadata": {"nbgrader": mark}, "source": ["text"]} for mark in marks]
        cells.insert(0, {"metadata": {}, "source": [title, "\n", "## more"]})
        (tmp_path / "why.ipynb").write_text(json.dumps({"cells": cells}))

    assignment = load_assignment()
    total = assignment.problem("written").points
    submission = dataclasses.replace(assignment.submission, notebooks=("why.ipynb",))
    assignment = dataclasses.replace(assignment, submission=submission, notebooks=(Notebook("why.ipynb", 5),))
    monkeypatch.setattr(notebook_answers, "RELEASED_NOTEBOOKS", tmp_path)
    release(total - 7, 4, 3)
    notebook = {"file": "why.ipynb", "title": "Why it falls", "number": 3, "points": total, "minutes": 5}
    assert written_answers(assignment) == {
        "number": "three",
        "points": f"worth 3, 4 or {total - 7} points each",
        "notebooks": [notebook],
        "optional_notebooks": [],
    }
    release(total // 2, total // 2)
    assert written_answers(assignment)["points"] == f"worth {total // 2} points each"
    release(total - 7, 4)
    with pytest.raises(HandoutError, match=f"worth {total - 3} points, assignment.toml says {total}"):
        written_answers(assignment)
    written = dataclasses.replace(next(p for p in assignment.problems if p.optional), id="why", written=2)
    topic = dataclasses.replace(
        assignment,
        notebooks=(Notebook("why.ipynb", 5, optional=True),),
        problems=(*(p for p in assignment.problems if not p.optional and not p.by_hand), written),
    )
    release(1, 1)
    found = written_answers(topic)
    assert (found["number"], found["notebooks"]) == ("no", [])
    assert found["optional_notebooks"] == [{**notebook, "number": 2, "points": 2}]
    release(1)
    with pytest.raises(HandoutError, match=r"the answers in why\.ipynb are worth 1 points, assignment\.toml says 2"):
        written_answers(topic)
    release(total, title="no title")
    with pytest.raises(HandoutError, match=r"why\.ipynb has no title"):
        written_answers(assignment)


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ('collaboration = "discuss"', 'collaboration = "alone"', "work alone"),
        ('collaboration = "discuss"', 'collaboration = "discuss"', "Discuss ideas"),
        ('ai_use = "declared"', 'ai_use = "forbidden"', "Do not use tools that write code"),
        ('ai_use = "declared"', 'ai_use = "declared"', "Say in the last cell of the notebook"),
        ('ai_use = "declared"', 'ai_use = "free"', "You may use assistants for anything"),
        ("max_group_size = 1", "max_group_size = 3", "in groups of up to three"),
        ("max_submissions = 0", "max_submissions = 20", "only the first 20 submissions"),
        ('attempts = "last"', 'attempts = "last"', "Hand in as often as you like: the last one counts, not the best."),
        ('attempts = "last"', 'attempts = "best"', "as you like: the best one counts, after its late penalty."),
        ('attempts = "last"', 'attempts = "first"', "Hand in once: only the first submission counts."),
        ("grace_minutes = 15", "grace_minutes = 45", "For 45 minutes after the due date nothing is late"),
        ("percent_per_day = 10", "percent_per_day = 12.5", "costs 12.5 % of the points"),
        ("max_days = 3", "max_days = 1", "after 1 day a submission earns nothing"),
        ("max_days = 3", "max_days = 0", "A later submission earns nothing"),
    ],
)
def test_the_policies_of_the_assignment_are_what_students_read(tmp_path: Path, old: str, new: str, wanted: str) -> None:
    assignment = load_assignment(changed_assignment(tmp_path, old, new))
    policies = {"policies": handout_facts.policies(assignment), "staff": None}
    found = typst.query(
        HANDOUT / "policies.typ",
        "par",
        root=HANDOUT,
        sys_inputs={"facts": json.dumps(policies)},
        ignore_system_fonts=True,
    )
    words = " ".join(" ".join(flat_text(paragraph["body"]).split()) for paragraph in json.loads(found))
    assert wanted in words


def test_the_pdf_is_tagged_and_every_picture_and_equation_has_an_alternative_text(facts: dict[str, Any]) -> None:
    content = PDF.read_bytes()
    assert b"/StructTreeRoot" in content
    assert b"pdfuaid:part" in content  # the compiler refuses what the standard does not allow
    elements = [*queried(facts, "image"), *queried(facts, "math.equation")]
    assert len(elements) > len(list(FIGURES.glob("*.svg")))
    assert not [element for element in elements if not (element.get("alt") or "").strip()]


def test_the_staff_edition_adds_every_solution_and_every_model_answer(facts: dict[str, Any]) -> None:
    assignment = load_assignment()
    staff = gather_facts(assignment, staff=True)
    blocks = "\n".join(flat_text(block) for block in queried(staff, "raw"))
    for stub in assignment.stubs:
        solution = staff["staff"]["solutions"][stub.id]
        assert solution.strip()
        assert solution in blocks
        assert solution not in "\n".join(flat_text(block) for block in queried(facts, "raw"))
    answers = staff["staff"]["answers"]
    assert sum(answer["points"] for answer in answers) == assignment.written_points + assignment.written_bonus_points
    for answer in answers:
        assert any(run["look"] == "strong" and "Rubric" in run["text"] for part in answer["paragraphs"] for run in part)
    assert facts["staff"] is None


def test_a_line_of_markdown_becomes_runs() -> None:
    assert prose("**Rubric.** Full: $p(s)$ and `fit`, *not* 2 * 3.") == [
        {"look": "strong", "text": "Rubric."},
        {"look": "text", "text": " Full: "},
        {"look": "code", "text": "p(s)"},
        {"look": "text", "text": " and "},
        {"look": "code", "text": "fit"},
        {"look": "text", "text": ", "},
        {"look": "emph", "text": "not"},
        {"look": "text", "text": " 2 * 3."},
    ]


def test_the_cell_for_colab_installs_what_is_required_and_leaves_torch_alone() -> None:
    cell = handout_facts.colab_cell()
    for line in student_requirements().splitlines():
        if line and not line.startswith("#"):
            name = re.split("[<>=]", line)[0]
            assert (f'"{line}"' in cell) == (name not in ("torch", "numpy", "matplotlib", "jupyterlab"))


def test_the_deadline_names_its_weekday_and_its_distance_from_utc(tmp_path: Path) -> None:
    copy = tmp_path / "assignment.toml"
    moved = re.sub(r"(?m)^due = .*$", "due = 2030-01-05T17:30:00-03:30", ASSIGNMENT_FILE.read_text(encoding="utf-8"))
    copy.write_text(moved, encoding="utf-8")
    due = gather_facts(load_assignment(copy))["course"]["due"]
    assert due == "Saturday 5 January 2030, 17:30 (UTC\N{MINUS SIGN}03:30)"


def test_code_in_a_docstring_is_set_as_code_with_and_without_backticks() -> None:
    parts = spans("draws mean + std * noise(n), with n = size - (number kept) of `x y`, shape (..., obs_dim).")
    code = [part["text"] for part in parts if part["code"]]
    assert code == ["mean + std * noise(n)", "n = size - (number kept)", "x y", "(..., obs_dim)"]
    assert not any(part["code"] for part in spans("Of equal ones, any (Chua et al. 2018, section 5)."))


def test_the_handout_stays_short(facts: dict[str, Any]) -> None:
    (pages,), (with_topics,) = queried(facts, "<last-page>"), queried(facts, "<last-page-of-all>")
    assert pages["value"] <= MAX_PAGES
    topics = [problem for problem in load_assignment().problems if problem.optional]
    assert with_topics["value"] - pages["value"] <= MAX_PAGES_OF_A_TOPIC * len(topics)


def test_the_handout_names_no_package_index() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in HANDOUT.rglob("*.typ"))
    assert "http" not in text


def test_every_section_that_a_hint_names_is_in_the_handout(facts: dict[str, Any]) -> None:
    titles = {flat_text(heading["body"]) for heading in queried(facts, "heading")}
    named = {hint.read for hint in HINTS.values() if hint.read.startswith(("Conventions", "How grading works"))}
    assert named
    assert named <= titles


def test_no_solution_line_is_in_the_handout(facts: dict[str, Any]) -> None:
    sources = [path.read_text(encoding="utf-8") for path in sorted(HANDOUT.rglob("*.typ"))]
    text = "\n".join([json.dumps(facts, ensure_ascii=False).replace('\\"', '"'), *sources])
    lines = [
        line.strip()
        for path in sorted(SOLUTIONS.rglob("*.py"))
        for region in solution_lines(path.read_text(encoding="utf-8")).values()
        for line in region
    ]
    assert len(lines) > len(facts["stubs"])
    public = "".join(build_stubs().values())  # a docstring may quote a call: agent_record's names self.fit(self.replay)
    assert [line for line in lines if line in text and line not in public] == []


def test_a_stub_without_docstring_or_with_another_id_is_refused() -> None:
    with pytest.raises(HandoutError, match=r"mpc\.py has no nobody"):
        stub_summary("mpc.py", "cem_plan", "nobody")
    with pytest.raises(HandoutError, match=r"docstring of cem in solutions/mpc\.py must begin"):
        stub_summary("mpc.py", "cem_refit", "cem")


def test_an_id_that_is_not_in_the_assignment_stops_the_build(facts: dict[str, Any]) -> None:
    stubs = [{**stub, "id": "renamed" if stub["id"] == "mpc_act" else stub["id"]} for stub in facts["stubs"]]
    with pytest.raises(typst.TypstError, match="no stub has the id mpc_act"):
        compile_handout({**facts, "stubs": stubs})


@pytest.mark.parametrize(
    ("numbers", "drawn_together"),
    [
        (["1.1", "1.2", "1.3", "2.1", "2.3", "2.4"], "1.1\N{EN DASH}1.3, 2.1, 2.3, 2.4"),
        (["1.9", "1.10", "1.11", "2.12"], "1.9\N{EN DASH}1.11, 2.12"),
        (["T1.1", "T1.2", "T1.3"], "T1.1\N{EN DASH}T1.3"),
        ([], ""),
    ],
)
def test_numbers_that_follow_each_other_are_drawn_together(numbers: list[str], drawn_together: str) -> None:
    assert ranges(numbers) == drawn_together
