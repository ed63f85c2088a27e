"""Records the runs that notebooks/masters/latent_models.py draws.

Run by `python -m publish.recorders latent_models`: more than an hour on one idle core.

Each seed runs the lecture's loop once for each variant of `VARIANTS`: 60 random episodes, then four times fit, plan in
latent space, execute, append. `models.csv` holds the returns of the four episodes, their score (the mean of the last
three) and what the model of the last fit is worth on new random episodes; `planners.csv` the scores of the true state's
planner and of random pushes from the same starts; `dimensions.csv` the principal components of frames; `lost.csv`
returns where more and more frames are lost, of models that learned with lost frames. `exact.csv` holds the gaps
between ELBO and log likelihood in linear-Gaussian systems. `film.csv` and `strips.csv` hold one film, and what the
models of the first seed believe and imagine of it. handout/topics/latent_models.csv holds the numbers that the handout
shows, and latent_models_film.png next to it the pictures.

Claims. Their form was fixed before the seeds below were looked at. World, network, training and planner were chosen
with other seeds, all below 1,000. A seed counts as one number. Intervals are exact ones of the median over seeds, of at
least 95 %; variants are compared by the differences (or the ratios, where it is said) seed by seed.

1. One frame hides the velocity. Of the single-step encoder with one frame, relative to two: the error of a frame that
   is imagined 5 env steps ahead is larger (the interval of the ratio lies above 1), the linear probe finds less of the
   velocity, and the score is lower (both intervals of the differences lie below 0). The same three numbers of the
   filter, which may remember, are reported, whatever comes out.
2. Frames have more dimensions than the state has: in every seed, 99 % of their variance take more than 4 principal
   components, and more with a texture than without (the interval of the difference lies above 0). A texture lowers the
   filter's score (below 0). What the probe finds with it is reported.
3. The filter's score is higher than that of random pushes, and than those without reconstruction and without a reward
   model (all three intervals lie above 0). Its ratio to the true state's planner is reported. Whether the two broken
   variants differ from random pushes is reported.
4. The differences between filter, stochastic and deterministic single step on undropped frames are reported with their
   intervals; where one contains 0, notebook and handout say that the two cannot be told apart.
5. Where frames are lost while learning and acting, the filter's score is higher than that of the stochastic single
   step, and than that of a single step that coasts by its own prediction (both intervals lie above 0).
6. The more frames are lost, the more the filter is ahead: its advance over either at LOST_SHARES[3] is greater than at
   none lost (the interval of the difference of differences lies above 0).
   A control, added after six seeds had been seen, learns with all frames and coasts where they are lost afterwards. The
   filter's advance over it at LOST_SHARES[2], which is how many are lost while learning, is reported.
7. Exactly, in each of 200 systems: the bound of smoothing equals the log likelihood up to 1e-8, that of each other
   posterior is lower. The order of the mean gaps is single step, filtering, smoothing; in how many systems it holds
   is reported, and so are the gaps of the two products of marginals.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from matplotlib.image import imsave
from numpy.typing import NDArray

from autograder.solutions import ROOT
from hw4.commands.jupyter import interval_of_median, read_table
from hw4.envs import latent_models as world
from hw4.notebooks import latent_models_runs as runs
from hw4.topics import latent_models as latent
from publish.recorded_tables import COMMAND, Recording, Row, Table, number, write_table

SEEDS = range(1200, 1220)
IMAGINED = ("filter", "stochastic", "stochastic, one frame")
BELIEVED = ("filter, lost frames", "stochastic, lost frames", "coasting, lost frames")
SHOWN_AHEAD = (0, 2, 4, 6, 8, 10, 12, 14)
SHOWN_STEPS = (0, 4, 8, 12, 16, 20, 24, 28)  # of the film with a texture

NAME = "latent_models"
DATA = ROOT / "notebooks" / "data" / NAME
SETTINGS = {
    "agent": dataclasses.asdict(latent.GRADED),
    "episodes": [world.RANDOM_EPISODES, world.PLANNED_EPISODES, world.SCORED_EPISODES, world.EPISODE_LENGTH],
    "camera": [world.BURST, world.LOST_SHARE, world.TEXTURE, world.TEXTURE_SPEED, world.TEXTURE_TURN],
    "measured": [runs.AHEAD, runs.NUM_TESTS, runs.EXPLAINED, runs.NUM_EPISODES],
}
EXACT = {"systems": runs.NUM_SYSTEMS, "steps": runs.NUM_STEPS, "noise_stds": list(runs.NOISE_STDS)}
TABLES = {
    "models": Table(
        "variant,seed,return_1,return_2,return_3,return_4,score,frame_error,position_r2,velocity_r2,seconds",
        key="variant,seed",
        settings=SETTINGS,
    ),
    "planners": Table("planner,seed,score", key="planner,seed", settings=SETTINGS),
    "dimensions": Table("camera,seed,components", key="camera,seed", settings=SETTINGS),
    "lost": Table("variant,seed,share,lost,episode_return", key="variant,seed,share", settings=SETTINGS),
    "exact": Table(
        ",".join(("system", "noise_std", *(name.replace(" ", "_") for name in runs.POSTERIORS))),
        settings=EXACT,
        says="log likelihood minus ELBO, in nats",
    ),
    "film": Table("step,x,y,lost", settings=SETTINGS),
    "strips": Table(
        "kind,step,pixels", key="kind,step", settings=SETTINGS, says="brightness of 16 x 16 pixels in parts of 100"
    ),
}
MEASURED = Table(
    "quantity,median,low,high,min,max",
    says="over seeds: median with its exact interval, smallest and largest; from notebooks/data/latent_models",
)


def main() -> None:
    recording = Recording(DATA, NAME, TABLES)
    if not recording.has("exact"):
        gaps = [runs.gaps(system) for system in range(runs.NUM_SYSTEMS)]
        rows = [[n, runs.NOISE_STDS[n % len(runs.NOISE_STDS)], *map(number, of.values())] for n, of in enumerate(gaps)]
        recording.put(exact=rows)
    if not recording.has("film"):
        record_film(recording)
    for seed in SEEDS:
        record_baselines(recording, seed)
        for variant in runs.VARIANTS:
            if not recording.has("models", variant=variant, seed=seed):
                record_variant(recording, seed, variant)
        if not recording.has("lost", variant=runs.CONTROL, seed=seed):
            recording.put(lost=returns_with_lost_frames(runs.control(seed), runs.CONTROL, seed))
    recording.note(num_seeds=len(SEEDS))
    write_what_the_handout_shows()


def record_baselines(recording: Recording, seed: int) -> None:
    """What needs no model."""
    for planner in runs.BASELINES:
        if not recording.has("planners", planner=planner, seed=seed):
            recording.put(planners=[[planner, seed, number(runs.baseline(seed, planner))]])
    for name, camera in (("plain", world.PLAIN), ("texture", runs.TEXTURE)):
        if not recording.has("dimensions", camera=name, seed=seed):
            frames = runs.test_episodes(seed, camera).frames
            recording.put(dimensions=[[name, seed, runs.dimensions(frames)]])


def record_variant(recording: Recording, seed: int, variant: str) -> None:
    """One run of the loop, and what its last model is worth."""
    settings, camera = runs.VARIANTS[variant]
    run = runs.learn(seed, variant)
    tests = runs.test_episodes(seed, dataclasses.replace(camera, drops_frames=False))
    error = runs.frame_error(run.agent, tests) if settings.reconstructs else None
    score = world.score_of(run.planned)
    measured = [*run.planned.returns, score, error, *runs.probe_of(run.agent, tests), run.seconds]
    if camera.drops_frames:
        recording.put(lost=returns_with_lost_frames(run.agent, variant, seed))
    if seed == SEEDS[0]:
        recording.put(strips=strips_of(run.agent, variant))
    recording.put(models=[[variant, seed, *map(number, measured)]])
    print(f"seed {seed}, {variant}: {score:.1f} in {run.seconds:.0f} s", flush=True)


def returns_with_lost_frames(agent: latent.LatentAgent, variant: str, seed: int) -> list[Row]:
    """Rows of lost.csv."""
    rows: list[Row] = []
    for share in runs.LOST_SHARES:
        earned, was_lost = runs.returns_with_lost_frames(agent, seed, share)
        rows.append([variant, seed, share, number(was_lost), number(earned)])
    return rows


def record_film(recording: Recording) -> None:
    """The film, as it is and with a texture."""
    shown, lost = runs.film(), runs.film_lost()
    rows = [
        [step, *(number(float(value), 4) for value in state[:2]), int(lost[step])]
        for step, state in enumerate(shown.states[0])
    ]
    texture = runs.textured(shown)
    recording.put(film=rows, strips=[strip("texture", step, texture[step]) for step in SHOWN_STEPS])


def strips_of(agent: latent.LatentAgent, variant: str) -> list[Row]:
    """What a model believes or imagines of the film."""
    shown = runs.film()
    frames, actions = shown.frames[0], shown.actions[0]
    rows: list[Row] = []
    if variant in BELIEVED:
        seen = np.where(runs.film_lost()[:, None, None], 0.0, frames).astype(np.float32)
        _, decoded = runs.believed(agent, seen, actions)
        rows += [strip(f"believed by {variant}", step, image) for step, image in enumerate(decoded)]
    if variant in IMAGINED:
        latents, _ = runs.believed(agent, frames, actions)
        start = runs.IMAGINED_FROM
        ahead = torch.as_tensor(actions[start : start + SHOWN_AHEAD[-1]])
        images = runs.imagined(agent, latents[start : start + 1], ahead[None])[0]
        rows += [strip(f"imagined by {variant}", step, images[step]) for step in SHOWN_AHEAD]
    if variant == "filter, texture":
        _, decoded = runs.believed(agent, runs.textured(shown), actions)
        rows += [strip(f"believed by {variant}", step, decoded[step]) for step in SHOWN_STEPS]
    return rows


def strip(kind: str, step: int, image: NDArray[Any]) -> Row:
    """One row of strips.csv."""
    return [kind, step, " ".join(f"{round(100 * float(value))}" for value in image.flat)]


# What the handout shows -----------------------------------------------------------------------------------------------

GUTTER, ENLARGED = 2, 6  # pixels between frames, and pixels of the picture for one of a frame


def write_what_the_handout_shows() -> None:
    place = ROOT / "handout" / "topics" / f"{NAME}.csv"
    write_table(place, MEASURED, measured(), [f"written by: {COMMAND.format(NAME)}"])
    imsave(place.with_name(f"{NAME}_film.png"), film_strip(), metadata={"Software": ""})


def film_strip() -> NDArray[Any]:
    """Real and imagined frames of the film as one picture, white between them."""
    film, strips = read_table(DATA / "film.csv"), read_table(DATA / "strips.csv", texts=("kind", "pixels"))
    places = np.column_stack([film["x"], film["y"]])[[runs.IMAGINED_FROM + step for step in SHOWN_AHEAD]]
    rows = [world.render(places)]
    for variant in IMAGINED:
        texts = strips["pixels"][strips["kind"] == f"imagined by {variant}"]
        rows.append(np.reshape([np.array(text.split(), float) / 100 for text in texts], (-1, world.SIZE, world.SIZE)))
    side = world.SIZE + GUTTER
    picture = np.ones((len(rows) * side - GUTTER, len(SHOWN_AHEAD) * side - GUTTER, 3))
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            place = (slice(row * side, row * side + world.SIZE), slice(column * side, column * side + world.SIZE))
            picture[place] = np.clip(image, 0, 1)[..., None]
    return picture.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)


def measured() -> list[Row]:
    """Rows of the handout's table."""
    return [
        [
            name,
            *(f"{round(value, 2) + 0.0:.2f}" for value in (np.median(of), *interval_of_median(of), of.min(), of.max())),
        ]
        for name, of in quantities().items()
    ]


def quantities() -> dict[str, NDArray[Any]]:
    """What the handout quotes, one number a seed; the gaps, one number a system."""
    models, planners = (
        read_table(DATA / "models.csv", texts=("variant",)),
        read_table(DATA / "planners.csv", texts=("planner",)),
    )
    lost, exact = read_table(DATA / "lost.csv", texts=("variant",)), read_table(DATA / "exact.csv")
    images = read_table(DATA / "dimensions.csv", texts=("camera",))

    def of(variant: str, column: str) -> NDArray[Any]:
        return np.asarray(models[column][models["variant"] == variant])

    def returns(variant: str, share: float) -> NDArray[Any]:
        return np.asarray(lost["episode_return"][(lost["variant"] == variant) & (lost["share"] == share)])

    values: dict[str, NDArray[Any]] = {}
    for variant in runs.VARIANTS:
        for column in ("score", "frame_error", "position_r2", "velocity_r2", "seconds"):
            if not np.isnan(of(variant, column)).any():
                values[f"{column} {variant}"] = of(variant, column)
    for planner in runs.BASELINES:
        values[f"score {planner}"] = planners["score"][planners["planner"] == planner]
    for camera in ("plain", "texture"):
        values[f"components {camera}"] = images["components"][images["camera"] == camera]
    values["share of true state"] = values["score filter"] / values["score true state"]
    for one, other in COMPARED:
        values[f"{one} minus {other}"] = values[f"score {one}"] - values[f"score {other}"]
    for encoder in ("filter", "stochastic"):
        for column in ("velocity_r2", "score"):
            values[f"{column} {encoder}, one frame minus two"] = (
                values[f"{column} {encoder}, one frame"] - values[f"{column} {encoder}"]
            )
        values[f"frame_error {encoder}, one frame / two"] = (
            values[f"frame_error {encoder}, one frame"] / values[f"frame_error {encoder}"]
        )
    few, usual, many = runs.LOST_SHARES[0], *runs.LOST_SHARES[2:4]
    for share in (few, usual, many):
        for variant in (*BELIEVED, runs.CONTROL):
            values[f"share {share:g} {variant}"] = returns(variant, share)
    values["control minus filter"] = returns(runs.CONTROL, usual) - returns(BELIEVED[0], usual)
    for other in BELIEVED[1:]:
        values[f"advance grows over {other}"] = (returns(BELIEVED[0], many) - returns(other, many)) - (
            returns(BELIEVED[0], few) - returns(other, few)
        )
    for name in runs.POSTERIORS:
        values[f"gap of {name}"] = exact[name.replace(" ", "_")]
    return values


COMPARED = (
    ("filter", "random"),
    ("filter", "stochastic"),
    ("filter", "deterministic"),
    ("stochastic", "deterministic"),
    ("filter", "no reconstruction"),
    ("filter", "no reward model"),
    ("no reconstruction", "random"),
    ("no reward model", "random"),
    ("filter", "filter, texture"),
    ("filter, lost frames", "stochastic, lost frames"),
    ("filter, lost frames", "coasting, lost frames"),
)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
