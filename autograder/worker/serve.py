"""Runs inside a worker: answers calls of the student's functions until the referee hangs up."""

from __future__ import annotations

import io
import os
import socket
import sys
import traceback
from typing import Any

import probes  # type: ignore[import-not-found]  # this folder is on the path of a worker
import sources  # type: ignore[import-not-found]
import wire  # type: ignore[import-not-found]


class DroppedOutput(io.TextIOBase):
    """Takes what is printed and forgets it: a print in a hot loop costs little."""

    def write(self, text: str) -> int:
        return len(text)


def serve(connection: socket.socket, layers: dict[str, str]) -> None:
    """Answer one call after another.

    Before any code of a submission is there, the worker says hello. Then the referee either has it try what must not be
    possible, or sends the files of a submission; the given files of `hw4` are there.

    Args:
        connection: to the referee.
        layers: confinement layer -> "on" or "off: why", for the hello.
    """
    sys.stdout = sys.stderr = DroppedOutput()
    wire.send_frame(connection, {"kind": "hello", "layers": layers, "pid": os.getpid()}, [], None)
    message, contents = wire.receive_frame(connection, None)
    if message["kind"] == "probe":
        wire.send_frame(connection, {"kind": "probed", "results": probes.run_probes(message["facts"])}, [], None)
        return
    sources.install({name: content.tobytes() for name, content in zip(message["names"], contents, strict=True)})
    submitted = frozenset(f"{sources.PACKAGE}/{name}" for name in message["names"])
    from hw4.checking.subject import AsNumPy, Handle, Kept, LocalSubject, Seed
    from hw4.experiments import Experiment
    from hw4.transitions import Transition

    subject = LocalSubject()

    def ask_referee(number: int) -> Any:
        def callback(*args: Any, **kwargs: Any) -> Any:
            send("callback", number=number, value=(args, tuple(kwargs.items())))
            while True:
                message, arrays = wire.receive_frame(connection, None)
                if "kind" not in message:
                    return wire.unpack(message["value"], arrays, untag)
                answer(message, arrays)  # the referee asks something before it answers

        return callback

    def tag(value: Any) -> tuple[str, Any]:
        if isinstance(value, Handle):
            return "handle", value.number
        if isinstance(value, Transition):
            return "transition", tuple(value)
        raise wire.WireError(f"a {type(value).__name__} does not travel")

    def untag(name: str, content: Any) -> Any:
        if name == "handle":
            return Handle(content)
        if name == "seed":
            return Seed(content)
        if name == "kept":
            return Kept(*content)
        if name == "callback":
            return ask_referee(content)
        if name == "as_numpy":
            return AsNumPy(content)
        if name == "transition":
            return Transition(*content)
        if name == "experiment":
            return Experiment(**dict(content))
        raise wire.WireError(f"unknown tag {name}")

    def send(kind: str, *, value: Any = None, **facts: Any) -> None:
        arrays: list[Any] = []
        packed = wire.pack(value, arrays, tag)
        wire.send_frame(connection, {"kind": kind, "value": packed, **facts}, arrays, None)

    def answer(message: dict[str, Any], arrays: list[Any]) -> None:
        try:
            args = wire.unpack(message["args"], arrays, untag)
            kwargs = {name: wire.unpack(value, arrays, untag) for name, value in message["kwargs"].items()}
            if message["kind"] == "call":
                result = subject.call(message["name"], *args, **kwargs)
            else:
                result = subject.call_method(Handle(message["handle"]), message["name"], *args, **kwargs)
            send("result", value=result)
        except wire.WireClosed:
            raise
        except BaseException as error:
            file, line = _students_line(error, submitted)
            send("error", type=type(error).__name__, text=str(error)[:2000], file=file, line=line)

    while True:
        answer(*wire.receive_frame(connection, None))


def _students_line(error: BaseException, submitted: frozenset[str]) -> tuple[str | None, int | None]:
    """The innermost line of the traceback that lies in one of the submitted files."""
    if isinstance(error, SyntaxError) and error.filename in submitted:
        return error.filename, error.lineno
    students = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in submitted]
    return (students[-1].filename, students[-1].lineno) if students else (None, None)
