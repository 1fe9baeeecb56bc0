"""Batches whose gradient is computed in parts: the numbers of the whole batch, to rounding."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from lm.config import parse_config
from lm.data.dataset import load_dataset
from lm.hooks.identity import identify
from lm.training.metrics import zero_totals
from lm.training.trainer import Trainer
from sweeps.errors import UserError
from sweeps.store.fingerprint import fingerprint
from tests.lm.helpers.packs import train_pack
from tests.lm.helpers.training import assert_same, final_state, history, killed_at, run

Compose = Callable[..., dict[str, Any]]
FIXED = ("train.report_every=3", "train.epochs=2")
WHOLE = (*FIXED, "train.batch_size=6")
PARTS = (*FIXED, "train.batch_size=2", "train.accumulate=3")
ALIKE = "train.eval_batch_size=2"  # else evaluation reads as many streams as a part has
ROUNDING = 1e-4


@pytest.mark.parametrize(
    "options",
    [
        (ALIKE, "model.dropout=0.3", "model.cell=lstm", "model.embedding_dropout=0.2"),
        (ALIKE, "loss.kind=nce", "loss.samples=5", "model.layers=2", "model.weight_drop=0.3"),
        ("train.predict=last", "optimizer=adam", "loss.activation_penalty=2", "train.epochs=1"),
        (ALIKE, "loss.over_time=sum", "loss.slowness_penalty=1", "model.dropout_kind=locked"),
    ],
)
def test_batch_in_parts_trains_as_the_whole_batch(
    tmp_path: Path, tiny: Compose, options: Sequence[str]
) -> None:
    whole, parts = tiny(*WHOLE, *options), tiny(*PARTS, *options)
    run(tmp_path / "whole", whole)
    run(tmp_path / "parts", parts)
    rows = zip(history(tmp_path / "parts"), history(tmp_path / "whole"), strict=True)
    for row, expected in rows:
        assert row == pytest.approx(expected, rel=ROUNDING)
    states = (final_state(tmp_path / name, of) for name, of in (("parts", parts), ("whole", whole)))
    for one, other in zip(*states, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_parts_go_on_after_a_kill_and_train_in_packs(tmp_path: Path, tiny: Compose) -> None:
    values = tiny(*PARTS)
    run(tmp_path / "one", values)
    middle = history(tmp_path / "one")[3]["step"]
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "two", values, killed_at(int(middle)))
    run(tmp_path / "two", values)
    assert_same(tmp_path / "two", tmp_path / "one", values)
    train_pack(tmp_path / "pack", {"a": values, "b": tiny(*PARTS, "optimizer.learning_rate=0.1")})
    rows = zip(history(tmp_path / "pack" / "a"), history(tmp_path / "one"), strict=True)
    for row, expected in rows:
        assert row == pytest.approx(expected, rel=ROUNDING)


def test_activations_of_one_part_are_in_memory(tiny: Compose) -> None:
    def temporary(*options: str) -> int:
        config = parse_config(tiny("model.rnn_size=64", "train.sequence_length=8", *options))
        trainer = Trainer(config, load_dataset(config.data))
        state, text = trainer.start(), trainer.replicated_lb
        draws = trainer.functions.presample(text, trainer.train_key, state.step, 0)
        steps = (state, zero_totals(), trainer.hyperparams(0), text, draws, jnp.int32(0))
        compiled = trainer.functions.train.lower(*steps).compile()  # type: ignore[attr-defined]
        return int(compiled.memory_analysis().temp_size_in_bytes)

    whole = temporary("train.batch_size=16")
    parts = temporary("train.batch_size=2", "train.accumulate=8")
    assert parts < whole / 2


def test_identity_and_refusal(tiny: Compose) -> None:
    earlier = tiny()
    del earlier["train"]["accumulate"]
    assert fingerprint(identify(earlier)) == fingerprint(identify(tiny()))
    assert fingerprint(identify(tiny("train.accumulate=2"))) != fingerprint(identify(tiny()))
    with pytest.raises(UserError, match=r"train\.accumulate=5000 and train\.sequence_length="):
        identify(tiny("train.accumulate=5000"))
    with pytest.raises(UserError, match=r"train\.accumulate=0"):
        identify(tiny("train.accumulate=0"))
