"""Every option of the language-model application: name, type, unit, meaning and range.

The defaults stand in `conf/`, one file for one choice; this file is their schema. Hydra rejects
unknown keys and wrong types against it; `typed` checks ranges and combinations.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue

from sweeps.errors import UserError
from sweeps.options import RayOptions, SchedulerOptions, SearchOptions, SweepOptions

_packaged = Path(__file__).parent / "conf"  # where a wheel carries conf/
CONFIG_DIR = _packaged if _packaged.is_dir() else Path(__file__).parents[1] / "conf"


def option(
    meaning: str,
    *,
    unit: str = "",
    choices: Sequence[str] = (),
    at_least: float = -math.inf,
    above: float = -math.inf,
    at_most: float = math.inf,
    below: float = math.inf,
) -> Any:
    """A field of the schema; its default stands in `conf/`."""
    metadata = {
        "meaning": meaning,
        "unit": unit,
        "choices": tuple(choices),
        "range": (at_least, above, at_most, below),
    }
    return field(default=MISSING, metadata=metadata)


@dataclass(unsafe_hash=True)
class DataConfig:
    """`data`: which text, and how it becomes ids."""

    name: str = option("corpus", choices=("lee", "sherlock", "ptb", "text"))
    root: str | None = option("folder that holds the corpus' files; null: embedded or cached copy")
    files: list[str] = option("text files, read in this order (`data=text`)")
    level: str = option("what a token is", choices=("word", "char"))
    vocab_size: int | None = option(
        "most frequent types kept, <unk> included; null: all", unit="types", at_least=2
    )
    valid_fraction: float = option(
        "share of the tokens held out for validation, where the corpus has no split of its own",
        above=0,
        below=1,
    )
    test_fraction: float = option(
        "share held out for the final test; the last of the text", at_least=0, below=1
    )


@dataclass(unsafe_hash=True)
class InitializerConfig:
    """`model.initializer`: how weight matrices start; biases start at zero."""

    kind: str = option("distribution", choices=("uniform", "variance_scaling"))
    scale: float = option(
        "uniform: half-width of U(-scale, scale); variance_scaling: variance times fan-in", above=0
    )


@dataclass(unsafe_hash=True)
class ModelConfig:
    """`model`: embedding -> stacked recurrence -> tanh hidden layer -> softmax."""

    cell: str = option("recurrence", choices=("rnn", "gru", "lstm"))
    embed_size: int = option("width of the word vectors", unit="units", at_least=1)
    rnn_size: int = option("width of each recurrent layer", unit="units", at_least=1)
    layers: int = option("recurrent layers", at_least=1)
    hidden_size: int | None = option(
        "width of the tanh layer before the softmax; null: no such layer", unit="units", at_least=1
    )
    dropout: float = option(
        "share of units dropped after the embedding and after each recurrent layer",
        at_least=0,
        below=1,
    )
    forget_bias: float = option("added to the LSTM's forget gate at the start of training")
    embed_scale: float = option("embeddings start in U(-embed_scale, embed_scale)", above=0)
    initializer: InitializerConfig = field(default_factory=InitializerConfig)


@dataclass(unsafe_hash=True)
class LossConfig:
    """`loss`: what training minimises; evaluation always uses the full softmax."""

    kind: str = option("training loss", choices=("softmax", "sampled_softmax", "nce"))
    samples: int = option("candidates per batch of a sampled loss", unit="words", at_least=1)
    remove_accidental_hits: bool | None = option(
        "mask candidates that are a target; null: TensorFlow's default (yes for sampled_softmax, "
        "no for nce)"
    )


@dataclass(unsafe_hash=True)
class OptimizerConfig:
    """`optimizer`: the update rule and its learning rate over epochs."""

    kind: str = option("update rule", choices=("momentum", "adam", "rmsprop"))
    learning_rate: float = option("step size", above=0)
    momentum: float | None = option("momentum's and rmsprop's velocity kept", at_least=0, below=1)
    beta1: float | None = option("adam's decay of the mean", at_least=0, below=1)
    beta2: float | None = option("adam's decay of the mean square", at_least=0, below=1)
    smoothing: float | None = option("rmsprop's decay of the mean square", at_least=0, below=1)
    epsilon: float | None = option("added to adam's and rmsprop's denominator", above=0)
    hold_epochs: int | None = option(
        "epochs at the full learning rate; null: all of them", unit="epochs", at_least=0
    )
    decay: float = option("factor per epoch after `hold_epochs`", above=0, at_most=1)


@dataclass(unsafe_hash=True)
class TrainConfig:
    """`train`: batches, epochs, clipping and what is reported."""

    batch_size: int = option("text streams side by side", unit="sequences", at_least=1)
    sequence_length: int = option("steps of backpropagation through time", unit="words", at_least=1)
    epochs: int = option("passes over the training text", at_least=1)
    clip_norm: float | None = option("largest global norm of the gradient; null: off", above=0)
    predict: str = option(
        "all: every step's target, state carried across batches; last: the word after a shuffled "
        "window, state zero at its start",
        choices=("all", "last"),
    )
    report_every: int = option("updates between two reports", unit="updates", at_least=1)
    checkpoint_minutes: float = option(
        "a checkpoint is written after every epoch, and within one after this long",
        unit="minutes",
        at_least=0,
    )
    changes: list[dict[str, Any]] = option(
        "numbers that change during training, `{step: updates made before, option: number}`; "
        "options: optimizer.learning_rate, optimizer.momentum, train.clip_norm"
    )


@dataclass(unsafe_hash=True)
class Config:
    """The root; the keys of `RUN_ONLY` do not change what a run computes."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    sweep: SweepOptions = field(default_factory=SweepOptions)
    search: SearchOptions = field(default_factory=SearchOptions)
    scheduler: SchedulerOptions = field(default_factory=SchedulerOptions)
    ray: RayOptions = field(default_factory=RayOptions)
    seed: int = option("source of everything random", at_least=0, at_most=2**32 - 1)
    output_dir: str = option("root of all results")
    name: str | None = option("folder of a single run; null: made from its overrides")
    fresh: bool = option("start a finished single run again; its old folder is moved aside")


CHANGEABLE = ("optimizer.learning_rate", "optimizer.momentum", "train.clip_norm")
"""Options that `train.changes` may name."""

RUN_ONLY = ("output_dir", "name", "fresh", "sweep", "search", "scheduler", "ray")
"""Keys of the root that do not change what a run computes."""


def register() -> None:
    """Make the schema known to Hydra as `schema`; call it before composing."""
    ConfigStore.instance().store(name="schema", node=Config)


def typed(values: Mapping[str, Any]) -> Config:
    """Check a composed configuration and give it its types.

    Raises:
      UserError: an option is missing, unknown, out of its range, or does not fit the others.
    """
    try:
        config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Config), values))
    except (MissingMandatoryValue, ConfigKeyError) as error:
        what = "has no value" if isinstance(error, MissingMandatoryValue) else "is no option"
        raise UserError(
            f"{error.full_key} {what}: the configuration is one of another version of this "
            "program; use that version, for a trial the commit in its provenance.json."
        ) from error
    assert isinstance(config, Config)
    options = {key: (value, metadata) for key, value, metadata in _options(config)}
    for key, (value, metadata) in options.items():
        _check_range(key, value, metadata)
    for change in config.train.changes:
        _check_change(change, options)
    # An int and a float that are equal are the same change, and the same trial.
    config.train.changes = [
        {key: float(change[key]) for key in change} for change in config.train.changes
    ]
    _check_combinations(config)
    return config


def _options(section: Any, prefix: str = "") -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    for item in dataclasses.fields(section):
        value = getattr(section, item.name)
        if dataclasses.is_dataclass(value):
            yield from _options(value, f"{prefix}{item.name}.")
        elif item.metadata:
            yield prefix + item.name, value, item.metadata


def _check_range(key: str, value: Any, metadata: Mapping[str, Any]) -> None:
    if (choices := metadata["choices"]) and value not in choices:
        raise UserError(f"{key}={value} is not known; choose one of {', '.join(choices)}.")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    at_least, above, at_most, below = metadata["range"]
    for bound, holds, words in (
        (at_least, value >= at_least, "at least"),
        (above, value > above, "above"),
        (at_most, value <= at_most, "at most"),
        (below, value < below, "below"),
    ):
        if not holds and not math.isinf(bound):
            raise UserError(f"{key}={value} is out of range; it must be {words} {bound}.")
    if not math.isfinite(value):
        raise UserError(f"{key}={value} is not a finite number; give one, or null where allowed.")


def _check_change(
    change: Mapping[str, Any], options: Mapping[str, tuple[Any, Mapping[str, Any]]]
) -> None:
    for key, value in change.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"train.changes has {key}={value}, which is not a number.")
    if not change.get("step", -1) >= 0:
        raise UserError(f"train.changes has {dict(change)}, which needs a step of at least 0.")
    for key, value in change.items():
        if key == "step":
            continue
        if key not in CHANGEABLE:
            raise UserError(
                f"train.changes names {key}, which cannot change; {', '.join(CHANGEABLE)} can."
            )
        if key == "optimizer.momentum" and options[key][0] is None:
            raise UserError("train.changes names optimizer.momentum; this rule has none.")
        _check_range(key, value, options[key][1])


_RULE_OPTIONS = {
    "momentum": {"momentum"},
    "adam": {"beta1", "beta2", "epsilon"},
    "rmsprop": {"momentum", "smoothing", "epsilon"},
}


def _check_combinations(config: Config) -> None:
    data, optimizer = config.data, config.optimizer
    if data.valid_fraction + data.test_fraction >= 1:
        raise UserError(
            f"data.valid_fraction={data.valid_fraction} and data.test_fraction="
            f"{data.test_fraction} leave no text to train on; their sum must be below 1."
        )
    if data.name == "text" and not data.files:
        raise UserError("data=text needs the files to read, as in data.files=[a.txt,b.txt].")
    if data.name != "text" and data.files:
        raise UserError(f"data.files goes with data=text; data={data.name} knows its own files.")
    needed = _RULE_OPTIONS[optimizer.kind]
    for name in sorted(set().union(*_RULE_OPTIONS.values())):
        given = getattr(optimizer, name) is not None
        if given and name not in needed:
            raise UserError(f"optimizer.{name} has no meaning for optimizer={optimizer.kind}.")
        if not given and name in needed:
            raise UserError(f"optimizer={optimizer.kind} needs a number in optimizer.{name}.")
