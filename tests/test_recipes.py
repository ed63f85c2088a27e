"""The recipes of docs/new-term.md, followed word for word in a copy of the repository, and what the gate says then."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from copied_tree import copy_of_the_tree, edit, run

from hw4.handin.assignment import load_assignment
from publish.findings import Finding

ASSIGNMENT = load_assignment()


def publish(tree: Path) -> str:
    """`make publish`, without setting up an environment; what the gate says."""
    written = run(tree, "-m", "publish", "write")
    assert written.returncode == 0, written.stderr
    checked = run(tree, "-m", "publish", "check")
    return f"{checked.stdout}\n{checked.stderr}"


def findings(tree: Path) -> list[Finding]:
    """What `make check` lists."""
    checked = run(tree, "-m", "publish", "drift")
    found = re.findall(r"^  ([^:\n]+)(?::(\d+))?: (.*): ([^:\n]+)$", checked.stderr, re.MULTILINE)
    return [Finding(file, int(line) if line else None, says, fix) for file, line, says, fix in found]


def change(path: Path, pattern: str, new: str = "", *, count: int = 0) -> None:
    """Replace a pattern wherever it is; it must be there."""
    text, found = re.subn(pattern, new, path.read_text(encoding="utf-8"), count=count, flags=re.MULTILINE)
    assert found, f"{pattern!r} is not in {path.name}"
    path.write_text(text, encoding="utf-8")


def drop_the_ensembles(tree: Path) -> None:
    """Steps 1 to 3 of "Drop a problem"."""
    # 1. its table, its stubs and the curve that needs it; its points go to the curves that stay
    tables = (tree / "assignment.toml").read_text(encoding="utf-8").replace("\n[[", "\0[[").split("\0")
    gone = ('problem = "ensembles"', 'id = "ensembles"', 'id = "curve_ledge"')
    (tree / "assignment.toml").write_text(
        "\n".join(t for t in tables if not any(g in t for g in gone)), encoding="utf-8"
    )
    for curve, before, after in (("cliff_hill", 6, 16), ("cartpole", 7, 24)):
        change(tree / "assignment.toml", rf'(id = "curve_{curve}"\n(?:.+\n)*?points = ){before}\n', rf"\g<1>{after}\n")
    change(tree / "assignment.toml", r'(id = "curves"\ntitle = .*\npoints = )20', r"\g<1>40")
    ids = "|".join(stub.id for stub in ASSIGNMENT.stubs_of("ensembles"))  # an effect of a topic needs some
    change(tree / "assignment.toml", rf'"(?:{ids})", ?')
    # 2. its functions are given
    solution = tree / "solutions" / "ensemble.py"
    given = re.sub(r" *### (BEGIN|END) SOLUTION.*\n", "", solution.read_text(encoding="utf-8"))
    for old, new in (
        ("returns = state.new_zeros(state.shape[:-1])", "returns = torch.zeros(state.shape[:-1])"),
        ("returns = returns + reward(state, action, next_state)", "returns += reward(state, action, moved)"),
        ("next_state = mean +", "moved = mean +"),
        ("state = next_state", "state = moved"),
    ):
        assert old in given
        given = given.replace(old, new)  # as it is, it shows how to write sequence_returns
    (tree / "hw4" / "ensemble.py").write_text(given, encoding="utf-8")
    solution.unlink()
    # 3. what still names it
    for _ in range(3):  # files that belong to nothing, then what names the functions in others
        for found in findings(tree):
            path = tree / found.file
            if found.line is None and path.exists():
                path.unlink()
            elif "takes the unknown animal" in found.says:
                animal = re.escape(found.says.split("'")[1])
                change(path, rf'\n? *"{animal}",(?=\n| )', count=1)
            elif path.suffix == ".toml" and path.exists():
                text = path.read_text(encoding="utf-8")
                text = re.sub(rf"^(?:{ids}) = '''\n(?:.*\n)*?'''\n", "", text, flags=re.MULTILINE)
                path.write_text(re.sub(r', "curve_ledge"|"curve_ledge", |"curve_ledge"', "", text), encoding="utf-8")
    handout = tree / "handout" / "handout.typ"
    change(handout, rf'^#api\("(?:{ids})"\).*\n')
    change(handout, rf',? ?#stub\("(?:{ids})"\),?')
    change(handout, r'^#problem-heading\("ensembles"\)', "= Ensembles and uncertainty")
    change(handout, r'^#run-and-see\(\n  hand-in: files-of\("ensembles"\),\n(?:.*\n)*?\)\n')
    change(handout, r'\\; orange: #label-of\("ensembles"\)')
    change(handout, r'#label-of\("ensembles"\)', "ensembles")
    for master in ("mppi", "uncertainty_aware", "what_uncertainty_means"):
        change(tree / "notebooks" / "masters" / f"{master}.py", r"\{\{ problem:ensembles \}\}", "the ensembles")


@pytest.mark.verify
def test_a_problem_is_dropped_until_nothing_is_left_but_runs_to_record(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    drop_the_ensembles(tree)
    said = publish(tree)
    left = [line for line in said.splitlines() if line.startswith("  ")]
    assert len(left) == 4, said  # two curves, an effect with an ensemble, and the ungraded tasks
    assert all("today's solution and settings: run `" in line for line in left), said
    assert said.count(" ... no (") == 2, said


def add_a_question(tree: Path) -> None:
    """Steps 1 and 2 of "Add a written question": one more of the answers of required notebooks, worth what each is."""
    master = tree / "notebooks" / "masters" / "distribution_shift.py"
    text = master.read_text(encoding="utf-8")
    cells = re.search(r'^# %% \[markdown\] name="question-honest"(?:.*\n)*?# ### END SOLUTION\n', text, re.MULTILINE)
    assert cells is not None
    copy = cells[0].replace("question-honest", "question-new").replace("answer-honest", "answer-new")
    master.write_text(text.replace(cells[0], f"{cells[0]}\n{copy}"), encoding="utf-8")
    weights = sum(int(weight) for text in masters_of(tree) for weight in re.findall(r'"weight": (\d+)', text))
    assert ASSIGNMENT.written_points % (weights - 1) == 0  # the new answer's weight is 1
    points = ASSIGNMENT.written_points // (weights - 1) * weights
    change(tree / "assignment.toml", r'(id = "written"\ntitle = .*\npoints = )\d+', rf"\g<1>{points}")


def masters_of(tree: Path) -> list[str]:
    """The masters of required notebooks."""
    required = [
        Path(name).stem for name in ASSIGNMENT.submission.notebooks if name not in ASSIGNMENT.optional_notebooks
    ]
    return [(tree / "notebooks" / "masters" / f"{name}.py").read_text(encoding="utf-8") for name in required]


@pytest.mark.verify
def test_a_written_question_is_added(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    add_a_question(tree)
    said = publish(tree)
    assert "Ready to publish." in said, said
    notebook = (tree / "notebooks" / "release" / "hw4" / "distribution_shift.ipynb").read_text(encoding="utf-8")
    assert "answer-new" in notebook


def rename_a_function(tree: Path) -> None:
    """Steps 1 and 2 of "Rename a function"."""
    edit(tree / "solutions" / "mpc.py", "def refit_to_elites(", "def refit(")
    edit(tree / "assignment.toml", 'symbol = "refit_to_elites"', 'symbol = "refit"')
    for file in {found.file for found in findings(tree)}:
        change(tree / file, r"\brefit_to_elites\b", "refit")


@pytest.mark.verify
def test_a_function_is_renamed_and_nothing_is_recorded_again(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    rename_a_function(tree)
    said = publish(tree)
    assert "Ready to publish." in said, said
