"""Write `requirements.lock`: the exact versions that continuous integration installs.

    python3.11 scripts/lock.py torch==2.13.0

resolves the ranges of `pyproject.toml` anew, with the extras that the tests need (`dev`, `bench`),
in an empty virtual environment; further requirements hold single packages at a version. Names and
versions are all it keeps: no hosts, no file paths, and no local version such as `+cpu`, so that the
same file fits any index and any build of a package.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
OLDEST = (3, 11)


def installed(python: str) -> list[str]:
    """The distributions beside an interpreter as `name==version`, sorted."""
    command = [python, "-m", "pip", "list", "--format=freeze", "--exclude-editable"]
    listed = subprocess.run([*command, "--exclude=pip"], capture_output=True, text=True, check=True)
    return sorted((line.split("+")[0] for line in listed.stdout.split()), key=str.lower)


def main(held: list[str]) -> None:
    """Install the project with these extras and write down what came."""
    name = f"python{OLDEST[0]}.{OLDEST[1]}"
    if sys.version_info[:2] != OLDEST:
        # Newer interpreters resolve to versions that the oldest one cannot install.
        sys.exit(f"run this with {name}, the oldest Python that is supported.")
    environment = {key: value for key, value in os.environ.items() if key != "PIP_CONSTRAINT"}
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder, "bin", "python"))
        install = [python, "-m", "pip", "install", *held, "--editable", f"{ROOT}[dev,bench]"]
        subprocess.run(install, env=environment, check=True)
        command = shlex.join([name, "scripts/lock.py", *held])
        lines = [f"# Made by `{command}`; for `pip install -c`.", *installed(python)]
        LOCK.write_text("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    main(sys.argv[1:])
