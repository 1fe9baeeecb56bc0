"""What is dropped, where its mask is the same, and that expectations stay."""

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from lm.config import ModelConfig
from lm.model.dropout import NO_DROPOUT, DropoutMasks, DropoutRates, draw_masks
from tests.lm.model.test_language_model import MODEL, make_model

TIME, BATCH, WIDTH, ROWS = 30, 8, 40, 500
IDS = jax.random.randint(jax.random.key(9), (TIME, BATCH), 0, ROWS)
ONES = jnp.ones((TIME, BATCH, WIDTH), jnp.float32)
KERNEL = jnp.ones((WIDTH, 4 * WIDTH), jnp.float32)
ALL = {"inputs": 0.3, "between": 0.3, "outputs": 0.3, "words": 0.3, "weights": 0.3}
CONFIG = replace(MODEL, embed_size=WIDTH, rnn_size=WIDTH, layers=2)


def masks(
    key: int | Array = 0,
    config: ModelConfig = CONFIG,
    ids_tb: Array = IDS,
    n_rows: int = ROWS,
    **rates: float,
) -> DropoutMasks:
    given = DropoutRates(**{name: jnp.float32(rate) for name, rate in rates.items()})
    key = jax.random.key(key) if isinstance(key, int) else key
    return draw_masks(config, given, key, ids_tb, n_rows=n_rows)


LOCKED = replace(CONFIG, dropout_kind="locked")
KINDS: dict[str, Callable[[int | Array], Array]] = {
    "step": lambda key: masks(key, **ALL).drop_units(ONES, 0),
    "locked": lambda key: masks(key, LOCKED, **ALL).drop_units(ONES, 0),
    "words": lambda key: masks(key, **ALL).drop_words(ONES),
    "weights": lambda key: masks(key, **ALL).drop_weights(KERNEL, 0),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def test_locked_mask_is_the_same_at_all_steps_and_another_for_each_sequence() -> None:
    locked = np.asarray(KINDS["locked"](0))
    np.testing.assert_array_equal(locked, np.broadcast_to(locked[:1], locked.shape))
    assert len({row.tobytes() for row in locked[0]}) == BATCH
    assert (locked == 0).mean() == pytest.approx(0.3, abs=0.1)
    step = np.asarray(KINDS["step"](0))
    assert len({row.tobytes() for row in step.reshape(-1, WIDTH)}) == TIME * BATCH
    assert (step == 0).mean() == pytest.approx(0.3, abs=0.02)


def test_dropped_word_is_wholly_zero_wherever_it_occurs_and_others_are_whole() -> None:
    words = np.asarray(KINDS["words"](0))
    np.testing.assert_array_equal(words, np.broadcast_to(words[:, :, :1], words.shape))
    kept = words[:, :, 0] > 0
    ids = np.asarray(IDS)
    types = np.unique(ids)
    assert len(types) < ids.size  # some occur again
    shares = [kept[ids == word].mean() for word in types]
    assert set(shares) == {0.0, 1.0}
    assert 1 - np.mean(shares) == pytest.approx(0.3, abs=0.1)


@every_kind
def test_expectation_is_what_evaluation_sees(kind: str) -> None:
    keys = jax.random.split(jax.random.key(1), 2000)
    means = jax.vmap(KINDS[kind])(keys).mean(axis=0)
    # The deviation of one draw is sqrt(0.3 / 0.7); six of the mean's.
    assert float(jnp.abs(means - 1).max()) < 6 * np.sqrt(0.3 / 0.7 / len(keys))


@every_kind
def test_each_window_has_masks_of_its_own(kind: str) -> None:
    one, same, other = (KINDS[kind](seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_each_place_and_each_layer_has_masks_of_its_own() -> None:
    drawn = masks(**ALL)
    units = {np.asarray(drawn.drop_units(ONES, connection)).tobytes() for connection in range(3)}
    weights = {np.asarray(drawn.drop_weights(KERNEL, layer)).tobytes() for layer in range(2)}
    assert (len(units), len(weights)) == (3, 2)


PLACES = {"inputs": 0.5, "between": 0.5, "outputs": 0.5, "words": 0.5, "weights": 0.5}


@pytest.mark.parametrize("name", PLACES)
def test_each_share_alone_changes_what_is_read(name: str) -> None:
    model = make_model(layers=2, hidden_size=None)
    config = replace(MODEL, layers=2, hidden_size=None)
    ids = IDS[:7, :3] % 11
    clean, _ = model.features(ids, model.zero_carry(3))
    dropped, _ = model.features(
        ids, model.zero_carry(3), masks(0, config, ids, 11, **{name: PLACES[name]})
    )
    nothing, _ = model.features(ids, model.zero_carry(3), NO_DROPOUT)
    zero, _ = model.features(ids, model.zero_carry(3), masks(0, config, ids, 11, **{name: 0.0}))
    np.testing.assert_array_equal(clean, nothing)
    np.testing.assert_allclose(clean, zero, atol=1e-6)
    assert np.abs(dropped - clean).max() > 1e-3
    zeros = float((dropped == 0).mean())
    assert zeros == pytest.approx(0.5, abs=0.2) if name == "outputs" else zeros < 0.25


def test_model_locks_its_masks_where_its_configuration_says_so() -> None:
    for kind, steps in (("locked", 1), ("step", 50)):
        changes = {"hidden_size": None, "rnn_size": 30, "dropout_kind": kind}
        model, ids = make_model(**changes), IDS[:1].repeat(50, 0) % 11
        dropout = masks(0, replace(MODEL, **changes), ids, 11, outputs=0.5)
        read, _ = model.features(ids, model.zero_carry(BATCH), dropout)
        assert len({mask.tobytes() for mask in np.asarray(read == 0)}) == steps


def test_last_layer_may_have_a_width_of_its_own() -> None:
    model = make_model(layers=3, hidden_size=None, last_size=4)
    features, carries = model.features(IDS % 11, model.zero_carry(BATCH))
    assert [carry[0].shape[1] for carry in carries] == [6, 6, 4]
    assert features.shape == (TIME, BATCH, 4)
    assert model.output.weight.shape == (11, 4)
