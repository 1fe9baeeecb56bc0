"""`+sweep=layer_grid` in PyTorch and Ray Tune, as an expert would write it.

    python -m benchmarks.implementations.torch_sweep FOLDER data=sherlock data.root=DIR

One CPU and one thread a trial, workers used again, the text read once and shared through Ray's
store; training loss to TensorBoard every `train.report_every` updates, the full softmax on the
validation split and a checkpoint after each epoch, the test split after the last.
"""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray import init, tune
from torch.utils.tensorboard import SummaryWriter

from benchmarks.harness.compose import compose_values
from benchmarks.implementations.torch_training import Training
from lm.config import Config, parse_config
from lm.data.dataset import Dataset, load_dataset
from lm.data.windows import steps_per_epoch
from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError

GRID = {  # conf/sweep/layer_grid.yaml
    "embed_size": [64, 96],
    "rnn_size": [128, 192],
    "hidden_size": [64, 96],
}


def run_trial(sizes: Mapping[str, int], values: Mapping[str, Any], dataset: Dataset) -> None:
    """Train one model of the grid, in a worker of Ray Tune."""
    torch.set_num_threads(1)
    config = parse_config({**values, "model": {**values["model"], **sizes}})
    config = replace(config, data=replace(config.data, vocab_size=len(dataset.vocabulary)))
    torch.manual_seed(config.seed)
    training = Training(config, dataset.train)
    steps = steps_per_epoch(len(dataset.train), config.train)
    with SummaryWriter(os.fspath(tune.get_context().get_trial_dir())) as writer:
        for epoch in range(config.train.epochs):
            _train_epoch(training, config, writer, epoch * steps, steps)
            metrics = {"valid/loss": training.evaluate(dataset.valid)}
            if epoch + 1 == config.train.epochs and len(dataset.test) > 1:
                metrics["test/loss"] = training.evaluate(dataset.test)
            metrics["valid/perplexity"] = float(np.exp(metrics["valid/loss"]))
            for tag, value in metrics.items():
                writer.add_scalar(tag, value, (epoch + 1) * steps)
            _report(training, metrics)


def _train_epoch(
    training: Training, config: Config, writer: SummaryWriter, done: int, steps: int
) -> None:
    """Take an epoch's steps, and log their loss."""
    for first in range(0, steps, config.train.report_every):
        count = min(config.train.report_every, steps - first)
        loss = training.run(count)
        writer.add_scalar("train/loss", loss, done + first + count)


def _report(training: Training, metrics: dict[str, float]) -> None:
    state = {"model": training.model.state_dict(), "optimizer": training.optimizer.state_dict()}
    with tempfile.TemporaryDirectory() as folder:
        torch.save(state, Path(folder, "state.pt"))
        tune.report(metrics, checkpoint=tune.Checkpoint.from_directory(folder))


def sweep(folder: Path, overrides: Sequence[str]) -> list[float]:
    """Run the grid; returns each trial's best perplexity on the validation split.

    Raises:
      UserError: a trial failed.
    """
    values = compose_values(overrides)
    dataset = load_dataset(parse_config(values).data)
    init(address="local", include_dashboard=False)
    trainable = tune.with_parameters(run_trial, values=values, dataset=dataset)
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space={name: tune.grid_search(sizes) for name, sizes in GRID.items()},
        tune_config=tune.TuneConfig(metric="valid/perplexity", mode="min", reuse_actors=True),
        run_config=tune.RunConfig(name="layer_grid", storage_path=str(folder.resolve())),
    )
    results = tuner.fit()
    if results.num_errors:
        raise UserError(f"{results.num_errors} trials failed: {results.errors[0]}")
    curves = [results[place].metrics_dataframe for place in range(len(results))]
    return [float(curve["valid/perplexity"].min()) for curve in curves if curve is not None]


if __name__ == "__main__":
    with exit_on_user_error():
        found = sweep(Path(sys.argv[1]), sys.argv[2:])
        print("perplexities:", *(f"{value:.2f}" for value in found))
