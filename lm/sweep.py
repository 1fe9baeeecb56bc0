"""`python -m lm.sweep +sweep=NAME [overrides]`: train a grid of models in parallel.

An override with several values, as in `model.cell=lstm,gru`, is an axis of the grid.
"""

from omegaconf import DictConfig

from lm.cli.hydra_main import run_command


def main(config: DictConfig) -> None:
    """Do nothing: Hydra calls the sweeper of `conf/config.yaml` instead."""
    raise AssertionError("Hydra calls the sweeper instead")


if __name__ == "__main__":
    run_command(main, mode="MULTIRUN")
