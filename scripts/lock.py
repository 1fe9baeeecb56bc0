"""Write the exact versions that continuous integration installs, a file for each of two Pythons.

    python3.11 scripts/lock.py torch==2.13.0
    python3.13 scripts/lock.py

The oldest Python that is supported writes `requirements.lock`, with the extras that all tests need;
the newest writes `requirements-newest.lock`, with `dev` alone. Each resolves the ranges of
`pyproject.toml` anew in an empty virtual environment; further requirements hold single packages at
a version. Names and versions are all that a lock keeps: no hosts, no file paths, and no local
version such as `+cpu`, so that the same file fits any index and any build of a package.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = {
    (3, 11): ("requirements.lock", "dev,bench"),
    (3, 13): ("requirements-newest.lock", "dev"),
}
"""A lock and its extras by the Python that writes it: others resolve to other versions."""


def installed(python: str) -> list[str]:
    """The distributions beside an interpreter as `name==version`, sorted."""
    command = [python, "-m", "pip", "list", "--format=freeze", "--exclude-editable"]
    listed = subprocess.run([*command, "--exclude=pip"], capture_output=True, text=True, check=True)
    return sorted((line.split("+")[0] for line in listed.stdout.split()), key=str.lower)


def main(held: list[str]) -> None:
    """Install the project with these extras and write down what came."""
    version = sys.version_info[:2]
    if version not in LOCKS:
        names = " or ".join(f"python{major}.{minor}" for major, minor in LOCKS)
        sys.exit(f"run this with {names}; each writes the lock of its own version.")
    lock, extras = LOCKS[version]
    environment = {key: value for key, value in os.environ.items() if key != "PIP_CONSTRAINT"}
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder, "bin", "python"))
        install = [python, "-m", "pip", "install", *held, "--editable", f"{ROOT}[{extras}]"]
        subprocess.run(install, env=environment, check=True)
        command = shlex.join(["python{}.{}".format(*version), "scripts/lock.py", *held])
        lines = [f"# Made by `{command}`; for `pip install -c`.", *installed(python)]
        (ROOT / lock).write_text("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    main(sys.argv[1:])
