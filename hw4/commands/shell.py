"""Commands that are printed to be copied into a shell (given)."""

from __future__ import annotations

import os
import shlex
import subprocess


def shell_command(*words: str | os.PathLike[str]) -> str:
    """The words as one command, quoted for this system's shell where they need it."""
    texts = [os.fspath(word) for word in words]
    return subprocess.list2cmdline(texts) if os.name == "nt" else shlex.join(texts)
