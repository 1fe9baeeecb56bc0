"""Command-line parsing that the benchmarks share."""

import argparse
from collections.abc import Collection, Sequence

from benchmarks.harness import tables
from sweeps.errors import UserError


def parser(module: str, docstring: str | None) -> argparse.ArgumentParser:
    """Make a parser whose help is the module's docstring, with the option `--markdown`."""
    description, _, rest = (docstring or "").partition("\n\n")
    made = argparse.ArgumentParser(
        f"python -m {module}",
        description=description,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tables.add_options(made)
    return made


def split(
    words: Sequence[str], kind: str, known: Collection[str], default: Collection[str]
) -> tuple[list[str], list[str]]:
    """Split words into names of what to measure, else `default`, and Hydra overrides.

    Raises:
      UserError: a word is no override and not known.
    """
    names = [word for word in words if "=" not in word] or list(default)
    for name in names:
        if name not in known:
            raise UserError(f"there is no {kind} {name}; choose from {', '.join(known)}.")
    return names, [word for word in words if "=" in word]
