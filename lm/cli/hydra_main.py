"""Hydra's entry for a command: its flags, the schema, checked overrides, and the run's mode."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import wraps

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, OmegaConf

from lm.cli.completion import SCRIPTS, without_module
from lm.config import CONFIG_DIR, Config, register
from sweeps import hydra_sweeper
from sweeps.cli.exit import exit_on_user_error
from sweeps.config import check_overrides, composition_errors, parse_overrides
from sweeps.errors import UserError

_SHOWS_ONE = ("cfg", "info", "help", "hydra_help")
"""Flags that show one configuration and run nothing."""
_FULL_ERROR = "HYDRA_FULL_ERROR"
"""Environment variable: Hydra passes errors on, in place of printing them in words of its own."""


def run_command(task: Callable[[DictConfig], None], mode: str) -> None:
    """Compose the configuration of the command line and hand it to a task.

    Args:
      task: takes the composed configuration.
      mode: Hydra's RUN or MULTIRUN. It belongs to the command, not to the configuration: the
        single run that reproduces a trial names the sweep's file, for the values it sets.
    """
    register()
    hydra_sweeper.register()
    with exit_on_user_error(goes_on=True):
        flags, overrides = _read_arguments(sys.argv[1:], mode)
        sys.argv[1:] = [*flags, *overrides]
        main = hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="config")
        with (
            _errors_passed_on() as translated,
            composition_errors() if translated else nullcontext(),
        ):
            main(_checked(task))()


def _read_arguments(arguments: Sequence[str], mode: str) -> tuple[list[str], list[str]]:
    """Check a command line, and part Hydra's flags from the overrides.

    Hydra reads overrides in one piece only. They may stand before and after flags here.

    Raises:
      UserError: a flag does not fit the command or another flag; an override is wrong.
    """
    args = get_args_parser().parse_intermixed_args(_with_kind_of_info(arguments))
    overrides: list[str] = args.overrides
    if args.shell_completion:
        _complete(overrides)
        return ["--shell-completion"], overrides
    _check_flags(args, mode)
    flags = _flags(args)
    check_overrides([*flags, *overrides], CONFIG_DIR, Config)
    shows_one = [name for name in _SHOWS_ONE if getattr(args, name)]
    if mode == "RUN" or shows_one:
        _check_single(overrides, shows_one[:1])
    if mode == "MULTIRUN" and not shows_one:
        flags.append("--multirun")
    if args.hydra_help:  # about Hydra's own options alone
        overrides = [one for one in overrides if one.lstrip("+~").startswith("hydra")]
    return flags, [*overrides, f"hydra.mode={mode}"]


def _complete(overrides: Sequence[str]) -> None:
    """Print a script for the shell, or prepare the line that Hydra is to complete."""
    if script := "".join(SCRIPTS.get(one, "") for one in overrides):
        print(script, end="")
        sys.exit()
    line = os.environ.get("COMP_LINE")
    if line is None or not any(one.startswith("query=") for one in overrides):
        raise UserError(f"--shell-completion needs one of {', '.join(SCRIPTS)}.")
    os.environ["COMP_LINE"] = without_module(line)


def _with_kind_of_info(arguments: Sequence[str]) -> list[str]:
    """`--info` shows all where no kind follows; an override is none."""
    kinds = next(one.choices for one in get_args_parser()._actions if one.dest == "info")
    found = []
    for index, argument in enumerate(arguments):
        bare = argument in ("--info", "-i") and arguments[index + 1 : index + 2]
        found.append("--info=all" if bare and bare[0] not in (kinds or ()) else argument)
    return found


def _flags(args: Namespace) -> list[str]:
    """Hydra's flags as one argument each, without those that the command implies."""
    given = {
        name: value
        for name, value in vars(args).items()
        if name not in ("overrides", "run", "multirun") and value not in (None, False)
    }
    return [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in given.items()
    ]


def _check_flags(args: Namespace, mode: str) -> None:
    if args.experimental_rerun is not None:
        raise UserError(
            "--experimental-rerun is not supported: no pickled configuration is kept; the command "
            "of a trial stands in its folder's trial.json, and python -m lm.reproduce runs it."
        )
    if args.multirun and mode == "RUN":
        raise UserError("python -m lm.train trains one model; for a sweep use python -m lm.sweep.")
    if args.run and mode == "MULTIRUN":
        raise UserError("python -m lm.sweep trains a sweep; for one model use python -m lm.train.")
    if args.cfg is not None and args.info is not None:
        raise UserError("--cfg and --info show different things; give one of them.")
    if args.resolve and args.cfg is None and not args.help:
        raise UserError("--resolve goes with --cfg or --help; give one of them, too.")


def _check_single(overrides: Sequence[str], shown_by: Sequence[str]) -> None:
    """Refuse axes where there is one configuration."""
    for override in parse_overrides(overrides):
        if not override.is_sweep_override():
            continue
        text = f"{override.input_line} has several values, and"
        if shown_by:
            raise UserError(
                f"{text} --{shown_by[0].replace('_', '-')} shows one configuration; give it one "
                "value, or list the trials with sweep.preview=true in place of the flag."
            )
        raise UserError(
            f"{text} python -m lm.train trains one model; sweep over it with python -m lm.sweep, "
            "or put quotes around a text with commas."
        )


def _checked(task: Callable[[DictConfig], None]) -> Callable[[DictConfig], None]:
    """Make a task that refuses values that are missing or cannot be resolved."""

    @wraps(task)
    @exit_on_user_error(goes_on=True)
    def run(config: DictConfig) -> None:
        with composition_errors():
            OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        task(config)

    return run


@contextmanager
def _errors_passed_on() -> Iterator[bool]:
    """Have Hydra raise its errors; yields whether to make sentences of them.

    Who sets the variable wants tracebacks.
    """
    if os.environ.get(_FULL_ERROR) == "1":
        yield False
        return
    os.environ[_FULL_ERROR] = "1"
    try:
        yield True
    finally:
        del os.environ[_FULL_ERROR]
