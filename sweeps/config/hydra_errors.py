"""Errors of Hydra, OmegaConf and YAML while a configuration is composed, each as one sentence."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from sweeps.config.schema import explain_foreign_option
from sweeps.errors import UserError

_ERRORS = (HydraException, OmegaConfBaseException, YAMLError, UnicodeDecodeError)
_NOISE = re.compile(r"\s*(full_key:|object_type=|reference_type=|See https)")
"""Lines of these libraries that are about their own types."""
_PLACES = re.compile(r"\s*(Config )?[Ss]earch path:\s*$")
"""Line after which only folders are listed."""
_RAISED = re.compile(r"\w+Error raised while composing config:\s*")
_NEEDS_PLUS = re.compile(
    r"Could not override '(?P<group>[^']*)'\. No match in the defaults list; "
    r"To append to your default list use \+(?P<chosen>\S+)$"
)
_READER = "file_config_source.py"
"""Hydra's module that reads configuration files."""


@contextmanager
def composition_errors() -> Iterator[None]:
    """Raise what these libraries raise while they compose as a `UserError` of one sentence.

    Other errors pass, and so does a text that cannot be decoded and is no configuration file.
    """
    try:
        yield
    except _ERRORS as error:
        if sentence := composition_error(error):
            raise UserError(sentence) from error
        raise


def composition_error(error: BaseException) -> str:
    """Say what an error of these libraries says, in one sentence; empty: it is another error."""
    if isinstance(error, UnicodeDecodeError):
        file = _file_being_read(error)
        return f"{file} is not UTF-8 ({error.reason}); save it as UTF-8." if file else ""
    if isinstance(error, YAMLError):
        return _yaml_error(error)
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return ""
    if sentence := explain_foreign_option(error):
        return sentence
    cause = _cause(error)
    lines = _lines(error)
    if cause is not None:
        if getattr(cause, "object_type", None) not in (None, dict):  # a schema takes no more keys
            lines = [line for line in lines if not line.startswith("To append to your config")]
        lines += [line for line in _lines(cause)[:1] if not any(line in one for one in lines)]
        key = str(getattr(cause, "full_key", "") or "")
        if key and not any(key in line for line in lines):
            lines[-1] = f"{lines[-1].rstrip('.')} ({key})"
    return _join(lines or [type(error).__name__])


def _cause(error: BaseException) -> OmegaConfBaseException | None:
    """OmegaConf's own error behind it."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, OmegaConfBaseException):
        found = found.__cause__ or found.__context__
    return found


def _lines(error: BaseException) -> list[str]:
    """What the text of an error says, a sentence each; lists in one line."""
    found: list[str] = []
    for line in _RAISED.sub("", str(error)).splitlines():
        if _PLACES.match(line):
            break
        if line.startswith("\t") and found:
            if not line.endswith("_schema"):  # of the program itself, and no choice
                found[-1] += f"{' ' if found[-1].endswith(':') else ', '}{line.strip()}"
        elif line.strip() and not _NOISE.match(line):
            found.append(line.strip())
    return found


def _join(lines: list[str]) -> str:
    """Make one sentence of several."""
    text = "; ".join(line.rstrip(".;") for line in lines).replace(":; ", ": ")
    if needs_plus := _NEEDS_PLUS.match(text):
        chosen = needs_plus["chosen"]
        return (
            f"{chosen} needs a plus, as no file of {needs_plus['group']} is chosen without it; "
            f"write +{chosen}."
        )
    return f"{text}."


def _yaml_error(error: YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None:
        return _join(_lines(error))
    place = f"line {mark.line + 1}, column {mark.column + 1}"
    return f"{mark.name} is no YAML: {problem} in {place}; mend that line or the one before."


def _file_being_read(error: BaseException) -> str:
    """The configuration file that Hydra was reading; empty: it was not."""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if Path(code.co_filename).name == _READER and "full_path" in trace.tb_frame.f_locals:
            return str(trace.tb_frame.f_locals["full_path"])
        trace = trace.tb_next
    return ""
