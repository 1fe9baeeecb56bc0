"""Hydra's plugin `hydra/sweeper=ray_tune`, for any program with `@hydra.main`.

Hydra imports this module at the start of every program on the machine, so it imports nothing that
takes long: the sweeper itself is imported when a sweep begins.
"""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sweeps.config.options import SCHEDULERS, SEARCHES, RayConfig, SearchConfig, SweepConfig


class RayTuneSweeper(Sweeper):
    """Runs the jobs of a multirun as trials of a sweep, in parallel through Ray Tune."""

    def __init__(self, **options: Any) -> None:
        """Take the values of `RayTuneConfig`."""
        self._options = options

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take what Hydra gives to every sweeper."""
        from sweeps.hydra_jobs import JobSweep

        self._sweep = JobSweep(self._options, hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> Any:
        """Run the jobs; returns their `JobReturn`s, in one batch."""
        return self._sweep.run(arguments)


@dataclass
class RayTuneConfig:
    """Keys of `hydra.sweeper`."""

    _target_: str = "hydra_plugins.ray_tune_sweeper.RayTuneSweeper"
    defaults: list[Any] = field(
        default_factory=lambda: ["_self_", {"search": "grid"}, {"scheduler": "none"}]
    )
    params: dict[str, Any] = field(default_factory=dict)
    """Override key -> values in Hydra's grammar."""
    sweep: SweepConfig = field(default_factory=SweepConfig)
    """How a sweep is ranked and given resources. The metric is by default `value`, the number that
    the program returns."""
    search: Any = None
    """Chosen with `hydra/sweeper/search=grid|random|optuna`."""
    scheduler: Any = None
    """Chosen with `hydra/sweeper/scheduler=none|asha|median`."""
    ray: RayConfig = field(default_factory=RayConfig)
    """Where the jobs run."""


def register() -> None:
    """Make `hydra/sweeper=ray_tune` and its groups known to Hydra."""
    store = ConfigStore.instance()
    store.store(group="hydra/sweeper", name="ray_tune", node=RayTuneConfig, provider="lm-sweeps")
    for kind in SEARCHES:
        node: Any = SearchConfig(kind=kind)
        store.store(group="hydra/sweeper/search", name=kind, node=node, provider="lm-sweeps")
    for kind, node in SCHEDULERS.items():
        store.store(group="hydra/sweeper/scheduler", name=kind, node=node, provider="lm-sweeps")


register()
