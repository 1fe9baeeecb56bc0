"""How many windows a text holds; plain arithmetic, so that a command can check it before JAX."""

from lm.config import TrainConfig
from sweeps.errors import UserError


def windows_in_stream(length: int, train: TrainConfig) -> int:
    """Windows of a stream: touching ones for `predict=all` (Zaremba et al. 2014), else all."""
    if train.predict == "all":
        return (length - 1) // train.sequence_length
    return length - train.sequence_length


def steps_per_epoch(tokens: int, train: TrainConfig) -> int:
    """Updates in one pass over a text laid out as `batch_size` streams, its tail dropped.

    Raises:
      UserError: the text is shorter than one batch.
    """
    steps = windows_in_stream(tokens // train.batch_size, train)
    if steps < 1:
        needed = train.batch_size * (train.sequence_length + 1)
        raise UserError(
            f"The training text has {tokens} tokens, but one batch of train.batch_size="
            f"{train.batch_size} and train.sequence_length={train.sequence_length} takes {needed};"
            " lower one of the two or give more text."
        )
    return steps


def predictions(tokens: int, train: TrainConfig) -> int:
    """Tokens that an evaluation predicts: all that have the context that training gives them.

    Raises:
      UserError: there are none.
    """
    context = 1 if train.predict == "all" else train.sequence_length
    if tokens <= context:
        raise UserError(
            f"A held-out text has {tokens} tokens, and {context + 1} are needed to predict one; "
            "raise data.valid_fraction and data.test_fraction or give more text."
        )
    return tokens - context
