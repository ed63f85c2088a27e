"""python -m publish.recorders NAME [OPTIONS]: record what is missing of NAME; --help lists the names."""

from __future__ import annotations

import sys
from typing import Annotated

import tyro
from tyro.conf import Positional

from publish.recorders import names, start


def main(
    name: Annotated[Positional[str], tyro.conf.arg(help=f"one of {', '.join(names())}")],
    options: Annotated[Positional[tuple[str, ...]], tyro.conf.arg(help="of the recorder: its file says which")] = (),
) -> int:
    """Record what is missing."""
    if name not in names():
        print(f"There is no recorder {name!r}: choose from {', '.join(names())}.", file=sys.stderr)
        return 2
    return start(name, *options)


if __name__ == "__main__":
    sys.exit(tyro.cli(main, prog="python -m publish.recorders"))
