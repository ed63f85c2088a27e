"""Trains one seed of a run and keeps its files (given)."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from rich.progress import Progress

from hw4.agents import AgentParts, build_agent_and_parts
from hw4.commands.checkpoint import load_checkpoint, save_checkpoint
from hw4.commands.runs import (
    CHECKPOINT_FILE,
    RunConfig,
    SeedFolder,
    Trajectory,
    is_finished,
    is_started,
)
from hw4.commands.tensorboard import ModelErrorMeter, ScalarWriter, require_tensorboard
from hw4.envs import World, make_env
from hw4.imagination import ImaginationRecorder
from hw4.mpc import ModelBasedAgent
from hw4.training import train


def train_seed(folder: Path, config: RunConfig, progress: Progress, *, resume: bool, tensorboard: bool) -> None:
    """Train one agent, or resume its training, and write its files.

    If an error ends it before an episode with the learned model is finished, nothing of a new seed is left behind.

    Args:
        folder: of the run; the seed's own folder is made in it.
        config: what to train.
        progress: gets a bar for this seed.
        resume: continue where the seed was stopped, if it was started.
        tensorboard: also write scalars for TensorBoard.

    Raises:
        RunError: the package `tensorboard` is missing, or the seed was trained with other settings.
    """
    if tensorboard:
        require_tensorboard()
    settings, path = config.settings, folder / f"seed_{config.seed}"
    agent, parts = build_agent_and_parts(settings, config.seed)
    first_episode = 0
    is_new = not (resume and is_started(path))
    if is_new:
        seed_folder = SeedFolder(folder, config)
    else:
        first_episode, seed_folder = _reopen(folder, config, agent, parts)
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
    has_learned = False
    try:
        for record in train(
            env,
            meter or recorder,
            num_episodes=settings.num_episodes,
            seed=config.seed,
            first_episode=first_episode,
            env_steps=len(agent.replay),
        ):
            has_learned = record.episode >= settings.num_initial_episodes
            seed_folder.add(record)
            if meter is not None and writer is not None:
                writer.add(record, meter.episode_error())
            if record.episode < settings.num_episodes - 1:
                save_checkpoint(seed_folder.checkpoint, agent, parts, num_episodes=record.episode + 1)
            status = f"episode {record.episode + 1}/{settings.num_episodes}, return {record.episode_return:.1f}"
            progress.update(bar, status=status)
    except KeyboardInterrupt:
        raise
    except BaseException:  # also an exit in a student's code
        if is_new and not has_learned:
            _remove(seed_folder.path)
        raise
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


def _remove(seed_folder: Path) -> None:
    """Remove a seed's folder, and those above it, of the run and of the experiment, if nothing else is in them."""
    shutil.rmtree(seed_folder)
    for folder in (seed_folder.parent, seed_folder.parent.parent):
        if not any(folder.iterdir()):
            folder.rmdir()


def _reopen(folder: Path, config: RunConfig, agent: ModelBasedAgent, parts: AgentParts) -> tuple[int, SeedFolder]:
    """Bring a fresh agent to where a seed was stopped: the episodes it has finished, and its files.

    Without a checkpoint a seed is trained from its first episode, to the same numbers.
    """
    path = folder / f"seed_{config.seed}"
    num_episodes = 0
    if is_finished(path):
        num_episodes = config.settings.num_episodes
    elif (path / CHECKPOINT_FILE).is_file():
        num_episodes = load_checkpoint(path / CHECKPOINT_FILE, agent, parts)
    return num_episodes, SeedFolder.reopen(folder, config, num_episodes=num_episodes)
