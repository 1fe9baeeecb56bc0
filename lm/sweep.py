"""`python -m lm.sweep +sweep=NAME [overrides]`: train a grid of models in parallel.

An override with several values, as in `model.cell=lstm,gru`, is an axis of the grid.
"""

from omegaconf import DictConfig

from lm.cli.hydra_main import run_command
from sweeps.errors import UserError


def main(config: DictConfig) -> None:
    """Refuse another sweeper than that of `conf/config.yaml`, which Hydra calls in place of this.

    Raises:
      UserError: always.
    """
    raise UserError(
        "python -m lm.sweep works with the sweeper ray_tune alone; leave hydra/sweeper out."
    )


def run() -> None:
    """Run the command with the arguments of this process."""
    run_command(main, mode="MULTIRUN")


if __name__ == "__main__":
    run()
