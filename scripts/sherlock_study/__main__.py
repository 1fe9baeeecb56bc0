"""Repeat the Sherlock Holmes study (github.com/pat-coady/rnn): docs/sherlock.md, in two commands.

python -m scripts.sherlock_study run          # every sweep of it
python -m scripts.sherlock_study figures      # tables into docs/sherlock.md, pictures beside it

`run` goes on where it was interrupted. `run momentum layers` runs these sweeps alone; whatever has
a `=` in it is handed to all of them, as data.root=DIR. `run --plan` shows what would be run.
`figures --check` changes nothing, and exits with 1 where the document is not what outputs say.
"""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.harness.tables import Table, as_markdown
from scripts.sherlock_study import tables, words
from scripts.sherlock_study.document import fill
from scripts.sherlock_study.findings import findings
from scripts.sherlock_study.plan import PLAN, Stage, chosen, command
from scripts.sherlock_study.trials import StudyTrial, read

DOCUMENT = Path(__file__).parents[2] / "docs" / "sherlock.md"
OUTPUT = "outputs/sherlock"
WRITTEN: dict[str, tuple[str, Callable[[Sequence[StudyTrial]], str]]] = {
    "vectors": ("sherlock_sequence_length", words.vectors),
    "generated": ("sherlock_sequence_length", words.generated),
    "splits": ("sherlock_predict", words.splits),
    "longer": ("sherlock_predict", words.longer),
}
"""Name in the document -> the sweep that it is made of, and what writes it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; None: with this process's arguments."""
    parser = argparse.ArgumentParser(
        "python -m scripts.sherlock_study",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", default=OUTPUT, help="the folder of all its sweeps")
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="train")
    run.add_argument("what", nargs="*", help="sweeps, or overrides for all of them")
    run.add_argument("--plan", action="store_true", help="show what would be run, and no more")
    figures = verbs.add_parser("figures", help="make tables and pictures")
    figures.add_argument("--check", action="store_true", help="only compare the document")
    figures.add_argument("--chromium", help="the browser (default: the one on the PATH)")
    given = parser.parse_args(arguments)
    if given.verb == "run":
        return run_study(given.what, given.output, given.plan)
    return write_figures(Path(given.output), given.check, given.chromium)


def run_study(what: Sequence[str], output: str, plan_only: bool) -> int:
    """Print the plan and run its sweeps one after the other; gives the first failure's status."""
    overrides = [word for word in what if "=" in word]
    try:
        stages = chosen(word for word in what if "=" not in word)
    except ValueError as error:
        sys.exit(str(error))
    console = Console(soft_wrap=True, highlight=False)
    show_plan(console, stages)
    for stage in stages:
        line = [sys.executable, "-m", "lm.sweep", *command(stage, output, overrides)]
        console.print("\npython " + shlex.join(line[1:]), markup=False)
        if plan_only:
            continue
        if status := subprocess.run(line).returncode:
            return status
    return 0


def show_plan(console: Console, stages: Sequence[Stage]) -> None:
    """Print what is to be run, and how long it takes."""
    table = RichTable("sweep", "trials", "epochs (the study's)", "minutes", box=None)
    for stage in stages:
        table.add_row(stage.sweep, str(stage.trials), stage.epochs, f"{stage.minutes:g}")
    console.print(table)
    trials, minutes = (sum(x) for x in zip(*((s.trials, s.minutes) for s in stages), strict=True))
    console.print(f"{trials} trials, about {minutes:.0f} minutes on two idle cores")


def write_figures(root: Path, check: bool, chromium: str | None) -> int:
    """Bring the document's tables and the pictures up to date, or say whether the former are."""
    text = DOCUMENT.read_text(encoding="utf-8")
    filled = fill(text, parts(root))
    if check:
        print("as the outputs say" if filled == text else f"{DOCUMENT} is not what {root} gives")
        return int(filled != text)
    DOCUMENT.write_text(filled, encoding="utf-8")
    from scripts.sherlock_study.pictures import PICTURES, save  # plotly, which a check does without

    found = {name: (read(root, sweep), draw) for name, (sweep, draw) in PICTURES.items()}
    figures = {name: draw(trials) for name, (trials, draw) in found.items() if trials}
    save(figures, DOCUMENT.parent, chromium)
    print(f"{DOCUMENT}, and pictures: {', '.join(figures) or 'none'}")
    return 0


def parts(root: Path) -> dict[str, str]:
    """Name in the document -> what belongs there."""
    made: dict[str, str] = {}
    for name, (sweep, table) in tables.TABLES.items():
        trials = read(root, sweep)
        made[name] = as_markdown(table(trials)).rstrip() if trials else missing(sweep)
    for name, (sweep, write) in WRITTEN.items():
        trials = [trial for trial in read(root, sweep) if trial.ends]
        made[name] = write(trials) if trials else missing(sweep)
    made["findings"] = as_markdown(findings({s.sweep: read(root, s.sweep) for s in PLAN})).rstrip()
    made["calibration"] = calibrated(root)
    made["plan"] = as_markdown(planned()).rstrip()
    return made


def missing(sweep: str) -> str:
    """What stands in for figures of a sweep that was not run."""
    return (
        f"*Not run yet: `python -m scripts.sherlock_study run {sweep.removeprefix('sherlock_')}`.*"
    )


def calibrated(root: Path) -> str:
    """The losses of models that know little, for the vocabulary of the trials."""
    trials = read(root, "sherlock_predict")
    if not trials:
        return missing("sherlock_predict")
    from lm.data.vocabulary import Vocabulary
    from scripts.sherlock_study.calibration import calibration

    counts = Vocabulary.load(trials[0].directory / "vocab.tsv").counts
    return as_markdown(calibration(counts)).rstrip()


def planned() -> Table:
    """The plan as a table of the document."""
    rows = [[f"`{s.sweep}`", str(s.trials), s.epochs, f"{s.minutes:g}"] for s in PLAN]
    header = ["sweep", "trials", "epochs here (in the study)", "minutes"]
    return Table("What is run", header, rows)


if __name__ == "__main__":
    sys.exit(main())
