"""Penn Treebank beside PyTorch: equal initial parameters, equal batches, epoch by epoch.

    python -m benchmarks.ptb_reference data.root=DIR                       # small, two epochs
    python -m benchmarks.ptb_reference --size medium --slice 0.1 data.root=DIR

Ours is `+experiment=ptb_SIZE`; the reference, `benchmarks.implementations.torch_ptb`, gets its
initial parameters and nothing else of it. Small has no dropout: both do the same sums, and what
differs is rounding, which grows fast in the first updates, as they overshoot. Medium and large draw
masks of their own. `--slice 0.1` trains on the first tenth of the training text. Two epochs of
small take about ten minutes on two cores.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import exp
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.harness import command_line, tables
from benchmarks.harness.compose import compose_values
from benchmarks.implementations.torch_ptb import SETTINGS, Reference, Settings, read
from lm.config import parse_config
from lm.data.corpora import open_corpus
from lm.data.dataset import load_dataset
from lm.model.types import Params
from lm.training.state import TrainState, evaluated_params
from lm.training.trainer import Trainer
from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError

QUIET = ("log.histogram_every=0", "log.sample_words=0")
HEADER = (
    *("epoch", "ours: train", "valid", "seconds"),
    *("PyTorch: train", "valid", "seconds", "valid, ours to PyTorch"),
)


class Epoch(NamedTuple):
    """Losses of one implementation after an epoch."""

    train: float
    """Mean training loss of the epoch, nats per word, as the parameters moved."""
    valid: float
    """Validation loss after the epoch, nats per word."""
    seconds: float
    """Seconds of training and evaluation."""


def compare(
    values: Mapping[str, Any], settings: Settings, epochs: int, share: float
) -> Iterator[tuple[Epoch, Epoch]]:
    """Train both from one start; yields ours and the reference after each epoch.

    Args:
      values: our configuration.
      settings: the reference's.
      epochs: how many.
      share: of the training text, its first part.

    Raises:
      UserError: the two read the text differently, or ours diverges.
    """
    config = parse_config(values)
    text, theirs = load_dataset(config.data), read(open_corpus(config.data).files()[0].parent)
    if any(not np.array_equal(getattr(text, split), ids) for split, ids in theirs.items()):
        raise UserError("the two number the words differently; data.vocab_size must keep all.")
    part = round(share * len(text.train))
    trainer = Trainer(config, replace(text, train=text.train[:part]))
    state = trainer.start()
    reference = Reference(settings, as_torch(state.params))
    state, _ = trainer.compile(state)
    for epoch in range(epochs):
        state, ours = _train_ours(trainer, state)
        began = time.perf_counter()
        train = reference.train(theirs["train"][:part], epoch)
        valid = reference.evaluate(theirs["valid"], settings.batch_size)
        yield ours, Epoch(train, valid, time.perf_counter() - began)


def _train_ours(trainer: Trainer, state: TrainState) -> tuple[TrainState, Epoch]:
    """One epoch, report by report, as a run takes it."""
    began, total, step = time.perf_counter(), 0.0, int(state.step)
    end = step + trainer.steps_per_epoch
    while step < end:
        state, done = trainer.advance(state, step)
        if not done.finite:
            raise UserError("the training diverges; lower optimizer.learning_rate.")
        step += done.steps
        total += done.steps * done.metrics["train/loss"]
    valid = trainer.evaluate(evaluated_params(state), "valid")["valid/loss"]
    seconds = time.perf_counter() - began
    return state, Epoch(total / trainer.steps_per_epoch, valid, seconds)


def as_torch(params: Params) -> dict[str, Tensor]:
    """Our parameters under the reference's names."""
    named = {
        "embedding.weight": params["embedding"]["weight"],
        "softmax.weight": params["output"]["weight"],
        "softmax.bias": params["output"]["bias"],
    }
    for index, layer in params["layers"].items():
        named[f"lstm.weight_ih_l{index}"] = layer["input_kernel"].T
        named[f"lstm.weight_hh_l{index}"] = layer["recurrent_kernel"].T
        named[f"lstm.bias_ih_l{index}"] = layer["bias"]
    return {name: torch.tensor(np.array(value)) for name, value in named.items()}


def main(arguments: Sequence[str]) -> None:
    """Print a line after each epoch, and the table."""
    options = _parse(arguments)
    values = compose_values([f"+experiment=ptb_{options.size}", *QUIET, *options.overrides])
    page, rows = tables.Page(options.markdown), []
    found = compare(values, SETTINGS[options.size], options.epochs, options.slice)
    for number, (ours, reference) in enumerate(found, 1):
        rows.append(_row(number, ours, reference))
        page.say(", ".join(f"{name} {cell}" for name, cell in zip(HEADER, rows[-1], strict=True)))
    part = f", the first {options.slice:.0%} of the training text" if options.slice < 1 else ""
    page.show(tables.Table(f"PTB {options.size}, perplexity{part}", HEADER, rows))


def _row(number: int, ours: Epoch, reference: Epoch) -> list[str]:
    cells = [str(number)]
    for side in (ours, reference):
        cells += [f"{exp(side.train):.2f}", f"{exp(side.valid):.2f}", f"{side.seconds:.0f}"]
    return [*cells, f"{exp(ours.valid - reference.valid) - 1:+.2%}"]


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command_line.parser("benchmarks.ptb_reference", __doc__)
    parser.add_argument("overrides", nargs="*", help="Hydra overrides, as data.root=DIR")
    parser.add_argument("--size", choices=list(SETTINGS), default="small")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--slice", type=float, default=1.0, help="share of the training text")
    options = parser.parse_intermixed_args(arguments)
    if not 0 < options.slice <= 1 or options.epochs < 1:
        raise UserError("--slice is a share above 0 and at most 1, and --epochs at least 1.")
    return options


if __name__ == "__main__":
    with exit_on_user_error():
        main(sys.argv[1:])
