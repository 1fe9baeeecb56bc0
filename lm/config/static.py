"""Which options are traced, as arrays of a compiled program, and which are compiled in."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import partial, reduce
from operator import attrgetter, getitem
from typing import Any

from lm.config.schema import BY_UPDATE, HOLD, LINEAR, RUN_ONLY, Config

TRACED_OPTIONS: Mapping[str, Any] = {
    "model.forget_bias": 1.0,
    "model.embed_scale": 1.0,
    "model.initializer.scale": 1.0,
    "optimizer.learning_rate": 1.0,
    "optimizer.momentum": 0.0,
    "optimizer.schedule": HOLD,
    "optimizer.hold_epochs": None,
    "optimizer.decay": 1.0,
    "optimizer.plateau_patience": 1,
    "optimizer.warmup_steps": 0,
    "optimizer.end_factor": 0.0,
    "optimizer.decay_fraction": 0.1,
    "train.epochs": 1,
    "train.patience": None,
    "train.clip_norm": None,
    "train.checkpoint_minutes": 0.0,
    "train.changes": (),
}
"""Options that are arrays in compiled code, or do not reach it, and the value that stands there."""

TRACED_IF_NONZERO = (
    "model.dropout",
    "model.input_dropout",
    "model.output_dropout",
    "model.embedding_dropout",
    "model.weight_drop",
    "loss.activation_penalty",
    "loss.slowness_penalty",
    "optimizer.weight_decay",
)
"""Options that are arrays unless they are 0, which is compiled in; null: as model.dropout."""


def static_config(config: Config) -> Config:
    """Return the configuration of the compiled code, in which traced options have a fixed value."""
    for key, value in _stand_ins(partial(_option, config)).items():
        config = _with(config, key.split("."), value)
    return config


def _stand_ins(value_of: Callable[[str], Any]) -> dict[str, Any]:
    """Return the fixed value of each traced option; `value_of` gives an option's own."""
    found = dict(TRACED_OPTIONS)
    for key in TRACED_IF_NONZERO:
        value = value_of(key)
        share = value_of("model.dropout") if value is None else value
        found[key] = 0.5 if share > 0 else 0.0
    # A rate for each update is compiled in, whatever the rates are.
    if value_of("optimizer.schedule") in BY_UPDATE or value_of("optimizer.warmup_steps"):
        found["optimizer.schedule"] = LINEAR
    return found


def _option(section: Any, key: str) -> Any:
    return attrgetter(key)(section)


def _with(section: Any, path: list[str], value: Any) -> Any:
    """Copy a dataclass with one option changed; itself where its kind has no such option."""
    name, *rest = path
    if not hasattr(section, name):
        return section
    return replace(section, **{name: _with(getattr(section, name), rest, value) if rest else value})


def _item(raw_config: Mapping[str, Any], key: str) -> Any:
    """The value of an option; None where a configuration of an earlier version lacks it."""
    *sections, name = key.split(".")
    return reduce(getitem, sections, raw_config).get(name)


def pack_key(raw_config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must be equal for trials to train in one pack: shapes, code, text, reports."""
    free = (*RUN_ONLY, "seed", "init_from")
    left = {key: deepcopy(part) for key, part in raw_config.items() if key not in free}
    for key, value in _stand_ins(partial(_item, left)).items():
        *sections, name = key.split(".")
        section = reduce(getitem, sections, left)
        if name in section:  # not every kind of optimizer has a momentum
            section[name] = value if value != () else []
    return left
