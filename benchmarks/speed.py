"""How fast a model trains, beside the same training in PyTorch, on the CPU.

    python -m benchmarks.speed                                  # all configurations below
    python -m benchmarks.speed sherlock --threads 1 model.cell=gru

prints a table for each configuration. The text is synthetic (Zipf's law), so no corpus is needed.
All implementations take turns, round after round, so that a slow moment of the machine meets all
of them; the machine should be idle all the same.
"""

import argparse
import importlib.util
import statistics
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.compose import compose_values
from benchmarks.contender import Contender, Turn
from lm.config import typed
from sweeps.command import exit_on_user_error
from sweeps.errors import UserError

CONFIGURATIONS = {
    "default": [],  # data=lee
    "sherlock": [  # the Sherlock study's
        "data.vocab_size=11500",
        "model.embed_size=64",
        "model.rnn_size=192",
        "model.hidden_size=96",
        "train.batch_size=32",
        "train.sequence_length=20",
        "loss.kind=sampled_softmax",
        "loss.samples=64",
    ],
    "ptb_small": [  # Zaremba et al. 2014, section 4.1
        "data.vocab_size=10000",
        "model.embed_size=200",
        "model.rnn_size=200",
        "model.layers=2",
        "model.hidden_size=null",
        "train.batch_size=20",
        "train.sequence_length=20",
        "train.clip_norm=5",
    ],
}

MODULES = {"PyTorch": "benchmarks.torch_model", "ours": "benchmarks.our_model"}


class Measured(NamedTuple):
    """An implementation with so many threads."""

    name: str
    threads: int
    step_seconds: list[float]
    """Of each round."""
    compile_seconds: float
    """Until the first step is done, less a later step."""
    peak_bytes: int


def measure(
    values: Mapping[str, Any], threads: Sequence[int], rounds: int, steps: int
) -> list[Measured]:
    """Time every implementation with each number of threads.

    Args:
      values: a composed configuration.
      threads: that an implementation may compute with.
      rounds: turns that each one gets.
      steps: in a turn.
    """
    measured = []
    for count in threads:
        with ExitStack() as stack:
            contenders = {
                name: stack.enter_context(Contender(module, values, count))
                for name, module in _installed().items()
            }
            turns: dict[str, list[Turn]] = {name: [] for name in contenders}
            for contender in contenders.values():
                contender.train(max(1, steps // 4))  # caches and clocks warm up
            for _ in range(rounds):
                for name, contender in contenders.items():
                    turns[name].append(contender.train(steps))
            for name, contender in contenders.items():
                measured.append(_summary(name, contender, turns[name], steps))
    return measured


def main(arguments: Sequence[str]) -> None:
    """Print the tables that the command line asks for."""
    options = _parse(arguments)
    console = Console()
    if "PyTorch" not in _installed():
        console.print("PyTorch is left out: pip install -e '.\\[bench]' would bring it.")
    for name in options.configurations:
        values = compose_values([*CONFIGURATIONS[name], *options.overrides])
        if typed(values).data.vocab_size is None:
            raise UserError("data.vocab_size must be a number: the text here is synthetic.")
        measured = measure(values, options.threads, options.rounds, options.steps)
        console.print(_table(name, values, measured, options))


def _installed() -> dict[str, str]:
    return {
        name: module
        for name, module in MODULES.items()
        if name != "PyTorch" or importlib.util.find_spec("torch")
    }


def _summary(name: str, contender: Contender, turns: Sequence[Turn], steps: int) -> Measured:
    step_seconds = [turn.seconds / steps for turn in turns]
    compile_seconds = contender.first_turn.seconds - statistics.median(step_seconds)
    peak = max(turn.peak_bytes for turn in turns)
    return Measured(name, contender.threads, step_seconds, compile_seconds, peak)


def _table(
    name: str, values: Mapping[str, Any], measured: Sequence[Measured], options: argparse.Namespace
) -> Table:
    words = values["train"]["batch_size"] * values["train"]["sequence_length"]
    table = Table(
        title=f"{name}, {words} words a step",
        caption=f"median, least and most of {options.rounds} rounds of {options.steps} steps",
        box=None,
        header_style="bold",
    )
    table.add_column("")
    for column in ("threads", "ms", "least", "most", "words/s", "ratio", "compile s", "peak MB"):
        table.add_column(column, justify="right")
    peers = {item.threads: item for item in measured if item.name == "PyTorch"}
    for item in measured:
        table.add_row(*_cells(item, peers.get(item.threads), words))
    return table


def _cells(item: Measured, peer: Measured | None, words: int) -> list[str]:
    ms = [1000 * seconds for seconds in item.step_seconds]
    middle = statistics.median(ms)
    ratio = ""
    if peer is not None and peer is not item:
        rounds = zip(peer.step_seconds, item.step_seconds, strict=True)
        ratio = f"{statistics.median(theirs / ours for theirs, ours in rounds):.2f}"
    return [
        item.name,
        str(item.threads),
        *(f"{value:.2f}" for value in (middle, min(ms), max(ms))),
        f"{1000 * words / middle:,.0f}",
        ratio,
        f"{item.compile_seconds:.2f}",
        f"{item.peak_bytes / 1e6:.0f}",
    ]


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    description, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        "python -m benchmarks.speed",
        description=description,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = ", ".join(CONFIGURATIONS)
    parser.add_argument("what", nargs="*", help=f"{known} (default: all), and Hydra overrides")
    parser.add_argument("--threads", type=int, action="append", help="of each (default: 1 and 2)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each (default: 7)")
    parser.add_argument("--steps", type=int, default=50, help="in a turn (default: 50)")
    options = parser.parse_intermixed_args(arguments)
    options.threads = options.threads or [1, 2]
    options.overrides = [word for word in options.what if "=" in word]
    options.configurations = [word for word in options.what if "=" not in word]
    for name in options.configurations:
        if name not in CONFIGURATIONS:
            raise UserError(f"there is no configuration {name}; choose from {known}.")
    options.configurations = options.configurations or list(CONFIGURATIONS)
    return options


if __name__ == "__main__":
    with exit_on_user_error():
        main(sys.argv[1:])
