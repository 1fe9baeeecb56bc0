"""Which options are traced, as arrays of a compiled program, and which are compiled in."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import partial, reduce
from operator import attrgetter, getitem
from typing import Any

from lm.config.schema import RUN_ONLY, Config

TRACED_OPTIONS: Mapping[str, Any] = {
    "model.forget_bias": 1.0,
    "model.embed_scale": 1.0,
    "model.initializer.scale": 1.0,
    "optimizer.learning_rate": 1.0,
    "optimizer.momentum": None,
    "optimizer.hold_epochs": None,
    "optimizer.decay": 1.0,
    "train.epochs": 1,
    "train.clip_norm": None,
    "train.checkpoint_minutes": 0.0,
    "train.changes": (),
}
"""Options that come in as arrays or do not reach the device, and a value that stands for any."""


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
"""Options that are arrays, too, but that none at all is other code; null: as model.dropout."""


def static_config(config: Config) -> Config:
    """The configuration of the compiled code: all options that are arrays have one value."""
    for key, value in _stand_ins(partial(_option, config)).items():
        config = _with(config, key.split("."), value)
    return config


def _stand_ins(value_of: Callable[[str], Any]) -> dict[str, Any]:
    """What stands for the values of options that are arrays; `value_of` gives an option's value."""
    found = dict(TRACED_OPTIONS)
    for key in TRACED_IF_NONZERO:
        value = value_of(key)
        share = value_of("model.dropout") if value is None else value
        found[key] = 0.5 if share > 0 else 0.0
    return found


def _option(section: Any, key: str) -> Any:
    return attrgetter(key)(section)


def _with(section: Any, path: list[str], value: Any) -> Any:
    """A copy of a dataclass with one option changed."""
    name, *rest = path
    return replace(section, **{name: _with(getattr(section, name), rest, value) if rest else value})


def pack_key(values: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal for trials to train in one pack: shapes, code, text and reports."""
    left = {key: deepcopy(part) for key, part in values.items() if key not in (*RUN_ONLY, "seed")}
    for key, value in _stand_ins(lambda key: reduce(getitem, key.split("."), left)).items():
        *sections, name = key.split(".")
        reduce(getitem, sections, left)[name] = value if value != () else []
    return left
