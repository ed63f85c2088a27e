"""The recipes of docs/new-term.md, followed word for word in a copy of the repository, until the gate says "Ready to
publish."."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from copied_tree import copy_of_the_tree, run

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
    # 2. its functions are given
    solution = tree / "solutions" / "ensemble.py"
    given = re.sub(r" *### (BEGIN|END) SOLUTION.*\n", "", solution.read_text(encoding="utf-8"))
    (tree / "hw4" / "ensemble.py").write_text(given, encoding="utf-8")
    solution.unlink()
    # 3. what still names it
    ids = "|".join(stub.id for stub in ASSIGNMENT.stubs_of("ensembles"))
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
def test_a_problem_is_dropped(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    drop_the_ensembles(tree)
    said = publish(tree)
    assert "Ready to publish." in said, said
