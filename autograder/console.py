"""What the terminal shows while grading, and the table at the end."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from autograder.grading.curves import first_runs_of
from autograder.grading.judge import was_handed_in
from autograder.grading.outcome import Outcome
from autograder.grading.scoring import ItemReport, Report
from autograder.hidden_tests.graded import DECLARED
from autograder.report.words import bonus_of, hint_of, points, shown_score, verdict_of
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Curve, RunItem, load_assignment

STYLES = {"passed": "green", "failed": "red", "not_run": "yellow", "grader_fault": "magenta", "absent": "dim"}


class LiveProgress:
    """A Listener that draws progress bars; use as a context manager."""

    def __init__(self, console: Console, files: Iterable[str]) -> None:
        """
        Args:
            console: where it is drawn.
            files: that were handed in.
        """
        self._files = frozenset(files)
        self._progress = Progress(
            TextColumn("{task.description:<44}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self._lock = Lock()
        self._failed = 0

    def __enter__(self) -> LiveProgress:
        self._progress.start()
        self._tests = self._progress.add_task("hidden tests", total=None, note="")
        self._items = {
            item.id: self._progress.add_task(item.title, total=_steps(item), note="")
            for item in load_assignment().run_items
            if was_handed_in(item, self._files, load_assignment())
        }
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._progress.stop()

    def test_ended(self, outcome: Outcome) -> None:
        with self._lock:
            self._failed += outcome.verdict != "passed"
        note = f"{self._failed} not passed" if self._failed else "all passed so far"
        self._progress.update(self._tests, total=self._num_tests(), advance=1, note=note)

    def episode_ended(self, curve: Curve, run: int, episode: int, episode_return: float) -> None:
        self._advance(curve, run, f"run {run + 1}: return {episode_return:.1f}")

    def run_ended(self, item: RunItem, run: int) -> None:
        if item.kind == "effect":
            self._advance(item, run, f"run {run + 1}")

    def _advance(self, item: RunItem, run: int, note: str) -> None:
        task = self._items[item.id]
        if run >= first_runs_of(item):
            self._progress.update(task, total=None, note=f"{note} (a first one missed the bar)")
        else:
            self._progress.update(task, advance=1, note=note)

    def _num_tests(self) -> int:
        """Of the functions that were handed in."""
        stubs = {s.id for s in load_assignment().stubs if was_handed_in(s, self._files, load_assignment())}
        return sum(test.stub_id in stubs for test in DECLARED.values())


def _steps(item: RunItem) -> int:
    """How often the first runs say that they are getting on."""
    return first_runs_of(item) * (EXPERIMENTS[item.experiment].num_episodes if item.kind == "curve" else 1)


def print_report(console: Console, report: Report) -> None:
    """A table per problem, and the sum."""
    for problem in load_assignment().problems:
        items = report.items_of(problem.id)
        if not items:
            continue
        name = f"{problem.label} {problem.title}"
        if all(item.verdict == "absent" for item in items):
            console.print(f"{name}: optional, not handed in", style="dim", markup=False)
            continue
        score = sum(item.score for item in items)
        title = f"{name}: {points(score)} of {points(report.most_of(problem))}{' bonus' if problem.optional else ''}"
        console.print(title, style="bold", markup=False)  # not as the table's title, which is no wider than the table
        table = Table()
        table.add_column("", no_wrap=True)
        table.add_column("what", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        table.add_column("points", justify="right", no_wrap=True)
        table.add_column("hint")
        for item in items:
            hint = hint_of(item)
            table.add_row(
                item.item.number,
                Text(item.item.title),
                Text(verdict_of(item), style=STYLES[item.verdict]),
                f"{points(item.score)} of {item.points}",
                Text(hint.text if hint else _note(item)),
            )
        console.print(table)
    if report.faults:
        console.print("[bold magenta]No grade, because the grader could not judge everything.[/bold magenta]")
    else:
        total = f"{points(report.score)} of {points(report.max_score)} points by program{bonus_of(report)}"
        console.print(f"[bold]{total}[/bold]")
    for fault in report.faults:
        console.print(Text(f"grader fault: {fault[:300]}", style="magenta"))


def _note(item: ItemReport) -> str:
    if item.grade:
        return f"{item.grade.decided_by}: {', '.join(map(shown_score, item.grade.scores))}"
    return item.message if item.verdict == "not_run" else ""
