"""An application's functions are found by their dotted paths."""

import os.path
from pathlib import Path

import pytest

from sweeps.config import locate, source_folder
from sweeps.errors import UserError


def test_function_is_imported() -> None:
    assert locate("os.path.join") is os.path.join


@pytest.mark.parametrize("path", ["os.path.jion", "no.such.module", "plain"])
def test_wrong_path_is_one_sentence(path: str) -> None:
    with pytest.raises(UserError, match=f"^{path} cannot be imported"):
        locate(path)


def test_source_is_the_folder_of_the_module() -> None:
    assert (
        source_folder("sweeps.config.hooks.locate")
        == Path(__file__).parents[3] / "sweeps" / "config"
    )
