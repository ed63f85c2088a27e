"""Why a submission is refused, in words that are safe to print (given; standard library only)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

REPACK = "Run `python -m hw4 submit` and hand in the file that it writes"


class SubmissionRefused(ValueError):
    """The submission is not graded at all. Says why, at which member, and how to fix it."""

    def __init__(self, reason: str, *, where: str, fix: str = REPACK) -> None:
        self.reason = reason
        self.where = shown(where) or "the submission"
        self.fix = fix
        super().__init__(f"{self.where}: {reason}. {fix}.")


def shown(name: str) -> str:
    """A name that is safe to print: no control characters, nothing that turns the reading direction, bounded."""
    text = "".join(character if character.isprintable() else "?" for character in name)
    return text if len(text) <= 160 else f"{text[:157]}..."


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Permissions are the submission's fault; any other failure to read is the machine's and passes through."""
    try:
        yield
    except PermissionError:
        raise SubmissionRefused(
            "its permissions do not allow reading it", where=where, fix="Make it and the folders above it readable"
        ) from None


def unpacks_to_more_than(limit: int) -> str:
    return f"the archive unpacks to more than {limit:,} bytes"
