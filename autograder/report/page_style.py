"""The look that all pages share: colours in light and dark, text, tables and pictures."""

from __future__ import annotations

from pathlib import Path

PAGE_STYLE = Path(__file__).with_name("page_style.css").read_text(encoding="utf-8")
