"""The command line of this process, as a user types it again."""

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

_FRESH = re.compile(r"([\w.]+\.)?sweep\.fresh=")
"""Beginning of the option that would train again what is trained."""


def command_to_go_on(arguments: Sequence[str], *more: str) -> str:
    """Return the command that goes on with what this process does.

    Args:
      arguments: what this process was given, of which a command line has each.
      *more: further arguments that the command needs.

    Returns:
      The command; empty where another program called this one, as a notebook does.
    """
    given = sys.orig_argv[1:]
    if not given or not all(one in given for one in arguments):
        return ""
    words = [one for one in given if not _FRESH.match(one)] + list(more)
    script = Path(words[0])
    if script.suffix != ".py" and script.parent == Path(sys.executable).parent:
        return shlex.join([script.name, *words[1:]])
    return shlex.join(["python", *words])
