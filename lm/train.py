"""`python -m lm.train [overrides]`: train one model, or go on with one that was interrupted.

The same command finds the same folder again. JAX is imported only once the configuration is known
to be sound, so that `--help` and mistakes answer at once.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
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
from sweeps.run import Run
from sweeps.store import (
    TrialSpec,
    fingerprint,
    move_aside,
    read_config,
    read_trial,
    write_trial,
)
from sweeps.store.provenance import collect
from sweeps.store.trial import mend_definition, update_trial, write_config
from sweeps.tensorboard.hparams import rewrite_hparams
from sweeps.tensorboard.recovery import restore_damaged_metrics


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
    check_metric(raw_config["sweep"]["metric"], reports(raw_config))
    name = raw_config["name"] or run_name(overrides, key)
    directory = Path(raw_config["output_dir"]) / "single" / name
    if raw_config["fresh"] and (aside := move_aside(directory)):
        print_line(console, f"The earlier run is now {aside}.")
        rewrite_hparams(aside)
    earlier = read_trial(directory)
    spec = TrialSpec(
        config=raw_config,
        overrides=tuple(overrides),
        settings=given(overrides),
        fingerprint=key,
        train_command=_command(overrides),
        reproduce_command="python -m lm.reproduce",
    )
    if earlier.done and earlier.fingerprint == key:
        mend_definition(directory, spec)
        restore_damaged_metrics(earlier)
        print_line(console, "Trained before; fresh=true trains it again.")
        if _update_location(directory, raw_config, overrides):
            print_line(console, "Its text is now read from where this command says.")
        return directory
    write_trial(directory, spec, collect(Path(__file__).parent))
    _train(directory, raw_config, console)
    return directory


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


def _train(directory: Path, raw_config: Mapping[str, Any], console: Console) -> None:
    set_devices()
    from lm.objective import train  # imports JAX

    metric, mode = raw_config["sweep"]["metric"], raw_config["sweep"]["mode"]
    with (
        RunProgress(console) as progress,
        Run(directory, metric=metric, mode=mode, on_report=progress.reported) as run,
    ):
        train(raw_config, run)


def run_name(overrides: Sequence[str], key: str) -> str:
    """Return a single run's name: the options that were given, and what identifies its result."""
    settings = given(overrides)
    short = naming.short_keys(list(settings))
    return naming.trial_name(dict(zip(short, settings.values(), strict=True)), key)


def given(overrides: Sequence[str]) -> dict[str, str]:
    """Return option in full -> label, of the given options that change what is computed."""
    return {
        item.key_or_group: naming.label(item.value())
        for item in OverridesParser.create().parse_overrides(list(overrides))
        if item.key_or_group.partition(".")[0] not in RUN_ONLY
        and item.key_or_group not in ("data.root", "data.files")
    }


def run() -> None:
    """Run the command with the arguments of this process."""
    run_command(main, mode="RUN")


if __name__ == "__main__":
    run()
