# Put in front of every attack, inside the attacked file. An attack that gets what it is after says BREACH; one that is
# refused says STOPPED and why. Names in capitals between at signs are filled in by bank.py.
import ctypes
import os
import platform
import re

LIBC = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() == "aarch64"
MARK = "@MARK@"
SECRET = re.compile(r"canary-[a-z]+-[0-9a-f]{32}|master_seed = \d+|\*\* 2 \* torch\.exp\(-log_variance\)")


def breach(what):
    raise RuntimeError("BREACH: " + str(what)[:1000])


def loot(data):
    """Breach if there is a secret in it."""
    text = data if isinstance(data, str) else bytes(data).decode("latin-1")
    found = SECRET.findall(text)
    if found:
        breach(f"read {found[:3]}")


def tries(*deeds):
    """Each deed must raise OSError (or find nothing of value and return None)."""
    errors = []
    for deed in deeds:
        try:
            done = deed()
        except OSError as error:
            errors.append(f"{type(error).__name__} {error.errno}")
        except ImportError as error:
            errors.append(type(error).__name__)
        else:
            if done is not None:
                breach(f"did {done!r}")
            errors.append("nothing found")
    raise PermissionError("STOPPED: " + ", ".join(errors))


def system_call(number, *args):
    result = LIBC.syscall(ctypes.c_long(number), *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return f"system call {number}: {result}"


def closed(number, *args):
    """A system call that must be refused whatever its arguments are: an answer about them is a breach."""
    try:
        return system_call(number, *args)
    except OSError as error:
        if error.errno in (1, 13, 38):  # EPERM, EACCES, ENOSYS
            raise
        return f"system call {number} was let through: {error.errno}"


def library():
    """A file that all workers read, and its first page in memory."""
    import mmap

    import numpy
    import torch

    file = os.open(torch.__file__, os.O_RDONLY)
    page = mmap.mmap(file, 4096, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
    return file, ctypes.c_void_p(numpy.frombuffer(page, numpy.uint8).ctypes.data), page


def search(path):
    """What everybody may read about a process is no breach, unless a secret is in it."""
    with open(path, "rb") as file:
        loot(file.read(200_000))


def read(path):
    with open(path, "rb") as file:
        loot(file.read(200_000))
    return f"read {path}"


def listed(path):
    """Names in a folder, if any is not a worker's own."""
    names = [name for name in os.listdir(path) if name != "scratch"]
    return names[:20] or None


def opened(path, flags):
    os.close(os.open(path, flags))
    return f"opened {path}"


def connection():
    """The worker's end of the line to the referee."""
    import gc
    import socket

    return next(thing for thing in gc.get_objects() if isinstance(thing, socket.socket) and thing.fileno() >= 0)


ARRIVED = {}  # id of a tensor -> the tensor, and a copy of what it was


def keep(*tensors):
    """Remember what these were before they are changed."""
    for tensor in tensors:
        ARRIVED.setdefault(id(tensor), (tensor, tensor.clone()))


def lie():
    """Let every given helper of this process say that all is well: inputs unchanged, no graph kept, nothing drawn."""
    import torch

    from hw4.checking import doubles, subject

    honest = subject.LocalSubject.to_torch

    def to_torch(self, value):
        made = honest(self, value)
        if isinstance(made, torch.Tensor):
            keep(made)
        return made

    def before(value):
        return ARRIVED[id(value)][1] if id(value) in ARRIVED else value

    def of(value):
        parts = value if isinstance(value, tuple | list) else ()
        return [before(value)] if isinstance(value, torch.Tensor) else [b for part in parts for b in of(part)]

    def call_and_look(name, *args, **kwargs):
        import importlib

        module, _, symbol = name.rpartition(".")
        call = getattr(importlib.import_module("hw4." + module), symbol) if module else getattr(args[0], symbol)
        answer = call(*(args if module else args[1:]), **kwargs)
        return answer, tuple(b for value in (*args, *kwargs.values()) for b in of(value)), False

    subject.LocalSubject.to_torch = to_torch
    doubles.look_at, doubles.call_and_look, doubles._tensors_of = before, call_and_look, of
    doubles.is_part_of_a_graph = lambda *args, **kwargs: False
    doubles.leaves_other_generators_alone = lambda *args, **kwargs: True
    doubles.exception_of = lambda *args, **kwargs: "ValueError"


def frame(header):
    """Bytes of a frame with this header, an object or raw bytes."""
    import json
    import struct

    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<I", len(raw)) + raw
