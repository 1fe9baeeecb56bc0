"""What is dropped, where its mask is the same, and that expectations stay."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from lm.model.dropout import NO_DROPOUT, Dropout, DropoutRates
from tests.lm.model.test_language_model import make_model

TIME, BATCH, WIDTH, ROWS = 30, 8, 40, 500
RATE = jnp.float32(0.3)
IDS = jax.random.randint(jax.random.key(9), (TIME, BATCH), 0, ROWS)
ONES = jnp.ones((TIME, BATCH, WIDTH), jnp.float32)


def dropout(seed: int = 0, **rates: float) -> Dropout:
    given = {name: jnp.float32(rate) for name, rate in rates.items()}
    return Dropout(DropoutRates(**given), jax.random.key(seed))


ALL = dropout(inputs=0.3, between=0.3, outputs=0.3, words=0.3, weights=0.3)
KINDS: dict[str, Callable[[Dropout], Array]] = {
    "step": lambda drop: drop.units(ONES, RATE, 0, locked=False),
    "locked": lambda drop: drop.units(ONES, RATE, 0, locked=True),
    "words": lambda drop: drop.words(ONES, IDS, ROWS),
    "weights": lambda drop: drop.weights(ONES[0], 0),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def test_locked_mask_is_the_same_at_all_steps_and_another_for_each_sequence() -> None:
    locked = np.asarray(KINDS["locked"](ALL))
    np.testing.assert_array_equal(locked, np.broadcast_to(locked[:1], locked.shape))
    assert len({row.tobytes() for row in locked[0]}) == BATCH
    assert (locked == 0).mean() == pytest.approx(0.3, abs=0.1)
    step = np.asarray(KINDS["step"](ALL))
    assert len({row.tobytes() for row in step.reshape(-1, WIDTH)}) == TIME * BATCH
    assert (step == 0).mean() == pytest.approx(0.3, abs=0.02)


def test_dropped_word_is_wholly_zero_wherever_it_occurs_and_others_are_whole() -> None:
    words = np.asarray(KINDS["words"](ALL))
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
    means = jax.vmap(lambda key: KINDS[kind](ALL._replace(key=key)))(keys).mean(axis=0)
    # The deviation of one draw is sqrt(0.3 / 0.7); six of the mean's.
    assert float(jnp.abs(means - 1).max()) < 6 * np.sqrt(0.3 / 0.7 / len(keys))


@every_kind
def test_each_window_has_masks_of_its_own(kind: str) -> None:
    one, same, other = (KINDS[kind](ALL._replace(key=jax.random.key(seed))) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_each_place_and_each_layer_has_masks_of_its_own() -> None:
    masks = [ALL.units(ONES, RATE, place, locked=False)[0] for place in range(3)]
    masks += [ALL.weights(ONES[0], layer) for layer in range(2)]
    assert len({np.asarray(mask).tobytes() for mask in masks}) == 5


PLACES = {"inputs": 0.5, "between": 0.5, "outputs": 0.5, "words": 0.5, "weights": 0.5}


@pytest.mark.parametrize("name", PLACES)
def test_each_share_alone_changes_what_is_read(name: str) -> None:
    model = make_model(layers=2, hidden_size=None)
    ids = IDS[:7, :3] % 11
    clean, _ = model.features(ids, model.zero_carry(3))
    dropped, _ = model.features(ids, model.zero_carry(3), dropout(**{name: PLACES[name]}))
    nothing, _ = model.features(ids, model.zero_carry(3), NO_DROPOUT)
    zero, _ = model.features(ids, model.zero_carry(3), dropout(**{name: 0.0}))
    np.testing.assert_array_equal(clean, nothing)
    np.testing.assert_allclose(clean, zero, atol=1e-6)
    assert np.abs(dropped - clean).max() > 1e-3
    zeros = float((dropped == 0).mean())
    assert zeros == pytest.approx(0.5, abs=0.2) if name == "outputs" else zeros < 0.25


def test_model_locks_its_masks_where_its_configuration_says_so() -> None:
    for kind, steps in (("locked", 1), ("step", 50)):
        model = make_model(hidden_size=None, rnn_size=30, dropout_kind=kind)
        ids, rates = IDS[:1].repeat(50, 0) % 11, dropout(outputs=0.5)
        features, _ = model.features(ids, model.zero_carry(BATCH), rates)
        assert len({mask.tobytes() for mask in np.asarray(features == 0)}) == steps


def test_last_layer_may_have_a_width_of_its_own() -> None:
    model = make_model(layers=3, hidden_size=None, last_size=4)
    features, carries = model.features(IDS % 11, model.zero_carry(BATCH))
    assert [carry[0].shape[1] for carry in carries] == [6, 6, 4]
    assert features.shape == (TIME, BATCH, 4)
    assert model.output.weight.shape == (11, 4)
