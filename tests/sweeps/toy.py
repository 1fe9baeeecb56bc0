"""A program that is no language model: gradient descent on x**2, with faults on demand.

python -m toy +sweep=grid
"""

import json
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

import hydra

from sweeps import sweeper
from sweeps.errors import UserError
from sweeps.run import Diverged, Run

RUN_ONLY = ("output_dir", "sweep")


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
    run.record(device="toy", share=os.environ.get("TOY_SHARE", ""), pid=os.getpid())
    for step in range(start + 1, config["steps"] + 1):
        x -= config["rate"] * 2 * x
        _fault(config["fault"], step, run)
        run.report(step, {"loss": x * x, "train/x": x}, config["steps"])
        (run.directory / "checkpoint.json").write_text(json.dumps([step, x]))
        if x * x > 1e6:
            raise Diverged(step)
        time.sleep(config["pause"])


def _restore(run: Run) -> tuple[int, float]:
    path = run.directory / "checkpoint.json"
    if not path.exists():
        return 0, 1.0
    step, x = json.loads(path.read_text())
    run.resume_at(step)
    return step, x


def _fault(kind: str, step: int, run: Run) -> None:
    died = run.directory / "died"
    if kind == "raise" and step == 3:
        raise ValueError("this trial raises")
    if kind == "kill" or (kind == "kill_once" and step == 4 and not died.exists()):
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)


@hydra.main(version_base="1.3", config_path="conf", config_name="toy")
def main(config: Any) -> None:
    """The single run is not needed here."""


if __name__ == "__main__":
    sweeper.register()
    main()
