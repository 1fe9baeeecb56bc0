"""A program that is no language model: gradient descent on x**2, with faults on demand.

python -m toy +sweep=grid
"""

import ctypes
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra

from sweeps import hydra_sweeper
from sweeps.errors import UserError
from sweeps.io.atomic import read_json, write_json
from sweeps.plan.packs import PackLimits
from sweeps.tracking import Diverged, Run

RUN_ONLY = ("output_dir", "sweep", "search", "scheduler", "ray", "pause", "max_lanes", "free_lanes")


def identify(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Everything but where and how it runs."""
    if config["rate"] <= 0:
        raise UserError(f"rate={config['rate']} is out of range; it must be above 0.")
    return {key: value for key, value in config.items() if key not in RUN_ONLY}


def environment(cpus: int, gpus: float) -> dict[str, str]:
    """One variable, so that a test can see it arrive."""
    return {"TOY_SHARE": f"{cpus}:{gpus:g}"}


def descend(config: Mapping[str, Any], run: Run) -> None:
    """Minimise x**2 by steps of `rate`; goes on from its own checkpoint."""
    start, x = _restore(run)
    run.add_provenance(device="toy", share=os.environ.get("TOY_SHARE", ""), pid=os.getpid())
    for step in range(start + 1, config["steps"] + 1):
        x -= _rate(config, step - 1) * 2 * x
        _fault(config["fault"], step, run)
        run.report(step, {"loss": x * x, "train/x": x}, config["steps"])
        if x * x > 1e6:
            raise Diverged(step)
        with _full_disk(config["fault"], step, run):
            _save(run, step, x)
        if run.should_stop:
            return
        time.sleep(config["pause"])


def reports(config: Mapping[str, Any]) -> list[list[str]]:
    """One kind of report."""
    return [["loss", "train/x"]]


def relative_cost(config: Mapping[str, Any]) -> int:
    """Each step takes as long as another."""
    return int(config["steps"])


def pack_key(config: Mapping[str, Any]) -> str:
    """The toy has a program for each shape."""
    return str(config["shape"])


def pack_limits(config: Mapping[str, Any], cpus: int, gpus: float) -> PackLimits:
    """As the toy's options say."""
    return PackLimits(max_lanes=config["max_lanes"], free_lanes=config["free_lanes"])


def descend_together(configs: Sequence[Mapping[str, Any]], runs: Sequence[Run]) -> None:
    """Minimise several x**2, a step of each in turn, by other roundings than `descend`."""
    places = [_restore(run) for run in runs]
    for run in runs:
        share = os.environ.get("TOY_SHARE", "")
        run.add_provenance(device="toy", share=share, pid=os.getpid(), lanes=max(2, len(runs)))
        run.add_provenance(compile_seconds=0.25, compile_cache="miss")
    while not all(run.closed for run in runs):
        for at, (config, run) in enumerate(zip(configs, runs, strict=True)):
            if not run.closed:
                places[at] = _step_together(config, run, *places[at])
        time.sleep(configs[0]["pause"])


def _step_together(config: Mapping[str, Any], run: Run, step: int, x: float) -> tuple[int, float]:
    step, x = step + 1, x * (1 - 2 * config["rate"])
    _fault(config["fault"], step, run)
    run.report(step, {"loss": x * x, "train/x": x}, config["steps"])
    if x * x > 1e6:
        run.close(Diverged(step))
        return step, x
    _save(run, step, x)
    if run.should_stop or step == config["steps"]:
        run.close()
    return step, x


@contextmanager
def _full_disk(kind: str, step: int, run: Run) -> Iterator[None]:
    """Once, no file can grow: the system refuses as it does on a full disk."""
    mark = _mark(run, "full")
    if kind != "full" or step != 5 or mark.exists():
        yield
        return
    _touch(mark)
    with _limit(resource.RLIMIT_FSIZE, 0):
        yield


@contextmanager
def _limit(what: int, value: int) -> Iterator[None]:
    """Have the system refuse more than this for a while."""
    before = resource.getrlimit(what)
    resource.setrlimit(what, (value, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


def _rate(config: Mapping[str, Any], step: int) -> float:
    """The rate after so many steps."""
    changes = [change["rate"] for change in config.get("changes", []) if change["step"] <= step]
    return float([config["rate"], *changes][-1])


def _save(run: Run, step: int, x: float) -> None:
    run.checkpoints.mkdir(exist_ok=True)
    write_json(run.checkpoints / "state.json", {"step": step, "x": x})
    run.checkpoint_saved()


def _restore(run: Run) -> tuple[int, float]:
    state = read_json(run.checkpoints / "state.json")
    if state is None:
        return 0, 1.0
    run.resume_at(state["step"])
    return state["step"], state["x"]


def _mark(run: Run, what: str) -> Path:
    """A file for faults that happen once: outside the trial's folder, which may be a copy."""
    return Path.cwd() / "marks" / f"{run.directory.name.rpartition('id=')[2]}.{what}"


def _touch(mark: Path) -> None:
    mark.parent.mkdir(exist_ok=True)
    mark.touch()


def _talk(step: int) -> None:
    """Print in every way that a program may have."""
    print(f"print {step}")
    logging.getLogger("toy").warning("logging %d", step)
    ctypes.CDLL(None).puts(b"C %d" % step)
    subprocess.run(["echo", f"child {step}"], check=True)
    os.write(2, b"descriptor %d\n" % step)


def _fault(kind: str, step: int, run: Run) -> None:
    died = _mark(run, "died")
    if kind == "stuck" and step == 3:
        ctypes.PyDLL(None).sleep(600)  # in C, with the interpreter's lock held
    if kind == "talk":
        _talk(step)
    if kind == "raise" and step == 3:
        print("about to raise", file=sys.stderr)
        raise ValueError("this trial raises")
    if kind == "raise_once" and step == 4 and not died.exists():
        _touch(died)
        raise ValueError("this trial raises once")
    if kind == "eat" and step == 3:
        eaten = bytearray(b"x") * (6 * 10**9)
        time.sleep(30)
        del eaten
    if kind == "memory" and step == 3:
        with _limit(resource.RLIMIT_AS, 2**30):
            bytearray(2**40)
    if kind == "kill" or (kind == "kill_once" and step == 4 and not died.exists()):
        _touch(died)
        print(f"killed at step {step}")
        os.kill(os.getpid(), signal.SIGKILL)


@hydra.main(version_base="1.3", config_path="conf", config_name="toy")
def main(config: Any) -> None:
    """The single run is not needed here."""


if __name__ == "__main__":
    hydra_sweeper.register()
    main()
