"""What the terminal shows while grading, and the table at the end."""

from __future__ import annotations

from threading import Lock
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from autograder.grading.curves import FIRST_RUNS
from autograder.grading.outcome import Outcome
from autograder.grading.scoring import CurveReport, Report, StubReport
from autograder.hidden_tests.graded import DECLARED
from autograder.report.words import hint_of, points, shown_score, verdict_of
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Curve, Stub, load_assignment

STYLES = {"passed": "green", "failed": "red", "not_run": "yellow", "grader_fault": "magenta"}


class LiveProgress:
    """A Listener that draws progress bars; use as a context manager."""

    def __init__(self, console: Console) -> None:
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
        self._tests = self._progress.add_task("hidden tests", total=len(DECLARED) or None, note="")
        self._curves = {
            curve.id: self._progress.add_task(
                curve.title, total=FIRST_RUNS * EXPERIMENTS[curve.experiment].num_episodes, note=""
            )
            for curve in load_assignment().curves
        }
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._progress.stop()

    def test_ended(self, outcome: Outcome) -> None:
        with self._lock:
            self._failed += outcome.verdict != "passed"
        note = f"{self._failed} not passed" if self._failed else "all passed so far"
        self._progress.update(self._tests, total=len(DECLARED), advance=1, note=note)

    def episode_ended(self, curve: Curve, run: int, episode: int, episode_return: float) -> None:
        note = f"run {run + 1}: return {episode_return:.1f}"
        task = self._curves[curve.id]
        if run >= FIRST_RUNS:
            self._progress.update(task, total=None, note=f"{note} (the first three disagreed)")
        else:
            self._progress.update(task, advance=1, note=note)

    def run_ended(self, curve: Curve, run: int) -> None:
        """Nothing to draw: the episodes say it all."""


def print_report(console: Console, report: Report) -> None:
    """A table per problem, and the sum."""
    assignment = load_assignment()
    for problem in assignment.problems:
        items = [item for item in report.items if _facts(item).problem == problem.id]
        if not items:
            continue
        score = sum(item.score for item in items)
        title = f"{problem.label} {problem.title}: {points(score)} of {problem.points}"
        table = Table(title=title, title_justify="left", title_style="bold")
        table.add_column("", no_wrap=True)
        table.add_column("what", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        table.add_column("points", justify="right", no_wrap=True)
        table.add_column("hint")
        for item in items:
            facts = _facts(item)
            name = item.stub.symbol if isinstance(item, StubReport) else item.curve.title
            hint = hint_of(item)
            table.add_row(
                facts.number,
                Text(name),
                Text(verdict_of(item), style=STYLES[item.verdict]),
                f"{points(item.score)} of {facts.points}",
                Text(hint.text if hint else _note(item)),
            )
        console.print(table)
    if report.faults:
        console.print("[bold magenta]No grade: the grader could not judge everything.[/bold magenta]")
    else:
        console.print(f"[bold]{points(report.score)} of {points(report.max_score)} points by program[/bold]")
    for fault in report.faults:
        console.print(Text(f"grader fault: {fault[:300]}", style="magenta"))


def _facts(item: StubReport | CurveReport) -> Stub | Curve:
    return item.stub if isinstance(item, StubReport) else item.curve


def _note(item: StubReport | CurveReport) -> str:
    if isinstance(item, CurveReport) and item.grade:
        return f"{item.grade.decided_by}: {', '.join(map(shown_score, item.grade.scores))}"
    return item.message if isinstance(item, CurveReport) and item.verdict == "not_run" else ""
