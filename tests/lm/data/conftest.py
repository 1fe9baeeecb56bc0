"""Made-up corpora for the data tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm.config import DataConfig


@pytest.fixture
def options() -> Callable[..., DataConfig]:
    """A `DataConfig` with every key set; name the ones that matter."""

    def make(name: str, **changes: Any) -> DataConfig:
        values: dict[str, Any] = {
            "root": None,
            "files": [],
            "characters": None,
            "level": "word",
            "vocab_size": None,
            "valid_fraction": 0.1,
            "test_fraction": 0.1,
        }
        return DataConfig(name=name, **(values | changes))

    return make


@pytest.fixture
def text_options(tmp_path: Path, options: Callable[..., DataConfig]) -> Callable[..., DataConfig]:
    """`data=text` on a file with the given text."""

    def make(text: str, **changes: Any) -> DataConfig:
        path = tmp_path / "text.txt"
        path.write_bytes(text.encode())
        return options("text", files=[str(path)], **changes)

    return make
