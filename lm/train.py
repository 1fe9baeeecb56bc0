"""`python -m lm.train [overrides]`: train one model, or go on with one that was interrupted.

The same command finds the same folder again. JAX is imported only once the configuration is known
to be sound, so that `--help` and mistakes answer at once.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from lm.backend.devices import set_devices
from lm.cli.hydra_main import run_command
from lm.cli.progress import RunProgress
from lm.config import RUN_ONLY
from lm.hooks.identity import identify
from lm.hooks.metrics import reports
from sweeps import naming
from sweeps.config import check_metric
from sweeps.errors import UserError
from sweeps.io.console import make_console, print_line
from sweeps.io.url import is_url, refuse_secrets
from sweeps.single_run import FOLDER as SINGLE_RUNS
from sweeps.single_run import SingleRun, given_settings, run_name
from sweeps.store import TrialSpec, fingerprint, read_config, read_trial
from sweeps.store.provenance import collect
from sweeps.store.trial import update_trial, write_config


def main(config: DictConfig) -> None:
    """Train the model of a composed configuration, or report that it is trained."""
    console = make_console()
    overrides = list(HydraConfig.get().overrides.task)
    raw_config = OmegaConf.to_container(config, resolve=True)
    assert isinstance(raw_config, dict)
    try:
        values = {str(key): raw_config[key] for key in raw_config}
        directory = train_single(values, overrides, console)
    except KeyboardInterrupt as error:
        if str(error):  # it has saved
            print_line(console, f"{error}; the same command goes on from there.")
        raise
    trial = read_trial(directory)
    print_line(console, trial.summary())
    print_line(console, f"results:    {directory}")
    look = f"python -m lm.board {shlex.quote(str(directory.parent))}"
    print_line(console, f"look at it: {look}")


def train_single(raw_config: dict[str, Any], overrides: Sequence[str], console: Console) -> Path:
    """Check, train and record one run; return the folder of its results.

    Args:
      raw_config: a composed configuration.
      overrides: the command line's, which made it.
      console: shows progress.
    """
    refuse_secrets(raw_config["output_dir"])
    if is_url(raw_config["output_dir"]):
        raise UserError(
            f"output_dir={raw_config['output_dir']} is a URL, and a single run writes to a folder; "
            "give output_dir=DIR."
        )
    key = fingerprint(identify(raw_config))
    if raw_config["name"]:
        naming.check_folder_name("name", raw_config["name"])
    ranking = raw_config["sweep"]
    metric = ranking["metric"]
    check_metric(metric, reports(raw_config))
    settings = given_settings(overrides, _changes_nothing)
    spec = TrialSpec(
        config=raw_config,
        overrides=tuple(overrides),
        settings=settings,
        fingerprint=key,
        train_command=_command(overrides),
        reproduce_command="python -m lm.reproduce",
    )
    name = raw_config["name"] or run_name(settings, key)
    directory = Path(raw_config["output_dir"]) / SINGLE_RUNS / name
    run = SingleRun(
        directory=directory,
        spec=spec,
        metric=metric,
        mode=ranking["mode"],
        keep_checkpoints=ranking["keep_checkpoints"],
    )
    if raw_config["fresh"]:
        run.move_aside(console)
    if run.is_done:
        run.keep(console, "fresh=true")
        if _update_location(directory, raw_config, overrides):
            print_line(console, "Its text is now read from where this command says.")
        return directory
    set_devices()
    from lm.objective import train  # imports JAX

    with RunProgress(console) as progress:
        run.train(train, collect(Path(__file__).parent), progress.reported, on_phase=progress.phase)
    return directory


def _changes_nothing(option: str) -> bool:
    """Whether an option does not change what is computed."""
    return option.partition(".")[0] in RUN_ONLY or option in ("data.root", "data.files")


def _update_location(
    directory: Path, raw_config: Mapping[str, Any], overrides: Sequence[str]
) -> bool:
    """Have a trained run's folder say where its text lies now; returns whether that has changed."""
    recorded = read_config(directory)
    paths = {key: raw_config["data"][key] for key in ("root", "files")}
    if paths.items() <= recorded["data"].items():
        return False
    recorded["data"] |= paths
    write_config(directory, recorded, overrides)
    update_trial(directory, train_command=_command(overrides))
    return True


def _command(overrides: Sequence[str]) -> str:
    return shlex.join(["python", "-m", "lm.train", *overrides])


def run() -> None:
    """Run the command with the arguments of this process."""
    run_command(main, mode="RUN")


if __name__ == "__main__":
    run()
