"""Hydra's entry for a command: its flags, its mode, and sentences in place of Hydra's errors."""

import os
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import wraps
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, OmegaConf

from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.version import version_text
from sweeps.config import composition_errors, parse_overrides
from sweeps.errors import UserError

_SHOWS_ONE = ("cfg", "info", "help", "hydra_help")
"""Flags that show one configuration and run nothing."""
_FULL_ERROR = "HYDRA_FULL_ERROR"
"""Environment variable: Hydra passes errors on, in place of printing them in words of its own."""


@dataclass(frozen=True, kw_only=True)
class HydraCommand:
    """A command whose arguments are overrides and Hydra's flags."""

    name: str
    """As a user types it: `python -m app.train`."""
    config_dir: Path | None
    """Folder of the configuration files; None: there are none."""
    config_name: str = "config"
    """The root, a file in that folder or a node of Hydra's config store."""
    mode: str = "RUN"
    """Hydra's RUN or MULTIRUN. It belongs to the command, not to the configuration: the single run
    that reproduces a trial names the sweep's file, for the values it sets."""
    check: Callable[[Sequence[str]], None] = lambda arguments: None
    """Takes flags and overrides; raises UserError for wrong ones."""
    complete: Callable[[Sequence[str]], None] = lambda overrides: None
    """Takes what follows `--shell-completion`; prepares the line that Hydra completes, or exits."""
    other_mode: str = ""
    """Command of the other mode, where this one has only its own; empty: it has both."""


def run_command(
    command: HydraCommand,
    task: Callable[[DictConfig], None],
    arguments: Sequence[str] | None = None,
) -> None:
    """Compose the configuration of a command line and hand it to a task.

    Args:
      command: what the command is.
      task: takes the composed configuration; in the mode MULTIRUN Hydra's sweeper is called in its
        place.
      arguments: of the command line; None: this process's.
    """
    with exit_on_user_error(goes_on=True):
        given = sys.argv[1:] if arguments is None else arguments
        flags, overrides = _read_arguments(command, given)
        sys.argv[1:] = [*flags, *overrides]
        folder = None if command.config_dir is None else str(command.config_dir)
        main = hydra.main(version_base="1.3", config_path=folder, config_name=command.config_name)
        with (
            _errors_passed_on() as translated,
            composition_errors() if translated else nullcontext(),
        ):
            main(_checked(task))()


def _read_arguments(command: HydraCommand, arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Check a command line, and part Hydra's flags from the overrides.

    Hydra reads overrides in one piece only. They may stand before and after flags here.

    Raises:
      UserError: a flag does not fit the command or another flag; an override is wrong.
    """
    if "--version" in arguments:
        print(version_text())
        sys.exit()
    args, rest = get_args_parser().parse_known_intermixed_args(_with_kind_of_info(arguments))
    for word in rest:
        if word.startswith("-"):
            raise UserError(_no_flag(word, command))
    overrides: list[str] = args.overrides
    if args.shell_completion:
        command.complete(overrides)
        return ["--shell-completion"], overrides
    _check_flags(args, command)
    flags = _flags(args)
    command.check([*flags, *overrides])
    shows_one = [name for name in _SHOWS_ONE if getattr(args, name)]
    if shows_one or (command.mode == "RUN" and command.other_mode):
        _check_single(overrides, shows_one[:1], command)
    if command.mode == "MULTIRUN" and not shows_one:
        flags.append("--multirun")
    if args.hydra_help:  # about Hydra's own options alone
        overrides = [one for one in overrides if one.lstrip("+~").startswith("hydra")]
    return flags, [*overrides, f"hydra.mode={command.mode}"]


def _no_flag(word: str, command: HydraCommand) -> str:
    """The sentence on a flag that there is not: options are written without dashes."""
    flag, equals, value = word.partition("=")
    name = flag.lstrip("-").replace("-", "_")
    return f"{flag} is no flag; {_option_for(name, value if equals else None, command)}"


def _option_for(name: str, value: str | None, command: HydraCommand) -> str:
    """What to write for an option that was written as a flag."""
    if not name.replace(".", "").replace("_", "").isalnum():
        return "--help lists the flags."
    for text in [f"={value}"] if value is not None else ["=true", "=VALUE"]:
        try:
            command.check([f"{name}{text.replace('VALUE', '1')}"])
        except UserError as error:
            meant = re.search(r"did you mean (\S+)\?$", str(error))
            if meant and meant[1] != name:
                return _option_for(meant[1], value, command)
            alike = re.search(r"did you mean .*\?$", str(error))
            if alike:
                return f"{alike[0]}"
        else:
            return f"options are written without dashes: {name}{text}."
    return "options are written without dashes, as in key=value; --help lists the flags."


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


def _check_flags(args: Namespace, command: HydraCommand) -> None:
    if args.experimental_rerun is not None:
        raise UserError(
            "--experimental-rerun is not supported: no pickled configuration is kept; the command "
            "of a trial stands in its folder's trial.json, and another runs it again and compares."
        )
    if args.multirun and command.mode == "RUN" and command.other_mode:
        raise UserError(f"{command.name} trains one model; for a sweep use {command.other_mode}.")
    if args.run and command.mode == "MULTIRUN" and command.other_mode:
        raise UserError(f"{command.name} trains a sweep; for one model use {command.other_mode}.")
    if args.cfg is not None and args.info is not None:
        raise UserError("--cfg and --info show different things; give one of them.")
    if args.resolve and args.cfg is None and not args.help:
        raise UserError("--resolve goes with --cfg or --help; give one of them, too.")


def _check_single(overrides: Sequence[str], shown_by: Sequence[str], command: HydraCommand) -> None:
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
            f"{text} {command.name} trains one model; sweep over it with {command.other_mode}, "
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
