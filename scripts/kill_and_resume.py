"""Kill a sweep's command at half, give it again, and compare with a sweep that nothing disturbed.

python scripts/kill_and_resume.py +sweep=layer_grid data=sherlock train.epochs=2

Prints whether the two result tables are the same, and all reports of all trials, but for what a
clock measured; exits with 1 where they are not.
"""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import sweeps
from sweeps.io.atomic import read_json

FOLDERS = Path("outputs/killed"), Path("outputs/undisturbed")
TIMED = ["seconds", "directory", "command", "time/words_per_second"]


def start(folder: Path, overrides: list[str]) -> subprocess.Popen[bytes]:
    """Start the sweep in a root folder of its own, so that nothing is taken from the other."""
    command = [sys.executable, "-m", "lm.sweep", *overrides, f"output_dir={folder}"]
    return subprocess.Popen([*command, "sweep.name=sweep"])


def finished(folder: Path) -> tuple[int, int]:
    """Count the trials that have finished, and all trials."""
    results = [read_json(path / "result.json") or {} for path in folder.glob("sweep/*,id=*")]
    return sum(found.get("status") == "finished" for found in results), len(results)


def table(folder: Path) -> Any:
    """Read the result table, by trial."""
    return sweeps.load(folder / "sweep").trials.drop(columns=TIMED).set_index("trial").sort_index()


def reports(folder: Path) -> Any:
    """Read every value that every trial reported, by trial, step and tag."""
    rows = sweeps.load(folder / "sweep").metrics
    rows = rows[rows["tag"] != "time/words_per_second"]
    return rows.set_index(["trial", "step", "tag"])["value"].sort_index()


def main() -> None:
    """Kill, go on, run undisturbed, compare."""
    killed, undisturbed = FOLDERS
    for folder in FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)
    process = start(killed, sys.argv[1:])
    while process.poll() is None:
        done, trials = finished(killed)
        if done and 2 * done >= trials:
            break
        time.sleep(0.2)
    time.sleep(5)  # into the next trials
    process.send_signal(signal.SIGKILL)
    process.wait()
    print(f"killed with {finished(killed)[0]} of {trials} trials finished", flush=True)
    for folder in FOLDERS:
        if status := start(folder, sys.argv[1:]).wait():
            sys.exit(status)
    tables = table(killed).equals(table(undisturbed))
    ours, others = reports(killed), reports(undisturbed)
    print(f"tables identical: {tables}; {len(ours)} values identical: {ours.equals(others)}")
    sys.exit(not (tables and ours.equals(others)))


if __name__ == "__main__":
    main()
