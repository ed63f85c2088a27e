"""Archives that come out the same, byte for byte, wherever the same files are packed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Iterable

FIXED_TIME = (2027, 1, 1, 0, 0, 0)
UNIX = 3  # or the modes below mean nothing


def zip_of(files: Iterable[tuple[str, bytes]], *, executable: Collection[str] = ()) -> bytes:
    """A zip of (name, content), in this order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name, FIXED_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = UNIX
            info.external_attr = (0o100755 if name in executable else 0o100644) << 16
            archive.writestr(info, content)
    return buffer.getvalue()
