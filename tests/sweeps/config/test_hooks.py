"""An application's functions are found by their dotted paths."""

import os.path
from pathlib import Path

import pytest

from sweeps.config import locate, source_folder
from sweeps.config.hooks import thread_limits
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


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "NPROC"])
def test_worker_has_as_many_threads_as_cpus_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name, raising=False)
    assert thread_limits(3, 0.5)[name] == "3"
    monkeypatch.setenv(name, "7")
    assert thread_limits(3, 0.5)[name] == "7"
