"""Pictures of a notebook that was handed in: those in answers and in outputs, as data that a browser only draws.

What a picture is follows from its first bytes, not from what the notebook says. A drawing (SVG) is only ever shown by
an `<img>`, in which browsers run nothing and fetch nothing. In a text a picture may be pasted (an attachment), or
written as a `data:` address or as an `<svg>` element: all of them become attachments with names of ours.
"""

from __future__ import annotations

import base64
import binascii
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

MAX_PICTURE = 8_000_000  # characters of one picture, as base64: a photograph fits
MAX_PICTURES = 10  # of a cell
SVG, SVG_NAMESPACE = "image/svg+xml", b'xmlns="http://www.w3.org/2000/svg"'
FIRST_BYTES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
PLAIN_OUTPUTS = ("image/png", "image/jpeg")  # that every viewer of notebooks draws by itself
SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp", SVG: "svg"}
TARGET = re.compile("attachment:|data:image/")  # where the address of a picture begins
ADDRESS = re.compile(r"(?:[^()\s<>]++|\([^()\s]*+\))++")  # in Markdown
BEFORE_IN_MARKDOWN = re.compile(r"!\[[^\]\n]*\]\(\s*<?$")
AFTER_IN_MARKDOWN = re.compile(r">?(?:\s{1,9}\"[^\"\n]{0,1000}\")?\s{0,9}\)")
BEFORE_IN_HTML = re.compile(r"<img\b[^>]*\bsrc\s*=\s*[\"']$", re.IGNORECASE)
AFTER_IN_HTML = re.compile(r"[\"'][^>]{0,1000}>")
AROUND = 300  # characters before an address, in which the picture begins
MAX_ADDRESSES = 100  # of a text: what follows stays as it is
MARK = "\ue000{}\ue001"  # stands for a picture while the text around it is made inert
MARKS = re.compile("\ue000(\\d+)\ue001")


@dataclass(frozen=True)
class Picture:
    """One picture, safe to show."""

    mime: str
    content: str  # base64

    @property
    def output(self) -> dict[str, Any]:
        """An output of a code cell that shows it."""
        if self.mime in PLAIN_OUTPUTS:
            return {"output_type": "display_data", "metadata": {}, "data": {self.mime: self.content}}
        shown = f'<img alt="picture" src="data:{self.mime};base64,{self.content}">'
        return {"output_type": "display_data", "metadata": {}, "data": {"text/html": shown}}


def picture_in(data: Mapping[str, Any]) -> Picture | None:
    """The best picture of a bundle of one thing in several formats, as outputs and attachments are; None if none is."""
    for mime in sorted((mime for mime in data if mime.startswith("image/")), key=lambda mime: mime == SVG):
        if (picture := _picture(_joined(data[mime]))) is not None:
            return picture
    return None


def pictures_in(data: Mapping[str, Any]) -> list[Picture]:
    """The picture of an output, or those that its page holds."""
    if (picture := picture_in(data)) is not None:
        return [picture]
    page = PicturesOfACell()
    page.take_out(_joined(data.get("text/html")), {})
    return page.pictures


def _picture(text: str) -> Picture | None:
    if not text or len(text) > MAX_PICTURE:
        return None
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        return _drawing(text.encode("utf-8", "replace"))
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return Picture("image/webp", base64.b64encode(content).decode())
    mime = next((mime for first, mime in FIRST_BYTES if content.startswith(first)), None)
    return _drawing(content) if mime is None else Picture(mime, base64.b64encode(content).decode())


def _drawing(content: bytes) -> Picture | None:
    """An SVG without what comes before its root, so without entities of its own; None if it is not well-formed."""
    start = content.find(b"<svg")
    if start < 0:
        return None
    root = content[start:]
    if SVG_NAMESPACE not in root and SVG_NAMESPACE.replace(b'"', b"'") not in root:
        root = b"<svg " + SVG_NAMESPACE + root[len(b"<svg") :]
    try:
        expat.ParserCreate("utf-8").Parse(root, True)
    except (expat.ExpatError, ValueError):
        return None
    return Picture(SVG, base64.b64encode(root).decode())


@dataclass
class PicturesOfACell:
    """Takes the pictures out of a cell's text, and puts them back as attachments with names of ours."""

    pictures: list[Picture] = field(default_factory=list)
    num_lost: int = 0

    def take_out(self, text: str, attachments: Any) -> str:
        """The text with a mark in the place of each picture."""
        known = attachments if isinstance(attachments, dict) else {}
        text = re.sub("[\ue000\ue001]", "", text)
        pieces, at = [], 0
        for number, found in enumerate(TARGET.finditer(text)):
            span = _span_of_picture(text, found.start(), at)
            if number == MAX_ADDRESSES:
                self.num_lost += 1
                break
            if span is not None:
                begin, address, end = span
                pieces += [text[at:begin], self._mark(address, known, text[begin:end])]
                at = end
        return self._without_svg("".join([*pieces, text[at:]]))

    def put_back(self, text: str) -> tuple[str, dict[str, dict[str, str]]]:
        """The text with pictures in place of the marks, and the attachments that it shows."""
        attachments: dict[str, dict[str, str]] = {}

        def shown(match: re.Match[str]) -> str:
            picture = self.pictures[int(match[1])]
            name = f"picture-{int(match[1]) + 1}.{SUFFIXES[picture.mime]}"
            attachments[name] = {picture.mime: picture.content}
            return f"![{name}](attachment:{name})"

        return MARKS.sub(shown, text), attachments

    def _mark(self, target: str, attachments: dict[Any, Any], otherwise: str) -> str:
        scheme, _, rest = target.partition(":")
        if scheme == "attachment":
            name = urllib.parse.unquote(rest)
            bundle = attachments.get(rest, attachments.get(name))
            found = picture_in(bundle) if isinstance(bundle, dict) else None
        else:
            head, _, content = rest.partition(",")
            found = _picture(content if head.endswith(";base64") else urllib.parse.unquote(content))
        return self._keep(found, otherwise)

    def _keep(self, picture: Picture | None, otherwise: str) -> str:
        if picture is None or len(self.pictures) == MAX_PICTURES:
            self.num_lost += 1
            return otherwise if len(otherwise) < MAX_PICTURES * 100 else "(a picture that cannot be shown)"
        self.pictures.append(picture)
        return MARK.format(len(self.pictures) - 1)

    def _without_svg(self, text: str) -> str:
        """`<svg>` elements that are written into a text; one that does not end stays as it is."""
        pieces, at = [], 0
        while (start := text.find("<svg", at)) >= 0 and (end := text.find("</svg>", start)) >= 0:
            end += len("</svg>")
            pieces += [text[at:start], self._keep(_picture(text[start:end]), text[start:end])]
            at = end
        return "".join([*pieces, text[at:]])


def _span_of_picture(text: str, start: int, at_least: int) -> tuple[int, str, int] | None:
    """(where a picture begins, its address, where it ends), if the address at `start` is of a picture."""
    if start < at_least:
        return None
    window_start = max(at_least, start - AROUND)
    window = text[window_start:start]
    if (before := BEFORE_IN_MARKDOWN.search(window)) is not None:
        address = ADDRESS.match(text, start)
        assert address is not None
        end = AFTER_IN_MARKDOWN.match(text, address.end())
        return None if end is None else (window_start + before.start(), address[0], end.end())
    if (before := BEFORE_IN_HTML.search(window)) is not None:
        quote = text.find(window[-1], start)
        end = AFTER_IN_HTML.match(text, quote) if quote >= 0 else None
        return None if end is None else (window_start + before.start(), text[start:quote], end.end())
    return None


def _joined(value: Any) -> str:
    """A text of a notebook: a string, or a list of its lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
