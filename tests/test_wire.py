"""The wire between referee and worker: what goes in comes out, and what a hostile peer sends costs nothing."""

from __future__ import annotations

import json
import math
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from bounds import bounded

from autograder.worker import wire
from autograder.worker.wire import DeadlinePassed, WireClosed, WireError

FEW_BYTES = 4_000_000  # far below what the frames here promise
MAX_SECONDS = 10.0  # of processor time
SOCKET_BYTES = 100_000  # what a socket takes in without a reader


@dataclass(frozen=True)
class Handle:
    number: int


def tag(value: Any) -> tuple[str, Any]:
    if isinstance(value, Handle):
        return "handle", value.number
    raise WireError(f"a {type(value).__name__} does not travel")


def untag(name: str, content: Any) -> Any:
    if name == "handle" and type(content) is int:
        return Handle(content)
    raise WireError("a malformed value")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """(ours, theirs)"""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def frame_of(value: Any) -> bytes:
    """The bytes of a frame that holds one value."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        arrays: list[Any] = []
        packed = wire.pack(value, arrays, tag)
        wire.send_frame(ours, {"kind": "result", "value": packed}, arrays, None)
        ours.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: theirs.recv(1 << 16), b""))


def raw_frame(header: Any, body: bytes = b"") -> bytes:
    """A frame with any header: a document, or the bytes in place of one."""
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<I", len(encoded)) + encoded + body


def described(*arrays: tuple[Any, Any]) -> dict[str, Any]:
    return {"message": {}, "arrays": [{"dtype": dtype, "shape": shape} for dtype, shape in arrays]}


def received(data: bytes, deadline: float | None = None) -> Any:
    """What is read from a peer that sends these bytes and hangs up."""
    assert len(data) < SOCKET_BYTES
    ours, theirs = socket.socketpair()
    with ours:
        theirs.sendall(data)
        theirs.close()
        message, arrays = wire.receive_frame(ours, deadline)
        return wire.unpack(message.get("value"), arrays, untag)


def assert_same(actual: Any, wanted: Any) -> None:
    """Equal in type, shape, dtype and every bit."""
    assert type(actual) is type(wanted)
    if isinstance(wanted, np.ndarray):
        assert (actual.dtype, actual.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_array_equal(actual, wanted)
    elif isinstance(wanted, tuple | list):
        assert len(actual) == len(wanted)
        for one, other in zip(actual, wanted, strict=True):
            assert_same(one, other)
    elif isinstance(wanted, float) and math.isnan(wanted):
        assert math.isnan(actual)
    else:
        assert actual == wanted


def nested(depth: int) -> Any:
    value: Any = 7
    for _ in range(depth):
        value = (value,)
    return value


# Round trips ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -(2**70),
        "",
        'quotes " and \\ and \n and \x00 and ü and 🙂',
        "\ud800",  # half a pair: no UTF-8, but a string
        0.1,
        -0.0,
        1e308,
        math.inf,
        -math.inf,
        math.nan,
        (),
        [],
        (1, (2.5, "three", None), [True, ()]),
        Handle(3),
        (Handle(0), [Handle(1)]),
        np.zeros((2, 0, 3), dtype=np.float32),
        np.array(2.5),
        np.array([[True], [False]]),
        (np.arange(6, dtype=np.int32).reshape(2, 3), np.arange(5), np.float32([0.1, math.nan, -math.inf])),
    ],
    ids=repr,
)
def test_what_goes_in_comes_out(value: Any) -> None:
    assert_same(received(frame_of(value)), value)


@pytest.mark.parametrize("dtype", wire.ALLOWED_DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (5, 7), (2, 3, 5, 1, 1, 1, 1, 2)])
def test_every_dtype_and_shape_travels_to_the_last_bit(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    assert_same(received(frame_of(array)), array)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(12.0)[::-2],
        np.broadcast_to(np.float32(3.0), (2, 5)),
    ],
    ids=["transposed", "fortran", "strided", "broadcast"],
)
def test_the_layout_in_memory_does_not_matter(array: np.ndarray[Any, Any]) -> None:
    assert_same(received(frame_of(array)), np.ascontiguousarray(array))


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        (np.array([1.5, -2.0], dtype=">f8"), np.array([1.5, -2.0])),
        (np.array([1, 258], dtype=">i4"), np.array([1, 258], dtype=np.int64)),
        (np.float16([0.5, 2.0]), np.array([0.5, 2.0])),
        (np.uint16([1, 258]), np.array([1, 258])),
        (np.float32(2.5), np.array(2.5, dtype=np.float32)),
        (np.bool_(True), np.array(True)),
    ],
    ids=["big_endian_float", "big_endian_int", "half", "two_bytes", "scalar", "bool_scalar"],
)
def test_other_numbers_arrive_as_the_nearest_allowed_kind(sent: Any, arrives: np.ndarray[Any, Any]) -> None:
    assert_same(received(frame_of(sent)), arrives)


def test_what_arrives_can_be_written_to() -> None:
    array = received(frame_of(np.zeros(3)))
    array += 1.0
    assert array.sum() == 3.0


def test_frames_arrive_one_by_one_in_their_order(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    for number in range(5):
        wire.send_frame(theirs, {"number": number}, [np.full(number, number)], None)
    for number in range(5):
        message, (array,) = wire.receive_frame(ours, time.monotonic() + 5)
        assert message == {"number": number}
        assert_same(array, np.full(number, number))


@pytest.mark.parametrize(
    "value",
    [{"a": 1}, {1}, b"bytes", 1j, object(), np.array([1j]), np.array(["text"]), np.array([None])],
    ids=lambda value: type(value).__name__ if not isinstance(value, np.ndarray) else f"array of {value.dtype}",
)
def test_what_is_neither_data_nor_known_does_not_leave(value: Any) -> None:
    with pytest.raises(WireError):
        frame_of(value)


def test_a_message_over_the_limits_does_not_leave(pair: tuple[socket.socket, socket.socket]) -> None:
    too_much = np.broadcast_to(np.float64(0), (wire.MAX_ARRAY_BYTES // 8 + 1,))
    for message, arrays in (({"text": "x" * wire.MAX_HEADER_BYTES}, []), ({}, [too_much])):
        with pytest.raises(WireError, match="too large"):
            wire.send_frame(pair[0], message, arrays, None)


# Depth ----------------------------------------------------------------------------------------------------------------


def test_nesting_is_limited_alike_on_both_ends() -> None:
    deepest = nested(wire.MAX_DEPTH)
    assert received(frame_of(deepest)) == deepest
    with pytest.raises(WireError, match="too deeply"):
        wire.pack(nested(wire.MAX_DEPTH + 1), [], tag)
    packed: Any = 7
    for _ in range(wire.MAX_DEPTH + 1):
        packed = {"tuple": [packed]}
    with pytest.raises(WireError, match="too deeply"):
        wire.unpack(packed, [], untag)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"message":[{"tuple":['])
def test_a_header_nested_a_hundred_thousand_deep_is_refused(opening: bytes) -> None:
    depth = SOCKET_BYTES // len(opening) - 10
    with pytest.raises(WireError):
        received(raw_frame(opening * depth))


def test_tags_nested_too_deeply_are_refused() -> None:
    packed: Any = 7
    for _ in range(wire.MAX_DEPTH + 1):
        packed = {"handle": packed}
    with pytest.raises(WireError):
        wire.unpack(packed, [], lambda name, content: content)


# Frames that are none -------------------------------------------------------------------------------------------------


def test_every_frame_cut_short_is_a_closed_connection() -> None:
    whole = frame_of(("text", np.arange(6.0)))
    for length in range(len(whole)):
        with pytest.raises(WireClosed):
            received(whole[:length])
    assert_same(received(whole), ("text", np.arange(6.0)))


@pytest.mark.parametrize("promised", [wire.MAX_HEADER_BYTES + 1, 2**31, 2**32 - 1])
def test_a_header_that_is_promised_too_large_is_refused_at_once(promised: int) -> None:
    with (
        bounded(max_bytes=FEW_BYTES, max_seconds=MAX_SECONDS),
        pytest.raises(WireError, match=f"a header of {promised} bytes"),
    ):
        received(struct.pack("<I", promised) + b"x" * 50)


def test_promised_bytes_take_no_memory_before_they_come() -> None:
    largest_allowed = [wire.MAX_ARRAY_BYTES // 8]
    with bounded(max_bytes=FEW_BYTES, max_seconds=MAX_SECONDS):
        with pytest.raises(WireClosed):
            received(struct.pack("<I", wire.MAX_HEADER_BYTES) + b"{")
        with pytest.raises(WireClosed):
            received(raw_frame(described(("<f8", largest_allowed)), b"x" * 64))


HUGE = 60_000_000  # as one dimension it is allowed


@pytest.mark.parametrize(
    "arrays",
    [
        [("<f8", [wire.MAX_ARRAY_BYTES // 8 + 1])],
        [("|b1", [wire.MAX_ARRAY_BYTES]), ("|b1", [1])],
        [("<f4", [HUGE, HUGE])],
        [("<f4", [10**30])],
        [("<f4", [-1])],
        [("<f4", [2, -3])],
        [("<f4", [2.0])],
        [("<f4", [True])],
        [("<f4", ["2"])],
        [("<f4", [None])],
        [("<f4", [1] * (wire.MAX_DIMENSIONS + 1))],
        [("<f4", 3)],
        [("<f4", None)],
        [("<f8", [0, HUGE, HUGE, HUGE])],
        [("|b1", [HUGE, HUGE, HUGE, HUGE, 0])],
    ],
    ids=[
        *("too_large", "too_large_together", "product_too_large", "more_than_int64", "negative", "one_negative"),
        *("float", "bool", "text", "null", "nine_dimensions", "no_list", "no_shape"),
        *("empty_but_beyond_int64", "empty_but_far_beyond_int64"),
    ],
)
def test_a_shape_that_is_not_allowed_is_refused(arrays: list[tuple[Any, Any]]) -> None:
    with bounded(max_bytes=FEW_BYTES, max_seconds=MAX_SECONDS), pytest.raises(WireError):
        received(raw_frame(described(*arrays), b"\x00" * 64))


@pytest.mark.parametrize(
    "dtype", ["|O", "O", ">f8", "<c16", "<U4", "|V8", "|S1", "<f2", "<M8[s]", "f4,f4", "", None, 3, ["<f4"], {}]
)
def test_a_dtype_that_is_not_allowed_is_refused(dtype: Any) -> None:
    with pytest.raises(WireError):
        received(raw_frame(described((dtype, [1])), b"\x00" * 64))


@pytest.mark.parametrize(
    "header",
    [
        *(
            b"",
            b"x",
            b"null",
            b"[]",
            b"7",
            b'"text"',
            b"{}",
            b"\xff\xfe",
            b'{"message": {}, "arrays": []',
            b"\x80\x04N.",
        ),
        *({"message": {}}, {"arrays": []}, {"message": [], "arrays": []}, {"message": {}, "arrays": {}}),
        *({"message": None, "arrays": []}, {"message": {}, "arrays": [7]}, {"message": {}, "arrays": [{}]}),
        {"message": {}, "arrays": [{"dtype": "<f4"}]},
        b'{"message": {"value": ' + b"9" * 5000 + b'}, "arrays": []}',
    ],
    ids=lambda header: repr(header)[:40],
)
def test_a_malformed_header_is_refused(header: Any) -> None:
    with pytest.raises(WireError, match="a malformed header"):
        received(raw_frame(header))


@pytest.mark.parametrize(
    "packed",
    [
        *([], [1], {}, {"tuple": [], "list": []}, {"tuple": 3}, {"tuple": {"0": 1}}, {"list": "ab"}),
        *({"array": 2}, {"array": -1}, {"array": True}, {"array": "0"}, {"array": None}, {"array": 0.0}),
        *({"float": 1.5}, {"float": "1.5"}, {"float": ["nan"]}, {"float": "NaN"}, {"float": None}),
        *({"handle": "3"}, {"handle": {"tuple": []}}, {"seed": 3}, {"__reduce__": "os.system"}),
        *(math.nan, math.inf, -math.inf, {"tuple": [math.nan]}),  # `pack` writes these by name
    ],
    ids=repr,
)
def test_a_value_that_pack_would_not_write_is_refused(packed: Any) -> None:
    with pytest.raises(WireError):
        wire.unpack(packed, [np.zeros(1), np.ones(1)], untag)


@pytest.mark.parametrize(
    "header",
    [
        json.dumps({"message": {}, "arrays": []}).encode("utf-16"),
        json.dumps({"message": {}, "arrays": []}).encode("utf-32-le"),
        b'{"message": {"value": "\xed\xa0\x80"}, "arrays": []}',  # half a pair, as bytes
        b'{"message": {}, "message": {"value": 1}, "arrays": []}',
        b'{"message": {"value": {"tuple": [], "tuple": [1]}}, "arrays": []}',
        b'{"message": {"value": 1, "line": NaN}, "arrays": []}',
        b'{"message": {"value": 1}, "arrays": [], "more": -Infinity}',
    ],
    ids=["utf16", "utf32", "surrogate", "message_twice", "tuple_twice", "nan_beside", "infinity_beside"],
)
def test_a_header_with_more_than_one_reading_is_refused(header: bytes) -> None:
    with pytest.raises(WireError, match="a malformed header"):
        received(raw_frame(header))


def test_an_array_is_used_once() -> None:
    large = np.zeros(1000)
    with pytest.raises(WireError, match="used twice"):
        wire.unpack({"tuple": [{"array": 0}, {"array": 0}]}, [large], untag)
    assert wire.unpack({"tuple": [{"array": 1}, {"array": 0}]}, [large, 2 * large], untag)[1] is large


@pytest.mark.parametrize("byte", [2, 255])
def test_a_truth_value_is_0_or_1(byte: int) -> None:
    with pytest.raises(WireError, match="truth value"):
        received(raw_frame(described(("|b1", [3])), bytes([0, 1, byte])))


def test_a_header_of_brackets_takes_bounded_memory_and_time(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    header = b'{"message": {"value": [' + b"[]," * 333_000 + b'[]]}, "arrays": []}'
    sender = threading.Thread(target=theirs.sendall, args=[struct.pack("<I", len(header)) + header])
    sender.start()
    with bounded(max_bytes=60_000_000, max_seconds=MAX_SECONDS):
        message, _ = wire.receive_frame(ours, time.monotonic() + 30)
    sender.join()
    with pytest.raises(WireError):
        wire.unpack(message["value"], [], untag)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_a_number_that_is_not_finite_travels_by_name_only(number: bytes) -> None:
    with pytest.raises(WireError):
        received(raw_frame(b'{"message": {"value": ' + number + b'}, "arrays": []}'))


def test_three_thousand_damaged_frames_are_read_or_refused_and_nothing_else() -> None:
    rng = np.random.default_rng(20270301)
    values = (("text", 1.5, None, True), np.arange(6, dtype=np.float32).reshape(2, 3), (Handle(1), [np.zeros((0, 4))]))
    frames = [frame_of(value) for value in values]
    pieces = [b"[", b"{", b'"', b"-", b"9" * 20, b"null", b"NaN", b"\x00\xff", b'"array":', b"1e400", b"\\ud800"]
    ends = {"read": 0, "refused": 0, "closed": 0}
    with bounded(max_bytes=FEW_BYTES, max_seconds=MAX_SECONDS):
        for _ in range(3000):
            data = bytearray(frames[rng.integers(len(frames))])
            for _ in range(rng.integers(1, 3)):
                at = int(rng.integers(0, len(data) + 1))
                kind = rng.integers(4)
                if kind == 0:
                    data[at : at + 1] = bytes([rng.integers(256)])
                elif kind == 1:
                    del data[at : at + int(rng.integers(1, 9))]
                elif kind == 2:
                    data[at:at] = pieces[rng.integers(len(pieces))]
                else:
                    (size,) = struct.unpack("<I", (data[:4] + bytes(4))[:4])
                    data[:4] = struct.pack("<I", max(0, size + int(rng.integers(-9, 30))))
            try:
                received(bytes(data))
            except WireError:
                ends["refused"] += 1
            except WireClosed:
                ends["closed"] += 1
            else:
                ends["read"] += 1
    assert min(ends.values()) > 50, ends


# Deadlines ------------------------------------------------------------------------------------------------------------

SHORT, LONG = 0.3, 3.0  # seconds


@contextmanager
def dripping(connection: socket.socket, data: bytes, every: float) -> Iterator[None]:
    """A peer that sends one byte at a time."""
    stop = threading.Event()

    def drip() -> None:
        for i in range(len(data)):
            if stop.wait(every):
                return
            connection.send(data[i : i + 1])

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("drips_from", ["length", "header", "array"])
def test_a_peer_that_sends_a_byte_at_a_time_gains_nothing(
    pair: tuple[socket.socket, socket.socket], drips_from: str
) -> None:
    ours, theirs = pair
    whole = frame_of(np.zeros(500))
    header_end = 4 + struct.unpack("<I", whole[:4])[0]
    at_once = {"length": 0, "header": 4, "array": header_end}[drips_from]
    theirs.sendall(whole[:at_once])
    start = time.monotonic()
    with dripping(theirs, whole[at_once:], SHORT / 10), pytest.raises(DeadlinePassed):
        wire.receive_frame(ours, start + SHORT)
    assert SHORT <= time.monotonic() - start < LONG


def test_a_slow_but_timely_frame_arrives(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    whole = frame_of("slow")
    with dripping(theirs, whole, 0.001):
        message, _ = wire.receive_frame(ours, time.monotonic() + 30)
    assert message["value"] == "slow"


def test_a_pause_that_ends_before_the_deadline_is_no_fault(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    late = threading.Timer(2 * SHORT, theirs.sendall, [frame_of("late")])
    late.start()
    message, _ = wire.receive_frame(ours, time.monotonic() + 30)
    late.join()
    assert message["value"] == "late"


def test_a_silent_peer_costs_the_deadline_and_no_more(pair: tuple[socket.socket, socket.socket]) -> None:
    start = time.monotonic()
    with pytest.raises(DeadlinePassed):
        wire.receive_frame(pair[0], start + SHORT)
    assert SHORT <= time.monotonic() - start < LONG


def test_a_deadline_in_the_past_is_past_even_if_the_frame_is_there() -> None:
    with pytest.raises(DeadlinePassed):
        received(frame_of(1), time.monotonic() - 1)


def test_a_peer_that_never_reads_cannot_hold_the_sender(pair: tuple[socket.socket, socket.socket]) -> None:
    start = time.monotonic()
    with pytest.raises(DeadlinePassed):
        wire.send_frame(pair[0], {}, [np.zeros(2_000_000)], start + SHORT)
    assert SHORT <= time.monotonic() - start < LONG


def test_sending_to_a_peer_that_hung_up_says_so(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].close()
    with pytest.raises(WireClosed):
        wire.send_frame(pair[0], {}, [np.zeros(100_000)], time.monotonic() + LONG)
