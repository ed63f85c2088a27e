"""The notebooks: builds without drift, releases without solutions, execution, and nbgrader's own commands."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autograder.solutions import ROOT
from hw4.assignment import load_assignment
from hw4.envs.cliff_hill import EDGE_X, STEP_LENGTH, height
from hw4.experiments import EXPERIMENTS
from hw4.notebook import interval_of_median
from publish import notebooks
from publish.notebooks import (
    ASSIGNMENT_ID,
    COURSE,
    DATA,
    MasterError,
    build_notebooks,
    build_sources,
    cells_tagged,
    execute_notebook,
)
from publish.stubs import write_solved

NAME = "distribution_shift"
SOURCE_FILE = COURSE / "source" / ASSIGNMENT_ID / f"{NAME}.ipynb"
ANSWER = 'nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}'
RELEASE_FILE = COURSE / "release" / ASSIGNMENT_ID / f"{NAME}.ipynb"


@pytest.fixture(scope="module")
def built():
    return build_notebooks()


@pytest.fixture(scope="module")
def sources():
    return build_sources()


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    return write_solved(tmp_path_factory.mktemp("solved"))


@pytest.fixture
def course(tmp_path):
    """A course directory as an instructor has it, without anything that a grading run leaves behind."""
    copy = tmp_path / "notebooks"
    shutil.copytree(COURSE, copy, ignore=shutil.ignore_patterns("release", "gradebook.db", ".ipynb_checkpoints"))
    return copy


# The build


def test_a_second_build_is_byte_identical(built):
    assert build_notebooks() == built


def test_the_notebooks_in_the_tree_are_what_their_masters_give(built):
    assert set(built) == {SOURCE_FILE, RELEASE_FILE}
    for path, text in built.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.relative_to(ROOT)} has drifted: run `make publish`"


def test_every_notebook_that_may_be_handed_in_has_a_master(built):
    released = {path.name for path in built if path.parent.parent.name == "release"}
    assert released == set(load_assignment().submission.notebooks)


def test_the_answers_share_the_written_points(built):
    cells = json.loads(built[RELEASE_FILE])["cells"]
    points = [
        cell["metadata"]["nbgrader"]["points"] for cell in cells if "points" in cell["metadata"].get("nbgrader", {})
    ]
    assert sum(points) == load_assignment().problem("written").points
    assert len(points) == 2


def test_only_answers_written_by_hand_carry_points(built):
    for cell in json.loads(built[SOURCE_FILE])["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade"):
            assert cell["cell_type"] == "markdown"


def test_a_release_holds_no_line_of_a_solution(built):
    solution_lines, inside = [], False
    for cell in json.loads(built[SOURCE_FILE])["cells"]:
        for line in "".join(cell["source"]).splitlines():
            if "END SOLUTION" in line:
                inside = False
            if inside and line.strip():
                solution_lines.append(line.strip())
            if "BEGIN SOLUTION" in line:
                inside = True
    release = "\n".join("".join(cell["source"]) for cell in json.loads(built[RELEASE_FILE])["cells"])
    assert len(solution_lines) > 10
    assert [line for line in solution_lines if line in release] == []
    for word in ("SOLUTION", "Rubric", "Model answer"):
        assert word not in release


def test_a_release_holds_no_output(built):
    for cell in json.loads(built[RELEASE_FILE])["cells"]:
        assert cell.get("outputs", []) == []


@pytest.mark.parametrize(
    ("master", "message"),
    [
        ("# %%\nx = 1\n", "cell 1: give it a name"),
        ('# %% name="a"\nx = 1\n\n# %% name="a"\ny = 2\n', "cell 2: the name 'a' is used twice"),
        ('# %% [markdown] name="a"\n# {{ nonsense }}\n', "bad: a: {{ nonsense }} is none of"),
        (
            "".join(f'# %% [markdown] name="{name}" {ANSWER}\n' for name in "abc"),
            "bad: a would be worth 20/3 points",
        ),
    ],
)
def test_a_bad_master_is_refused_with_its_place(tmp_path, monkeypatch, master, message):
    monkeypatch.setattr(notebooks, "MASTERS", tmp_path)
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    (tmp_path / "bad.py").write_text(master, encoding="utf-8")
    with pytest.raises(MasterError) as error:
        build_sources()
    assert message in str(error.value)


def test_a_notebook_imports_what_students_have():
    allowed = {"hw4", "numpy", "matplotlib", *sys.stdlib_module_names}
    lines = (COURSE / "masters" / f"{NAME}.py").read_text(encoding="utf-8").splitlines()
    imported = {words[1].split(".")[0] for line in lines if (words := line.split()) and words[0] in ("import", "from")}
    assert imported <= allowed


# The recorded runs, and what the notebook says about them


@pytest.fixture(scope="module")
def episodes():
    with (DATA / NAME / "episodes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def column(name, version):
        values = [float(row[name] or "nan") for row in rows if row["version"] == version]
        return np.array(values).reshape(-1, EXPERIMENTS["cliff_hill"].num_episodes)

    return column


def test_the_runs_were_recorded_with_the_settings_of_today():
    recorded = json.loads((DATA / NAME / "recorded.json").read_text(encoding="utf-8"))
    assert recorded["experiment"] == dataclasses.asdict(EXPERIMENTS["cliff_hill"]), f"run `{recorded['command']}`"


def test_version_0_5_earns_less_than_nothing_and_imagined_far_more_on_every_seed(episodes):
    planned = slice(EXPERIMENTS["cliff_hill"].num_initial_episodes, None)
    earned = episodes("episode_return", "0.5")[:, planned]
    imagined = episodes("imagined_return", "0.5")[:, planned]
    assert (earned < 0).all()
    assert (imagined > earned).all()
    assert np.median(imagined - earned) > 100


def test_version_1_5_ends_above_every_planned_episode_of_0_5_on_every_seed(episodes):
    planned = slice(EXPERIMENTS["cliff_hill"].num_initial_episodes, None)
    fallen = episodes("episode_return", "0.5")[:, planned]
    last = episodes("episode_return", "1.5")[:, -2:].mean(axis=1)
    assert last.min() > fallen.max()
    assert np.median(last) > 0


@pytest.fixture(scope="module")
def beliefs():
    with (DATA / NAME / "beliefs.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_runs_were_recorded_on_the_hill_of_today(beliefs):
    x = np.array([float(row["x"]) for row in beliefs])
    truth = height(np.column_stack([x + STEP_LENGTH, np.zeros_like(x)]))
    recorded = [float(row["true_next_height"]) for row in beliefs]
    np.testing.assert_allclose(recorded, truth, rtol=1e-4, err_msg="run `python -m publish.notebooks record`")


@pytest.mark.parametrize("version", ["1.0", "1.5"])
def test_aggregation_moves_the_belief_about_a_step_over_the_edge_towards_the_truth(beliefs, version):
    def mean_error(model):
        rows = [r for r in beliefs if r["model"] == model and EDGE_X - STEP_LENGTH < float(r["x"]) < EDGE_X]
        num_seeds = len({row["seed"] for row in rows})
        errors = [abs(float(row["next_height"]) - float(row["true_next_height"])) for row in rows]
        return np.array(errors).reshape(num_seeds, -1).mean(axis=1)

    assert interval_of_median(mean_error("first") - mean_error(version))[0] > 0


def change(episodes, column, version):
    """Of one error, from the first planned episode to the last, for each seed."""
    errors = episodes(column, version)
    return errors[:, -1] - errors[:, EXPERIMENTS["cliff_hill"].num_initial_episodes]


@pytest.mark.parametrize("version", ["1.0", "1.5"])
def test_the_error_on_the_states_visited_now_falls(episodes, version):
    assert interval_of_median(change(episodes, "error_on_visited", version))[1] < 0


@pytest.mark.parametrize("version", ["1.0", "1.5"])
def test_the_model_does_not_mend_everywhere(episodes, version):
    """Two results that the notebook states, and that a reader might not expect."""
    assert interval_of_median(change(episodes, "error_on_base", version))[0] > 0
    assert interval_of_median(change(episodes, "error_on_plan", version))[1] > 0  # no fall can be claimed


def test_the_first_model_is_worse_where_the_plan_goes_than_where_its_data_came_from(episodes):
    first_planned = EXPERIMENTS["cliff_hill"].num_initial_episodes
    on_base = episodes("error_on_base", "0.5")[:, first_planned]
    on_plan = episodes("error_on_plan", "0.5")[:, first_planned]
    assert (on_plan > 5 * on_base).all()


# Execution


def printed(notebook, cell_id):
    cell = next(cell for cell in notebook.cells if cell.id == cell_id)
    return "".join(output.get("text", "") for output in cell.outputs)


def test_the_source_runs_on_recorded_data_beside_unwritten_stubs(sources, course):
    folder = course / "source" / ASSIGNMENT_ID
    executed = execute_notebook(sources[NAME], folder=folder, package_path=ROOT)
    assert "none of your code was run" in printed(executed, "sanity")
    figures = [o for cell in executed.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(figures) == 5


def test_a_short_live_run_trains_the_agent_of_the_solved_tree(sources, course, solved):
    parameters = {"USE_MY_CODE": True, "LIVE_SEEDS": (0,), "LIVE_SECONDS": 1.0}
    executed = execute_notebook(
        sources[NAME], folder=course / "source" / ASSIGNMENT_ID, package_path=solved, parameters=parameters
    )
    assert "Your agent collects, fits and plans." in printed(executed, "sanity")
    assert "version 0.5, seed 0: last return -" in printed(executed, "live")
    assert [o for cell in executed.cells for o in cell.get("outputs", []) if o.get("name") == "stderr"] == []


def test_a_parameter_that_the_notebook_does_not_have_is_refused(sources, tmp_path):
    with pytest.raises(MasterError, match="no parameter LIVE_SEED"):
        execute_notebook(sources[NAME], folder=tmp_path, package_path=ROOT, parameters={"LIVE_SEED": 1})


def test_the_recorder_runs_the_notebooks_own_cells(tmp_path, solved):
    (tmp_path / "cells.py").write_text(cells_tagged(NAME, "recorder"), encoding="utf-8")
    code = "from cells import *; print(imagined_return(EXPERIMENT, np.zeros((2, 2)), np.ones((3, 3))))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(solved))), "MPLBACKEND": "Agg"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert float(result.stdout) == 2.0  # two steps at height 1, no move


# nbgrader's own commands


def nbgrader(*arguments, folder):
    """Run nbgrader as a TA does, in the project's environment: it starts `alembic` by name."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(["nbgrader", *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def test_nbgrader_generates_the_release_that_the_build_gives(course, built):
    result = nbgrader("generate_assignment", ASSIGNMENT_ID, "--course-dir=notebooks", folder=course.parent)
    assert result.returncode == 0, result.stderr
    generated = list((course / "release" / ASSIGNMENT_ID).iterdir())
    assert [path.name for path in generated] == [RELEASE_FILE.name]  # no master, no data, no solution beside it
    assert json.loads(generated[0].read_text(encoding="utf-8")) == json.loads(built[RELEASE_FILE])


def test_nbgrader_validates_an_answered_release_beside_unwritten_stubs(course, built):
    release = json.loads(built[RELEASE_FILE])
    for cell in release["cells"]:
        if cell["id"] == "answer-densities":
            cell["source"] = ["The fit minimises its error over the base policy's states."]
    folder = course / "release" / ASSIGNMENT_ID
    folder.mkdir(parents=True)
    (folder / RELEASE_FILE.name).write_text(json.dumps(release), encoding="utf-8")
    result = nbgrader("validate", RELEASE_FILE.name, folder=folder)
    assert result.returncode == 0, result.stderr
    assert "VALIDATION FAILED ON 1 CELL(S)" in result.stdout  # the other answer, and nothing else
    assert "You did not provide a response." in result.stdout
