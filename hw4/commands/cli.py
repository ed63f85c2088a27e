"""The commands of `python -m hw4` (given). What is slow to import is imported by the command that needs it."""

from __future__ import annotations

import dataclasses
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from hw4.experiments import EXPERIMENTS, Experiment, Version, as_version
from hw4.handin.assignment import Assignment, Stub, load_assignment

if TYPE_CHECKING:
    from hw4.agents import AgentParts
    from hw4.commands.runs import RunConfig, SeedFolder
    from hw4.handin.intake import Intake
    from hw4.mpc import ModelBasedAgent

PACKAGE = Path(__file__).resolve().parents[1]
RUNS = Path("runs")


class CommandFailed(Exception):
    """Ends the command with this one message and exit status 1."""


@dataclass(frozen=True)
class TrainOptions:
    """Train agents with an experiment's settings, one per seed, and write a run folder."""

    experiment: tyro.conf.Suppress[str]
    settings: Annotated[Experiment, tyro.conf.OmitArgPrefixes]
    seeds: tuple[int, ...] = (0, 1, 2)
    """one agent each"""
    version: Version | None = None
    """0.5, 1.0 or 1.5 as in the lecture: sets horizon, replan-every and refit-every; None leaves them as they are"""
    actuator_sign: Literal[1, -1] = 1
    """-1: a world in which every action has the opposite effect, as in some of the grader's worlds"""
    name: str | None = None
    """name of the run; by default the time when it started"""
    runs: Path = RUNS
    """folder for all runs"""
    resume: bool = False
    """resume the run with this --name where it stopped; give every other option as before"""
    tensorboard: bool = False
    """also write the curve and the model's one-step error for TensorBoard (pip install tensorboard)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    from rich.console import Console

    commands: dict[str, Callable[..., int]] = {
        "train": train,
        "plot": plot,
        "video": video,
        "check": check,
        "submit": submit,
        "update": update,
    }
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name that this terminal cannot show must not end the command
            stream.reconfigure(errors="backslashreplace")
    try:
        status: int = tyro.extras.subcommand_cli_from_dict(
            commands,
            prog="python -m hw4",
            description="Homework 4: train, plot, check, hand in. Start with: python -m hw4 check",
            args=arguments,
            config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
        )
    except CommandFailed as failure:
        Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print(str(failure), style="red")
        return 1
    except KeyboardInterrupt:
        return 130
    return status


# train ----------------------------------------------------------------------------------------------------------------


def train(options: Any) -> int:
    """Train agents and write a run folder: config and learning curve per seed. Ctrl-C keeps the finished episodes."""
    from hw4.commands.runs import RunConfig, RunError, new_run_folder, old_run_folder

    assert isinstance(options, TrainOptions)
    experiment, seeds = options.experiment, options.seeds
    settings = _with_version(options.settings, EXPERIMENTS[experiment], options.version)
    if len(set(seeds)) < len(seeds) or any(seed < 0 for seed in seeds):
        raise CommandFailed(f"--seeds must be different numbers, 0 or more, got {' '.join(map(str, seeds))}")
    if options.resume and options.name is None:
        raise CommandFailed("--resume needs --name, the name of the run to resume")
    name = options.name or f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    try:
        find_folder = old_run_folder if options.resume else new_run_folder
        folder = find_folder(options.runs, experiment, name)
    except RunError as error:
        raise CommandFailed(str(error)) from None

    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from hw4.commands.threads import use_one_thread

    use_one_thread()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[status]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    print(f"{experiment}: {settings.num_episodes} episodes of {settings.task.episode_length} env steps for each seed")
    try:
        with Progress(*columns) as progress:
            for seed in seeds:
                config = RunConfig(experiment, settings, seed, options.actuator_sign)
                _train_seed(folder, config, progress, resume=options.resume, tensorboard=options.tensorboard)
    except RunError as error:
        raise CommandFailed(str(error)) from None
    except KeyboardInterrupt:
        if folder.exists():
            print(f"Stopped. {folder} keeps every finished episode.")
            print(f"To resume: the same command with --name {name} --resume")
        raise
    print(f"Wrote {folder}")
    print(f"Next: python -m hw4 plot {folder}")
    print(f"      python -m hw4 video {folder}")
    return 0


# Annotating with a type made at run time gives each experiment its own subcommand, whose defaults are its settings.
train.__annotations__["options"] = tyro.extras.subcommand_type_from_defaults(
    {name: TrainOptions(experiment=name, settings=experiment) for name, experiment in EXPERIMENTS.items()},
    descriptions={name: f"task {experiment.task_name}" for name, experiment in EXPERIMENTS.items()},
    prefix_names=False,
)


def _with_version(settings: Experiment, published: Experiment, version: Version | None) -> Experiment:
    """The settings as this version; refused if an option asks for something else at the same time."""
    if version is None:
        return settings
    versioned = as_version(settings, version)
    for field in dataclasses.fields(Experiment):
        asked, used = getattr(settings, field.name), getattr(versioned, field.name)
        if asked != used and asked != getattr(published, field.name):
            option = "--" + field.name.replace("_", "-")
            raise CommandFailed(f"--version {version} sets {option} to {used}, not {asked}: leave out one of the two")
    return versioned


def _train_seed(folder: Path, config: RunConfig, progress: Any, *, resume: bool, tensorboard: bool) -> None:
    import numpy as np

    from hw4.agents import build_agent_and_parts
    from hw4.commands.checkpoint import save_checkpoint
    from hw4.commands.runs import SeedFolder, Trajectory
    from hw4.commands.tensorboard import ModelErrorMeter, ScalarWriter, require_tensorboard
    from hw4.envs import World, make_env
    from hw4.imagination import ImaginationRecorder
    from hw4.training import train

    if tensorboard:
        require_tensorboard()
    settings, path = config.settings, folder / f"seed_{config.seed}"
    try:
        agent, parts = build_agent_and_parts(settings, config.seed)
    except ValueError as error:  # settings that do not fit together
        raise CommandFailed(str(error)) from None
    first_episode = 0
    if resume and path.exists():
        first_episode, seed_folder = _reopen(folder, config, agent, parts)
    else:
        seed_folder = SeedFolder(folder, config)
    num_steps = settings.num_episodes * settings.task.episode_length
    bar = progress.add_task(
        f"seed {config.seed}", total=num_steps, completed=len(agent.replay), status="random actions"
    )
    if first_episode == settings.num_episodes:
        progress.update(bar, completed=num_steps, status="is finished")
        return
    recorder = ImaginationRecorder(
        agent,
        ensemble_size=settings.ensemble_size,
        episode=settings.num_episodes - 1 - first_episode,
        on_step=lambda: progress.advance(bar),
    )
    meter = ModelErrorMeter(recorder, agent) if tensorboard else None
    writer = ScalarWriter(seed_folder.path, env_steps=len(agent.replay)) if tensorboard else None
    env = make_env(settings.task_name, World(actuator_sign=config.actuator_sign))
    try:
        for record in train(
            env,
            meter or recorder,
            num_episodes=settings.num_episodes,
            seed=config.seed,
            first_episode=first_episode,
            env_steps=len(agent.replay),
        ):
            seed_folder.add(record)
            if meter is not None and writer is not None:
                writer.add(record, meter.episode_error())
            if record.episode < settings.num_episodes - 1:
                save_checkpoint(seed_folder.checkpoint, agent, parts, num_episodes=record.episode + 1)
            status = f"episode {record.episode + 1}/{settings.num_episodes}, return {record.episode_return:.1f}"
            progress.update(bar, status=status)
    except NotImplementedError as error:
        if not resume:
            shutil.rmtree(seed_folder.path)
            for empty in (folder, folder.parent):
                if not any(empty.iterdir()):
                    empty.rmdir()
        raise CommandFailed(_not_written_yet(str(error))) from None
    finally:
        if writer is not None:
            writer.close()
    seed_folder.save_trajectory(
        Trajectory(
            observations=record.observations,
            actions=record.actions,
            plan_steps=np.array(recorder.plan_steps, dtype=np.int64),
            imagined=np.array(recorder.imagined, dtype=np.float32),
        )
    )
    seed_folder.checkpoint.unlink(missing_ok=True)


def _reopen(folder: Path, config: RunConfig, agent: ModelBasedAgent, parts: AgentParts) -> tuple[int, SeedFolder]:
    """Bring a fresh agent to where a seed was stopped: the episodes it has finished, and its files.

    Without a checkpoint a seed is trained from its first episode, to the same numbers.
    """
    from hw4.commands.checkpoint import load_checkpoint
    from hw4.commands.runs import CHECKPOINT_FILE, SeedFolder, is_finished

    path = folder / f"seed_{config.seed}"
    num_episodes = 0
    if is_finished(path):
        num_episodes = config.settings.num_episodes
    elif (path / CHECKPOINT_FILE).is_file():
        num_episodes = load_checkpoint(path / CHECKPOINT_FILE, agent, parts)
    return num_episodes, SeedFolder.reopen(folder, config, num_episodes=num_episodes)


def _not_written_yet(message: str) -> str:
    """One line for a stub that training has run into: which, where, and how to test it."""
    stub_id = message.partition(":")[0]
    stub = next((stub for stub in load_assignment().stubs if stub.id == stub_id), None)
    if stub is None:
        return f"Not written yet: {message}"
    return f"Not written yet: {stub.symbol} in hw4/{stub.file} ({stub.id}). Test it with: {_public_test(stub)}"


def _public_test(stub: Stub) -> str:
    """The command that the stub's docstring names; it comes just before the stub's own exception."""
    source = (PACKAGE / stub.file).read_text(encoding="utf-8")
    before = source.partition(f'NotImplementedError("{stub.id}:')[0]
    commands = re.findall(r"Public test: (.+)", before)
    return commands[-1] if commands else "python -m hw4 check"


# plot, video ----------------------------------------------------------------------------------------------------------


def plot(runs: tyro.conf.Positional[tuple[Path, ...]], output: Path = Path("learning_curves.png")) -> int:
    """Draw learning curves: every seed, the median, and the published band.

    Args:
        runs: run folders; runs of the same task share a panel.
        output: picture to write: .png, .pdf or .svg.
    """
    from hw4.commands.plots import REFERENCE_FILE, UNGRADED_FILE, draw_runs, read_bands
    from hw4.commands.runs import RunError, read_run

    if not runs:
        raise CommandFailed("plot needs a run folder: python -m hw4 plot runs/cartpole/NAME")
    if output.suffix not in (".png", ".pdf", ".svg"):
        raise CommandFailed(f"--output must end in .png, .pdf or .svg, got {output.name!r}")
    try:
        found = [read_run(run) for run in runs]
    except RunError as error:
        raise CommandFailed(str(error)) from None
    bands = read_bands(REFERENCE_FILE) | read_bands(UNGRADED_FILE)
    draw_runs(found, bands).savefig(output, dpi=150)
    print(f"Wrote {output}")
    if without := sorted({run.experiment for run in found} - bands.keys()):
        why = "has none" if REFERENCE_FILE.is_file() else "is missing"
        print(
            f"  without the reference's band, bar and floor for {', '.join(without)}: hw4/{REFERENCE_FILE.name} {why}"
        )
    return 0


def video(run: tyro.conf.Positional[Path], seed: int | None = None, output: Path | None = None, every: int = 1) -> int:
    """Draw the last episode: the real roll-out, the imagined plan and the ensemble's fan.

    Args:
        run: a run folder.
        seed: which of its seeds; the first by default.
        output: .gif or .mp4 to write; by default next to the run's files.
        every: draw one frame in this many env steps.
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
        target = output or folder / "last_episode.gif"
        write_video(read_trajectory(folder), read_config(folder), target, every=every)
    except RunError as error:
        raise CommandFailed(str(error)) from None
    print(f"Wrote {target}")
    return 0


# check, submit --------------------------------------------------------------------------------------------------------


def check(names: tyro.conf.Positional[tuple[str, ...]] = ()) -> int:
    """Run the public checks: done, failing (with a hint), or not started, for each stub.

    Args:
        names: problems such as p1, or ids of stubs; everything by default.
    """
    from hw4.checking.report import main as run_checks

    return run_checks(list(names))


def submit(
    output: Path = Path("hw4_submission.zip"), notebooks: Path | None = None, only_check: Path | None = None
) -> int:
    """Build the zip to hand in, and say what the grader will say when it reads it.

    Args:
        output: the zip to write.
        notebooks: folder with the notebooks; by default "notebooks" next to hw4.
        only_check: an archive or a folder that you packed yourself: says what the grader will say when it reads it,
        and writes nothing.
    """
    from hw4.handin.code_files import stubs_not_started
    from hw4.handin.intake import read_submission
    from hw4.handin.packing import write_submission
    from hw4.handin.refusal import SubmissionRefused

    assignment = load_assignment()
    if output.suffix != ".zip":
        raise CommandFailed(f"--output must end in .zip, got {output.name!r}")
    notebooks_folder = notebooks or PACKAGE.parent / "notebooks"
    if notebooks is not None and not notebooks.is_dir():
        raise CommandFailed(f"there is no folder {notebooks}: give the one that contains your notebooks")
    try:
        if only_check is None:
            write_submission(PACKAGE, notebooks_folder if notebooks_folder.is_dir() else None, output, assignment)
        intake = read_submission(only_check or output, assignment)
    except SubmissionRefused as refusal:
        if only_check is None:
            output.unlink(missing_ok=True)
        raise CommandFailed(f"Refused, as the grader would: {refusal}") from None
    _print_problems(intake, assignment)  # first: below everything else it would be overlooked
    print(f"{'Read' if only_check else 'Wrote'} {only_check or output}: {', '.join(intake.files)}")
    for note in intake.notes:
        print(f"  note: {note}")
    open_stubs = stubs_not_started(intake.files, assignment)
    _print_open_stubs([stub for stub in open_stubs if not assignment.is_optional(stub)], intake, assignment)
    _print_topics(open_stubs, intake, assignment)
    _print_unknowns(intake, assignment)
    return 1 if intake.syntax_errors or intake.forbidden_imports else 0


def _print_problems(intake: Intake, assignment: Assignment) -> None:
    """What makes the grader count a whole file as failed, or name a breach of the rules."""
    for p in intake.syntax_errors:
        points = sum(stub.points for stub in assignment.stubs if stub.file == p.file)
        kind = "bonus points" if p.file in assignment.optional_code else "points"
        print(f"FIX THIS: {p.file}:{p.line}: Python cannot read this file: {p.message}")
        print(f"  The grader fails everything in it ({points} {kind}), and the learning curves that need it.")
    for i in intake.forbidden_imports:
        print(f"FIX THIS: {i.file}:{i.line}: import of {i.module}, which is not allowed")
    if intake.forbidden_imports:
        print(
            "  The grader reports it; if the module is missing on the grading machine, everything in that file fails."
        )
        print(f"  Allowed: {', '.join(assignment.submission.allowed_imports)}")


def _print_open_stubs(open_stubs: Sequence[Stub], intake: Intake, assignment: Assignment) -> None:
    broken = [problem.file for problem in intake.syntax_errors]
    unread = [name for name in assignment.required_code if name in (*intake.missing, *broken)]
    required = [stub for stub in assignment.stubs if not assignment.is_optional(stub)]
    num_read = sum(stub.file not in unread for stub in required)
    if unread:
        print(f"Not checked: {len(required) - num_read} stubs, in {', '.join(unread)}")
    if open_stubs:
        print(f"Not started: {len(open_stubs)} of {num_read} stubs")
        for stub in open_stubs:
            print(f"  {stub.number} {stub.symbol} in hw4/{stub.file} ({stub.points} points)")
    elif num_read:
        print(
            f"All {num_read} {'other ' if unread else ''}stubs are started. To see whether they are right: python -m "
            f"hw4 check"
        )


def _print_topics(open_stubs: Sequence[Stub], intake: Intake, assignment: Assignment) -> None:
    """The optional problems apart: which are handed in, and what they can earn."""
    topics = [problem for problem in assignment.problems if problem.optional]
    handed_in = [topic for topic in topics if _is_handed_in(topic.id, intake, assignment)]
    if topics and not handed_in:
        print("No topic is handed in: topics are optional.")
    for topic in handed_in:
        stubs = assignment.stubs_of(topic.id)
        num_open = sum(stub in open_stubs for stub in stubs)
        rest = f"; not started: {num_open} of its {len(stubs)} stubs" if num_open else ""
        print(f"Bonus: topic {topic.label}, {topic.title}, is handed in (up to {topic.points} bonus points){rest}")
    if handed_in:
        print(f"  Of all bonus points together, up to {assignment.policies.bonus_cap} count.")


def _is_handed_in(problem_id: str, intake: Intake, assignment: Assignment) -> bool:
    return any(stub.file in intake.files for stub in assignment.stubs_of(problem_id))


def _print_unknowns(intake: Intake, assignment: Assignment) -> None:
    curves = "; ".join(
        curve.title
        for curve in assignment.curves
        if not assignment.is_optional(curve) or _is_handed_in(curve.problem, intake, assignment)
    )
    print("Only the grader can judge:")
    print("  the hidden tests, which use other numbers, shapes and seeds than the public ones")
    print(f"  the learning curves on hidden seeds and worlds ({curves})")
    print("  the written answers, which people grade")


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
