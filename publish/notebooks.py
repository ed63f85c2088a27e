"""Notebooks: from reviewable masters to nbgrader's source and release versions, byte-identical at every build.

A master is percent text, `notebooks/masters/NAME.py`. Every cell has a name, which becomes its id, and a graded
cell its nbgrader metadata:

    # %% [markdown] name="answer-densities" nbgrader={"grade": true, "locked": false, "solution": true, "weight": 1}

`weight` becomes points: those of the problem in `assignment.toml` that is graded by hand, shared out over all masters'
answers in proportion, so that the gradebook's total is right however many notebooks there are. Every notebook also gets
the cells of `notebooks/shared_cells.py`, after its title. The release version is what nbgrader's own converter makes of
the source: everything between ### BEGIN SOLUTION and ### END SOLUTION is gone.

    python -m publish.notebooks write        # the source and release versions that have changed
    python -m publish.notebooks execute      # executed answer keys as HTML in build/notebooks
"""

from __future__ import annotations

import ast
import copy
import json
import os
import re
import shutil
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import jupytext
import nbformat as nbformat_module
import tyro
from nbformat import NotebookNode

from autograder.solutions import ROOT
from hw4.handin.assignment import Assignment, load_assignment
from publish.stubs import write_solved
from publish.writing import write_if_changed

nbformat: Any = nbformat_module  # its functions have no types

COURSE = ROOT / "notebooks"
MASTERS = COURSE / "masters"
SHARED_CELLS = COURSE / "shared_cells.py"
DATA = COURSE / "data"
SOURCE = COURSE / "source"
RELEASE = COURSE / "release"
ANSWER_KEYS = ROOT / "build" / "notebooks"

ASSIGNMENT_ID = "hw4"  # nbgrader's name of the homework: source/hw4, release/hw4, submitted/STUDENT/hw4
SCHEMA_VERSION = 3  # of nbgrader's cell metadata
CELL_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")  # what nbformat allows as a cell id, lower case
PLACEHOLDER = re.compile(r"\{\{ (?P<key>[\w:-]+) \}\}")
KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class MasterError(ValueError):
    """A master that cannot be built."""


def build_notebooks() -> dict[Path, str]:
    """Every generated notebook and its text: source and release of each master."""
    sources = build_sources()
    releases = _generate_releases(sources)
    folders = ((SOURCE, sources), (RELEASE, releases))
    return {
        folder / ASSIGNMENT_ID / f"{name}.ipynb": _text(notebook)
        for folder, notebooks in folders
        for name, notebook in notebooks.items()
    }


def build_sources() -> dict[str, NotebookNode]:
    """The source notebook of each master, with its solutions."""
    shared = _read_master(SHARED_CELLS).cells
    masters = {path.stem: _read_master(path) for path in sorted(MASTERS.glob("*.py"))}
    for name, master in masters.items():
        master.cells[1:1] = shared
        _refuse_a_name_used_twice(name, master)
    assignment = load_assignment()
    points = _share_points(masters, assignment)
    return {name: _source(name, master, points[name], assignment) for name, master in masters.items()}


def _read_master(path: Path) -> NotebookNode:
    """The cells of a master, each with a name.

    Raises:
        MasterError: a cell without a usable name.
    """
    master: NotebookNode = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    for position, cell in enumerate(master.cells, start=1):
        name = cell.metadata.get("name", "")
        if not CELL_NAME.fullmatch(name):
            raise MasterError(
                f'{path.name}, cell {position}: give it a name="..." of lower-case letters, digits and hyphens, got '
                f"{name!r}"
            )
    return master


def _refuse_a_name_used_twice(name: str, master: NotebookNode) -> None:
    names = [cell.metadata["name"] for cell in master.cells]
    for cell_name in names:
        if names.count(cell_name) > 1:
            raise MasterError(f"{name}: the name {cell_name!r} is used twice")


def _share_points(masters: dict[str, NotebookNode], assignment: Assignment) -> dict[str, dict[str, int]]:
    """Points of each manually graded cell of each master.

    Raises:
        MasterError: the weights do not give whole points, or an optional notebook has such a cell.
    """
    total = assignment.written_points
    weights = {
        (master_name, cell.metadata["name"]): Fraction(str(cell.metadata["nbgrader"]["weight"]))
        for master_name, master in masters.items()
        for cell in master.cells
        if "weight" in cell.metadata.get("nbgrader", {})
    }
    points: dict[str, dict[str, int]] = {master_name: {} for master_name in masters}
    for (master_name, cell_name), weight in weights.items():
        if f"{master_name}.ipynb" in assignment.optional_notebooks:
            raise MasterError(
                f"{master_name}: {cell_name} has a weight, but answers in an optional notebook earn nothing"
            )
        share = total * weight / sum(weights.values())
        if share.denominator != 1:
            raise MasterError(
                f"{master_name}: {cell_name} would be worth {share} points: choose weights that divide {total}"
            )
        points[master_name][cell_name] = int(share)
    return points


def _source(name: str, master: NotebookNode, points: dict[str, int], assignment: Assignment) -> NotebookNode:
    values = {
        "title": assignment.course.title,
        "term": assignment.course.term,
        "points_in_all": str(sum(points.values())),
        **{f"problem:{problem.id}": problem.label for problem in assignment.problems},
        **{f"points:{cell_name}": str(value) for cell_name, value in points.items()},
        **_recorded_facts(name),
    }
    notebook: NotebookNode = nbformat.v4.new_notebook(metadata=KERNEL)
    for cell in master.cells:
        cell_name = cell.metadata["name"]
        new = nbformat.v4.new_markdown_cell if cell.cell_type == "markdown" else nbformat.v4.new_code_cell
        metadata: dict[str, Any] = {}
        if tags := cell.metadata.get("tags"):
            metadata["tags"] = tags
        if declared := cell.metadata.get("nbgrader"):
            metadata["nbgrader"] = _nbgrader_metadata(cell_name, declared, points.get(cell_name))
        notebook.cells.append(new(_fill(cell.source, values, f"{name}: {cell_name}"), id=cell_name, metadata=metadata))
    nbformat.validate(notebook)
    return notebook


def _nbgrader_metadata(cell_name: str, declared: dict[str, Any], points: int | None) -> dict[str, Any]:
    """nbgrader's full metadata of a cell from what the master declares."""
    metadata = {key: bool(declared[key]) for key in ("grade", "locked", "solution")}
    graded = {"points": points} if points is not None else {}
    return {**metadata, **graded, "grade_id": cell_name, "schema_version": SCHEMA_VERSION, "task": False}


def _recorded_facts(name: str) -> dict[str, str]:
    """What a notebook may say about its recorded runs: notebooks/data/NAME/facts.json, if there is any."""
    path = DATA / name / "facts.json"
    if not path.exists():
        return {}
    facts: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return facts


def _fill(source: str, values: dict[str, str], where: str) -> str:
    """Put values in the place of {{ key }}."""

    def value(match: re.Match[str]) -> str:
        if match["key"] not in values:
            raise MasterError(f"{where}: {{{{ {match['key']} }}}} is none of {', '.join(sorted(values))}")
        return values[match["key"]]

    return PLACEHOLDER.sub(value, source)


def _generate_releases(sources: dict[str, NotebookNode]) -> dict[str, NotebookNode]:
    """What nbgrader's generate_assignment makes of the sources, without its database."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config.loader import PyFileConfigLoader

    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder).resolve()
        source_folder = course / "source" / ASSIGNMENT_ID
        source_folder.mkdir(parents=True)
        for name, notebook in sources.items():
            (source_folder / f"{name}.ipynb").write_text(_text(notebook), encoding="utf-8")
        config = PyFileConfigLoader("nbgrader_config.py", path=str(COURSE)).load_config()
        config.CourseDirectory.root = str(course)
        config.CourseDirectory.assignment_id = ASSIGNMENT_ID
        config.SaveCells.enabled = False
        config.GenerateAssignment.no_database = True
        GenerateAssignment(coursedir=CourseDirectory(config=config), config=config).start()
        return {
            name: nbformat.read(course / "release" / ASSIGNMENT_ID / f"{name}.ipynb", as_version=4) for name in sources
        }


def _text(notebook: NotebookNode) -> str:
    """One notebook as text, as Jupyter writes it: sorted keys, one line of source a line, a final newline."""
    text: str = nbformat.writes(notebook)
    return text + "\n"


def cells_tagged(name: str, tag: str) -> str:
    """The code of a master's cells with a tag, as one module: what a recorder imports."""
    cells = _read_master(MASTERS / f"{name}.py").cells
    return "\n\n".join(cell.source for cell in cells if tag in cell.metadata.get("tags", []))


# Executing: the solved tree in a process of its own.


def execute_notebook(
    notebook: NotebookNode, *, folder: Path, package_path: Path, parameters: dict[str, object] | None = None
) -> NotebookNode:
    """Run a copy of a notebook from a clean kernel.

    Args:
        notebook: as built. It is left unchanged.
        folder: the kernel's working directory; recorded data is found from there upwards.
        package_path: the folder that holds the `hw4` to import.
        parameters: new values of names that its cell `parameters` assigns.

    Returns:
        The executed copy.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
        MasterError: a parameter that the notebook does not have.
    """
    from nbclient import NotebookClient

    executed = copy.deepcopy(notebook)
    for cell in executed.cells:
        if cell.id == "parameters":
            cell.source = _with_parameters(cell.source, parameters or {})
    client = NotebookClient(executed, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute(env={**os.environ, "PYTHONPATH": str(package_path), "OMP_NUM_THREADS": "1"})
    return executed


def _with_parameters(source: str, parameters: dict[str, object]) -> str:
    """Give top-level assignments of a cell new values."""
    lines, assigned = source.splitlines(), _assignments(source)
    for name, value in parameters.items():
        if name not in assigned:
            raise MasterError(f"the notebook has no parameter {name}: it has {', '.join(assigned)}")
        lines[assigned[name]] = f"{name} = {value!r}"
    return "\n".join(lines)


def _assignments(source: str) -> dict[str, int]:
    """The names that top-level statements assign, and in which line, counted from 0."""
    return {
        target.id: statement.lineno - 1
        for statement in ast.parse(source).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def live_parameters(notebook: NotebookNode) -> dict[str, object]:
    """What makes a notebook run the package's own code."""
    (parameters,) = (cell.source for cell in notebook.cells if cell.id == "parameters")
    return {"USE_MY_CODE": True} | ({"STUDENT_ID": "answer key"} if "STUDENT_ID" in _assignments(parameters) else {})


def execute(names: list[str] | None = None) -> None:
    """Execute the source notebooks with the reference's code, and write them as HTML for staff."""
    import nbconvert

    to_html: Any = nbconvert.HTMLExporter  # has no types
    sources = build_sources()
    ANSWER_KEYS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        solved = write_solved(Path(folder) / "solved")
        shutil.copytree(DATA, Path(folder) / "data")
        for name in names or sources:
            began = time.monotonic()
            notebook = execute_notebook(
                sources[name], folder=Path(folder), package_path=solved, parameters=live_parameters(sources[name])
            )
            seconds = time.monotonic() - began
            page, _ = to_html().from_notebook_node(notebook)
            path = ANSWER_KEYS / f"{name}.html"
            path.write_text(page, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}: executed in {seconds:.0f} s")


def write() -> None:
    """Write the source and release notebooks that have changed."""
    for path, text in build_notebooks().items():
        write_if_changed(path, text.encode())


if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict({"write": write, "execute": execute}, prog="python -m publish.notebooks")
