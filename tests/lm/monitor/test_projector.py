import jax
import jax.numpy as jnp
import numpy as np

from lm.data.vocabulary import Vocabulary
from lm.monitor.projector import projector_embeddings

VOCABULARY = Vocabulary(["the", "cat", "<unk>"], [7, 3, 2])
PARAMS = {
    "embedding": {"weight": jax.random.normal(jax.random.key(0), (3, 4))},
    "output": {"weight": jax.random.normal(jax.random.key(1), (3, 2)), "bias": jnp.zeros(3)},
    "layers": {},
}


def test_most_frequent_words_have_their_own_vectors_and_counts() -> None:
    found = projector_embeddings(VOCABULARY, 2, PARAMS)
    assert list(found) == ["embedding", "output"]
    for name, embedding in found.items():
        np.testing.assert_array_equal(embedding.vectors, PARAMS[name]["weight"][:2])
        # Training goes on in the table's memory while they are written.
        assert not np.shares_memory(embedding.vectors, np.asarray(PARAMS[name]["weight"]))
        assert [list(row) for row in embedding.rows] == [["the", "7"], ["cat", "3"]]
        assert list(embedding.columns) == ["word", "frequency"]


def test_tied_vectors_are_shown_once() -> None:
    tied = {**PARAMS, "output": {"bias": jnp.zeros(3)}}
    assert list(projector_embeddings(VOCABULARY, 2, tied)) == ["embedding"]


def test_small_vocabulary_gives_all_it_has() -> None:
    assert len(projector_embeddings(VOCABULARY, 2048, PARAMS)["output"].vectors) == 3
