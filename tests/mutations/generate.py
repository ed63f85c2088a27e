"""Every mutant of the solution regions, by cosmic-ray; runs in an environment of its own, which has nothing else.

    python tests/mutations/generate.py SOLUTIONS > mutants.jsonl

SOLUTIONS is the folder of the reference solution. One line of JSON for each mutant.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

# Operators that replace operators, constants, comparisons and loops. The others rename variables or change decorators.
LEFT_OUT = re.compile(r"VariableReplacer|VariableInserter|RemoveDecorator|ExceptionReplacer")
BEGIN, END = re.compile(r"\s*### BEGIN SOLUTION (\w+)"), re.compile(r"\s*### END SOLUTION")


def stub_of_line(lines: list[str]) -> list[str]:
    """For each line the id of the region that it is in, or an empty text."""
    found, inside = [], ""
    for line in lines:
        if begin := BEGIN.match(line):
            inside = begin[1]
        elif END.match(line):
            inside = ""
        found.append(inside)
    return found


def mutants_of(path: Path, name: str) -> Iterator[dict[str, str | int]]:
    code = path.read_text(encoding="utf-8")
    lines = code.splitlines()
    stubs = stub_of_line(lines)
    for operator_name in operator_names():
        if LEFT_OUT.search(operator_name):
            continue
        occurrence = 0
        while (mutated := mutate_code(code, get_operator(operator_name)(), occurrence)) is not None:
            occurrence += 1
            if mutated == code:
                continue
            changed = mutated.splitlines()
            numbers = [i for i, (old, new) in enumerate(zip(lines, changed, strict=False)) if old != new]
            if len(changed) == len(lines) and len(numbers) == 1 and stubs[numbers[0]]:
                (i,) = numbers
                yield {
                    "file": name,
                    "stub": stubs[i],
                    "line": i + 1,
                    "operator": operator_name.rpartition("/")[2],
                    "old": lines[i].strip(),
                    "new": changed[i].strip(),
                    "indented": changed[i],
                }


def main() -> None:
    folder = Path(sys.argv[1])
    for path in sorted(folder.rglob("*.py")):
        seen = set()
        for mutant in mutants_of(path, path.relative_to(folder).as_posix()):
            key = (mutant["line"], mutant["new"])
            if key not in seen:
                seen.add(key)
                print(json.dumps(mutant))


main()
