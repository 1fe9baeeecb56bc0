"""What a trial does before its first report, as `compiling`: a word that a worker leaves for the
driver in the trial's folder.

Only the table of a running sweep shows it, and only where both see the same folder.
"""

from contextlib import suppress
from pathlib import Path

PHASE_FILE = ".phase"
MAX_LETTERS = 16
"""Letters that are shown; the column is narrow."""


def write_phase(directory: Path, text: str) -> None:
    """Say what a trial does; an empty text: no more than its reports say."""
    with suppress(OSError):  # as on a full disk, which what is only shown does not end a trial for
        if text:
            (directory / PHASE_FILE).write_text(text, encoding="utf-8")
        else:
            (directory / PHASE_FILE).unlink(missing_ok=True)


def read_phase(directory: Path) -> str:
    """Return what a trial does, in a few letters; empty: it does not say."""
    try:
        text = (directory / PHASE_FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return " ".join(text.split())[:MAX_LETTERS]
