"""Chromium draws the pictures of docs/sherlock.md."""

import struct
from pathlib import Path
from typing import Any

import pytest

from scripts.sherlock_study.pictures import SIZE, draw, trace
from tests.scripts.sherlock_study.made_up import trial

pytestmark = pytest.mark.slow


def test_pictures_are_drawn_in_full(chromium: Any, tmp_path: Path) -> None:
    made = [trial({"train.predict": "last"}, [5.0, 4.0])]
    draw(chromium, {"first": trace(made), "second": trace(made)}, tmp_path)
    for name in ("first", "second"):
        picture = (tmp_path / f"{name}.png").read_bytes()
        assert struct.unpack(">II", picture[16:24]) == (SIZE["width"], SIZE["height"])
        assert len(set(picture)) > 200  # a blank one compresses to next to nothing
        assert len(picture) > 10_000
