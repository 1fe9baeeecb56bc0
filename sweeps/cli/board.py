"""See all runs below a folder in TensorBoard, with links for the axes of its sweeps.

An application gives this command a name of its own: `python -m lm.board outputs`.
"""

import argparse
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from rich.console import Console
from rich.style import Style
from rich.text import Text

from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.version import add_version
from sweeps.errors import UserError
from sweeps.io.console import make_console, print_line, print_text
from sweeps.io.retry import warn
from sweeps.io.url import is_url, without_secrets
from sweeps.naming import RunFilter, short_keys
from sweeps.store import Sweep, read_sweep
from sweeps.tensorboard.links import Dashboard, Link, sweep_links
from sweeps.tensorboard.runs import FilteredLogdir, filter_runs, find_runs
from sweeps.tensorboard.server import (
    DATA_SERVER_FILES,
    RELOAD_SECONDS,
    get_json,
    has_data_server,
    raise_open_file_limit,
    serve,
    wait_for_runs,
)

PORT = 6006
"""TensorBoard's own default."""
MAX_SELECTED_RUNS = 500
"""Most runs that TensorBoard selects by itself; it selects none of more."""
MAX_SWEEPS_IN_FULL = 6
"""Most sweeps for which all links are printed; of more only the first link of each."""


@exit_on_user_error()
def main(
    arguments: Sequence[str] | None = None,
    command: str = "python -m sweeps.cli.board",
    pinned: Sequence[str] = (),
    compare: str = "python -m sweeps compare",
) -> None:
    """Run the command, until Ctrl-C.

    Args:
      arguments: command-line arguments; None for those of this process.
      command: name of the command in its help.
      pinned: tags of the scalars that links pin; empty: the metric of each sweep.
      compare: command that writes a table of a sweep's trials.
    """
    options = make_parser(command).parse_args(arguments)
    if is_url(options.folder):  # before it becomes a path, in which two slashes are one
        url = without_secrets(options.folder)
        raise UserError(f"{url} is a URL; give the folder of this machine's copy of it.")
    root = Path(options.folder)
    runs = _matching_runs(root, options.filter)
    console = make_console()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit_on_signal)
    with ExitStack() as stack:
        logdir, selection = root, None
        if options.filter is not None:
            selection = stack.enter_context(FilteredLogdir(root, RunFilter(options.filter)))
            selection.refresh()
            logdir = selection.path
        _check_server(console, runs)
        longest = max(map(len, runs))
        url = stack.enter_context(serve(logdir, options.host, options.port, letters=longest))
        with console.status(f"loading {_count_text(len(runs))}") as status:
            listed = wait_for_runs(
                url, len(runs), lambda n: status.update(f"loading {n} of {len(runs)} runs")
            )
        dashboard = Dashboard(url=_reachable(url), pinned=pinned)
        every = SweepLinks(root, list(runs), dashboard)
        clickable = shows_links(console, os.environ)
        for line in every.lines(all_values=options.links, clickable=clickable):
            print_text(console, line, fold=False)
        for note in _sweep_notes(root, every.sweeps, command, compare):
            print_line(console, note)
        for note in _notes(root, len(runs), listed, dashboard.url):
            print_line(console, note)
        sys.stdout.flush()
        _refresh_until_ended(url, selection)


def make_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    parser = argparse.ArgumentParser(
        prog=command,
        description="See all runs below a folder in TensorBoard, until Ctrl-C. Prints links for "
        "the axes of each sweep; where the terminal can be clicked, also for their values.",
    )
    add = parser.add_argument
    add(
        "folder",
        nargs="?",
        default="outputs",
        metavar="FOLDER",
        help="of sweeps, of one sweep or of one run (default: %(default)s)",
    )
    add(
        "--filter",
        "--match",
        metavar="REGEX",
        help="serve only the runs in whose name it is found, case ignored, as in TensorBoard's run "
        "box; runs that appear later are served if they match",
    )
    add(
        "--links",
        action="store_true",
        help="print the whole address of every link, one for each of an axis's few values, too",
    )
    add("--port", type=int, default=PORT, help="0: any that is free (default: %(default)s)")
    add(
        "--host",
        default="localhost",
        help="address to listen at; 0.0.0.0: all of this machine's (default: %(default)s)",
    )
    add_version(parser)
    return parser


def _matching_runs(folder: Path, expression: str | None) -> dict[str, list[str]]:
    """Return the runs below a folder that match: name -> names of event files.

    Raises:
      UserError: the folder is missing or has no run, or none matches.
    """
    matches = RunFilter(expression)
    if not folder.is_dir():
        raise UserError(
            f"{folder} does not exist; give the folder that sweeps write to (output_dir)."
        )
    if not any(folder.iterdir()):
        raise UserError(f"{folder} is empty; run a sweep first, or give another folder.")
    if not (runs := find_runs(folder)):
        raise UserError(
            f"{folder} has no runs: there is no event file below it; give the folder that sweeps "
            "write to, or wait until the first trial has started."
        )
    if not (kept := filter_runs(runs, matches)):
        raise UserError(
            f"no run matches --filter {expression!r}; the first of {len(runs)} is {min(runs)}."
        )
    return kept


def _check_server(console: Console, runs: Mapping[str, Sequence[str]]) -> None:
    """Check that TensorBoard can open the event files of all runs, and load them fast.

    Raises:
      UserError: the limit of open files is too low.
    """
    files = sum(map(len, runs.values()))
    limit = raise_open_file_limit(files + DATA_SERVER_FILES)
    if 0 <= limit < files + DATA_SERVER_FILES:
        raise UserError(
            f"a process may open {limit} files here, and there are {files} event files, so "
            "TensorBoard would drop runs without a word; raise the limit (ulimit -n), or serve "
            "fewer runs with --filter REGEX."
        )
    if not has_data_server():
        print_line(
            console,
            "TensorBoard's data server is missing here, so that many runs take minutes to load: "
            "pip install tensorboard-data-server.",
            style="yellow",
        )


def _sweep_notes(root: Path, sweeps: Sequence[Path], command: str, compare: str) -> Iterator[str]:
    """What else there is to see of the sweeps in a folder."""
    if not sweeps:
        return
    first = sweeps[0]
    folder = shlex.quote(str(first if len(sweeps) == 1 else root / "SWEEP"))
    yield ""
    yield "columns: the + above the list of runs adds options and metrics to it"
    yield f"a table: {compare} {folder} --html FILE"
    if len(sweeps) == 1 and first != root:
        yield f"names without {first.name}/: {command} {folder}"


def _notes(folder: Path, runs: int, listed: int, url: str) -> Iterator[str]:
    """What to know, and last the address of TensorBoard."""
    if listed < runs:
        yield f"{max(listed, 0)} are loaded by now; the page's reload button shows the others."
    if runs > MAX_SELECTED_RUNS:
        yield (
            f"TensorBoard selects none of more than {MAX_SELECTED_RUNS} runs by itself: open a "
            "link or type into the run filter, then tick the box above the list; or serve fewer "
            "runs with --filter REGEX."
        )
    yield ""
    yield f"{url}  {_count_text(runs)} of {folder}; Ctrl-C ends it"


class SweepLinks:
    """The links of all sweeps in a folder."""

    def __init__(self, folder: Path, runs: Sequence[str], dashboard: Dashboard) -> None:
        """Make them.

        Args:
          folder: of sweeps, or of one.
          runs: names of the runs that are served.
          dashboard: what the links share.
        """
        self._by_sweep: dict[str, list[Link]] = {}
        self.sweeps: list[Path] = []
        """Folders of the sweeps that have links."""
        for name, sweep in _sweeps(folder).items():
            if links := _links(dashboard, name, sweep, runs):
                self._by_sweep[sweep.folder.resolve().name] = links
                self.sweeps.append(sweep.folder)

    def lines(self, *, all_values: bool, clickable: bool) -> Iterator[Text]:
        """A heading and its lines for each sweep; of many sweeps the link to all runs alone.

        Args:
          all_values: whether each link has a line with its whole address.
          clickable: whether a word can carry an address. Then there is a line for each axis, with
            its values; else one with the address that colours by it.
        """
        is_short = len(self._by_sweep) > MAX_SWEEPS_IN_FULL and not all_values
        for name, links in self._by_sweep.items():
            yield Text(f"\n{name}, {_count_text(links[0].runs)}")
            shown = links[:1] if is_short else links
            if clickable and not all_values:
                yield from _clickable_lines(shown)
            else:
                yield from _address_lines(shown, all_values=all_values)


def _clickable_lines(links: Sequence[Link]) -> Iterator[Text]:
    """A line for each axis, whose name and values are links."""
    every = links[0]
    axes = {link.axis: [one for one in links if one.axis == link.axis] for link in links}
    width = max(len(axis or every.shows) for axis in axes)
    for axis, (first, *values) in axes.items():
        line = Text("  ")
        line.append(axis or first.shows, Style(link=first.url, underline=True))
        line.append(" " * (width - len(axis or first.shows)))
        for link in values:
            line.append("  ")
            line.append(
                _link_text(link, every).removeprefix(f"{axis}="),
                Style(link=link.url, underline=True),
            )
        yield line


def _address_lines(links: Sequence[Link], *, all_values: bool) -> Iterator[Text]:
    """A line for each link, or only for all runs and for each axis."""
    every, seen = links[0], set()
    shown = []
    for link in links:
        if all_values or link.axis not in seen:
            shown.append(link)
        seen.add(link.axis)
    width = max(len(_link_text(link, every)) for link in shown)
    for link in shown:
        yield Text(f"  {_link_text(link, every):{width}}  {link.url}")


def shows_links(console: Console, environment: Mapping[str, str]) -> bool:
    """Whether a terminal is known to make words that carry an address (OSC 8) clickable.

    Others would print the words and hide the address.

    Args:
      console: where they are printed.
      environment: variables of the process, by which terminals say what they are.
    """
    if not console.is_terminal or console.color_system is None:
        return False
    version = environment.get("VTE_VERSION", "")  # GNOME's terminal and its relatives, since 0.50
    return (
        environment.get("TERM_PROGRAM") in ("iTerm.app", "vscode", "WezTerm", "ghostty", "Hyper")
        or environment.get("TERM") in ("xterm-kitty", "alacritty", "foot", "xterm-ghostty")
        or "WT_SESSION" in environment  # Windows Terminal
        or "KONSOLE_VERSION" in environment
        or (version.isdigit() and int(version) >= 5000)
    )


def _count_text(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"


def _link_text(link: Link, every: Link) -> str:
    """Return what a link shows, with its number of runs where it does not show all."""
    return link.shows if link.runs == every.runs else f"{link.shows} ({link.runs})"


def _sweeps(folder: Path) -> dict[str, Sweep]:
    """Return the sweeps in a folder by name; a sweep's own folder has the empty name."""
    found = sorted(folder.glob("[!.]*/sweep.json"))
    folders = {"": folder, **{path.parent.name: path.parent for path in found}}
    sweeps = {}
    for name, path in folders.items():
        if (path / "sweep.json").is_file():
            try:
                sweeps[name] = read_sweep(path)
            except UserError as error:  # its runs are shown, and links to the other sweeps
                warn(str(error))
    return sweeps


def _links(dashboard: Dashboard, name: str, sweep: Sweep, runs: Sequence[str]) -> list[Link]:
    axes = short_keys(sweep.axes)
    prefix = f"{name}/" if name else ""
    served = set(runs)
    trials = {
        run: dict(zip(axes, (trial.settings.get(key, "") for key in sweep.axes), strict=True))
        for trial in sweep.trials
        if (run := prefix + trial.directory.name) in served
    }
    if not dashboard.pinned:
        dashboard = dashboard._replace(pinned=(sweep.metric,))
    return sweep_links(dashboard, name, axes, trials)


def _reachable(url: str) -> str:
    """Return a URL that other machines can open, if TensorBoard listens at all addresses."""
    parts = urlsplit(url)
    if parts.hostname not in ("0.0.0.0", "::"):
        return url
    import socket

    return parts._replace(netloc=f"{socket.getfqdn()}:{parts.port}").geturl()


def _refresh_until_ended(url: str, selection: FilteredLogdir | None) -> None:
    """Add new runs to the selection until the process is ended.

    Raises:
      UserError: TensorBoard no longer answers.
    """
    while True:
        time.sleep(RELOAD_SECONDS)
        if selection is not None:
            selection.refresh()
        if get_json(url, "data/environment") is None:
            raise UserError(
                "TensorBoard's data server has ended, perhaps for want of memory; serve fewer runs "
                "with --filter REGEX."
            )


def _exit_on_signal(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
