"""A trained model as its trial's folder has it: for the commands that look at one afterwards.

Nothing in the folder is changed, and the text that the model was trained on is not needed.
"""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lm.config import Config, parse_config
from lm.config.identity import identity_of
from lm.data.dataset import Dataset, load_dataset
from lm.data.location import AS_RECORDED, TextLocation, location_options
from lm.data.vocabulary import Vocabulary
from lm.model.types import Carry, Params
from lm.optim.optimizer import hyperparameters
from lm.serialization.source import init_digest
from lm.training.checkpoint import BEST, LAST, NONE, Checkpoint, CheckpointManager
from lm.training.functions import (
    CompiledFunctions,
    build_functions,
    flushed,
    make_static_config,
)
from lm.training.state import evaluated_params
from sweeps.errors import UserError
from sweeps.store import Trial, fingerprint, read_config, read_trial


class TrainedModel(NamedTuple):
    """A model, and what it takes to use it."""

    trial: Trial
    config: Config
    vocabulary: Vocabulary
    functions: CompiledFunctions
    params: Params
    """Parameters that its trial evaluates: averaged ones, if there are any."""
    step: int
    """Updates that made the parameters."""
    checkpoint: str = LAST
    """Which checkpoint they are of: `best`, `last`, or its step."""

    def describe_checkpoint(self) -> str:
        """Which checkpoint the parameters are of, in words."""
        of = "" if self.trial.total_steps is None else f" of {self.trial.total_steps:,}"
        step = f"step {self.step:,}{of}"
        if self.checkpoint == BEST:
            return f"best checkpoint, {step}"
        return f"last checkpoint, {step}" if self.checkpoint == LAST else f"checkpoint of {step}"

    def zero_carry(self, batch_size: int) -> tuple[Carry, ...]:
        """The state before the first word."""
        like = self.functions.shapes.carry
        return tuple(tuple(jnp.zeros((batch_size, *x.shape[1:])) for x in one) for one in like)


def load_trained(
    directory: Path,
    location: TextLocation = AS_RECORDED,
    choice: str | int | None = None,
) -> TrainedModel:
    """Load a checkpoint of a trial.

    Args:
      directory: the trial's folder.
      location: where its text lies now, should that be asked for.
      choice: `best` (of the value of its ranking metric), `last` or a step; None: the best where
        there is one, else the last.

    Raises:
      UserError: the folder is no trial's, or has no such checkpoint that can be read.
    """
    trial = _trial(directory)
    config = parse_config(location.apply(read_config(directory)))
    vocabulary = Vocabulary.load(directory / "vocab.tsv")
    functions = build_functions(make_static_config(config, len(vocabulary)))
    like = Checkpoint(functions.shapes, hyperparameters(config, epoch=0))
    found = CheckpointManager(directory / "checkpoints").read(like, choice)
    if found is None:
        raise UserError(_no_checkpoint(trial, config))
    state = jax.device_put(flushed(functions, *found.checkpoint))
    return TrainedModel(
        trial=trial,
        config=config,
        vocabulary=vocabulary,
        functions=functions,
        params=evaluated_params(state),
        step=int(state.step),
        checkpoint=found.name,
    )


def load_trial_dataset(trained: TrainedModel) -> Dataset:
    """The text that a model was trained on.

    Raises:
      UserError: it is missing, or is not the one that it was.
    """
    trial, data = trained.trial, trained.config.data
    elsewhere = location_options(data.name)
    try:
        text = load_dataset(data)
    except UserError as error:
        raise UserError(
            f"the text that {trial.directory} was trained on cannot be read: {error} If it lies "
            f"elsewhere now (this command runs in {Path.cwd()}), give {elsewhere}."
        ) from error
    recorded = parse_config(read_config(trial.directory))
    began_with = init_digest(recorded, trial.directory)
    if fingerprint(identity_of(recorded, text.digest, began_with)) != trial.fingerprint:
        raise UserError(
            f"the text of {trial.directory} is not the one that it was trained on, or its "
            f"config.yaml was changed; restore them, or say with {elsewhere} where it lies."
        )
    return text


def _trial(directory: Path) -> Trial:
    if not directory.is_dir():
        raise UserError(f"there is no folder {directory}; name a trial's, outputs/SWEEP/TRIAL.")
    trial = read_trial(directory)
    if trial.fingerprint:
        return trial
    inside = sorted(path.parent.name for path in directory.glob("*/trial.json"))
    hint = f", as {directory / inside[0]}" if inside else ", outputs/SWEEP/TRIAL"
    raise UserError(f"{directory} holds no trial; name a trial's folder{hint}.")


def _no_checkpoint(trial: Trial, config: Config) -> str:
    if trial.done:
        kept = config.sweep.keep_checkpoints
        why = f" (sweep.keep_checkpoints={kept})" if kept == NONE else ""
        return (
            f"{trial.directory} is done, and its checkpoints were not kept{why}; "
            f"train it again, with `{trial.train_command}`."
        )
    return (
        f"{trial.directory} has no checkpoint yet, its status is {trial.status}; train it first, "
        f"with `{trial.train_command}`."
    )
