"""An application's functions are found by their dotted paths."""

import os.path
import sys
from pathlib import Path

import pytest

from sweeps.config import check_hook, locate, source_folder
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


SOURCE = """
import no_such_library
import json as codec
from os.path import join, split as parts
raise RuntimeError("nobody imports this")

def train(config, run): ...
def one(config): ...
def more(config, run, third): ...
def by_default(config, run, third=None, *, fourth=4): ...
def any_number(*arguments): ...
def first_and_any(config, *arguments): ...
def by_name(config, run, *, third): ...
def only_by_position(config, run, /): ...
def by_keywords(**options): ...
@codec.decorated
def decorated(nobody, knows, what, it, takes): ...
class Trainer: ...
run_it = Trainer().run
first, (second, *rest) = codec.three()
typed: object = Trainer()
if codec:
    def either(config): ...
else:
    def either(config, run): ...
try:
    import fast as engine
except ImportError:
    engine = None
def outer():
    inner = 1
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that cannot be imported, and is not to be."""
    package = tmp_path / "heavy_program"
    (package / "below").mkdir(parents=True)
    (package / "spaces" / "inner").mkdir(parents=True)
    (package / "spaces" / "inner" / "deep.py").write_text(SOURCE)
    (package / "__init__.py").write_text(SOURCE)
    (package / "below" / "__init__.py").write_text(SOURCE)
    (package / "below" / "task.py").write_text(SOURCE)
    (package / "stars.py").write_text("from os.path import *")
    (package / "globals.py").write_text("globals()['train'] = None")
    (package / "lazy.py").write_text("def __getattr__(name): ...")
    (package / "later.py").write_text("def set_up():\n    global train\n    train = 1")
    (package / "virtual.py").write_text("import sys\nsys.modules[__name__] = None")
    (package / "broken.py").write_text("def train(config, run:\n")
    (package / "empty.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    return package


GOOD = """
    below.task.train below.train train spaces.inner.deep.train below.task by_default any_number
    first_and_any only_by_position decorated Trainer run_it first second rest typed either engine
    codec join parts stars.train globals.train lazy.train later.train virtual.train
"""
BAD = {
    "below.task.trane": "is no function of heavy_program.below.task; did you mean train.",
    "below.fit": "is no function of heavy_program.below; there are train, one, more,",
    "empty.train": "is no function of heavy_program.empty; there are none.",
    "inner": "is no function of heavy_program; ",
    "split": "is no function of heavy_program; ",
    "below.tusk.train": "cannot be imported (there is no module heavy_program.below.tusk); install",
    "below.task.Trainer.run": "(heavy_program.below.task is a module, no package); mend its name.",
    "broken.train": "broken.py is no Python (",
    "one": "is called with 2 arguments, and it takes config (one, line 8); mend its arguments.",
    "more": "is called with 2 arguments, and it takes config, run, third (more, line 9); mend",
    "by_keywords": "is called with 2 arguments, and it takes none (by_keywords, ",
    "by_name": "cannot be called: it asks for third by name; give a default.",
    "below..task": "names no function; give package.module.function.",
}


@pytest.mark.parametrize("path", GOOD.split())
def test_function_that_may_be_there_passes_unseen(program: Path, path: str) -> None:
    check_hook(f"heavy_program.{path}", 2, "hydra.sweeper.objective")
    assert not any(name.startswith("heavy_program") for name in sys.modules)


@pytest.mark.parametrize(("path", "told"), BAD.items())
def test_function_that_is_not_there_is_refused_unseen(program: Path, path: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        check_hook(f"heavy_program.{path}", 2, "hydra.sweeper.objective")
    assert str(error.value).startswith(f"hydra.sweeper.objective=heavy_program.{path} ")
    assert told in str(error.value)
    assert not any(name.startswith("heavy_program") for name in sys.modules)


@pytest.mark.parametrize("path", ["os.path.join", "numpy.linalg.norm", "math.hypot", "a:b.c"])
def test_what_is_loaded_or_has_no_source_is_left_to_python(path: str) -> None:
    check_hook(path, 2, "hydra.sweeper.objective")


@pytest.mark.parametrize(("path", "told"), [("train", "names no"), ("no_such.f", "no module no_")])
def test_path_without_a_module_is_refused(path: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        check_hook(path, 2, "hydra.sweeper.objective")


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "NPROC"])
def test_worker_has_as_many_threads_as_cpus_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name, raising=False)
    assert thread_limits(3, 0.5)[name] == "3"
    monkeypatch.setenv(name, "7")
    assert thread_limits(3, 0.5)[name] == "7"
