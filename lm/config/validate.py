"""Ranges and combinations of options, checked once a configuration has its types."""

from collections.abc import Mapping
from typing import Any

from lm.config.schema import BY_UPDATE, PLATEAU, Config, OptimizerConfig
from sweeps.config.schema import check_range, walk_options
from sweeps.errors import UserError

OPTION = "log.vector_scores"

KINDS = ("simlex", "wordsim", "analogies")

PREFIXES = {"embedding": "vectors/", "output": "vectors/output_"}
"""What a kind follows in a tag, for each table of a model."""

CHANGEABLE = ("optimizer.learning_rate", "optimizer.momentum", "train.clip_norm")
"""Options that `train.changes` may name."""


def check(config: Config) -> None:
    """Refuse a configuration that makes no sense.

    Raises:
      UserError: an option is out of its range or does not fit the others.
    """
    options = {key: (value, metadata) for key, value, metadata in walk_options(config)}
    for key, (value, metadata) in options.items():
        check_range(key, value, metadata)
    for change in config.train.changes:
        _check_change(change, options)
    # An int and a float that are equal are the same change, and the same trial.
    config.train.changes = [
        {key: float(change[key]) for key in change} for change in config.train.changes
    ]
    _check_combinations(config)


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
        if key not in options:
            raise UserError(f"train.changes names {key}; this rule has none.")
        check_range(key, value, options[key][1])


def _check_schedule(optimizer: OptimizerConfig) -> None:
    by_epoch = optimizer.hold_epochs is not None or optimizer.decay < 1
    if optimizer.schedule in BY_UPDATE and by_epoch:
        raise UserError(
            "optimizer.hold_epochs and optimizer.decay go with optimizer.schedule=hold, and "
            f"{optimizer.schedule} lowers the rate at each update; give optimizer.hold_epochs=null "
            "optimizer.decay=1, and set how much is left at the end by optimizer.end_factor."
        )
    if optimizer.schedule != PLATEAU:
        return
    if optimizer.hold_epochs is not None:
        raise UserError(
            f"optimizer.hold_epochs={optimizer.hold_epochs} goes with optimizer.schedule=hold, and "
            "a plateau decides by itself when the rate decays; give optimizer.hold_epochs=null."
        )
    if optimizer.decay == 1:
        raise UserError(
            "optimizer.schedule=plateau multiplies the learning rate by optimizer.decay=1, which "
            "changes nothing; give a factor below 1, such as optimizer.decay=0.25."
        )


def _check_combinations(config: Config) -> None:
    _check_schedule(config.optimizer)
    data, model = config.data, config.model
    if data.valid_fraction + data.test_fraction >= 1:
        raise UserError(
            f"data.valid_fraction={data.valid_fraction} and data.test_fraction="
            f"{data.test_fraction} leave no text to train on; their sum must be below 1."
        )
    flow, streams = config.gradient_flow, config.train.streams
    if flow.every is not None and flow.batch_items > streams:
        raise UserError(
            f"gradient_flow.batch_items={flow.batch_items} is more than a batch has with "
            f"train.batch_size={config.train.batch_size}; lower it."
        )
    if data.name == "text" and not data.files:
        raise UserError("data=text needs the files to read, as in data.files=[a.txt,b.txt].")
    if data.name not in ("text", "code") and (data.files or data.characters is not None):
        option = "data.files" if data.files else "data.characters"
        raise UserError(
            f"{option} goes with data=text and data=code; data={data.name} is one text of its own."
        )
    wanted, ranking = config.log.vector_scores, (config.sweep.metric, config.sweep.mode)
    check_options(wanted, *ranking, data.level, model.tie_weights)
    if model.tie_weights:
        widths = ("hidden_size", "last_size", "rnn_size")
        last = next(name for name in widths if getattr(model, name) is not None)
        if model.embed_size != (width := getattr(model, last)):
            raise UserError(
                "model.tie_weights=true needs word vectors as wide as what the softmax sees; make "
                f"model.embed_size={model.embed_size} and model.{last}={width} equal."
            )
    if config.loss.slowness_penalty > 0 and config.train.sequence_length == 1:
        raise UserError(
            "loss.slowness_penalty compares time steps, of which train.sequence_length=1 has one; "
            "raise that or set the penalty to 0."
        )
    if config.train.predict == "last" and config.train.eval_batch_size is not None:
        raise UserError(
            "train.eval_batch_size has no meaning for train.predict=last, which reads a window of "
            "its own for each word; leave it null."
        )


def tags(tied: bool) -> list[str]:
    """Return the tags of the scores; `tied`: the softmax's weights are the embedding."""
    prefixes = list(PREFIXES.values())[: 1 if tied else 2]
    return [prefix + kind for prefix in prefixes for kind in KINDS]


def check_options(wanted: bool, metric: str, mode: str, level: str, tied: bool) -> None:
    """Refuse scores of characters, and a ranking by scores that are not reported or are worst.

    Args:
      wanted: `log.vector_scores`.
      metric: `sweep.metric`.
      mode: `sweep.mode`.
      level: `data.level`.
      tied: `model.tie_weights`.

    Raises:
      UserError: they do not fit.
    """
    if wanted and level == "char":
        raise UserError(
            f"{OPTION} asks about words, and with data.level=char there are none; leave it false."
        )
    if not metric.startswith("vectors/"):
        return
    if metric not in tags(tied):
        raise UserError(
            f"sweep.metric={metric} is not reported at each evaluation; choose one of "
            f"{', '.join(tags(tied))}."
        )
    if not wanted:
        raise UserError(f"sweep.metric={metric} is reported only with {OPTION}=true; set that.")
    if mode != "max":
        raise UserError(f"sweep.metric={metric} is best where it is largest; give sweep.mode=max.")
