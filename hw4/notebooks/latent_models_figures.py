"""The figures of the notebook latent_models (given)."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hw4.commands.jupyter import (
    Array,
    find_data,
    gif,
    interval_of_median,
    median_text,
    own_seeds,
    read_table,
    show,
    show_animation,
)
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from hw4.envs import latent_models as world
from hw4.notebooks.latent_models_runs import (
    AHEAD,
    CONTROL,
    IMAGINED_FROM,
    LOST_SHARES,
    NOISE_STDS,
    POSTERIORS,
    frame_error,
    learn,
    probe_of,
    test_episodes,
)

DATA = find_data("latent_models")
MODELS = read_table(DATA / "models.csv", texts=("variant",))
PLANNERS = read_table(DATA / "planners.csv", texts=("planner",))
IMAGES = read_table(DATA / "dimensions.csv", texts=("camera",))
LOST = read_table(DATA / "lost.csv", texts=("variant",))
EXACT = read_table(DATA / "exact.csv")
FILM, STRIPS = read_table(DATA / "film.csv"), read_table(DATA / "strips.csv", texts=("kind", "pixels"))
SEEDS = np.unique(MODELS["seed"])
LOOKS = {
    "filter, lost frames": ("filter", GREEN, "o-"),
    "coasting, lost frames": ("single step, coasts", PURPLE, "D-."),
    "stochastic, lost frames": ("single step", ORANGE, "s--"),
}
LOOKS_OF_ALL = {CONTROL: ("single step that learned with all frames, coasts", BLUE, "^:")} | LOOKS


def of_seeds(variant: str, column: str = "score") -> Array:
    """One number a seed, shape (seeds,)."""
    return np.asarray(MODELS[column][MODELS["variant"] == variant])


def of_planner(planner: str) -> Array:
    """The score of a baseline, one number a seed, shape (seeds,)."""
    return np.asarray(PLANNERS["score"][PLANNERS["planner"] == planner])


def components(camera: str) -> Array:
    """How many principal components explain 99 % of the variance, one number a seed, shape (seeds,)."""
    return np.asarray(IMAGES["components"][IMAGES["camera"] == camera])


def with_lost(variant: str, share: float, column: str = "episode_return") -> Array:
    """What was earned where so many frames are lost, one number a seed, shape (seeds,)."""
    return np.asarray(LOST[column][(LOST["variant"] == variant) & (LOST["share"] == share)])


def gap(posterior: str) -> Array:
    """Log likelihood minus ELBO, one number a system, in nats."""
    return np.asarray(EXACT[posterior.replace(" ", "_")])


def strip(kind: str) -> Array:
    """The images of one kind, shape (steps, 16, 16)."""
    images = [np.array(text.split(), float) / 100 for text in STRIPS["pixels"][STRIPS["kind"] == kind]]
    return np.reshape(images, (-1, world.SIZE, world.SIZE))


def real_frames() -> Array:
    """The film without losses, shape (41, 16, 16)."""
    return world.render(np.column_stack([FILM["x"], FILM["y"]]))


def draw_strips(rows: dict[str, Array], titles: list[str]) -> None:
    """Film strips below each other, one column a frame: rows of shape (frames, 16, 16)."""
    _, grid = plt.subplots(len(rows), len(titles), figsize=(10, 1.35 * len(rows)), squeeze=False)
    for axes_of_row, (kind, images) in zip(grid, rows.items(), strict=True):
        for axes, image in zip(axes_of_row, images, strict=True):
            axes.imshow(image, vmin=0, vmax=1, cmap="gray")
            axes.set(xticks=[], yticks=[])
        axes_of_row[0].set_ylabel(kind, fontsize=8)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, loc="center", fontsize=8)


def draw_dots(axes: Any, x: float, values: Array, color: str) -> None:
    """One dot a seed, and their median."""
    axes.plot(x + np.linspace(-0.15, 0.15, len(values)), values, ".", color=color)
    axes.plot([x - 0.25, x + 0.25], [np.median(values)] * 2, color=color, linewidth=2)


def film() -> None:
    """The film with lost frames as an animation: what is seen, and what three agents believe."""
    figure = Figure(figsize=(10, 2.9), dpi=80, layout="constrained")
    panels = figure.subplots(1, 4)
    lost = FILM["lost"].astype(bool)
    seen = np.where(lost[:, None, None], np.nan, real_frames())
    rows = {"seen": seen} | {label: strip(f"believed by {variant}") for variant, (label, _, _) in LOOKS.items()}

    def draw(step: int) -> None:
        for axes, (title, images) in zip(panels, rows.items(), strict=True):
            axes.clear()
            axes.set_facecolor("#f3d9d9")
            axes.imshow(images[step], vmin=0, vmax=1, cmap="gray")
            axes.plot(FILM["x"][step], FILM["y"][step], "+", color=VERMILION, markersize=12)
            axes.set(xticks=[], yticks=[], xlim=(-0.5, 15.5), ylim=(15.5, -0.5))
            axes.set_title(title if axes is not panels[0] else f"seen, step {step}{' (lost)' if lost[step] else ''}")

    show_animation(
        gif(figure, draw, range(len(lost)), frames_per_second=4),
        "A dot is pushed to its goal. The camera loses frames, shown in red; the cross is where the dot really is. The "
        "other pictures are what three encoders believe, decoded to a frame: a filter, which remembers; a single step "
        "that goes on by its own prediction while frames are missing; and a single step that does not.",
    )


def images(my_prediction: str = "") -> None:
    """A frame has more dimensions than the state, and what a texture changes."""
    steps = STRIPS["step"][STRIPS["kind"] == "texture"].astype(int)
    rows = {"seen": strip("texture"), "believed": strip("believed by filter, texture")}
    draw_strips(rows, [f"step {step}" for step in steps])
    show(
        "The film in front of a texture that drifts and does not matter, and what the filter of the first seed "
        "believes. Components: how many directions hold 99 % of the variance of random episodes' frames. R²: how much "
        "of position and velocity a linear map finds in the belief, on new episodes.",
        (
            ("median [95 %]", "no texture", "with texture", "difference"),
            (
                "components of 256 (the state: 4)",
                median_text(components("plain")),
                median_text(components("texture")),
                median_text(components("texture") - components("plain")),
            ),
            *(
                (
                    name,
                    median_text(of_seeds("filter", column), "", 2),
                    median_text(of_seeds("filter, texture", column), "", 2),
                    median_text(of_seeds("filter, texture", column) - of_seeds("filter", column), "", 2),
                )
                for name, column in (
                    ("R² of the position", "position_r2"),
                    ("R² of the velocity", "velocity_r2"),
                    ("return of the filter", "score"),
                )
            ),
        ),
        my_prediction=my_prediction,
    )


def one_frame(my_prediction: str = "") -> None:
    """What is lost with one frame instead of two, by a single step and by a filter."""
    figure, panels = plt.subplots(1, 3, figsize=(10, 3.2))
    ways = {"single step": ("stochastic", ORANGE), "filter": ("filter", GREEN)}
    columns = {
        "frame_error": f"error of a frame {AHEAD} steps ahead",
        "velocity_r2": "R² of the velocity",
        "score": "return",
    }
    for axes, (column, title) in zip(panels, columns.items(), strict=True):
        for i, (variant, color) in enumerate(ways.values()):
            draw_dots(axes, 2 * i, of_seeds(f"{variant}, one frame", column), color)
            draw_dots(axes, 2 * i + 1, of_seeds(variant, column), color)
        axes.set(xticks=range(4), xticklabels=["1 frame", "2 frames"] * 2, title=title)
        axes.set_ylim(min(0.0, axes.get_ylim()[0]), None)
    panels[0].set(ylabel="sum of squares")
    figure.legend(
        handles=[Line2D([], [], color=color, marker=".", label=name) for name, (_, color) in ways.items()],
        loc="outside lower center",
    )
    ratio = {v: of_seeds(f"{v}, one frame", "frame_error") / of_seeds(v, "frame_error") for v, _ in ways.values()}
    show(
        f"One dot a seed, and their median; {len(SEEDS)} seeds. A model that sees two frames gets the last one and "
        "what has changed since the one before.",
        (
            ("one frame against two, by seed: median [95 %]", *ways),
            ("error, one / two", *(median_text(ratio[v], "", 2) for v, _ in ways.values())),
            *(
                (
                    f"{name}, one minus two",
                    *(median_text(of_seeds(f"{v}, one frame", c) - of_seeds(v, c), "", d) for v, _ in ways.values()),
                )
                for name, c, d in (("R² of the velocity", "velocity_r2", 2), ("return", "score", 1))
            ),
        ),
        my_prediction=my_prediction,
    )


def exact(my_prediction: str = "") -> None:
    """The gaps of the posteriors in linear-Gaussian systems, by the noise of the observations."""
    _, axes = plt.subplots(figsize=(7.5, 3.2))
    looks = zip(POSTERIORS, (ORANGE, GREEN, BLUE, SKY, PURPLE), ("s--", "o-", "*-", "v:", "^:"), strict=True)
    for name, color, style in looks:
        means = [gap(name)[EXACT["noise_std"] == noise].mean() for noise in NOISE_STDS]
        axes.plot(NOISE_STDS, np.maximum(means, 0.0), style, color=color, label=name)
    axes.set(xscale="log", xlabel="standard deviation of an observation's noise", ylabel="mean gap (nats)")
    axes.set(xticks=NOISE_STDS, xticklabels=[f"{noise:g}" for noise in NOISE_STDS])
    axes.minorticks_off()
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    show(
        f"How far the ELBO is below log p(o), in nats: the mean over {len(EXACT['system'])} systems of 12 steps, each "
        "with a posterior in closed form.",
        (
            ("posterior", "mean gap", "smallest", "largest"),
            *(
                (name, *(f"{max(0.0, float(of(gap(name)))):.2f}" for of in (np.mean, np.min, np.max)))
                for name in POSTERIORS
            ),
        ),
        my_prediction=my_prediction,
    )


def returns(my_prediction: str = "") -> None:
    """The score of the loop with each encoder, and with a part of the model missing."""
    _, axes = plt.subplots(figsize=(10, 3.4))
    ways = {
        "true state": (of_planner("true state"), BLUE),
        "filter": (of_seeds("filter"), GREEN),
        "stochastic\nsingle step": (of_seeds("stochastic"), ORANGE),
        "deterministic\nsingle step": (of_seeds("deterministic"), SKY),
        "filter, no\nreconstruction": (of_seeds("no reconstruction"), VERMILION),
        "filter, no\nreward model": (of_seeds("no reward model"), PURPLE),
        "random": (of_planner("random"), "0.5"),
    }
    for x, (values, color) in enumerate(ways.values()):
        draw_dots(axes, x, values, color)
    axes.set(xticks=range(len(ways)), xticklabels=list(ways), ylabel="return", ylim=(None, 36))
    pairs = (
        ("filter", "stochastic"),
        ("filter", "deterministic"),
        ("stochastic", "deterministic"),
        ("filter", "no reconstruction"),
        ("filter", "no reward model"),
    )
    show(
        "The mean return of the last three planned episodes: one dot a seed, and their median. The planner of the true "
        "state searches as the others do.",
        (
            ("difference by seed", "median [95 %]"),
            *((f"{one} minus {other}", median_text(of_seeds(one) - of_seeds(other), "", 1)) for one, other in pairs),
            ("filter minus random", median_text(of_seeds("filter") - of_planner("random"), "", 1)),
            ("filter / true state", median_text(of_seeds("filter") / of_planner("true state"), "", 2)),
        ),
        my_prediction=my_prediction,
    )


def imagined(my_prediction: str = "") -> None:
    """What three models imagine, next to what really comes."""
    steps = STRIPS["step"][STRIPS["kind"] == "imagined by filter"].astype(int)
    rows = {"real": real_frames()[IMAGINED_FROM + steps]}
    for label, variant in (
        ("filter", "filter"),
        ("single step", "stochastic"),
        ("single step,\n1 frame", "stochastic, one frame"),
    ):
        rows[label] = strip(f"imagined by {variant}")
    draw_strips(rows, [f"{step} ahead" if step else "now" for step in steps])
    off = {label: ((images - rows["real"]) ** 2).sum(axis=(1, 2)) for label, images in rows.items() if label != "real"}
    show(
        f"From env step {IMAGINED_FROM} on, models of the first seed see nothing: they predict latents from the "
        "actions alone, and each is decoded to a frame. The first row is what really came.",
        (
            ("squared error of the frame", *(f"{step} ahead" if step else "now" for step in steps)),
            *((label.replace("\n", " "), *(f"{value:.1f}" for value in values)) for label, values in off.items()),
        ),
        my_prediction=my_prediction,
    )


def lost(my_prediction: str = "") -> None:
    """The return as more and more frames are lost."""
    _, axes = plt.subplots(figsize=(8.5, 3.4))
    share = [100 * with_lost("filter, lost frames", level, "lost").mean() for level in LOST_SHARES]
    for variant, (label, color, style) in LOOKS_OF_ALL.items():
        values = [with_lost(variant, level) for level in LOST_SHARES]
        intervals = np.array([interval_of_median(of_level) for of_level in values])
        axes.fill_between(share, *intervals.T, color=color, alpha=0.2, linewidth=0)
        axes.plot(share, [np.median(of_level) for of_level in values], style, color=color, label=label)
    axes.set(xlabel="frames that are lost (%)", ylabel="return", ylim=(0, None))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    ours = [with_lost("filter, lost frames", level) for level in LOST_SHARES]
    rows = []
    for variant in (name for name in LOOKS_OF_ALL if name != "filter, lost frames"):
        ahead = [median_text(ours[i] - with_lost(variant, level), "", 1) for i, level in enumerate(LOST_SHARES)]
        learning = "" if variant == CONTROL else median_text(of_seeds("filter, lost frames") - of_seeds(variant), "", 1)
        rows.append((LOOKS_OF_ALL[variant][0], *ahead, learning))
    show(
        f"Medians over {len(SEEDS)} seeds; the bands are their exact 95 % intervals. Models learn no more here; starts "
        "and losses are the same for all. The last column is the score of the loop, in which frames are lost, too.",
        (("filter ahead of", *(f"{value:.0f} % lost" for value in share), "in the loop"), *rows),
        my_prediction=my_prediction,
    )


def live(use_my_code: bool, student_id: str, my_prediction: str = "") -> None:
    """One run of the loop with the student's functions, among the recorded ones."""
    _, panels = plt.subplots(1, 3, figsize=(9, 3.0))
    columns = {"score": "return", "velocity_r2": "R² of the velocity", "frame_error": f"error {AHEAD} steps ahead"}
    mine: dict[str, float] = {}
    words = "USE_MY_CODE is False."
    if use_my_code:
        (seed,) = own_seeds(student_id, 1)
        run = learn(seed, "filter")
        tests = test_episodes(seed, world.PLAIN)
        mine = {"score": world.score_of(run.planned), "velocity_r2": probe_of(run.agent, tests)[1]}
        mine["frame_error"] = frame_error(run.agent, tests)
        words = f"Mine, the black lines, took {run.seconds:.0f} s; its four episodes returned "
        words += ", ".join(f"{value:.1f}" for value in run.planned.returns) + "."
    for axes, (column, title) in zip(panels, columns.items(), strict=True):
        draw_dots(axes, 0, of_seeds("filter", column), GREEN)
        if column in mine:
            axes.plot([-0.3, 0.3], [mine[column]] * 2, color="black", linewidth=1.2)
        axes.set(xticks=[], title=title)
    show(
        f"Filters, one dot a recorded seed. {words}",
        (
            ("", "recorded, median [95 %]", "mine"),
            *(
                (title, median_text(of_seeds("filter", column), "", 2), f"{mine[column]:.2f}" if mine else "")
                for column, title in columns.items()
            ),
        ),
        my_prediction=my_prediction,
    )
