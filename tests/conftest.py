"""Strictness for all tests: a silent broadcast is a bug. A cache of their own; real corpora."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

# A shell has its background jobs ignore Ctrl-C, and nohup has them ignore the end of the terminal;
# so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_NUM_CPU_DEVICES"] = "2"  # batches that are large enough are sharded

_DATA = Path(os.environ.get("LM_SWEEPS_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing is taken from the user's cache, and nothing is left there.

    pytest's processes share one, so that what one has compiled the others need not.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    folder.mkdir(exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], str]:
    """The folder of a corpus under $LM_SWEEPS_DATA (ptb, sherlock, ...); skips where it is not."""

    def find(name: str) -> str:
        if not (_DATA / name).is_dir():
            pytest.skip(f"no corpus {name} in {_DATA}; set LM_SWEEPS_DATA to the folder of corpora")
        return str(_DATA / name)

    return find
