"""An application's functions are found by their dotted paths."""

import os.path
from pathlib import Path

import pytest

from sweeps.errors import UserError
from sweeps.hooks import locate, source_folder


def test_function_is_imported() -> None:
    assert locate("os.path.join") is os.path.join


@pytest.mark.parametrize("path", ["os.path.jion", "no.such.module", "plain"])
def test_wrong_path_is_one_sentence(path: str) -> None:
    with pytest.raises(UserError, match=f"^{path} cannot be imported"):
        locate(path)


def test_source_is_the_folder_of_the_module() -> None:
    assert source_folder("sweeps.hooks.locate") == Path(__file__).parents[2] / "sweeps"
