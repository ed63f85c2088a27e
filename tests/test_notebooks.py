"""The notebooks: builds without drift, releases without solutions, execution, Colab, and nbgrader's own commands.

What a notebook states about its recorded runs is asserted in tests/test_notebook_NAME.py.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import venv
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest

from autograder.solutions import ROOT
from hw4.commands.jupyter import LINE, own_seeds
from hw4.handin.answer_cells import DECLARATIONS
from hw4.handin.assignment import Notebook, load_assignment
from publish import notebooks
from publish.notebooks import (
    ASSIGNMENT_ID,
    COURSE,
    MASTERS,
    MasterError,
    build_notebooks,
    build_sources,
    execute_notebook,
    live_parameters,
)
from publish.recorders import RECORDERS
from publish.stubs import write_solved
from publish.student_bundle import write_student_bundle

NAMES = sorted(path.stem for path in MASTERS.glob("*.py"))
ANSWER = 'nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}'


def source_file(name):
    return COURSE / "source" / ASSIGNMENT_ID / f"{name}.ipynb"


def release_file(name):
    return COURSE / "release" / ASSIGNMENT_ID / f"{name}.ipynb"


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
    assert set(built) == {file(name) for name in NAMES for file in (source_file, release_file)}
    for path, text in built.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.relative_to(ROOT)} has drifted: run `make notebooks`"


def test_every_notebook_that_may_be_handed_in_has_a_master():
    assert sorted(load_assignment().submission.notebooks) == [f"{name}.ipynb" for name in NAMES]


def test_every_master_has_a_recorder():
    assert sorted(path.stem for path in RECORDERS.glob("*.py") if path.stem in NAMES) == NAMES


def cells_of(built, path):
    return json.loads(built[path])["cells"]


def test_the_answers_share_the_written_points(built):
    assignment, required = load_assignment(), []
    for name in NAMES:
        marks = [cell["metadata"].get("nbgrader", {}) for cell in cells_of(built, release_file(name))]
        points = [mark["points"] for mark in marks if "points" in mark]
        if f"{name}.ipynb" in assignment.optional_notebooks:
            assert sum(points) == assignment.written_bonus_in(f"{name}.ipynb")
        else:
            required += points
    assert sum(required) == assignment.written_points
    assert sorted(set(required)) == [2, 4]  # a proof and an ablation weigh twice as much


def test_the_answers_of_a_topic_share_its_written_points(tmp_path, monkeypatch):
    """Next to a required notebook, whose answers share theirs."""
    monkeypatch.setattr(notebooks, "MASTERS", tmp_path)
    question = "".join(f'# %% [markdown] name="{name}" {ANSWER}\n# Say {{{{ points:{name} }}}}.\n' for name in "ab")
    for name in ("needed", "extra"):
        (tmp_path / f"{name}.py").write_text(question, encoding="utf-8")
    whole = load_assignment()
    topic = dataclasses.replace(next(p for p in whole.problems if p.optional), id="extra", written=6)

    def use(topic):
        own = (Notebook("needed.ipynb", 5), Notebook("extra.ipynb", 5, optional=True))
        problems = (*(p for p in whole.problems if not p.optional), topic)
        assignment = dataclasses.replace(whole, notebooks=own, problems=problems)
        monkeypatch.setattr(notebooks, "load_assignment", lambda: assignment)

    use(topic)
    each = whole.written_points // 2
    assert [cell.source for cell in build_sources()["needed"].cells[-1:]] == [f"Say {each}."]
    assert [cell.source for cell in build_sources()["extra"].cells[-1:]] == ["Say 3."]
    use(dataclasses.replace(topic, written=0))
    with pytest.raises(MasterError, match=r"extra: a has a weight, but assignment\.toml has no points for it"):
        build_sources()
    use(topic)
    (tmp_path / "extra.py").write_text('# %% [markdown] name="a"\n# Say.\n', encoding="utf-8")
    with pytest.raises(MasterError, match="extra: no cell has a weight, but the topic has 6 points"):
        build_sources()


@pytest.mark.parametrize("name", NAMES)
def test_only_answers_written_by_hand_carry_points(built, name):
    for cell in cells_of(built, source_file(name)):
        if cell["metadata"].get("nbgrader", {}).get("grade"):
            assert cell["cell_type"] == "markdown"


@pytest.mark.parametrize("name", NAMES)
def test_a_model_answer_keeps_to_the_limit_of_its_question_and_has_a_rubric_of_three_steps(built, name):
    """Formulas are not counted."""
    for question, cell in pairwise(cells_of(built, source_file(name))):
        if cell["metadata"].get("nbgrader", {}).get("grade"):
            (limit,) = re.findall(r"at most (\d+) words", " ".join("".join(question["source"]).split()))
            model, _, rubric = "".join(cell["source"]).partition("**Rubric.**")
            words = re.sub(r"\$[^$]+\$", "", model.partition("**Model answer.**")[2]).split()
            assert 20 <= len(words) <= int(limit), f"{name}, {cell['id']}: {len(words)} words"
            assert [step for step in ("Full:", "Half:", "0:") if step in rubric] == ["Full:", "Half:", "0:"]


def test_one_cell_of_one_notebook_asks_about_help(built):
    asking = [cell["id"] for name in NAMES for cell in cells_of(built, release_file(name)) if asks_about_help(cell)]
    assert asking == ["declaration"]


def asks_about_help(cell):
    return all(prompt in "".join(cell["source"]) for prompt in DECLARATIONS)


@pytest.mark.parametrize("name", NAMES)
def test_a_question_asks_at_most_three_things(built, name):
    """At most three numbered tasks, and its answer follows."""
    for question, answer in pairwise(cells_of(built, release_file(name))):
        if question["id"].startswith("question-"):
            assert len(re.findall(r"(?m)^\d\. ", "".join(question["source"]))) <= 3, question["id"]
            assert answer["id"] == question["id"].replace("question-", "answer-")


@pytest.mark.parametrize("name", NAMES)
def test_a_release_holds_no_line_of_a_solution(built, name):
    solution_lines, inside = [], False
    for cell in cells_of(built, source_file(name)):
        for line in "".join(cell["source"]).splitlines():
            if "END SOLUTION" in line:
                inside = False
            if inside and line.strip():
                solution_lines.append(line.strip())
            if "BEGIN SOLUTION" in line:
                inside = True
    released = {
        line.strip() for cell in cells_of(built, release_file(name)) for line in "".join(cell["source"]).split("\n")
    }
    assert len(solution_lines) > 5 or f"{name}.ipynb" in load_assignment().optional_notebooks
    assert [line for line in solution_lines if line in released] == []
    for word in ("SOLUTION", "Rubric", "Model answer"):
        assert word not in built[release_file(name)]


@pytest.mark.parametrize("name", NAMES)
def test_a_release_holds_no_output(built, name):
    for cell in cells_of(built, release_file(name)):
        assert cell.get("outputs", []) == []


@pytest.mark.parametrize(
    ("master", "message"),
    [
        ("# %%\nx = 1\n", "cell 1: give it a name"),
        ('# %% name="a"\nx = 1\n\n# %% name="a"\ny = 2\n', "bad: the name 'a' is used twice"),
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


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_imports_what_students_have(name):
    allowed = {"hw4", "numpy", "torch", "matplotlib", "imageio", "IPython", *sys.stdlib_module_names}
    lines = (MASTERS / f"{name}.py").read_text(encoding="utf-8").splitlines()
    imported = {words[1].split(".")[0] for line in lines if (words := line.split()) and words[0] in ("import", "from")}
    assert imported <= allowed


# Execution


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=[pytest.mark.verify] if f"{name}.ipynb" in load_assignment().optional_notebooks else []
        )
        for name in NAMES
    ],
)
def test_a_release_runs_from_top_to_bottom_on_the_first_day(built, course, name):
    import nbformat

    release = nbformat.reads(built[release_file(name)], as_version=4)
    expect_clean_figures(execute_notebook(release, folder=course / "source" / ASSIGNMENT_ID, package_path=ROOT))


@pytest.mark.verify
@pytest.mark.parametrize("name", NAMES)
def test_a_source_runs_on_recorded_data_beside_unwritten_stubs(sources, course, name):
    executed = execute_notebook(sources[name], folder=course / "source" / ASSIGNMENT_ID, package_path=ROOT)
    expect_clean_figures(executed)


@pytest.mark.verify
@pytest.mark.parametrize("name", NAMES)
def test_a_source_runs_with_the_code_of_the_solved_tree(sources, course, solved, name):
    executed = execute_notebook(
        sources[name],
        folder=course / "source" / ASSIGNMENT_ID,
        package_path=solved,
        parameters=live_parameters(sources[name]),
    )
    expect_clean_figures(executed)


def expect_clean_figures(executed):
    """No warning was printed; there are figures, each with a short alternative text; animations are wide enough."""
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert figures
    captions = [figure["metadata"].get("image/png", {}).get("alt", "") for figure in figures]
    assert [caption for caption in captions if not 0 < len(textwrap.wrap(caption, LINE)) <= 3] == []
    pages = [output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    for encoded in re.findall(r"data:image/gif;base64,([^\"]+)", "".join(pages)):
        assert int.from_bytes(base64.b64decode(encoded)[6:8], "little") >= 600  # px, of the page's 1,280


def test_a_parameter_that_the_notebook_does_not_have_is_refused(sources, tmp_path):
    with pytest.raises(MasterError, match="no parameter LIVE_SEED"):
        execute_notebook(sources[NAMES[0]], folder=tmp_path, package_path=ROOT, parameters={"LIVE_SEED": 1})


def test_a_students_own_seeds_follow_from_the_id_alone():
    assert own_seeds("s123456", 3) == own_seeds(" S123456\n", 3)
    assert own_seeds("s123456", 5)[:3] == own_seeds("s123456", 3)
    assert len({seed for number in range(200) for seed in own_seeds(f"s{number}", 3)}) > 590
    assert all(0 <= seed < 1_000_000 for seed in own_seeds("s1", 50))
    with pytest.raises(ValueError, match="STUDENT_ID"):
        own_seeds(" ", 1)


# Google Colab, played by a fresh environment with a pip that sees nothing but these packages


TORCH_OF_COLAB = "2.6.0+cu124"


def write_wheel(folder, name, version, *needs):
    """A package of one empty module."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{module}.py", "")
        metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {n}" for n in needs)]
        wheel.writestr(f"{info}/METADATA", "\n".join(metadata) + "\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def colab(tmp_path):
    """Runs the cell of a release as Colab does, and tells which packages are there afterwards."""
    wheels, pip = tmp_path / "wheels", tmp_path / "pip"
    wheels.mkdir()
    pip.mkdir()
    (pip / "pip").symlink_to(Path(sysconfig.get_paths()["purelib"]) / "pip")
    venv.create(tmp_path / "colab", with_pip=False)
    python = tmp_path / "colab" / "bin" / "python"
    (packages,) = (tmp_path / "colab" / "lib").glob("python*/site-packages")
    for name in ("torch", "numpy"):
        version = {"torch": TORCH_OF_COLAB, "numpy": "2.0.2"}[name]
        (packages / f"{name}-{version}.dist-info").mkdir()
        (packages / f"{name}-{version}.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8"
        )
    (packages / "google" / "colab").mkdir(parents=True)
    (packages / "google" / "colab" / "__init__.py").touch()
    write_wheel(wheels, "torch", "2.13.0")
    write_wheel(wheels, "numpy", "2.4.0")
    write_wheel(wheels, "mujoco", "3.9")
    for name in ("imageio", "matplotlib", "pytest", "array-api-compat", "tyro", "rich"):
        write_wheel(wheels, name, "99.0")
    content = tmp_path / "content"
    content.mkdir()
    write_student_bundle(content / "student.zip")

    def run(cell, *, gymnasium_needs):
        write_wheel(wheels, "gymnasium", "1.9.0", *gymnasium_needs)
        code = f"import google.colab\n{cell}\nimport os, hw4.handin.assignment\nprint(os.getcwd(), hw4.__file__)"
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PIP_")},
            "PYTHONPATH": str(pip),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_CONFIG_FILE": os.devnull,
        }
        result = subprocess.run([python, "-c", code], cwd=content, env=environment, capture_output=True, text=True)
        return result, {path.name.removesuffix(".dist-info") for path in packages.glob("*.dist-info")}

    return run


@pytest.fixture
def colab_cell(built):
    (cell,) = (cell for cell in cells_of(built, release_file(NAMES[0]))[:2] if cell["id"] == "colab")
    return "".join(cell["source"])


def test_the_colab_cell_installs_what_is_missing_and_keeps_torch(colab, colab_cell, tmp_path):
    result, packages = colab(colab_cell, gymnasium_needs=("torch>=2", "numpy>=1.21"))
    assert result.returncode == 0, result.stderr
    folder = (tmp_path / "content" / "hw4-model-based-rl").resolve()
    assert result.stdout.split() == [str(folder / "notebooks"), str(folder / "hw4" / "__init__.py")]
    assert {"gymnasium-1.9.0", "mujoco-3.9", "array_api_compat-99.0", "tyro-99.0", "rich-99.0"} <= packages
    assert {name for name in packages if name.startswith(("torch", "numpy"))} == {
        f"torch-{TORCH_OF_COLAB}",
        "numpy-2.0.2",
    }


def test_the_colab_cell_stops_rather_than_replace_torch(colab, colab_cell):
    result, packages = colab(colab_cell, gymnasium_needs=("torch>=2.7",))
    assert result.returncode != 0
    assert "gymnasium==1.9.0 because these package versions have conflicting dependencies" in result.stderr
    assert "gymnasium-1.9.0" not in packages
    assert f"torch-{TORCH_OF_COLAB}" in packages


def test_every_notebook_has_the_colab_cell_behind_its_title(built, colab_cell):
    for name in NAMES:
        for file in (source_file(name), release_file(name)):
            second = cells_of(built, file)[1]
            assert (second["id"], "".join(second["source"])) == ("colab", colab_cell)


# nbgrader's own commands


def nbgrader(*arguments, folder):
    """Run nbgrader as a TA does, in the project's environment: it starts `alembic` by name."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(["nbgrader", *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def test_nbgrader_generates_the_release_that_the_build_gives(course, built):
    result = nbgrader("generate_assignment", ASSIGNMENT_ID, "--course-dir=notebooks", folder=course.parent)
    assert result.returncode == 0, result.stderr
    generated = {path.stem: path for path in (course / "release" / ASSIGNMENT_ID).iterdir()}
    assert sorted(generated) == NAMES  # no master, no data, no solution beside them
    for name, path in generated.items():
        assert json.loads(path.read_text(encoding="utf-8")) == json.loads(built[release_file(name)])


def test_nbgrader_validates_an_answered_release_beside_unwritten_stubs(course, built):
    required = [name for name in NAMES if f"{name}.ipynb" not in load_assignment().optional_notebooks]
    name = min(required, key=lambda name: len(built[release_file(name)]))
    release = json.loads(built[release_file(name)])
    answers = [cell for cell in release["cells"] if "points" in cell["metadata"].get("nbgrader", {})]
    for cell in answers[1:]:
        cell["source"] = ["The fit minimises its error over the base policy's states."]
    folder = course / "release" / ASSIGNMENT_ID
    folder.mkdir(parents=True)
    (folder / f"{name}.ipynb").write_text(json.dumps(release), encoding="utf-8")
    result = nbgrader("validate", f"{name}.ipynb", folder=folder)
    assert result.returncode == 0, result.stderr
    assert "VALIDATION FAILED ON 1 CELL(S)" in result.stdout  # the first answer, and nothing else
    assert "You did not provide a response." in result.stdout
