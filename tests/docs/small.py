"""Stands in for `python` where a document's commands are run: small models, a pass or two.

    python tests/docs/small.py -m lm.train +experiment=ptb_large data.root=DIR

runs the command with options after it that it does not give itself. A server is ended once its
page answers.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from urllib.request import urlopen

PASS = {"train.epochs": "1"}
FAST = {"log.graph": "false", "log.histogram_every": "0"}
"""What takes a sweep's trials longer than an epoch, and single runs show."""
TIED = {"model.embed_size": "8", "model.rnn_size": "8"}
SMALLER = (
    (r"awd_lstm", {**TIED, "model.last_size": "8"}),
    (r"ptb_", TIED),
    (r"rnnbow|sweep=gradient_flow", {"data.characters": "6000"}),
)
"""What a command says -> options for it, of which the first that fits is taken."""


def smaller(module: str, arguments: Sequence[str]) -> list[str]:
    """Options that a command gets in addition."""
    if module == "scripts.sherlock_study":  # it has sizes of its own
        return ["log.graph=false"] if "run" in arguments else []
    if module not in ("lm.train", "lm.sweep"):
        return []
    said = " ".join(arguments)
    given = {one.partition("=")[0].lstrip("+") for one in arguments}
    options = dict(next((sizes for words, sizes in SMALLER if re.search(words, said)), {}))
    options |= PASS if module == "lm.train" else PASS | FAST
    return [f"{key}={value}" for key, value in options.items() if key not in given]


def serve(command: Sequence[str]) -> int:
    """Run a server until its page has answered."""
    with subprocess.Popen([*command, "--port", "0"], text=True, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout
            for line in server.stdout:
                print(line, end="", flush=True)
                if address := re.search(r"http://\S+", line):
                    with urlopen(address[0]) as page:
                        return int(page.status != 200)
            return 1
        finally:
            server.terminate()


def main() -> int:
    """Run the command of this process's arguments."""
    command = [sys.executable, *sys.argv[1:]]
    module = sys.argv[2] if sys.argv[1] == "-m" else ""
    if module == "lm.board" or sys.argv[2:4] == ["sweeps", "board"]:
        return serve(command)
    more = smaller(module, sys.argv[3:])
    return subprocess.run([*command, *more], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
