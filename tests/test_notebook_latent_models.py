"""What notebooks/masters/latent_models.py and handout/topics/latent_models.typ say, on the recorded runs.

Which claims are made, and in which form, was fixed before these seeds were run: see
publish/recorders/latent_models.py.
"""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from matplotlib.image import imread
from recorded_notebook import record, runs_module, settings_by_table

from autograder.solutions import ROOT
from hw4.commands.csv_rows import read_rows
from hw4.commands.jupyter import interval_of_median, read_table
from publish.notebooks import DATA

NAME = "latent_models"
MIN_SEEDS = 20
FILTER, SINGLE, COASTS = (f"{name}, lost frames" for name in ("filter", "stochastic", "coasting"))


@pytest.fixture(scope="module")
def notebook():
    return runs_module(NAME)


@pytest.fixture(scope="module")
def tables():
    texts = {
        "models": ("variant",),
        "planners": ("planner",),
        "dimensions": ("camera",),
        "lost": ("variant",),
        "strips": ("kind", "pixels"),
    }
    return {path.stem: read_table(path, texts=texts.get(path.stem, ())) for path in (DATA / NAME).glob("*.csv")}


@pytest.fixture(scope="module")
def of(tables):
    """One number a seed of a variant."""
    models = tables["models"]
    return lambda variant, column="score": models[column][models["variant"] == variant]


@pytest.fixture(scope="module")
def of_planner(tables):
    return lambda name: tables["planners"]["score"][tables["planners"]["planner"] == name]


@pytest.fixture(scope="module")
def components(tables):
    return lambda camera: tables["dimensions"]["components"][tables["dimensions"]["camera"] == camera]


@pytest.fixture(scope="module")
def with_lost(tables):
    """The return of a variant where a share of frames is lost, one number a seed."""

    def returns(variant, share):
        chosen = (tables["lost"]["variant"] == variant) & (tables["lost"]["share"] == share)
        return tables["lost"]["episode_return"][chosen]

    return returns


@pytest.fixture(scope="module")
def gap(tables):
    return lambda posterior: tables["exact"][posterior.replace(" ", "_")]


def above(values, bound=0.0):
    return interval_of_median(values)[0] > bound


def below(values, bound=0.0):
    return interval_of_median(values)[1] < bound


def is_unclear(values):
    low, high = interval_of_median(values)
    return low <= 0 <= high


def test_the_runs_were_recorded_with_the_settings_of_today(notebook):
    world = notebook["world"]
    now = {
        "agent": dataclasses.asdict(notebook["latent"].GRADED),
        "episodes": [world.RANDOM_EPISODES, world.PLANNED_EPISODES, world.SCORED_EPISODES, world.EPISODE_LENGTH],
        "camera": [world.BURST, world.LOST_SHARE, world.TEXTURE, world.TEXTURE_SPEED, world.TEXTURE_TURN],
        "measured": [notebook[name] for name in ("AHEAD", "NUM_TESTS", "EXPLAINED", "NUM_EPISODES")],
    }
    exact = {
        "systems": notebook["NUM_SYSTEMS"],
        "steps": notebook["NUM_STEPS"],
        "noise_stds": list(notebook["NOISE_STDS"]),
    }
    wanted = dict.fromkeys(("models", "planners", "dimensions", "lost", "film", "strips"), now) | {"exact": exact}
    assert settings_by_table(NAME) == wanted, record(NAME)


def test_the_recorded_runs_are_whole(tables, notebook, of, of_planner, components, with_lost, gap):
    seeds = np.unique(tables["models"]["seed"])
    assert len(seeds) >= MIN_SEEDS
    models = tables["models"]
    for variant in notebook["VARIANTS"]:
        assert np.array_equal(models["seed"][models["variant"] == variant], seeds)
    for name in notebook["BASELINES"]:
        assert len(of_planner(name)) == len(seeds)
    for camera in ("plain", "texture"):
        assert len(components(camera)) == len(seeds)
    for variant in (FILTER, SINGLE, COASTS, notebook["CONTROL"]):
        for share in notebook["LOST_SHARES"]:
            assert len(with_lost(variant, share)) == len(seeds)
    for name in notebook["POSTERIORS"]:
        assert len(gap(name)) == notebook["NUM_SYSTEMS"]
    facts = json.loads((DATA / NAME / "facts.json").read_text(encoding="utf-8"))
    assert facts == {"num_seeds": str(len(seeds))}
    returns = np.array([models[f"return_{episode}"] for episode in (2, 3, 4)])
    assert np.allclose(models["score"], returns.mean(axis=0), atol=0.01)


# Claims, in the order of the recorder's docstring


def test_one_frame_hides_the_velocity_from_a_single_step(of):
    one, two = "stochastic, one frame", "stochastic"
    assert above(of(one, "frame_error") / of(two, "frame_error"), 1)
    assert below(of(one, "velocity_r2") - of(two, "velocity_r2"))
    assert below(of(one) - of(two))


def test_a_frame_has_more_dimensions_than_the_state_and_with_a_texture_more_still(components):
    assert components("plain").min() > 4
    assert above(components("texture") - components("plain"))


def test_a_texture_costs_the_filter(of):
    assert below(of("filter, texture") - of("filter"))


def test_the_filter_earns_more_than_random_pushes_and_than_broken_models(of, of_planner):
    assert above(of("filter") - of_planner("random"))
    assert above(of("filter") - of("no reconstruction"))
    assert above(of("filter") - of("no reward model"))


def test_where_frames_are_lost_the_filter_earns_more(of):
    assert above(of(FILTER) - of(SINGLE))
    assert above(of(FILTER) - of(COASTS))


def test_exactly_smoothing_has_no_gap_and_every_other_posterior_has_one(gap, notebook):
    assert np.abs(gap("smoothing")).max() < 1e-8
    for name in notebook["POSTERIORS"]:
        assert name == "smoothing" or gap(name).min() > 1e-8
    assert gap("single step").mean() > gap("filtering").mean() > gap("smoothing").mean()


# What was reported as it came out


def test_of_the_encoders_only_the_two_single_steps_can_be_told_apart_by_their_return(of):
    assert is_unclear(of("filter") - of("stochastic"))
    assert is_unclear(of("filter") - of("deterministic"))
    assert above(of("stochastic") - of("deterministic"))


def test_the_broken_models_earn_little_more_or_less_than_random_pushes(of, of_planner):
    gained = of("no reconstruction") - of_planner("random")
    assert above(gained)
    assert interval_of_median(gained)[1] < 4
    assert below(of("no reward model") - of_planner("random"))
    assert above(of("no reward model", "position_r2"), 0.98)
    assert below(of("no reconstruction", "position_r2"), 0.25)


def test_the_encoders_come_close_to_the_planner_of_the_true_state(of, of_planner):
    for variant in ("filter", "stochastic", "deterministic"):
        assert above(of(variant) / of_planner("true state"), 0.9)
    assert of("deterministic").min() < of("stochastic").min() - 5  # it fails now and then


def test_a_single_step_with_one_frame_knows_nothing_of_the_velocity_and_loses_half_of_the_return(of):
    assert of("stochastic, one frame", "velocity_r2").max() < 0.05
    low, high = interval_of_median(of("stochastic, one frame", "frame_error") / of("stochastic", "frame_error"))
    assert 6 < low < 8 < high < 10
    assert below(of("stochastic, one frame") / of("stochastic"), 0.5)


def test_a_filter_with_one_frame_finds_most_of_the_velocity(of):
    assert above(of("filter, one frame", "velocity_r2") / of("filter", "velocity_r2"), 0.85)
    low, high = interval_of_median(of("filter, one frame", "frame_error") / of("filter", "frame_error"))
    assert 1.5 < low < high < 2.25
    low, high = interval_of_median(of("filter, one frame") - of("filter"))
    assert -3 < low < high < 0


def test_a_texture_takes_components_and_velocity_but_hardly_any_position(of, components):
    assert above(components("texture") / components("plain"), 2)
    assert above(of("filter, texture", "position_r2") - of("filter", "position_r2"), -0.03)
    assert below(of("filter, texture", "velocity_r2") - of("filter", "velocity_r2"), -0.05)


def test_the_belief_shows_nothing_of_the_texture(tables):
    """Far from the dot, it is no better a guess of the ground than the ground's mean would be."""
    seen, believed = images_of(tables, "texture"), images_of(tables, "believed by filter, texture")
    film, steps = tables["film"], tables["strips"]["step"][tables["strips"]["kind"] == "texture"].astype(int)
    x, y = np.meshgrid(np.arange(16), np.arange(16))
    for i, step in enumerate(steps):
        ground = (x - film["x"][step]) ** 2 + (y - film["y"][step]) ** 2 > 49
        assert ((believed[i] - seen[i])[ground] ** 2).mean() > seen[i][ground].var()


def test_the_dot_that_is_imagined_from_one_frame_stays_behind_and_fades(tables):
    at_the_end = {}
    for variant in ("filter", "stochastic", "stochastic, one frame"):
        image = images_of(tables, f"imagined by {variant}")[-1]
        at_the_end[variant] = image.max(), float((image.sum(axis=0) @ np.arange(16)) / image.sum())
    brightest, x = at_the_end.pop("stochastic, one frame")
    for other_brightest, other_x in at_the_end.values():
        assert brightest < 0.6 * other_brightest
        assert x < other_x - 2


def test_the_filter_is_as_far_ahead_where_no_frame_is_lost(of, with_lost, notebook):
    few, _, _, many, _ = notebook["LOST_SHARES"]
    ahead = {other: {s: with_lost(FILTER, s) - with_lost(other, s) for s in (few, many)} for other in (SINGLE, COASTS)}
    for other in (SINGLE, COASTS):
        assert above(ahead[other][few])
        assert above(of(FILTER) / of(other), 1.5)
        assert above(of(other, "frame_error") / of(FILTER, "frame_error"), 1.25)
    assert is_unclear(ahead[SINGLE][many] - ahead[SINGLE][few])
    assert below(ahead[COASTS][many] - ahead[COASTS][few])


def test_a_single_step_that_learned_with_all_frames_and_coasts_earns_more_than_the_filter(with_lost, notebook):
    for share in notebook["LOST_SHARES"]:
        assert above(with_lost(notebook["CONTROL"], share) - with_lost(FILTER, share))


def test_exactly_filtering_gains_from_noise_and_products_lose(tables, gap):
    noise = tables["exact"]["noise_std"]
    means = {name: [gap(name)[noise == std].mean() for std in np.unique(noise)] for name in POSTERIORS_WITH_A_GAP}
    assert list(np.argsort(means["filtering"])) == [2, 1, 0]
    for name in POSTERIORS_WITH_A_GAP:
        assert name == "filtering" or list(np.argsort(means[name])) == [0, 1, 2]
        assert name == "single step" or (gap("single step") > gap(name)).all()
    assert (gap("product of smoothing marginals") > gap("filtering")).mean() > 0.5
    assert (gap("single step") > gap("filtering")).all()


POSTERIORS_WITH_A_GAP = (
    "single step",
    "filtering",
    "product of filter marginals",
    "product of smoothing marginals",
)


# What the handout shows


def test_the_handout_shows_the_medians_of_the_recorded_runs(notebook, of, of_planner, components, with_lost, gap):
    rows = {row["quantity"]: row for row in read_rows(ROOT / "handout" / "topics" / f"{NAME}.csv")}
    wanted = {}
    for variant in notebook["VARIANTS"]:
        for column in ("score", "frame_error", "position_r2", "velocity_r2", "seconds"):
            if (variant, column) != ("no reconstruction", "frame_error"):
                wanted[f"{column} {variant}"] = of(variant, column)
    for name in notebook["BASELINES"]:
        wanted[f"score {name}"] = of_planner(name)
    for camera in ("plain", "texture"):
        wanted[f"components {camera}"] = components(camera)
    wanted["share of true state"] = of("filter") / of_planner("true state")
    for broken in ("no reconstruction", "no reward model"):
        wanted[f"filter minus {broken}"] = of("filter") - of(broken)
        wanted[f"{broken} minus random"] = of(broken) - of_planner("random")
    for one, other in (
        ("filter", "stochastic"),
        ("filter", "deterministic"),
        ("stochastic", "deterministic"),
        ("filter", "filter, texture"),
        (FILTER, SINGLE),
        (FILTER, COASTS),
    ):
        wanted[f"{one} minus {other}"] = of(one) - of(other)
    wanted["filter minus random"] = of("filter") - of_planner("random")
    for encoder in ("filter", "stochastic"):
        one = f"{encoder}, one frame"
        wanted[f"frame_error {one} / two"] = of(one, "frame_error") / of(encoder, "frame_error")
        for column in ("velocity_r2", "score"):
            wanted[f"{column} {one} minus two"] = of(one, column) - of(encoder, column)
    few, usual, many = (notebook["LOST_SHARES"][i] for i in (0, 2, 3))
    for share in (few, usual, many):
        for variant in (FILTER, SINGLE, COASTS, notebook["CONTROL"]):
            wanted[f"share {share:g} {variant}"] = with_lost(variant, share)
    wanted["control minus filter"] = with_lost(notebook["CONTROL"], usual) - with_lost(FILTER, usual)
    for other in (SINGLE, COASTS):
        advance = [with_lost(FILTER, share) - with_lost(other, share) for share in (few, many)]
        wanted[f"advance grows over {other}"] = advance[1] - advance[0]
    for name in notebook["POSTERIORS"]:
        wanted[f"gap of {name}"] = gap(name)
    assert rows.keys() == wanted.keys()
    for name, values in wanted.items():
        shown = [float(rows[name][column]) for column in ("median", "low", "high", "min", "max")]
        exact = [np.median(values), *interval_of_median(values), values.min(), values.max()]
        assert np.allclose(shown, exact, atol=0.0051), name


def images_of(tables, kind):
    pixels = tables["strips"]["pixels"][tables["strips"]["kind"] == kind]
    return np.reshape([np.array(text.split(), float) / 100 for text in pixels], (-1, 16, 16))


def test_the_film_in_the_handout_shows_what_is_real_and_the_recorded_frames(tables, notebook):
    shown = imread(ROOT / "handout" / "topics" / f"{NAME}_film.png")[::6, ::6, 1]
    variants = ("filter", "stochastic", "stochastic, one frame")
    steps = tables["strips"]["step"][tables["strips"]["kind"] == "imagined by filter"].astype(int)
    assert list(steps) == list(range(0, 15, 2))
    places = np.column_stack([tables["film"]["x"], tables["film"]["y"]])[notebook["IMAGINED_FROM"] + steps]
    pixels = np.arange(16)
    down, across = (np.exp(-((pixels - places[:, i, None]) ** 2) / 10) for i in (1, 0))
    rows = [down[:, :, None] * across[:, None, :], *(images_of(tables, f"imagined by {name}") for name in variants)]
    assert shown.shape == (18 * len(rows) - 2, 18 * len(steps) - 2)
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            frame = shown[18 * row : 18 * row + 16, 18 * column : 18 * column + 16]
            assert np.abs(frame - np.clip(image, 0, 1)).max() < 0.006
