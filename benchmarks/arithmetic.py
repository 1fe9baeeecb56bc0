"""The arithmetic that a training step needs, whoever computes it."""

from lm.config import Config

GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def step_operations(config: Config) -> float:
    """Floating-point operations of a step's matrix products, forward and backward.

    A product of [n, k] and [k, m] takes 2 n k m, and its backward pass two more of that size. What
    grows with single numbers only (gates, dropout, the optimizer's update) is left out, so that the
    share of the machine's peak is one of a bound that no implementation can pass.
    """
    model, loss, train = config.model, config.loss, config.train
    assert config.data.vocab_size is not None
    words = train.batch_size * train.sequence_length
    targets = words if train.predict == "all" else train.batch_size
    width = GATES[model.cell] * model.rnn_size
    inputs = [model.embed_size] + [model.rnn_size] * (model.layers - 1)
    recurrence = sum((size + model.rnn_size) * width for size in inputs)
    features, hidden = model.rnn_size, 0
    if model.hidden_size is not None:
        features, hidden = model.hidden_size, model.rnn_size * model.hidden_size
    columns = config.data.vocab_size if loss.kind == "softmax" else loss.samples + 1
    return 3 * 2.0 * (words * recurrence + targets * (hidden + features * columns))
