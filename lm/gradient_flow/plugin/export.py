"""`python -m lm.gradient_flow FOLDER... --html FILE`: the tab's page as one file with its runs.

The file works from disk, without a network and without TensorBoard.
"""

import argparse
import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lm.gradient_flow.plugin.event_reader import RunRecords, read_run
from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.version import add_version
from sweeps.errors import UserError
from sweeps.io import html
from sweeps.naming import RunFilter
from sweeps.tensorboard.runs import find_runs

STATIC = Path(__file__).parent / "static"
DEFAULT_RECORDS = 100
"""Batches of a run that the page holds in full, unless `--records` says otherwise."""
TEMPLATE = """<style data-flow>{{style}}</style>
</head>
<body>
<script type="application/json" id="flow-data">{{data}}</script>
<script type="module">{{program}}</script>
</body>
</html>
"""


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; None: the arguments of this process."""
    options = _parser().parse_args(arguments)
    if options.records < 1:
        raise UserError("--records takes a number of batches from 1 on.")
    runs = read_runs(options.folders, options.filter)
    data = page_data(runs, options.records)
    text = render(data)
    html.write_page(options.html, text, "--html")
    held = sum(map(len, data["batches"].values()))
    every = sum(len(run.batches) for run in runs.values())
    size = f"{len(text) / 1e6:.1f} MB"
    trials = "1 trial" if len(runs) == 1 else f"{len(runs)} trials"
    print(f"{options.html}: {trials}, {held} of {every} recorded batches, {size}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lm.gradient_flow",
        description='Write the page of the tab "Gradient flow" as one file that needs no network.',
    )
    add = parser.add_argument
    add("folders", nargs="+", type=Path, metavar="FOLDER", help="of sweeps, a sweep or a run")
    add("--html", type=Path, required=True, metavar="FILE", help="where the page is written")
    add(
        "--filter",
        "--match",
        metavar="REGEX",
        help="only the runs in whose name it is found, case ignored",
    )
    add(
        "--records",
        type=int,
        default=DEFAULT_RECORDS,
        metavar="N",
        help="batches of each run that are held in full, evenly spaced, with the largest; the "
        "overview has all (default: %(default)s)",
    )
    add_version(parser)
    return parser


def read_runs(folders: Sequence[Path], expression: str | None) -> dict[str, RunRecords]:
    """Read all runs with gradient flow below some folders, by name.

    Raises:
      UserError: a folder is missing, or there is nothing to show.
    """
    matches = RunFilter(expression)
    found: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder} does not exist; give the folder that runs were written to.")
        for name in find_runs(folder):
            found[_run_label(folder, name, alone=len(folders) == 1)] = folder / name
    kept = {name: path for name, path in found.items() if matches(name)}
    if found and not kept:
        raise UserError(
            f"no run matches --filter {expression!r}; the first of {len(found)} is {min(found)}."
        )
    runs = {name: read_run(path) for name, path in sorted(kept.items())}
    if not (recorded := {name: run for name, run in runs.items() if run.batches}):
        raise UserError(
            f"no gradient flow was recorded in {len(kept)} runs; train with "
            "gradient_flow.every=100."
        )
    return recorded


def _run_label(folder: Path, run: str, alone: bool) -> str:
    """Name of a run as in TensorBoard; with its folder's name where there are several folders."""
    if run == ".":
        return folder.resolve().name
    return run if alone else f"{folder.resolve().name}/{run}"


def page_data(runs: Mapping[str, RunRecords], most: int) -> dict[str, Any]:
    """Data for the page's script."""
    data: dict[str, Any] = {"runs": {}, "overviews": {}, "batches": {}}
    for name, run in runs.items():
        steps = sorted(run.overviews)
        kept = _kept_steps(run, most)
        first = run.overviews[steps[0]]
        data["runs"][name] = {"last": steps[-1], "about": run.about}
        data["overviews"][name] = {
            "steps": steps,
            "components": len(first),
            "values": _base64(b"".join(run.overviews[step].tobytes() for step in steps)),
            "kept": kept,
        }
        data["batches"][name] = {
            step: {
                "labels": run.batches[step].labels,
                "records": {
                    part: _base64(record) for part, record in run.batches[step].records.items()
                },
            }
            for step in kept
        }
    return data


def _kept_steps(run: RunRecords, most: int) -> list[int]:
    """Steps of the batches that the page holds in full: evenly spaced, with the largest and last.

    The page has a button to the largest. It takes the place of the one that is nearest to it.
    """
    kept = _evenly_spaced(sorted(run.batches), most)
    sizes = {
        step: float(np.nan_to_num(run.overviews[step][:, 0], posinf=0).max())
        for step in run.batches
    }
    largest = max(sorted(sizes), key=lambda step: sizes[step])
    if largest in kept or len(kept) < 2:
        return kept
    nearest = min(kept[:-1], key=lambda step: abs(step - largest))
    return sorted({*kept, largest} - {nearest})


def _evenly_spaced(steps: Sequence[int], most: int) -> list[int]:
    """At most `most` of the steps, evenly spaced, with the last."""
    if len(steps) <= most:
        return list(steps)
    return [steps[len(steps) - 1 - place * len(steps) // most] for place in range(most)][::-1]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def render(data: Mapping[str, Any]) -> str:
    """Render the page's HTML."""
    program = (STATIC / "index.js").read_text(encoding="utf-8")
    return html.render(
        TEMPLATE,
        f"Gradient flow, {next(iter(data['runs']))}",
        data,
        style=(STATIC / "index.css").read_text(encoding="utf-8"),
        program=program.replace("</script", "<\\/script"),
    )
