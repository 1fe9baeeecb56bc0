"""Floating-point operations that a training step needs, in any implementation."""

from lm.config import Config
from lm.config.sizes import rnn_sizes

GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def flops_per_step(config: Config) -> float:
    """Count the floating-point operations of a step's matrix products, forward and backward.

    A product of [n, k] and [k, m] takes 2 n k m, and its backward pass two more of that size. What
    grows with single numbers only (gates, dropout, the optimizer's update) is left out, so that the
    share of the machine's peak is one of a bound that no implementation can pass.
    """
    model, loss, train = config.model, config.loss, config.train
    assert config.data.vocab_size is not None
    words = train.batch_size * train.sequence_length
    targets = words if train.predict == "all" else train.batch_size
    sizes = rnn_sizes(model)
    inputs = [model.embed_size, *sizes[:-1]]
    gates = GATES[model.cell]
    recurrence = sum((m + n) * gates * n for m, n in zip(inputs, sizes, strict=True))
    features, hidden = sizes[-1], 0
    if model.hidden_size is not None:
        features, hidden = model.hidden_size, features * model.hidden_size
    columns = config.data.vocab_size if loss.kind == "softmax" else loss.samples + 1
    return 3 * 2.0 * (words * recurrence + targets * (hidden + features * columns))
