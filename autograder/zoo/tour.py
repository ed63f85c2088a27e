"""`python -m autograder zoo`: visits the zoo, prints a table and writes a page."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from autograder.files import write_at_once
from autograder.zoo import load_animals
from autograder.zoo.matrix import zoo_page
from autograder.zoo.visit import Visit, herds, named_share, visit_all
from hw4.handin.assignment import load_assignment

PAGE = Path("build/zoo.html")


def visit(console: Console, names: list[str], *, alone: bool, page: Path = PAGE) -> int:
    """Visit animals, print a table, write the page, and return 1 if there was a surprise."""
    animals = [animal for animal in load_animals().values() if not names or animal.name in names]
    if unknown := set(names) - {animal.name for animal in animals}:
        raise SystemExit(f"there is no animal called {', '.join(sorted(unknown))}")
    by_themselves = [animal for animal in animals if alone or animal.slow]
    groups = [[animal] for animal in by_themselves]
    groups += herds(animal for animal in animals if animal not in by_themselves)
    groups.sort(key=lambda group: not group[0].slow)
    found: dict[str, Visit] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("visiting the zoo", total=len(animals))
        for visits in visit_all(groups):
            found |= {one.animal.name: one for one in visits}
            progress.advance(bar, len(visits))
    visits = [found[animal.name] for animal in animals]
    probe_points = sum(stub.points for stub in load_assignment().stubs)
    table = Table("animal", "kind", f"points of {probe_points}", "tests failed", "first hint")
    for one in visits:
        table.add_row(one.animal.name, one.animal.kind, f"{one.score:g}", str(len(one.failed)), one.cause)
    console.print(table)
    for one in visits:
        for surprise in one.surprises:
            console.print(f"{one.animal.name}: {surprise}", markup=False, style="red")
    if wrong := [one for one in visits if one.animal.kind == "wrong"]:
        share = named_share(visits)
        console.print(f"{len(wrong)} wrong animals; the first hint names the cause of {share:.0%} of them.")
    page.parent.mkdir(parents=True, exist_ok=True)
    write_at_once(page, zoo_page(visits).encode())
    console.print(f"Wrote {page}", markup=False)
    return 1 if any(one.surprises for one in visits) else 0
