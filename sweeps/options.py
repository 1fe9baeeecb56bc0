"""The options of a sweep, as they stand under `sweep:` in a configuration."""

from dataclasses import dataclass

from omegaconf import MISSING

from sweeps.errors import UserError


@dataclass
class SweepOptions:
    """How a sweep is named, ranked and given resources.

    None of these changes what a trial computes, so none is part of its fingerprint.
    """

    name: str | None = MISSING
    """Folder under `output_dir`; null: the sweep file's name, else the axes' names."""
    metric: str = MISSING
    """Tag of the reported metric by which trials are ranked."""
    mode: str = MISSING
    """`min` or `max`: which end of the metric is best."""
    progress: list[str] = MISSING
    """Tags shown for each running trial while the sweep runs."""
    cpus_per_trial: int = MISSING
    """CPU cores of a trial; its threads are held to them."""
    gpus_per_trial: float | None = MISSING
    """GPUs of a trial, fractions allowed; null: one if the cluster has any, else none."""
    retries: int = MISSING
    """How often a trial is started again after its worker process died."""


def checked(options: SweepOptions) -> SweepOptions:
    """Return the options, which make sense.

    Raises:
      UserError: one of them does not.
    """
    if options.mode not in ("min", "max"):
        raise UserError(f"sweep.mode={options.mode} is not known; choose min or max.")
    for name, least in (("cpus_per_trial", 1), ("gpus_per_trial", 0), ("retries", 0)):
        value = getattr(options, name)
        if value is not None and not value >= least:
            raise UserError(f"sweep.{name}={value} is out of range; it must be at least {least}.")
    return options
