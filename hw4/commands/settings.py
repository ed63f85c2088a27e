"""The settings of `python -m hw4 train`: what it cannot run is refused before anything is made (given; torch-free)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import tyro

from hw4.commands.mistakes import CommandFailed
from hw4.experiments import Experiment, Version, as_version

AT_LEAST_1 = (
    *("ensemble_size", "width", "gradient_steps", "batch_size", "num_initial_episodes", "num_episodes"),
    *("horizon", "replan_every", "population_size", "num_iterations", "num_elites"),
)
AT_LEAST_0 = ("num_hidden_layers", "num_kept_elites", "num_particles", "initial_std", "noise_color")
AT_MOST = {"num_initial_episodes": "num_episodes", "replan_every": "horizon", "num_elites": "population_size"}


@dataclass(frozen=True)
class Settings(Experiment):
    """The settings of one training run."""

    task_name: tyro.conf.Suppress[str]  # no option: another task is another experiment


numbers = tyro.constructors.ConstructorRegistry()


@numbers.primitive_rule
def _number(info: tyro.constructors.PrimitiveTypeInfo) -> tyro.constructors.PrimitiveConstructorSpec[Any] | None:
    """Numbers as tyro reads them, with a message that says what is wanted."""
    kinds: dict[Any, tuple[Callable[[str], Any], str, str]] = {
        int: (int, "INT", "a whole number"),
        float: (float, "FLOAT", "a number"),
        int | None: (lambda word: None if word == "None" else int(word), "INT|None", "a whole number or None"),
    }
    if info.type not in kinds:
        return None
    convert, metavar, wanted = kinds[info.type]

    def read(words: list[str]) -> Any:
        try:
            return convert(words[0])
        except ValueError:
            raise ValueError(f"{wanted} is needed, got {words[0]!r}") from None

    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, info.type),
        str_from_instance=lambda value: [str(value)],
    )


def read_seeds(words: Sequence[str]) -> tuple[int, ...]:
    """
    Raises:
        CommandFailed: they are not different numbers, 0 or more.
    """
    are_numbers = words and all(word.isascii() and word.isdecimal() for word in words)
    if not are_numbers or len({*map(int, words)}) < len(words):
        got = " ".join(words) or "none"
        raise CommandFailed(f"--seeds must be different whole numbers, 0 or more, such as --seeds 0 1 2, got {got}")
    return tuple(map(int, words))


SEEDS = tyro.constructors.PrimitiveConstructorSpec[tuple[int, ...]](
    nargs="*",
    metavar="INT [INT ...]",
    instance_from_str=read_seeds,
    is_instance=lambda value: isinstance(value, tuple),
    str_from_instance=lambda value: list(map(str, value)),
)


def read_version(words: Sequence[str]) -> Version:
    """
    Raises:
        CommandFailed: there is no such version.
    """
    versions: dict[str, Version] = {version: version for version in get_args(Version)}
    if words[0] not in versions:
        raise CommandFailed(f"--version must be one of {', '.join(versions)}, got {words[0]}")
    return versions[words[0]]


VERSION = tyro.constructors.PrimitiveConstructorSpec[Version](
    nargs=1,
    metavar=f"{{{','.join(get_args(Version))}}}",
    instance_from_str=read_version,
    is_instance=lambda value: value is None or value in get_args(Version),
    str_from_instance=lambda value: [str(value)],
)


def check_settings(settings: Experiment) -> None:
    """
    Raises:
        CommandFailed: a setting has a value that no agent can be trained with.
    """
    values = dataclasses.asdict(settings)
    for names, low in ((AT_LEAST_1, 1), (AT_LEAST_0, 0)):
        for name in names:
            if not low <= values[name] < math.inf:  # NaN is refused, too
                raise CommandFailed(f"{_option(name)} must be at least {low}, got {values[name]}")
    for name, limit in AT_MOST.items():
        if values[name] > values[limit]:
            raise CommandFailed(
                f"{_option(name)} must be at most {_option(limit)}, which is {values[limit]}, got {values[name]}"
            )
    if settings.num_kept_elites >= settings.population_size:
        raise CommandFailed(
            f"--num-kept-elites must be less than --population-size, which is {settings.population_size}, "
            f"got {settings.num_kept_elites}"
        )
    if settings.num_particles and settings.members != "gaussian":
        raise CommandFailed(
            f"--num-particles {settings.num_particles} samples the noise that members predict: "
            "it needs --members gaussian, or leave it at 0"
        )
    if settings.refit_every is not None and settings.refit_every < 1:
        raise CommandFailed(f"--refit-every must be at least 1, or None, got {settings.refit_every}")
    if not 0.0 < settings.learning_rate < math.inf:
        raise CommandFailed(f"--learning-rate must be more than 0, got {settings.learning_rate}")
    if not 0.0 <= settings.smoothing < 1.0:
        raise CommandFailed(f"--smoothing must be in [0, 1), got {settings.smoothing}")


def with_version(settings: Experiment, published: Experiment, version: Version | None) -> Experiment:
    """The settings as this version; refused if an option asks for something else at the same time."""
    if version is None:
        return settings
    versioned = as_version(settings, version)
    for field in dataclasses.fields(Experiment):
        asked, used = getattr(settings, field.name), getattr(versioned, field.name)
        if asked != used and asked != getattr(published, field.name):
            option = _option(field.name)
            raise CommandFailed(f"--version {version} sets {option} to {used}, not {asked}: leave out one of the two")
    return versioned


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
