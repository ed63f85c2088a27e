"""Records the runs that notebooks/masters/video_prediction.py draws.

Run by `python -m publish.recorders video_prediction`: about a quarter of an hour on one idle core.

Each seed draws a scene, 1,000 films and first weights, and fits two models to the films, with and without the skip
connection. `models.csv` holds what they are worth, `errors.csv` their errors step by step, `planners.csv` the plans of
the true state and random ones. `strips.csv` and `path.csv` hold the pictures of the first seed: its first test film and
its first plan. handout/topics/video_prediction.csv holds the numbers that the handout
shows, and video_prediction_film.png next to it the pictures.

Claims. Their form was fixed before the seeds below were looked at. World, network and training were chosen with the
seeds 0 to 19; six seeds of an earlier fit, 500 to 505, had been seen and are dropped. A seed counts as one number.
Intervals are exact ones of the median over seeds, of at least 95 %; the two models are compared by the differences seed
by seed.

1. With the skip connection a model shows more of the dot behind the bar (`dot_found_again`): the interval of the
   difference lies above 0. Whether the worst seed with it is better than the best one without is reported.
2. Plans with the skip connection succeed more often: the interval of the difference lies above 0.
3. With the skip connection the error of the last predicted frame is smaller: the interval of the difference lies below
   0. Whether the error falls again once the dot is behind the bar, from step 8 to step 12, is counted over the seeds
   and reported, whatever comes out; and so is how much it grows in the last two steps.
4. Plans with the skip connection succeed more often than random actions: the interval of the difference lies above 0.
   How far they are from plans of the true state is reported.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.image import imsave
from numpy.typing import NDArray

from autograder.solutions import ROOT
from hw4.commands.jupyter import interval_of_median, read_table
from hw4.envs import video_prediction as world
from hw4.notebooks.video_prediction_runs import (
    CLOSE,
    FILM_STEPS,
    NUM_FILMS,
    NUM_PLANS,
    NUM_TESTS,
    PLAN_COLOR,
    PLAN_STD,
    PLANNER,
    Start,
    final_distances,
    learn,
    plan,
    predicted,
    test_films,
)
from hw4.topics import video_prediction as video
from publish.recorded_tables import COMMAND, Recording, Row, Table, number, write_table

SEEDS = range(600, 620)
SHOWN_STEPS = (1, 3, 5, 7, 9, 10, 11, 12)
FRAMES, PIXELS = ("true", "with skip", "without skip"), ("pixel with skip", "pixel without skip")  # of the handout
LIKELY = 0.3  # probability that is drawn in full red
GUTTER, ENLARGED = 2, 6  # pixels between frames, and pixels of the picture for one of a frame

NAME = "video_prediction"
DATA = ROOT / "notebooks" / "data" / NAME
SETTINGS = {
    "films": [NUM_FILMS, FILM_STEPS, NUM_TESTS],
    "planner": {**PLANNER, "std": PLAN_STD, "color": PLAN_COLOR, "plans": NUM_PLANS, "close": CLOSE},
    "training": vars(video.Training()),
}
TABLES = {
    "models": Table("skip,seed,found,success,distance,fit_seconds", key="skip,seed", settings=SETTINGS),
    "errors": Table("skip,seed,step,frame_error,position_error", key="skip,seed", settings=SETTINGS),
    "planners": Table("planner,seed,success,distance", key="planner,seed", settings=SETTINGS),
    "strips": Table(
        "kind,step,pixels", settings=SETTINGS, says="brightness or probability of 16 x 16 pixels in parts of 10,000"
    ),
    "path": Table("step,x,y,goal_x,goal_y", settings=SETTINGS),
}
MEASURED = Table(
    "quantity,median,low,high,min,max",
    says="over seeds: median with its exact interval, smallest and largest; from notebooks/data/video_prediction",
)


def main() -> None:
    recording = Recording(DATA, NAME, TABLES)
    for seed in SEEDS:
        missing = [skip for skip in (True, False) if not recording.has("models", "errors", skip=int(skip), seed=seed)]
        if seed == SEEDS[0] and not recording.has("strips"):
            missing = [True, False]
        networks: dict[bool, Any] = {}
        for skip in missing:
            networks[skip], scene, seconds = learn(seed, skip=skip)
            record_model(recording, networks[skip], seed, scene, seconds)
            print(f"seed {seed}, {'with' if skip else 'without'} skip: fitted in {seconds:.0f} s", flush=True)
        if seed == SEEDS[0] and missing:
            recording.put(**pictures(networks, scene, seed))
        for planner in ("true_state", "random"):
            if not recording.has("planners", planner=planner, seed=seed):
                scene = world.draw_scene(np.random.default_rng(seed))
                distances = final_distances(seed, scene, planner)
                recording.put(planners=[[planner, seed, *worth(distances)]])
        write_what_the_handout_shows()
    recording.note(num_seeds=len(SEEDS))


def record_model(recording: Recording, network: Any, seed: int, scene: world.Scene, seconds: float) -> None:
    """What a model is worth, and its errors."""
    films = test_films(seed, scene)
    frames, displacements = predicted(network, films)
    squared = ((frames - films.frames[:, 2:]) ** 2).sum(axis=(2, 3)).mean(axis=0)
    places = films.positions[:, 1:2] + displacements.cumsum(axis=1)
    off = np.hypot(*np.moveaxis(places - films.positions[:, 2:], -1, 0)).mean(axis=0)
    found = world.dot_found_again(frames[:, -1], films, scene)
    skip = int(network.skip)
    recording.put(
        models=[
            [skip, seed, number(found), *worth(final_distances(seed, scene, "model", network)), number(seconds, 3)]
        ],
        errors=[
            [skip, seed, step, number(float(error)), number(float(distance))]
            for step, (error, distance) in enumerate(zip(squared, off, strict=True), start=1)
        ],
    )


def worth(distances: NDArray[Any]) -> list[str]:
    """Share of plans that succeed, and the median distance."""
    return [number(float((distances < CLOSE).mean())), number(float(np.median(distances)))]


def pictures(networks: dict[bool, Any], scene: world.Scene, seed: int) -> dict[str, list[Row]]:
    """Rows of strips.csv and path.csv: the first test film, and the first plan with the skip connection."""
    films = test_films(seed, scene)
    shown = {"true": films.frames[0, 2:]}
    for skip, network in networks.items():
        shown["with skip" if skip else "without skip"] = predicted(network, films)[0][0]
    start = Start(scene, np.random.default_rng([seed, 2]))
    actions = plan(start.objective_of_model(networks[True]), torch.Generator().manual_seed(seed))
    executed = start.executed(actions[None])
    shown["executed"] = executed.frames[0, 1:]
    for skip, network in networks.items():
        previous, first, planned = start.frames[:1], start.frames[1:], torch.as_tensor(actions)[None]
        with torch.no_grad():
            moved = video.predict(network, previous, first, planned, start.pixel()[None]).pixels[0].numpy()
        shown["pixel with skip" if skip else "pixel without skip"] = moved
    rows: list[Row] = [
        [kind, step, " ".join(f"{round(10_000 * float(value))}" for value in images[step - 1].flat)]
        for kind, images in shown.items()
        for step in SHOWN_STEPS
    ]
    path = [
        [step, *(number(float(value), 4) for value in (*place, *start.goal))]
        for step, place in enumerate(executed.positions[0])
    ]
    return {"strips": rows, "path": path}


def write_what_the_handout_shows() -> None:
    place = ROOT / "handout" / "topics" / f"{NAME}.csv"
    write_table(place, MEASURED, measured(), [f"written by: {COMMAND.format(NAME)}"])
    imsave(place.with_name(f"{NAME}_film.png"), film_strip(), metadata={"Software": ""})


def film_strip() -> NDArray[Any]:
    """strips.csv as one picture, white between its frames: rows of brightness, and below them rows of probability."""
    strips = read_table(DATA / "strips.csv", texts=("kind", "pixels"))
    side = world.SIZE + GUTTER
    rows, columns = len(FRAMES + PIXELS), len(SHOWN_STEPS)
    picture = np.ones((rows * side - GUTTER, columns * side - GUTTER, 3))
    for row, kind in enumerate(FRAMES + PIXELS):
        for column, pixels in enumerate(strips["pixels"][strips["kind"] == kind]):
            image = np.array(pixels.split(), float).reshape(world.SIZE, world.SIZE) / 10_000
            place = (slice(row * side, row * side + world.SIZE), slice(column * side, column * side + world.SIZE))
            if kind in FRAMES:
                picture[place] = np.clip(image, 0, 1)[..., None]
            else:
                picture[place][..., 1:] = 1 - np.clip(image / LIKELY, 0, 1)[..., None]
    return picture.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)


def measured() -> list[Row]:
    """Rows of the handout's table."""
    models, errors = read_table(DATA / "models.csv"), read_table(DATA / "errors.csv")
    planners = read_table(DATA / "planners.csv", texts=("planner",))
    values: dict[str, NDArray[Any]] = {}
    for column in ("found", "success", "distance", "fit_seconds"):
        of = {skip: models[column][models["skip"] == skip] for skip in (1, 0)}
        values |= {f"{column} with skip": of[1], f"{column} without skip": of[0], f"{column} difference": of[1] - of[0]}
    for step in (8, 10, 12):
        at = {skip: errors["frame_error"][(errors["skip"] == skip) & (errors["step"] == step)] for skip in (1, 0)}
        values |= {f"error {step} with skip": at[1], f"error {step} without skip": at[0]}
        values[f"error {step} difference"] = at[1] - at[0]
    for name in ("with skip", "without skip"):
        values[f"growth {name}"] = values[f"error 12 {name}"] - values[f"error 10 {name}"]
    for planner in ("true_state", "random"):
        values[f"success {planner}"] = planners["success"][planners["planner"] == planner]
    values["success with skip minus random"] = values["success with skip"] - values["success random"]
    return [
        [name, *(f"{value:.2f}" for value in (np.median(of), *interval_of_median(of), of.min(), of.max()))]
        for name, of in values.items()
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
