"""python -m hw4 train | plot | video | check | submit | update"""

from __future__ import annotations

import sys

from hw4.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
