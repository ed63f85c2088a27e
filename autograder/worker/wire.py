"""The wire format between the referee and a worker: a JSON header and raw little-endian array bytes.

    frame = header length (4 bytes, unsigned, little-endian) | header (UTF-8 JSON) | array bytes, one after another
    header = {"message": {...}, "arrays": [{"dtype": "<f4", "shape": [3, 2]}, ...]}

Inside a message, an array is written as {"array": index}. Nothing is ever unpickled, sizes are checked before memory is
taken, and a whole frame has one deadline, so a peer gains nothing by sending a byte at a time.
"""

from __future__ import annotations

import json
import math
import struct
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

ALLOWED_DTYPES = ("<f4", "<f8", "<i4", "<i8", "|b1", "|u1")
MAX_HEADER_BYTES = 1_000_000
MAX_ARRAY_BYTES = 64_000_000
MAX_DIMENSIONS = 8
MAX_DEPTH = 12  # of nested tuples
LENGTH = struct.Struct("<I")


class Connection(Protocol):
    """What frames need of a socket."""

    def settimeout(self, value: float | None, /) -> None: ...

    def recv(self, size: int, /) -> bytes: ...

    def sendall(self, data: bytes, /) -> None: ...


class WireError(Exception):
    """The peer sent something that is not a frame."""


class WireClosed(Exception):
    """The peer is gone."""


class DeadlinePassed(Exception):
    """The frame was not complete in time."""


def send_frame(connection: Connection, message: dict[str, Any], arrays: list[Any], deadline: float | None) -> None:
    """Send one frame before `deadline` (on the clock of time.monotonic)."""
    raw = []
    described = []
    for array in arrays:
        array = np.asarray(array)
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)
        if array.dtype.str not in ALLOWED_DTYPES:
            raise WireError(f"arrays of dtype {array.dtype} do not travel")
        described.append({"dtype": array.dtype.str, "shape": list(array.shape)})
        raw.append(array.tobytes())
    header = json.dumps({"message": message, "arrays": described}, allow_nan=False).encode()
    if len(header) > MAX_HEADER_BYTES or sum(map(len, raw)) > MAX_ARRAY_BYTES:
        raise WireError("the message is too large")
    _before(connection, deadline)
    try:
        connection.sendall(b"".join([LENGTH.pack(len(header)), header, *raw]))
    except TimeoutError as error:
        raise DeadlinePassed from error
    except OSError as error:
        raise WireClosed from error


def receive_frame(connection: Connection, deadline: float | None) -> tuple[dict[str, Any], list[Any]]:
    """Receive one frame before `deadline`.

    Raises:
        WireError, WireClosed, DeadlinePassed.
    """
    (header_length,) = LENGTH.unpack(_receive_exactly(connection, LENGTH.size, deadline))
    if header_length > MAX_HEADER_BYTES:
        raise WireError(f"a header of {header_length} bytes")
    try:
        text = _receive_exactly(connection, header_length, deadline).decode("utf-8")  # json would take UTF-16 as well
        header = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_without_duplicates)
        message, described = header["message"], header["arrays"]
        if not isinstance(message, dict) or not isinstance(described, list):
            raise TypeError
        shapes = [_checked_shape(entry) for entry in described]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WireError("a malformed header") from error
    if sum(math.prod(shape) * np.dtype(dtype).itemsize for dtype, shape in shapes) > MAX_ARRAY_BYTES:
        raise WireError("arrays that are too large")
    arrays = []
    for dtype, shape in shapes:
        body = _receive_exactly(connection, math.prod(shape) * np.dtype(dtype).itemsize, deadline)
        if dtype == "|b1" and np.frombuffer(body, dtype=np.uint8).max(initial=0) > 1:  # NumPy would add it up as such
            raise WireError("a truth value that is neither 0 nor 1")
        arrays.append(np.frombuffer(body, dtype=dtype).reshape(shape))
    return message, arrays


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key that appears twice")
    return document


def _checked_shape(entry: Any) -> tuple[str, tuple[int, ...]]:
    dtype, shape = entry["dtype"], entry["shape"]
    if dtype not in ALLOWED_DTYPES:
        raise ValueError("a dtype that is not allowed")
    if len(shape) > MAX_DIMENSIONS or not all(type(size) is int and 0 <= size <= MAX_ARRAY_BYTES for size in shape):
        raise ValueError("a shape that is not allowed")
    if math.prod(max(size, 1) for size in shape) > MAX_ARRAY_BYTES:
        raise ValueError("a shape that is not allowed")
    return dtype, tuple(shape)


def _receive_exactly(connection: Connection, size: int, deadline: float | None) -> bytearray:
    received = bytearray()
    while len(received) < size:
        _before(connection, deadline)
        try:
            chunk = connection.recv(min(size - len(received), 1 << 20))
        except TimeoutError as error:
            raise DeadlinePassed from error
        except OSError as error:
            raise WireClosed from error
        if not chunk:
            raise WireClosed
        received += chunk
    return received


def _before(connection: Connection, deadline: float | None) -> None:
    if deadline is None:
        connection.settimeout(None)
        return
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise DeadlinePassed
    connection.settimeout(remaining)


def pack(value: Any, arrays: list[Any], tag: Callable[[Any], tuple[str, Any]], depth: int = 0) -> Any:
    """Turn a value into JSON; arrays are appended to `arrays`.

    `tag` gives a name and a content to what is neither data nor a plain sequence; the content is packed in turn.
    """
    if depth > MAX_DEPTH:
        raise WireError("a value that is nested too deeply")
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if array.dtype.str not in ALLOWED_DTYPES:
            array = array.astype({"f": "<f8", "i": "<i8", "u": "<i8"}.get(array.dtype.kind, array.dtype))
        arrays.append(array)
        return {"array": len(arrays) - 1}
    if type(value) in (tuple, list):
        return {type(value).__name__: [pack(item, arrays, tag, depth + 1) for item in value]}
    name, content = tag(value)
    return {name: pack(content, arrays, tag, depth + 1)}


def unpack(value: Any, arrays: list[Any], untag: Callable[[str, Any], Any], depth: int = 0) -> Any:
    """The reverse of `pack`; `untag` gets the name and the unpacked content of what `tag` named.

    An array is taken out of `arrays` as it is used. A second use is refused: a thousand names of one large array would
    be a small frame, and a thousand copies wherever they are put side by side.

    Raises:
        WireError: anything that `pack` would not have written.
    """
    if depth > MAX_DEPTH:
        raise WireError("a value that is nested too deeply")
    if isinstance(value, float) and not math.isfinite(value):
        raise WireError("a number that is not finite")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if not isinstance(value, dict) or len(value) != 1:
        raise WireError("a malformed value")
    ((name, content),) = value.items()
    if name == "array":
        if type(content) is not int or not 0 <= content < len(arrays) or arrays[content] is None:
            raise WireError("an array that was not sent, or is used twice")
        array, arrays[content] = arrays[content], None
        return array
    if name == "float":
        if content not in ("nan", "inf", "-inf"):
            raise WireError("a malformed number")
        return float(content)
    if name in ("tuple", "list"):
        if not isinstance(content, list):
            raise WireError("a malformed sequence")
        items = [unpack(item, arrays, untag, depth + 1) for item in content]
        return tuple(items) if name == "tuple" else items
    return untag(name, unpack(content, arrays, untag, depth + 1))
