"""See all runs below a folder in TensorBoard, with links for the axes of its sweeps.

An application names this its own command: `python -m lm.board outputs`.
"""

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from rich.console import Console

from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError
from sweeps.io.url import is_url
from sweeps.naming import RunFilter, short_keys
from sweeps.store.sweep import Sweep, read_sweep
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
MAX_SELECTED_RUNS = 500
"""TensorBoard selects no run by itself where there are more."""
MANY_SWEEPS = 6
"""With more of them only the first link of each is printed."""


@exit_on_user_error()
def main(
    arguments: Sequence[str] | None = None,
    command: str = "python -m sweeps.cli.board",
    pinned: Sequence[str] = (),
    tags: str = "",
) -> None:
    """Run the command, until Ctrl-C.

    Args:
      arguments: of the command line; None for this process's.
      command: what it is called in its help.
      pinned: tags of the scalars that links pin; none: the metric of each sweep.
      tags: expression that selects the cards of links; empty: all.
    """
    options = _parser(command).parse_args(arguments)
    if is_url(options.folder):  # before it is a path, which has one slash for two
        raise UserError(f"{options.folder} is a URL; give the folder of this machine's copy of it.")
    above = Path(options.folder)
    runs = _runs(above, options.match)
    console = Console(soft_wrap=True, highlight=False)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    with ExitStack() as stack:
        folder, selection = above, None
        if options.match is not None:
            selection = stack.enter_context(FilteredLogdir(above, RunFilter(options.match)))
            selection.refresh()
            folder = selection.path
        _check(console, runs)
        url = stack.enter_context(serve(folder, options.host, options.port))
        with console.status(f"loading {_runs_of(len(runs))}") as status:
            listed = wait_for_runs(
                url, len(runs), lambda n: status.update(f"loading {n} of {len(runs)} runs")
            )
        lines = _lines(above, list(runs), listed, Dashboard(_reachable(url), pinned, tags))
        console.print("\n".join(lines), markup=False)
        _keep_up(url, selection)


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=command,
        description="See all runs below a folder in TensorBoard, until Ctrl-C. Prints a link for "
        "each axis of each sweep, and for each of its values where they are few.",
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
        "--match",
        metavar="REGEX",
        help="serve only the runs in whose name it is found, case ignored, as in TensorBoard's run "
        "box; runs that appear later are served if they match",
    )
    add("--port", type=int, default=PORT, help="0: any that is free (default: %(default)s)")
    add(
        "--host",
        default="localhost",
        help="address to listen at; 0.0.0.0: all of this machine's (default: %(default)s)",
    )
    return parser


def _runs(folder: Path, expression: str | None) -> dict[str, list[str]]:
    """The runs below a folder that match.

    Raises:
      UserError: it is missing, or has none.
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
            f"no run matches --match {expression!r}; the first of {len(runs)} is {min(runs)}."
        )
    return kept


def _check(console: Console, runs: Mapping[str, Sequence[str]]) -> None:
    """Say what keeps TensorBoard from showing all runs, or soon.

    Raises:
      UserError: it could not open the files of all.
    """
    files = sum(map(len, runs.values()))
    limit = raise_open_file_limit(files + DATA_SERVER_FILES)
    if 0 <= limit < files + DATA_SERVER_FILES:
        raise UserError(
            f"a process may open {limit} files here, and there are {files} event files, so "
            "TensorBoard would drop runs without a word; raise the limit (ulimit -n), or serve "
            "fewer runs with --match REGEX."
        )
    if not has_data_server():
        console.print(
            "TensorBoard's data server is missing here, so that many runs take minutes to load: "
            "pip install tensorboard-data-server.",
            style="yellow",
        )


def _lines(folder: Path, runs: Sequence[str], listed: int, view: Dashboard) -> Iterator[str]:
    """What is printed once TensorBoard answers."""
    yield f"{view.url}  {_runs_of(len(runs))} of {folder}; Ctrl-C ends it"
    if listed < len(runs):
        yield f"{max(listed, 0)} are loaded by now; the page's reload button shows the others."
    if len(runs) > MAX_SELECTED_RUNS:
        yield (
            f"TensorBoard selects none of more than {MAX_SELECTED_RUNS} runs by itself: open a "
            "link or type into the run filter, then tick the box above the list; or serve fewer "
            "runs with --match REGEX."
        )
    sweeps = _sweeps(folder)
    for name, sweep in sweeps.items():
        links = _links(view, name, sweep, runs)
        if len(sweeps) > MANY_SWEEPS:
            links = links[:1]
        if links:
            yield ""
            yield f"{sweep.folder.resolve().name}, {_runs_of(links[0].runs)}"
        width = max((len(_shown(link, links[0])) for link in links), default=0)
        for link in links:
            yield f"  {_shown(link, links[0]):{width}}  {link.url}"


def _runs_of(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"


def _shown(link: Link, every: Link) -> str:
    return link.shows if link.runs == every.runs else f"{link.shows} ({link.runs})"


def _sweeps(folder: Path) -> dict[str, Sweep]:
    """The sweeps in a folder, or the one that it is, by their names within it."""
    found = sorted(folder.glob("[!.]*/sweep.json"))
    places = {"": folder, **{path.parent.name: path.parent for path in found}}
    return {
        name: read_sweep(place)
        for name, place in places.items()
        if (place / "sweep.json").is_file()
    }


def _links(view: Dashboard, name: str, sweep: Sweep, runs: Sequence[str]) -> list[Link]:
    axes = short_keys(sweep.axes)
    start = f"{name}/" if name else ""
    served = set(runs)
    trials = {
        run: dict(zip(axes, (trial.settings.get(key, "") for key in sweep.axes), strict=True))
        for trial in sweep.trials
        if (run := start + trial.directory.name) in served
    }
    mine = view if view.pinned else view._replace(pinned=(sweep.metric,))
    return sweep_links(mine, name, axes, trials)


def _reachable(url: str) -> str:
    """A URL that another machine can open, where all addresses are listened at."""
    parts = urlsplit(url)
    if parts.hostname not in ("0.0.0.0", "::"):
        return url
    import socket

    return parts._replace(netloc=f"{socket.getfqdn()}:{parts.port}").geturl()


def _keep_up(url: str, selection: FilteredLogdir | None) -> None:
    """Take in new runs until the process is ended.

    Raises:
      UserError: TensorBoard answers no more.
    """
    while True:
        time.sleep(RELOAD_SECONDS)
        if selection is not None:
            selection.refresh()
        if get_json(url, "data/environment") is None:
            raise UserError(
                "TensorBoard's data server has ended, perhaps for want of memory; serve fewer runs "
                "with --match REGEX."
            )


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
