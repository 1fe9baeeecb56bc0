"""A program whose objective does nothing, to measure the overhead of a sweep.

python -m benchmarks.harness.empty_objective --multirun 'seed=range(0,100)'
"""

from collections.abc import Mapping
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore

from sweeps import hydra_sweeper
from sweeps.tracking import Run

CONFIG = {
    "defaults": [
        {"override hydra/sweeper": "ray_tune"},
        {"override hydra/job_logging": "none"},
        {"override hydra/hydra_logging": "none"},
        "_self_",
    ],
    "seed": 0,
    "output_dir": "outputs",
    "sweep": {
        "name": "empty",
        "metric": "loss",
        "mode": "min",
        "progress": ["loss"],
        "zip": [],
        "exclude": [],
        "replicate": "seed",
        "cpus_per_trial": 1,
        "pack": 1,
        "gpus_per_trial": 0,
        "longest_first": True,
        "trial_minutes": None,
        "retries": 0,
        "preview": False,
        "fresh": False,
    },
    "search": {"kind": "grid", "trials": None, "seed": 0},
    "scheduler": {"kind": "none", "time": "step"},
    "ray": {"address": None},
    "hydra": {
        "run": {"dir": "."},
        "output_subdir": None,
        "sweeper": {
            "objective": "benchmarks.harness.empty_objective.objective",
            "identify": "benchmarks.harness.empty_objective.identify",
            "train_command": "python -m benchmarks.harness.empty_objective",
        },
    },
}


def identify(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Identify a trial by its seed."""
    return {"seed": config["seed"]}


def objective(config: Mapping[str, Any], run: Run) -> None:
    """Report twice and end."""
    for step in (1, 2):
        run.report(step, {"loss": float(config["seed"]) / step}, 2)
        run.checkpoint_saved()


@hydra.main(version_base="1.3", config_path=None, config_name="empty")
def main(config: Any) -> None:
    """Run the sweep; a single run does not exist."""


if __name__ == "__main__":
    hydra_sweeper.register()
    ConfigStore.instance().store(name="empty", node=CONFIG)
    main()
