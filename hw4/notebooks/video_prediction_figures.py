"""The figures of the notebook video_prediction (given)."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from hw4.commands.jupyter import (
    Array,
    find_data,
    interval_of_median,
    median_text,
    own_seeds,
    read_table,
    show,
)
from hw4.commands.plots import BLUE, GREEN, ORANGE
from hw4.envs import video_prediction as world
from hw4.notebooks.video_prediction_runs import CLOSE, final_distances, learn, predicted, test_films

DATA = find_data("video_prediction")
MODELS, ERRORS = read_table(DATA / "models.csv"), read_table(DATA / "errors.csv")
PLANNERS = read_table(DATA / "planners.csv", texts=("planner",))
STRIPS, PATH = read_table(DATA / "strips.csv", texts=("kind", "pixels")), read_table(DATA / "path.csv")
SEEDS = np.unique(MODELS["seed"])
STEPS = np.arange(1, world.HORIZON + 1)
LOOKS = {1: ("with skip", GREEN, "o-"), 0: ("without skip", ORANGE, "s--")}
LIKELY = 0.3  # the probability of a pixel that is drawn in full red


def of_seeds(column: str, skip: int) -> Array:
    """One number a seed, shape (seeds,)."""
    return np.asarray(MODELS[column][MODELS["skip"] == skip])


def of_planner(planner: str) -> Array:
    """The share of plans that succeed, one number a seed, shape (seeds,)."""
    return np.asarray(PLANNERS["success"][PLANNERS["planner"] == planner])


def error_at(step: int, skip: int, column: str = "frame_error") -> Array:
    """One number a seed, shape (seeds,)."""
    return np.asarray(ERRORS[column][(ERRORS["skip"] == skip) & (ERRORS["step"] == step)])


def strip(kind: str) -> Array:
    """The images of one film strip, shape (8, 16, 16)."""
    images = [np.array(text.split(), float) / 10_000 for text in STRIPS["pixels"][STRIPS["kind"] == kind]]
    return np.reshape(images, (-1, world.SIZE, world.SIZE))


def draw_strips(rows: dict[str, Array], over: dict[str, Array] | None = None) -> Any:
    """Film strips below each other, one column a step.

    Args:
        rows: name -> brightness, shape (8, 16, 16).
        over: name -> probabilities of the same shape, drawn in red over the brightness.

    Returns:
        Their axes, shape (rows, 8).
    """
    steps = STRIPS["step"][STRIPS["kind"] == "true"].astype(int)
    _, grid = plt.subplots(len(rows), len(steps), figsize=(10, 1.35 * len(rows)), squeeze=False)
    for axes_of_row, (kind, images) in zip(grid, rows.items(), strict=True):
        for column, (axes, image) in enumerate(zip(axes_of_row, images, strict=True)):
            axes.imshow(image, vmin=0, vmax=1, cmap="gray")
            if over and kind in over:
                red = np.zeros((world.SIZE, world.SIZE, 4))
                red[..., 0], red[..., 3] = 1.0, np.clip(over[kind][column] / LIKELY, 0, 1)
                axes.imshow(red)
            axes.set(xticks=[], yticks=[])
        axes_of_row[0].set_ylabel(kind, fontsize=8)
    for axes, step in zip(grid[0], steps, strict=True):
        axes.set_title(f"step {step}", loc="center", fontsize=8)
    return grid


def films() -> None:
    """The first test film of the first seed: the truth, and what either model predicts."""
    rows = {kind: strip(kind) for kind in ("true", "with skip", "without skip")}
    draw_strips(rows)
    brightest = {kind: images[-1][:, world.FIRST_FREE_COLUMN :].max() for kind, images in rows.items()}
    show(
        "A film in which a dot passes behind the grey bar, and two predictions of it from the two frames before step 1 "
        "and the actions. To the right of the bar, the brightest pixel of the last frame has the brightness "
        + ", ".join(f"{value:.2f} ({kind})" for kind, value in brightest.items())
        + "."
    )


def draw_dots(axes: Any, x: int, values: Array, color: str) -> None:
    """One dot a seed, and their median."""
    axes.plot(x + np.linspace(-0.15, 0.15, len(values)), values, ".", color=color)
    axes.plot([x - 0.25, x + 0.25], [np.median(values)] * 2, color=color, linewidth=2)


def found(my_prediction: str = "") -> None:
    """How much of the dot is found again, and how many plans succeed."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), width_ratios=(1, 1.6))
    models = {label: (of_seeds("found", skip), color) for skip, (label, color, _) in LOOKS.items()}
    ways = {"true state": (of_planner("true_state"), BLUE)}
    ways |= {label: (of_seeds("success", skip), color) for skip, (label, color, _) in LOOKS.items()}
    ways |= {"random": (of_planner("random"), "0.5")}
    for axes, of_axes in ((left, models), (right, ways)):
        for x, (values, color) in enumerate(of_axes.values()):
            draw_dots(axes, x, values, color)
        axes.set(xticks=range(len(of_axes)), xticklabels=list(of_axes), ylim=(-0.03, 1.05))
    left.set(ylabel="found again", title="the dot behind the bar")
    right.set(ylabel="share of plans that succeed", title=f"plans that end less than {CLOSE:g} pixels from the goal")
    show(
        f"One dot a seed, and their median. The worst model with the skip connection finds "
        f"{of_seeds('found', 1).min():.2f} of the dot, the best one without it {of_seeds('found', 0).max():.2f}.",
        (
            ("median [95 %]", "found again", "plans that succeed"),
            *(
                (name, median_text(models[name][0], "", 2) if name in models else "", median_text(values, "", 2))
                for name, (values, _) in ways.items()
            ),
            (
                "with minus without skip, by seed",
                *(median_text(of_seeds(name, 1) - of_seeds(name, 0), "", 2) for name in ("found", "success")),
            ),
        ),
        my_prediction=my_prediction,
    )


def errors(my_prediction: str = "") -> None:
    """The error of the predicted frames and of the dot's place, step by step."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
    for axes, column in ((left, "frame_error"), (right, "position_error")):
        for skip, (label, color, style) in LOOKS.items():
            values = np.array([error_at(int(step), skip, column) for step in STEPS])
            intervals = np.array([interval_of_median(of_step) for of_step in values])
            axes.fill_between(STEPS, *intervals.T, color=color, alpha=0.2, linewidth=0)
            axes.plot(STEPS, np.median(values, axis=1), style, color=color, markersize=4, label=label)
        axes.axvspan(3.5, 8.5, color="0.93", zorder=-1)
        axes.set(xlabel="step", xticks=STEPS, ylim=(0, None))
    left.set(ylabel="squared error of a frame", title="a frame, summed over pixels")
    right.set(ylabel="error (pixels)", title="the dot's place, by the sum of all displacements")
    left.legend(loc="upper left")
    falls = {skip: int((error_at(12, skip) < error_at(8, skip)).sum()) for skip in LOOKS}
    show(
        f"Medians over {len(SEEDS)} seeds; the bands are their exact 95 % intervals. In the grey steps the dot is "
        "behind the bar in most films.",
        (
            ("median [95 %]", *(label for label, _, _ in LOOKS.values())),
            ("error of a frame, step 8", *(median_text(error_at(8, skip), "", 2) for skip in LOOKS)),
            ("error of a frame, step 12", *(median_text(error_at(12, skip), "", 2) for skip in LOOKS)),
            (
                "its growth from step 10 to 12, by seed",
                *(median_text(error_at(12, skip) - error_at(10, skip), "", 2) for skip in LOOKS),
            ),
            ("seeds in which it is lower at 12 than at 8", *(f"{falls[skip]} of {len(SEEDS)}" for skip in LOOKS)),
            (
                "error of the place, step 12 (pixels)",
                *(median_text(error_at(12, skip, "position_error"), "", 2) for skip in LOOKS),
            ),
        ),
        my_prediction=my_prediction,
    )


def pixel(my_prediction: str = "") -> None:
    """A plan that is executed, and over its frames where either model expects the designated pixel."""
    executed = strip("executed")
    over = {label: strip(f"pixel {label}") for label, _, _ in LOOKS.values()}
    grid = draw_strips({"executed": executed} | dict.fromkeys(over, executed), over)
    for axes in grid.flat:
        axes.plot(PATH["goal_x"][0], PATH["goal_y"][0], "+", color=GREEN, markersize=8)
    end = np.hypot(PATH["x"][-1] - PATH["goal_x"][0], PATH["y"][-1] - PATH["goal_y"][0])
    left = {label: images.sum(axis=(1, 2)) for label, images in over.items()}
    show(
        f"The plan of the model with the skip connection, executed; the cross is the goal. The dot ends {end:.1f} "
        "pixels from it. Red: the distribution of the designated pixel under this plan, by either model, over the real "
        "frames.",
        (
            ("sum of the distribution", "after step 1", "least", "after step 12"),
            *(
                (label, f"{values[0]:.2f}", f"{values.min():.2f}", f"{values[-1]:.2f}")
                for label, values in left.items()
            ),
        ),
        my_prediction=my_prediction,
    )


def live(use_my_code: bool, student_id: str, my_prediction: str = "") -> None:
    """Fit one model with the student's functions, plan with it, and draw it among the recorded ones."""
    _, axes = plt.subplots(figsize=(5.5, 3.4))
    recorded = {"found again": of_seeds("found", 1), "plans that succeed": of_seeds("success", 1)}
    for x, values in enumerate(recorded.values()):
        draw_dots(axes, x, values, GREEN)
    mine = ["", ""]
    words = "USE_MY_CODE is False."
    if use_my_code:
        (seed,) = own_seeds(student_id, 1)
        network, scene, seconds = learn(seed, skip=True)
        tests = test_films(seed, scene)
        shown = world.dot_found_again(predicted(network, tests)[0][:, -1], tests, scene)
        success = float((final_distances(seed, scene, "model", network) < CLOSE).mean())
        for x, value in enumerate((shown, success)):
            axes.plot([x - 0.3, x + 0.3], [value] * 2, color="black", linewidth=1.2)
        mine = [f"{shown:.2f}", f"{success:.2f}"]
        words = f"Mine, the black lines, was fitted in {seconds:.0f} s."
    axes.set(xticks=(0, 1), xticklabels=list(recorded), ylim=(-0.03, 1.05), ylabel="share")
    axes.set_title("with skip: recorded (dots), mine (black lines)")
    show(
        f"Models with the skip connection, one dot a recorded seed. {words}",
        (
            ("", "recorded, median [95 %]", "mine"),
            *(
                (name, median_text(values, "", 2), value)
                for (name, values), value in zip(recorded.items(), mine, strict=True)
            ),
        ),
        my_prediction=my_prediction,
    )
