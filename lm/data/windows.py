"""How many windows a text holds.

Plain arithmetic without JAX, so that a command can check a text before it loads JAX.
"""

from lm.config import TrainConfig
from sweeps.errors import UserError


def windows_in_stream(length: int, train: TrainConfig) -> int:
    """Windows of a stream of `length` tokens.

    With `predict=all` windows touch (Zaremba et al. 2014); with `predict=last` one begins at each
    token that has a window and the word after it.
    """
    if train.predict == "all":
        return (length - 1) // train.sequence_length
    return length - train.sequence_length


def steps_per_epoch(tokens: int, train: TrainConfig) -> int:
    """Updates in one pass over a text laid out in the streams of an update, its tail dropped.

    Raises:
      UserError: the text is shorter than one batch.
    """
    steps = windows_in_stream(tokens // train.streams, train)
    if steps < 1:
        needed = train.streams * (train.sequence_length + 1)
        parts = f", train.accumulate={train.accumulate}" if train.accumulate > 1 else ""
        raise UserError(
            f"The training text has {tokens} tokens, but one batch of train.batch_size="
            f"{train.batch_size}{parts} and train.sequence_length={train.sequence_length} takes "
            f"{needed}; lower one of them or give more text."
        )
    return steps


def evaluation_window(train: TrainConfig) -> tuple[int, int]:
    """Shape of the windows of a held-out text with `predict=all`: streams and steps.

    With fewer streams than in training a window is as much longer: no loss depends on its length,
    and the softmax is fast where it sees many words at once.
    """
    streams = train.eval_batch_size or train.batch_size
    return streams, train.sequence_length * max(1, train.batch_size // streams)


def context_size(train: TrainConfig) -> int:
    """Tokens before the first token that an evaluation predicts."""
    return 1 if train.predict == "all" else train.sequence_length


def num_predictions(tokens: int, train: TrainConfig) -> int:
    """Tokens that an evaluation predicts: all that have as much context as in training.

    Raises:
      UserError: there are none.
    """
    before = context_size(train)
    if tokens <= before:
        raise UserError(
            f"A held-out text has {tokens} tokens, and {before + 1} are needed to predict one; "
            "raise data.valid_fraction and data.test_fraction or give more text."
        )
    return tokens - before
