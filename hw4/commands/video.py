"""Draws the last episode of a run: what happened, and what the model imagined would happen (given).

Everything is drawn by matplotlib, so neither OpenGL nor a display is needed. E = ensemble members.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Rectangle
from numpy.typing import NDArray

from hw4.commands.plots import COLORS
from hw4.commands.runs import RunConfig, RunError, Trajectory
from hw4.rewards import CARTPOLE_POLE_LENGTH, NOISY_FIELD_GOAL
from hw4.tasks import TASKS, Task

REAL_COLOR = "#000000"
FIGURE_INCHES = (9.0, 4.4)
DOTS_PER_INCH = 80
FRAMES_PER_SECOND = 15
REACHER_UPPER_ARM, REACHER_FOREARM = 0.1, 0.11  # m, as in gymnasium's model
PUSHER_OBJECT_RADIUS, PUSHER_GOAL_RADIUS = 0.05, 0.08  # m
LOWEST_GROUND = -5.0  # reward; a step that earns less has ended in a fall

Update = Callable[[int], None]  # draws env step t


@dataclass(frozen=True)
class Series:
    """One number over time, computed from observations of shape (..., obs_dim)."""

    label: str  # with its unit
    values: Callable[[NDArray[Any]], NDArray[Any]]


def write_video(trajectory: Trajectory, config: RunConfig, target: Path, *, every: int = 1) -> Path:
    """Write a GIF or an MP4, by the target's suffix.

    Args:
        trajectory: what to draw.
        config: the run it belongs to.
        target: ends in .gif or .mp4.
        every: draw one frame in this many env steps.

    Raises:
        RunError: another suffix, or MP4 without imageio-ffmpeg.
    """
    options: dict[str, Any]
    if target.suffix == ".gif":
        options = {"duration": 1000 / FRAMES_PER_SECOND, "loop": 0}
    elif target.suffix == ".mp4":
        if importlib.util.find_spec("imageio_ffmpeg") is None:
            raise RunError("MP4 needs one more package: pip install imageio-ffmpeg; or write a .gif")
        options = {"fps": FRAMES_PER_SECOND}
    else:
        raise RunError(f"the name of a video must end in .gif or .mp4, got {target.name!r}")
    writer: Any
    with imageio.get_writer(target, **options) as writer:
        for frame in frames(trajectory, config, every=every):
            writer.append_data(frame)
    return target


def frames(trajectory: Trajectory, config: RunConfig, *, every: int = 1) -> Iterator[NDArray[np.uint8]]:
    """The pictures one after the other, shape (height, width, 3)."""
    task = TASKS[config.settings.task_name]
    figure = Figure(figsize=FIGURE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    series, scene = SHOWN.get(task.name) or (
        [Series(name, _component(index)) for index, name in enumerate(task.observation_names[:4])],
        None,
    )
    columns = figure.add_gridspec(len(series), 2, width_ratios=(1.25, 1.0) if scene else (0.001, 1.0))
    updates = [scene(figure.add_subplot(columns[:, 0]), trajectory)] if scene else []
    for row, one in enumerate(series):
        axes = figure.add_subplot(columns[row, 1])
        updates.append(_time_series(axes, trajectory, one, is_last=row == len(series) - 1))
    figure.legend(handles=_legend(trajectory), loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    returns = _returns_so_far(trajectory, task)
    num_steps = len(trajectory.actions)
    for step in [*range(0, num_steps, every), num_steps]:
        for update in updates:
            update(step)
        figure.suptitle(
            f"{config.experiment}, seed {config.seed}, last episode: step {step} of {num_steps}, "
            f"return so far {returns[step]:.1f}",
            fontsize="medium",
            x=0.02,
            ha="left",
        )
        canvas.draw()
        figure.set_layout_engine("none")  # placed once, at the first frame: faster, and nothing jumps
        yield np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _returns_so_far(trajectory: Trajectory, task: Task) -> NDArray[np.float64]:
    """The sum of rewards before each env step, shape (T + 1,)."""
    observations = trajectory.observations
    rewards = task.reward(observations[:-1], trajectory.actions, observations[1:])
    return np.concatenate([[0.0], np.cumsum(rewards)])


def _legend(trajectory: Trajectory) -> list[Line2D]:
    num_members = trajectory.imagined.shape[1] if trajectory.imagined.ndim == 4 else 1
    imagined = "imagined by the model" if num_members == 1 else f"imagined by each of {num_members} members"
    return [Line2D([], [], color=REAL_COLOR, label="real"), Line2D([], [], color=COLORS[1], label=imagined)]


def _component(index: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    return lambda observations: observations[..., index]


def _time_series(axes: Axes, trajectory: Trajectory, series: Series, *, is_last: bool) -> Update:
    real = series.values(trajectory.observations)
    axes.set_xlim(0, len(trajectory.actions))
    axes.set_ylim(*_limits([real, series.values(trajectory.imagined)]))
    axes.set_ylabel(series.label)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if is_last:
        axes.set_xlabel("env steps of this episode")
    else:
        axes.tick_params(labelbottom=False)
    imagined_lines = _member_lines(axes, trajectory)
    (real_line,) = axes.plot([], [], color=REAL_COLOR, linewidth=1.8)

    def update(step: int) -> None:
        real_line.set_data(np.arange(step + 1), real[: step + 1])
        for line, member in zip(imagined_lines, _imagined_at(trajectory, step), strict=False):
            values = series.values(member)
            start = _plan_step(trajectory, step)
            line.set_data(start + np.arange(len(values)), values)

    return update


def _cartpole_scene(axes: Axes, trajectory: Trajectory) -> Update:
    axes.set_aspect("equal")
    half_width = max(1.6, float(np.abs(trajectory.observations[:, 0]).max()) + 0.9)
    axes.set_xlim(-half_width, half_width)
    axes.set_ylim(-1.0, 1.0)
    axes.set_xlabel("x (m)")
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.axhline(0.0, color="#999999", linewidth=1.0, zorder=0)
    imagined_paths = _member_lines(axes, trajectory)
    imagined_poles = _member_lines(axes, trajectory, linewidth=2.2)
    cart = Rectangle((0.0, -0.08), 0.36, 0.16, facecolor="#555555", zorder=3)
    axes.add_patch(cart)
    (pole,) = axes.plot([], [], color=REAL_COLOR, linewidth=4.0, solid_capstyle="round", zorder=4)

    def update(step: int) -> None:
        observation = trajectory.observations[step]
        cart.set_x(observation[0] - 0.18)
        pole.set_data(*_pole(observation))
        members = _imagined_at(trajectory, step)
        for path, last_pole, member in zip(imagined_paths, imagined_poles, members, strict=False):
            path.set_data(*_pole_tip(member))
            last_pole.set_data(*_pole(member[-1]))

    return update


def _pole_tip(observations: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where the tip is; an imagined sine and cosine need not be on the unit circle, and are drawn as they are."""
    x, sin, cos = observations[..., 0], observations[..., 1], observations[..., 2]
    return x + CARTPOLE_POLE_LENGTH * sin, CARTPOLE_POLE_LENGTH * cos


def _pole(observation: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The pole's two ends, from the hinge to the tip: their x and their y."""
    tip_x, tip_y = _pole_tip(observation)
    return np.array([observation[0], tip_x]), np.array([0.0, tip_y])


def _cliff_hill_scene(axes: Axes, trajectory: Trajectory) -> Update:
    from hw4.envs.cliff_hill import ARENA, BOTTOM_HEIGHT, EDGE_X, height

    # Fine in x: the slope beyond the edge is half a metre wide.
    x, y = np.meshgrid(np.linspace(-ARENA, ARENA, 321), np.linspace(-ARENA, ARENA, 81))
    heights = height(np.stack([x, y], axis=-1))
    levels = np.arange(np.floor(heights.min()), np.ceil(heights.max()) + 1)  # one per metre
    ground = axes.contourf(x, y, heights, levels=levels, cmap="cividis", alpha=0.75)
    bar = axes.figure.colorbar(ground, ax=axes, shrink=0.8, ticks=levels[1::2])
    bar.ax.set_title("height (m)", fontsize="small", loc="left")  # on top: next to it is the other panel's label
    axes.axvline(EDGE_X, color=REAL_COLOR, linewidth=1.0)
    axes.text(
        EDGE_X - 0.1, 0.1 - ARENA, f"edge: steep, to {BOTTOM_HEIGHT:g} m", rotation=90, ha="right", va="bottom",
        fontsize="small", clip_on=True,
    )  # fmt: skip
    axes.set_xlim(-ARENA, ARENA)
    axes.set_ylim(-ARENA, ARENA)
    return _path_from_above(axes, trajectory, 0, 1)


def walks(task_name: str, paths: Mapping[str, NDArray[Any]], *, every: int = 1) -> bytes:
    """A GIF of walks on one map, side by side, with a cross where a step ended in a fall, and their number.

    Args:
        task_name: a task whose observation is x and y, and whose reward is a map of the place arrived at.
        paths: observations of each walk, shape (T + 1, 2), by what is written above it.
        every: draw one frame in this many env steps.
    """
    figure = Figure(figsize=(4.5 * len(paths), 3.6), dpi=DOTS_PER_INCH, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(paths), squeeze=False)[0]
    updates = [_walk(axes, task_name, *walk) for axes, walk in zip(panels, paths.items(), strict=True)]
    target = io.BytesIO()
    writer: Any
    with imageio.get_writer(target, format="gif", duration=1000 / FRAMES_PER_SECOND, loop=0) as writer:
        for step in range(0, max(map(len, paths.values())), every):
            for update in updates:
                update(step)
            canvas.draw()
            figure.set_layout_engine("none")
            writer.append_data(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    return target.getvalue()


def _walk(axes: Axes, task_name: str, label: str, path: NDArray[Any]) -> Update:
    _draw_map(axes, task_name)
    axes.set_xlabel("x (m)")
    axes.set_ylabel("y (m)")
    fallen = np.append(False, _worth(task_name, path[1:]) < LOWEST_GROUND)
    (line,) = axes.plot([], [], color="white", linewidth=1.2)
    (crosses,) = axes.plot([], [], "x", color="#ff5040", markersize=9, markeredgewidth=2.5)
    (dot,) = axes.plot([], [], "o", color="white", markeredgecolor="black", markersize=9)

    def update(step: int) -> None:
        line.set_data(*path[: step + 1].T)
        crosses.set_data(*path[: step + 1][fallen[: step + 1]].T)
        dot.set_data(*path[step : step + 1].T)
        axes.set_title(f"{label}: {fallen[: step + 1].sum()} falls", fontsize="medium", loc="left")

    return update


def _worth(task_name: str, places: NDArray[Any]) -> NDArray[Any]:
    """What a step is worth that ends there, without the cost of the action."""
    return np.asarray(TASKS[task_name].reward(places, np.zeros_like(places), places))


def _draw_map(axes: Axes, task_name: str) -> None:
    """What places are worth; where one falls is dark."""
    x, y = np.meshgrid(np.linspace(-1.0, 4.0, 251), np.linspace(-2.0, 2.0, 101))
    worth = _worth(task_name, np.stack([x, y], axis=-1))
    axes.set_facecolor("#222222")
    axes.pcolormesh(x, y, np.where(worth < LOWEST_GROUND, np.nan, worth), cmap="cividis")
    axes.set_aspect("equal")


def _map_scene(task_name: str) -> Callable[[Axes, Trajectory], Update]:
    def scene(axes: Axes, trajectory: Trajectory) -> Update:
        _draw_map(axes, task_name)
        return _path_from_above(axes, trajectory, 0, 1)

    return scene


def _noisy_field_scene(axes: Axes, trajectory: Trajectory) -> Update:
    from hw4.envs.noisy_field import ARENA, NOISY_CENTER, NOISY_RADIUS, TURNED_CENTER, TURNED_RADIUS

    patches = (
        (NOISY_CENTER, NOISY_RADIUS, COLORS[4], "noisy"),
        (TURNED_CENTER, TURNED_RADIUS, COLORS[5], "turned"),
    )
    for center, radius, color, name in patches:
        axes.add_patch(Circle(center, radius, facecolor=color, alpha=0.35, linewidth=0))
        axes.text(center[0], center[1] + radius + 0.1, name, ha="center", va="bottom", fontsize="small")
    axes.plot(*NOISY_FIELD_GOAL, color=REAL_COLOR, marker="x", markersize=8, linestyle="none")
    axes.set_xlim(-ARENA, ARENA)
    axes.set_ylim(-ARENA, ARENA)
    return _path_from_above(axes, trajectory, 0, 1)


def _reacher_scene(axes: Axes, trajectory: Trajectory) -> Update:
    target = (float(trajectory.observations[0, 4]), float(trajectory.observations[0, 5]))
    axes.plot(*target, color=COLORS[2], marker="o", markersize=9, linestyle="none")
    axes.annotate("target", target, xytext=(8, 0), textcoords="offset points", va="center", fontsize="small")
    axes.set_xlim(-0.25, 0.25)
    axes.set_ylim(-0.25, 0.25)
    axes.set_aspect("equal")
    axes.set_xlabel("x (m)")
    axes.set_ylabel("y (m)")
    imagined_paths = _member_lines(axes, trajectory)
    (arm,) = axes.plot([], [], color=REAL_COLOR, linewidth=4.0, marker="o", markersize=5, solid_capstyle="round")

    def update(step: int) -> None:
        cos_shoulder, cos_elbow, sin_shoulder, sin_elbow = trajectory.observations[step, :4]
        direction = np.array([cos_shoulder, sin_shoulder])
        elbow = REACHER_UPPER_ARM * direction
        turned = np.array([-sin_shoulder, cos_shoulder])
        tip = elbow + REACHER_FOREARM * (cos_elbow * direction + sin_elbow * turned)
        arm.set_data([0.0, elbow[0], tip[0]], [0.0, elbow[1], tip[1]])
        for line, member in zip(imagined_paths, _imagined_at(trajectory, step), strict=False):
            line.set_data(member[:, 8] + target[0], member[:, 9] + target[1])

    return update


def _pusher_scene(axes: Axes, trajectory: Trajectory) -> Update:
    goal = (float(trajectory.observations[0, 20]), float(trajectory.observations[0, 21]))
    axes.add_patch(Circle(goal, PUSHER_GOAL_RADIUS, facecolor=COLORS[2], alpha=0.35, linewidth=0))
    axes.text(goal[0], goal[1] + PUSHER_GOAL_RADIUS + 0.02, "goal", ha="center", va="bottom", fontsize="small")
    thing = Circle(goal, PUSHER_OBJECT_RADIUS, facecolor="#bbbbbb", edgecolor="#555555")
    axes.add_patch(thing)
    x, y = trajectory.observations[:, [14, 17, 20]], trajectory.observations[:, [15, 18, 21]]
    axes.set_xlim(x.min() - 0.15, x.max() + 0.15)
    axes.set_ylim(y.min() - 0.15, y.max() + 0.15)
    axes.set_title("from above: black dot the arm's tip, grey the object", fontsize="small", loc="left")
    update_path = _path_from_above(axes, trajectory, 14, 15)

    def update(step: int) -> None:
        thing.center = (trajectory.observations[step, 17], trajectory.observations[step, 18])
        update_path(step)

    return update


def _path_from_above(axes: Axes, trajectory: Trajectory, x: int, y: int) -> Update:
    """A place in the plane, from components x and y of the observation: its path so far, and the imagined ones."""
    axes.set_aspect("equal")
    axes.set_xlabel("x (m)")
    axes.set_ylabel("y (m)")
    imagined_paths = _member_lines(axes, trajectory)
    (path,) = axes.plot([], [], color=REAL_COLOR, linewidth=1.8)
    (position,) = axes.plot([], [], color=REAL_COLOR, marker="o", markersize=7, markeredgecolor="white", clip_on=False)

    def update(step: int) -> None:
        so_far = trajectory.observations[: step + 1]
        path.set_data(so_far[:, x], so_far[:, y])
        position.set_data(so_far[-1:, x], so_far[-1:, y])
        for line, member in zip(imagined_paths, _imagined_at(trajectory, step), strict=False):
            line.set_data(member[:, x], member[:, y])

    return update


def _member_lines(axes: Axes, trajectory: Trajectory, linewidth: float = 1.2) -> list[Line2D]:
    num_members = trajectory.imagined.shape[1] if len(trajectory.plan_steps) else 0
    alpha = 0.9 if num_members == 1 else 0.6
    return [axes.plot([], [], color=COLORS[1], alpha=alpha, linewidth=linewidth)[0] for _ in range(num_members)]


def _imagined_at(trajectory: Trajectory, step: int) -> Sequence[NDArray[Any]]:
    """What each member imagined when the plan in force was made: E arrays of shape (horizon + 1, obs_dim)."""
    plan = trajectory.latest_plan(min(step, len(trajectory.actions) - 1))
    return [] if plan is None else list(trajectory.imagined[plan])


def _plan_step(trajectory: Trajectory, step: int) -> int:
    plan = trajectory.latest_plan(min(step, len(trajectory.actions) - 1))
    return 0 if plan is None else int(trajectory.plan_steps[plan])


def _limits(values: Sequence[NDArray[Any]]) -> tuple[float, float]:
    """Limits that show all of what was real and what is imagined within once its range beyond it."""
    real = values[0]
    span = max(float(np.ptp(real)), 0.1)
    everything = np.concatenate([np.ravel(value) for value in values])
    low = max(float(everything.min()), float(real.min()) - span)
    high = min(float(everything.max()), float(real.max()) + span)
    return low - 0.05 * span, high + 0.05 * span


def _distance(first: slice, second: slice | None = None) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """The distance between two places in the observation, or the length of one vector."""

    def distance(observations: NDArray[Any]) -> NDArray[Any]:
        between = observations[..., first] - (0.0 if second is None else observations[..., second])
        return np.asarray(np.linalg.norm(between, axis=-1))

    return distance


# What is drawn for each task: numbers over time, with a scene next to them. For any other task, its first four numbers.
SHOWN: dict[str, tuple[list[Series], Callable[[Axes, Trajectory], Update] | None]] = {
    "cartpole": (
        [
            Series("height of the tip (m)", lambda observations: CARTPOLE_POLE_LENGTH * observations[..., 2]),
            Series("cart position (m)", _component(0)),
        ],
        _cartpole_scene,
    ),
    "pets_cartpole": (
        [
            Series("height of the tip (m)", lambda observations: CARTPOLE_POLE_LENGTH * observations[..., 2]),
            Series("cart position (m)", _component(0)),
        ],
        _cartpole_scene,
    ),
    "cliff_hill": ([Series("height (m)", _component(2))], _cliff_hill_scene),
    "ledge": ([Series("x (m)", _component(0)), Series("y (m)", _component(1))], _map_scene("ledge")),
    "bridge": ([Series("x (m)", _component(0)), Series("y (m)", _component(1))], _map_scene("bridge")),
    "noisy_field": (
        [
            Series(
                "distance from the goal (m)",
                lambda observations: np.linalg.norm(observations - np.array(NOISY_FIELD_GOAL), axis=-1),
            )
        ],
        _noisy_field_scene,
    ),
    "reacher": ([Series("distance of the tip (m)", _distance(slice(8, 10)))], _reacher_scene),
    "pusher": (
        [
            Series("object to goal (m)", _distance(slice(17, 20), slice(20, 23))),
            Series("tip to object (m)", _distance(slice(14, 17), slice(17, 20))),
        ],
        _pusher_scene,
    ),
    "half_cheetah": (
        [
            Series("speed (m/s)", _component(0)),
            Series("height (m)", _component(1)),
            Series("pitch (rad)", _component(2)),
        ],
        None,
    ),
}
