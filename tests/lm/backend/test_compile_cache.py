"""Compiled programs are kept for the next process; whatever the cache suffers, work goes on."""

import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from lm.backend.compile_cache import record_compilations, use_cache
from sweeps.io.atomic import read_json
from tests.lm.helpers.training import history

Compile = Callable[[], str]
SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_compilation_cache_max_size",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder that is not there yet, and a JAX that knows of none."""
    known = {name: getattr(jax.config, name) for name in SETTINGS}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _forget()
    yield tmp_path / "cache" / "lm-sweeps" / "compiled"
    for name, value in known.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # type: ignore[no-untyped-call]


def _forget() -> None:
    """Be as a process that has just started."""
    jax.config.update("jax_compilation_cache_dir", None)
    compilation_cache.reset_cache()  # type: ignore[no-untyped-call]
    jax.clear_caches()


@pytest.fixture
def compile_() -> Compile:
    """Compiles a program, or finds it; gives its origin."""

    def cube(x: jax.Array) -> jax.Array:
        return x * x * x

    compiled = jax.jit(cube)

    def run() -> str:
        use_cache()
        with record_compilations() as compiling:
            assert compiled(2.0) == 8.0
        return compiling.cache_status

    return run


def _said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "lm.backend.compile_cache"
    ]


def test_program_is_compiled_once_a_machine_and_kept_by_a_process(
    folder: Path, compile_: Compile
) -> None:
    assert compile_() == "miss"
    assert compile_() == "kept"
    _forget()
    assert compile_() == "hit"
    assert list(folder.glob("*/jit_cube-*"))


def test_damaged_program_is_compiled_again_and_replaced(
    folder: Path, compile_: Compile, caplog: pytest.LogCaptureFixture
) -> None:
    compile_()
    (stored,) = folder.glob("*/jit_cube-*-cache")
    stored.write_bytes(stored.read_bytes()[:1000])
    origins = []
    for _ in range(3):
        _forget()
        origins.append(compile_())
    assert origins[1:] == ["miss", "hit"]
    (line,) = _said(caplog)
    assert line.startswith("The compiled program jit_cube cannot be read and is made anew: ")


def test_what_a_killed_process_left_does_not_stop_the_cache(
    folder: Path, compile_: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_()
    for path in folder.glob("*/*-atime"):
        path.unlink()
    later = time.time() + 100
    monkeypatch.setattr("lm.backend.compile_cache.time.time", lambda: later)
    origins = []
    for _ in range(2):
        _forget()
        origins.append(compile_())
    assert origins == ["miss", "hit"]


def test_folder_that_cannot_be_written_costs_the_cache_alone(
    folder: Path, compile_: Compile, caplog: pytest.LogCaptureFixture
) -> None:
    folder.parent.parent.write_text("a file where the folder should be")
    assert compile_() == "off"
    (line,) = _said(caplog)
    assert line.startswith("Compiled programs are not kept: ")


def test_full_disk_costs_the_cache_alone(
    folder: Path, compile_: Compile, caplog: pytest.LogCaptureFixture
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))  # bytes of any file
    try:
        assert compile_() == "off"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert _said(caplog)[0].startswith("The compiled program jit_cube is not kept: OSError")
    _forget()
    assert [compile_(), compile_()] == ["miss", "kept"]


def test_cache_of_the_user_s_own_is_left_alone(folder: Path, tmp_path: Path) -> None:
    own = str(tmp_path / "own")
    jax.config.update("jax_compilation_cache_dir", own)
    use_cache()
    assert jax.config.jax_compilation_cache_dir == own  # type: ignore[attr-defined]
    assert not folder.exists()


def test_other_warnings_pass_through() -> None:
    with pytest.warns(UserWarning, match="something else"), record_compilations():
        warnings.warn("something else", stacklevel=1)


def test_watching_ends_with_its_block() -> None:
    with record_compilations() as compiling:
        pass
    jax.jit(lambda x: 3 * x)(1.0)
    assert compiling.cache_status == "kept"


@pytest.mark.slow
def test_cached_programs_give_the_same_bits_and_no_others_are_taken(
    tmp_path: Path, tiny_overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs of another number of threads are others; and nobody is told of the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    origins, histories = [], []
    for number, threads in enumerate("121"):
        monkeypatch.setenv("NPROC", threads)
        small = ("model.cell=rnn", "model.hidden_size=null", "train.epochs=1", f"name=run{number}")
        command = [sys.executable, "-m", "lm.train", *tiny_overrides, *small]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.stderr == ""
        directory = tmp_path / "outputs" / "single" / f"run{number}"
        facts = read_json(directory / "provenance.json") or {}
        origins.append(facts["compile_cache"])
        histories.append(history(directory))
    assert origins == ["miss", "miss", "hit"]
    assert histories[0] == histories[2]
