"""The commands of `python -m hw4` (given). What is slow to import is imported by the command that needs it."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from datetime import datetime
from io import StringIO, TextIOWrapper
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from hw4.commands.mistakes import TRACEBACK, CommandFailed, check_words, describe_error, in_one_line, own_line
from hw4.commands.settings import SEEDS, VERSION, Settings, check_settings, numbers, with_version
from hw4.experiments import EXPERIMENTS, Experiment, Version
from hw4.handin.assignment import load_assignment

if TYPE_CHECKING:
    from hw4.commands.runs import Run

PACKAGE = Path(__file__).resolve().parents[1]
RUNS = Path("runs")
NO_HINT = tyro.conf.arg(help_behavior_hint="")  # no "(default: None)": the option's text says what happens without it


@dataclass(frozen=True)
class TrainOptions:
    """Train agents with an experiment's settings, one per seed, and write a run folder."""

    experiment: tyro.conf.Suppress[str]
    settings: Annotated[Settings, tyro.conf.OmitArgPrefixes]
    seeds: Annotated[tuple[int, ...], SEEDS] = (0, 1, 2)
    """one agent each"""
    version: Annotated[Version | None, VERSION, NO_HINT] = None
    """as in the lecture: sets horizon, replan-every and refit-every; without it, they stay as they are"""
    actuator_sign: Literal[1, -1] = 1
    """-1: a world in which every action has the opposite effect, as in some of the grader's worlds"""
    name: Annotated[str | None, NO_HINT] = None
    """name of the run; by default the time when it started"""
    runs: Path = RUNS
    """folder for all runs"""
    resume: bool = False
    """resume the run called --name from where it stopped; give every other option as before"""
    tensorboard: bool = False
    """also write the curve and the model's one-step error for TensorBoard (pip install tensorboard)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name that this terminal cannot show must not end the command
            stream.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else arguments
    words = [word for word in given if word != TRACEBACK]
    try:
        return _run(words)
    except KeyboardInterrupt:
        return 130
    except CommandFailed as failure:
        said, error = str(failure), failure.__cause__
    except SystemExit as ended:
        if own_line(ended) is None:  # --help, or a command line that is not understood
            raise
        said, error = describe_error(ended), ended
    except Exception as unexpected:
        said, error = describe_error(unexpected), unexpected
    if error is not None and len(words) < len(given):
        traceback.print_exception(error)
    from rich.console import Console

    Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print(said, style="red")
    return 1


def _run(words: Sequence[str]) -> int:
    commands: dict[str, Callable[..., int]] = {
        "fall": fall,
        "train": train,
        "plot": plot,
        "video": video,
        "check": check,
        "submit": submit,
        "update": update,
    }
    options = {name: [*inspect.signature(command).parameters] for name, command in commands.items()}
    names = {field.name for of in (TrainOptions, Experiment) for field in dataclasses.fields(of)}
    options["train"] = sorted(names - {"experiment", "settings", "task_name"})
    check_words(words, options, EXPERIMENTS)
    refusal = StringIO()
    try:
        with numbers, redirect_stderr(refusal):
            call: Callable[[], int] = tyro.extras.subcommand_cli_from_dict(
                {name: _later(command) for name, command in commands.items()},
                prog="python -m hw4",
                description=f"""Homework 4: train, plot, check, hand in. Start with: python -m hw4 check

With {TRACEBACK}, a command that fails also shows every call that led there.""",
                args=words,
                config=(
                    tyro.conf.OmitArgPrefixes,
                    tyro.conf.OmitSubcommandPrefixes,
                    tyro.conf.FlagCreatePairsOff,
                    tyro.conf.DisallowNone,
                    tyro.conf.PositionalMetavarFromFieldName,
                ),
            )
    except SystemExit as ended:
        if not ended.code:  # --help
            raise
        raise CommandFailed(in_one_line(refusal.getvalue(), words, commands)) from None
    return call()


def _later(command: Callable[..., int]) -> Callable[..., Callable[[], int]]:
    """The same command line; what is called is left to do."""

    @functools.wraps(command)
    def bind(*arguments: Any, **options: Any) -> Callable[[], int]:
        return functools.partial(command, *arguments, **options)

    return bind


# fall -----------------------------------------------------------------------------------------------------------------


def fall(seed: int = 0, output: Path = Path("first_fall.png"), overwrite: bool = False) -> int:
    """Show what your model believes of the cliff hill, and walk where it promises most. Needs problem 1 alone.

    Args:
        seed: of the data and of the network.
        output: picture to write (.png, .pdf or .svg); the animation is written next to it as .gif.
        overwrite: replace both if they are there already.
    """
    if output.suffix not in (".png", ".pdf", ".svg"):
        raise CommandFailed(f"--output must end in .png, .pdf or .svg, got {output.name!r}")
    picture = _free_name(output if output != Path("first_fall.png") else None, output, overwrite=overwrite)

    from hw4.commands.threads import use_one_thread

    use_one_thread()

    from hw4.commands import first_fall

    seen = first_fall.fall(seed)
    print(first_fall.describe(seen))
    first_fall.write_pictures(seen, seed, picture, picture.with_suffix(".gif"))
    print(f"Wrote {picture} and {picture.with_suffix('.gif')}")
    return 0


# train ----------------------------------------------------------------------------------------------------------------


def train(options: Any) -> int:
    """Train agents and write a run folder: config and learning curve per seed. Ctrl-C keeps the finished episodes."""
    from hw4.commands.runs import RunConfig, RunError, new_run_folder, old_run_folder, read_run

    assert isinstance(options, TrainOptions)
    experiment, seeds = options.experiment, options.seeds
    asked = Experiment(**dataclasses.asdict(options.settings))
    settings = with_version(asked, EXPERIMENTS[experiment], options.version)
    check_settings(settings)
    if options.resume and options.name is None:
        raise CommandFailed("--resume needs --name, the name of the run to resume")
    name = options.name or f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    try:
        find_folder = old_run_folder if options.resume else new_run_folder
        folder = find_folder(options.runs, experiment, name)
    except RunError as error:
        raise CommandFailed(str(error)) from None

    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from hw4.commands.shell import shell_command
    from hw4.commands.threads import use_one_thread
    from hw4.commands.train_seed import train_seed

    use_one_thread()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[status]}"),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    print(f"{experiment}: {settings.num_episodes} episodes of {settings.task.episode_length} env steps for each seed")
    try:
        with Progress(*columns) as progress:
            for seed in seeds:
                config = RunConfig(experiment, settings, seed, options.actuator_sign)
                train_seed(folder, config, progress, resume=options.resume, tensorboard=options.tensorboard)
    except RunError as error:
        raise CommandFailed(str(error)) from None
    except BaseException:
        if folder.exists():
            print(f"Stopped. {folder} keeps every finished episode.")
            print(f"To resume: the same command with {shell_command('--name', name, '--resume')}")
        raise
    print(f"Wrote {folder}")
    _print_scores([read_run(folder)])
    print(f"Next: {shell_command('python', '-m', 'hw4', 'plot', folder)}")
    print(f"      {shell_command('python', '-m', 'hw4', 'video', folder)}")
    return 0


def _print_scores(runs: Sequence[Run]) -> None:
    from hw4.commands.plots import read_all_bands
    from hw4.commands.scores import describe_scores

    bands = read_all_bands()
    for run in runs:
        print("\n".join(describe_scores(run, bands.get(run.experiment))))


def _describe_experiment(name: str) -> str:
    """What the help says of an experiment."""
    graded = next((curve for curve in load_assignment().curves if curve.experiment == name), None)
    if graded is not None:
        return f"graded: {graded.title}"
    task = EXPERIMENTS[name].task_name
    return "not graded" if task == name else f"not graded; the task is {task}"


# Annotating with a type made at run time gives each experiment its own subcommand, whose defaults are its settings.
train.__annotations__["options"] = tyro.extras.subcommand_type_from_defaults(
    {
        name: TrainOptions(experiment=name, settings=Settings(**dataclasses.asdict(experiment)))
        for name, experiment in EXPERIMENTS.items()
    },
    descriptions={name: _describe_experiment(name) for name in EXPERIMENTS},
    prefix_names=False,
)


# plot, video ----------------------------------------------------------------------------------------------------------


def plot(
    runs: Annotated[
        tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN [RUN ...]", help_behavior_hint="")
    ] = (),
    output: Annotated[Path | None, NO_HINT] = None,
    overwrite: bool = False,
) -> int:
    """Draw learning curves: every seed, the median, and the published band. Prints the score of each seed.

    Args:
        runs: run folders; runs of the same task share a panel. For two runs of one task, prints the difference too.
        output: picture to write: .png, .pdf or .svg; by default learning_curves.png, or the next number that is free.
        overwrite: replace the picture if it is there already.
    """
    from hw4.commands.plots import REFERENCE_FILE, draw_runs, has_reference_settings, read_all_bands
    from hw4.commands.runs import RunError, read_run
    from hw4.commands.scores import describe_difference

    if not runs:
        raise CommandFailed("plot needs a run folder: python -m hw4 plot runs/cartpole/NAME")
    if output is not None and output.suffix not in (".png", ".pdf", ".svg"):
        raise CommandFailed(f"--output must end in .png, .pdf or .svg, got {output.name!r}")
    target = _free_name(output, Path("learning_curves.png"), overwrite=overwrite)
    try:
        found = [read_run(run) for run in runs]
    except RunError as error:
        raise CommandFailed(str(error)) from None
    bands = read_all_bands()
    draw_runs(found, bands).savefig(target, dpi=150)
    print(f"Wrote {target}")
    _print_scores(found)
    for line in describe_difference(*found) if len(found) == 2 else ():
        print(line)
    for experiment in dict.fromkeys(run.experiment for run in found):
        if not any(has_reference_settings(run) for run in found if run.experiment == experiment):
            print(
                f"  without the reference's band for {experiment}: it is drawn for runs with the published settings, "
                "and these have others"
            )
    if without := sorted({run.experiment for run in found} - bands.keys()):
        why = "has none" if REFERENCE_FILE.is_file() else "is missing"
        print(
            f"  without the reference's band, bar and floor for {', '.join(without)}: hw4/{REFERENCE_FILE.name} {why}"
        )
    return 0


def _free_name(asked: Path | None, usual: Path, *, overwrite: bool) -> Path:
    """Where to write a picture: nothing is replaced unless `overwrite` says so.

    Raises:
        CommandFailed: the name that was asked for is taken.
    """
    if asked is not None and asked.exists() and not overwrite:
        raise CommandFailed(f"{asked} already exists: choose another --output, or add --overwrite to replace it")
    if asked is not None or overwrite or not usual.exists():
        return asked or usual
    numbered = (usual.with_stem(f"{usual.stem}_{number}") for number in count(2))
    return next(path for path in numbered if not path.exists())


def video(
    run: tyro.conf.Positional[Path],
    seed: Annotated[int | None, NO_HINT] = None,
    output: Annotated[Path | None, NO_HINT] = None,
    every: int = 1,
    overwrite: bool = False,
) -> int:
    """Draw the last episode: the real roll-out, the imagined plan and the ensemble's fan.

    Args:
        run: a run folder.
        seed: which of its seeds; the first by default.
        output: .gif or .mp4 to write; by default last_episode.gif in the seed's folder, or the next free number.
        every: draw one frame in this many env steps.
        overwrite: replace the video if it is there already.
    """
    from hw4.commands.runs import RunError, read_config, read_trajectory, seed_folders
    from hw4.commands.video import write_video

    if every < 1:
        raise CommandFailed(f"--every must be at least 1, got {every}")
    try:
        folders = seed_folders(run)
        folder = folders[0] if seed is None else next((f for f in folders if f.name == f"seed_{seed}"), None)
        if folder is None:
            raise CommandFailed(f"{run} has no seed {seed}, only {', '.join(f.name for f in folders)}")
        target = _free_name(output, folder / "last_episode.gif", overwrite=overwrite)
        write_video(read_trajectory(folder), read_config(folder), target, every=every)
    except RunError as error:
        raise CommandFailed(str(error)) from None
    print(f"Wrote {target}")
    return 0


# check, submit --------------------------------------------------------------------------------------------------------


def check(
    names: Annotated[
        tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[NAME ...]", help_behavior_hint="")
    ] = (),
    json: bool = False,
) -> int:
    """Run the public tests and say of each function: done, failing (with a hint), or not started.

    Args:
        names: problems (p1), files (mpc), functions or ids of stubs (cem_refit); everything by default.
        json: print one JSON document and nothing else, for programs; README.md lists its keys.
    """
    from hw4.checking.report import main as run_checks

    return run_checks(list(names), as_json=json)


def submit(
    output: Path = Path("hw4_submission.zip"),
    notebooks: Annotated[Path | None, NO_HINT] = None,
    only_check: Annotated[Path | None, NO_HINT] = None,
) -> int:
    """Build the zip to hand in, and say what the grader will say when it reads it.

    Args:
        output: the zip to write.
        notebooks: folder with the notebooks; by default "notebooks" next to hw4.
        only_check: an archive or a folder that you packed yourself: only says what the grader will say, writes nothing.
    """
    from hw4.commands.handed_in import print_intake
    from hw4.handin.at_once import write_at_once
    from hw4.handin.intake import read_submission
    from hw4.handin.packing import notes_on_the_folder, write_submission
    from hw4.handin.refusal import SubmissionRefused

    assignment = load_assignment()
    if output.suffix != ".zip":
        raise CommandFailed(f"--output must end in .zip, got {output.name!r}")
    notebooks_folder = notebooks or PACKAGE.parent / "notebooks"
    if notebooks is not None and not notebooks.is_dir():
        raise CommandFailed(f"there is no folder {notebooks}: give the one that contains your notebooks")
    try:
        if only_check is not None:
            intake = read_submission(only_check, assignment)
        else:
            with tempfile.TemporaryDirectory() as folder:  # an earlier zip stays until the new one is known to be good
                packed = Path(folder) / output.name
                write_submission(PACKAGE, notebooks_folder if notebooks_folder.is_dir() else None, packed, assignment)
                intake = read_submission(packed, assignment)
                write_at_once(output, packed.read_bytes())
    except SubmissionRefused as refusal:
        earlier = f"\n{output} is still the one of an earlier time." if not only_check and output.exists() else ""
        raise CommandFailed(f"Refused, as the grader would: {refusal}{earlier}") from None
    others = [] if only_check else notes_on_the_folder(PACKAGE, notebooks_folder, intake.files, assignment)
    done = f"{'Read' if only_check else 'Wrote'} {only_check or output}: {', '.join(intake.files)}"
    print_intake(intake, assignment, done, others)
    return 1 if intake.syntax_errors or intake.forbidden_imports or intake.unread_notebooks else 0


# update ---------------------------------------------------------------------------------------------------------------


def update(bundle: tyro.conf.Positional[Path]) -> int:
    """Update the given files from a newer student bundle. Your code and your notebooks are kept.

    Args:
        bundle: the new student.zip, as you downloaded it.
    """
    from hw4.handin.update import UpdateRefused, read_bundle
    from hw4.handin.update import update as bring_up_to_date

    try:
        done = bring_up_to_date(PACKAGE.parent, read_bundle(bundle), load_assignment().submission.code)
    except UpdateRefused as refusal:
        raise CommandFailed(f"Nothing was changed: {refusal}") from None
    print(f"Version {done.old_version} -> {done.new_version}")
    for what, names in (("replaced", done.replaced), ("added", done.added), ("removed", done.removed)):
        for name in names:
            print(f"  {what} {name}")
    for name, place in done.moved.items():
        print(f"  {name}: you had changed this file; your version is kept next to it as {place}")
    for name, place in done.kept.items():
        if place:
            print(
                f"READ THIS: {name} has a new version. Yours is kept, and the new one is next to it as {place}: "
                f"compare the two."
            )
    if not (done.replaced or done.added or done.removed or any(done.kept.values())):
        print("Everything is up to date.")
    elif "requirements.txt" in done.replaced:
        print("Next: pip install -r requirements.txt -e .")
    return 0
