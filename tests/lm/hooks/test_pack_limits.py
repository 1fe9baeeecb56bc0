"""Which trials may share a pack, and how many lanes fit."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import psutil
import pytest

from lm.config import parse_config
from lm.config.static import pack_key
from lm.data.dataset import load_dataset
from lm.hooks.pack_limits import PROCESS, _gpu_bytes, memory, pack_limits
from lm.training.functions import make_static_config
from lm.training.lanes import VmappedEngine
from lm.training.trainer import Trainer

Compose = Callable[..., dict[str, Any]]

SAME = [
    ("optimizer.learning_rate=0.3", "optimizer.momentum=0.1", "optimizer.decay=0.5"),
    ("optimizer.hold_epochs=1", "train.clip_norm=null", "train.epochs=9", "seed=5"),
    ("train.changes=[{step:3,train.clip_norm:1}]", "train.checkpoint_minutes=9", "output_dir=x"),
    ("model.forget_bias=0", "model.embed_scale=0.3", "model.initializer.scale=2"),
    ("sweep.name=x", "sweep.retries=0", "name=x"),
]
PARTS = (
    "model.dropout",
    "model.input_dropout",
    "model.output_dropout",
    "model.embedding_dropout",
    "model.weight_drop",
    "loss.activation_penalty",
    "loss.slowness_penalty",
    "optimizer.weight_decay",
)
OTHER = [
    ("model.cell=rnn",),
    ("model.rnn_size=8",),
    *((f"{part}=0.1",) for part in PARTS),
    ("model.dropout_kind=locked",),
    ("model.last_size=6",),
    ("optimizer.average_patience=3",),
    ("model.initializer.kind=uniform",),
    ("model.tie_weights=true", "model.embed_size=6"),
    ("loss.kind=nce",),
    ("loss.over_time=sum",),
    ("optimizer=adam",),
    ("optimizer=lion",),
    ("optimizer=muon",),
    ("train.batch_size=5",),
    ("train.predict=last",),
]


@pytest.mark.parametrize("overrides", SAME)
def test_trials_that_differ_in_numbers_share_pack_and_program(
    tiny: Compose, overrides: tuple[str, ...]
) -> None:
    values = tiny(*overrides)
    assert pack_key(values) == pack_key(tiny())
    assert make_static_config(parse_config(values), 20) == make_static_config(
        parse_config(tiny()), 20
    )


@pytest.mark.parametrize("overrides", OTHER)
def test_trials_of_other_code_or_shapes_share_neither(
    tiny: Compose, overrides: tuple[str, ...]
) -> None:
    values = tiny(*overrides)
    assert pack_key(values) != pack_key(tiny())
    assert make_static_config(parse_config(values), 20) != make_static_config(
        parse_config(tiny()), 20
    )


@pytest.mark.parametrize("override", ["train.report_every=9", "data.valid_fraction=0.2"])
def test_lanes_report_together_on_the_same_text(tiny: Compose, override: str) -> None:
    assert pack_key(tiny(override)) != pack_key(tiny())


@pytest.mark.parametrize("part", PARTS)
def test_any_share_or_penalty_above_zero_is_the_same_code(tiny: Compose, part: str) -> None:
    one, other = (tiny(f"{part}={number}") for number in (0.1, 0.5))
    assert pack_key(one) == pack_key(other)
    assert make_static_config(parse_config(one), 20) == make_static_config(parse_config(other), 20)


def test_places_of_dropout_that_are_given_or_not_are_the_same_code(tiny: Compose) -> None:
    given = ("model.input_dropout=0.3", "model.output_dropout=0.1")
    assert pack_key(tiny("model.dropout=0.2", *given)) == pack_key(tiny("model.dropout=0.5"))
    off = ("model.input_dropout=0", "model.output_dropout=0")
    assert pack_key(tiny("model.dropout=0.2", *off)) != pack_key(tiny("model.dropout=0.2"))


def test_grouping_leaves_the_configuration_as_it_is(tiny: Compose) -> None:
    values = tiny("optimizer.learning_rate=0.7")
    pack_key(values)
    assert values == tiny("optimizer.learning_rate=0.7")


@pytest.mark.parametrize(
    "overrides",
    [
        ("loss.kind=sampled_softmax", "loss.samples=8", "model.layers=2", "optimizer=adam"),
        pytest.param(
            ("model.cell=gru", "train.predict=last", "optimizer=rmsprop", "model.hidden_size=null"),
            marks=pytest.mark.slow,
        ),
        pytest.param(("model.tie_weights=true", "model.hidden_size=32"), marks=pytest.mark.slow),
        pytest.param(
            ("model.weight_drop=0.5", "model.last_size=32", "model.layers=2", "train.batch_size=2"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("optimizer.average_patience=1", "model.dropout_kind=locked"), marks=pytest.mark.slow
        ),
    ],
)
def test_memory_covers_what_the_compiler_plans(tiny: Compose, overrides: tuple[str, ...]) -> None:
    sizes = ("model.rnn_size=64", "model.embed_size=32", "train.batch_size=16", "model.dropout=0.2")
    config = parse_config(tiny(*sizes, *overrides))
    trainer = Trainer(config, load_dataset(config.data))
    planned = {}
    for width in (2, 8):
        pack = VmappedEngine(trainer, width)
        pack.insert(0, trainer, trainer.start())
        randomness = trainer.functions.presample_lanes(
            trainer.streams_lb, pack._keys, pack._state.step, 1
        )
        found = (
            trainer.functions.train_lanes.lower(  # type: ignore[attr-defined]
                pack._state,
                pack._totals,
                pack._lanes_hyperparams(),
                trainer.streams_lb,
                randomness,
                jnp.int32(1),
            )
            .compile()
            .memory_analysis()
        )
        planned[width] = found.argument_size_in_bytes + found.temp_size_in_bytes
    need = memory(config)
    lane = (planned[8] - planned[2]) / 6
    assert lane < need.state + need.step < 6 * lane


def test_lanes_pay_on_a_gpu_as_many_as_fit_and_on_a_cpu_not_at_all(
    tiny: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    need = memory(parse_config(tiny()))
    assert pack_limits(tiny(), 1, 0.0).free_lanes == 1
    assert pack_limits(tiny(), 1, 0.0).max_lanes > 1
    room = need.shared + 10 * (need.state + need.step)
    monkeypatch.setattr("lm.hooks.pack_limits._gpu_bytes", lambda: room / 0.9 * 1.001)
    assert pack_limits(tiny(), 1, 1.0) == (10, 10)
    assert pack_limits(tiny(), 1, 0.25).max_lanes < 4
    assert pack_limits(tiny(), 1, 1e-9).max_lanes == 1
    monkeypatch.setattr("lm.hooks.pack_limits._gpu_bytes", lambda: 1e15)
    assert pack_limits(tiny(), 1, 1.0) == (256, 256)


def test_slots_of_a_cpu_share_its_memory(tiny: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    need = memory(parse_config(tiny()))
    monkeypatch.setattr(psutil, "cpu_count", lambda: 4)

    def total(slots: int) -> Any:
        room = PROCESS + need.shared + 10.01 * (need.state + need.step)
        return lambda: type("Memory", (), {"total": slots * room / 0.8})

    monkeypatch.setattr(psutil, "virtual_memory", total(2))
    assert pack_limits(tiny(), 2, 0.0).max_lanes == 10
    assert pack_limits(tiny(), 1, 0.0).max_lanes == 1


@pytest.mark.parametrize(
    ("answer", "found"), [("81559\n16384\n", 16384 * 2**20), ("", 8e9), ("[N/A]\n", 8e9)]
)
def test_memory_of_the_smallest_gpu_counts_and_8_gb_where_none_answers(
    monkeypatch: pytest.MonkeyPatch, answer: str, found: float
) -> None:
    def run(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 0, answer)

    monkeypatch.setattr(subprocess, "run", run)
    assert _gpu_bytes() == found


def test_program_that_is_not_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert _gpu_bytes() == 8e9


def test_packing_imports_no_jax() -> None:
    program = "import lm.hooks.pack_limits, sys; print({'jax', 'ray'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
