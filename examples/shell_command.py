"""Any program, in any language; its metrics are read from what it prints.

python examples/shell_command.py rate=0.1,0.3 start=1,4

A line such as `step=3 loss=0.25` is a report. Without a step it is the number of the report.
"""

import re
import subprocess
from pathlib import Path

import sweeps

PROGRAM = Path(__file__).parent / "shell_command.awk"
TOKEN = re.compile(r"([\w/.-]+)=([-+]?(?:[0-9.]+(?:e[-+]?[0-9]+)?|inf|nan))(?!\S)", re.IGNORECASE)


@sweeps.experiment(metric="loss")
def train(run: sweeps.Run, rate: float = 0.1, start: float = 4.0, steps: int = 20) -> None:
    """Run the program, and report what it prints."""
    options = {"rate": rate, "start": start, "steps": steps}
    command = ["awk", *(f"-v{name}={value}" for name, value in options.items()), "-f", str(PROGRAM)]
    reports = 0
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # so that Ctrl-C reaches this process alone, which ends it
    ) as program:
        try:
            for line in program.stdout:
                if metrics := {name: float(number) for name, number in TOKEN.findall(line)}:
                    reports += 1
                    run.report(int(metrics.pop("step", reports)), metrics)
                else:
                    print(line, end="")
        except BaseException:  # the trial is to stop, or a report is refused
            program.terminate()
            raise
    if program.returncode:
        raise RuntimeError(f"{command[0]} ended with status {program.returncode}")


if __name__ == "__main__":
    train.main()
