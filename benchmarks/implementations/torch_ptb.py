"""Zaremba et al. 2014 in PyTorch, after TensorFlow's tutorial `ptb_word_lm.py`: the reference.

It shares nothing with `lm`: it reads the files, numbers the words, cuts batches, trains and
evaluates by itself, with numbers of its own.

Shapes: T time, B batch, L length of a stream, V vocabulary, H width.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

State = tuple[Tensor, Tensor] | None
"""States h and c of the layers; None is zero."""


class Settings(NamedTuple):
    """One of the tutorial's configurations, names as there."""

    hidden_size: int
    num_steps: int
    keep_prob: float
    max_epoch: int
    lr_decay: float
    max_grad_norm: float
    learning_rate: float = 1.0
    num_layers: int = 2
    batch_size: int = 20


SETTINGS = {
    "small": Settings(200, 20, 1.0, 4, 0.5, 5),
    "medium": Settings(650, 35, 0.5, 6, 0.8, 5),
    "large": Settings(1500, 35, 0.35, 14, 1 / 1.15, 10),
}
"""Configurations of the tutorial since 2017."""


def read(folder: Path) -> dict[str, Tensor]:
    """The splits as ids i64[N], by falling frequency in the training text, then by spelling."""
    words = {
        split: (folder / f"ptb.{split}.txt").read_text("utf-8").replace("\n", "<eos>").split()
        for split in ("train", "valid", "test")
    }
    counts = Counter(words["train"])
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    ids = {word: number for number, word in enumerate(ranked)}
    return {split: torch.tensor([ids[word] for word in text]) for split, text in words.items()}


class Model(nn.Module):
    """Embedding -> LSTM layers -> softmax, dropout before each of them but the first."""

    def __init__(self, settings: Settings, vocab_size: int) -> None:
        super().__init__()
        width, drop = settings.hidden_size, 1 - settings.keep_prob
        self.embedding = nn.Embedding(vocab_size, width)
        self.lstm = nn.LSTM(width, width, settings.num_layers, dropout=drop)
        self.softmax = nn.Linear(width, vocab_size)
        self.dropout = nn.Dropout(drop)

    def forward(self, ids_tb: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits [T B, V], and the state after the last word."""
        outputs, state = self.lstm(self.dropout(self.embedding(ids_tb)), state)
        return self.softmax(self.dropout(outputs).flatten(0, 1)), state


class Reference:
    """A model in training; epochs are counted from 0."""

    def __init__(self, settings: Settings, start: Mapping[str, Tensor]) -> None:
        """Build it.

        Args:
          settings: sizes and schedule.
          start: the parameters by PyTorch's names. Biases that are missing, PyTorch's second ones,
            are zero and stay so.
        """
        torch.set_flush_denormal(True)  # as XLA does
        self.settings = settings
        self.model = Model(settings, len(start["embedding.weight"]))
        for name, parameter in self.model.named_parameters():
            given = start.get(name)
            parameter.data = torch.zeros_like(parameter) if given is None else given.clone()
            parameter.requires_grad_(given is not None)
        trained = [one for one in self.model.parameters() if one.requires_grad]
        self.optimizer = torch.optim.SGD(trained, lr=settings.learning_rate)

    def train(self, ids: Tensor, epoch: int) -> float:
        """Train for one epoch; returns its mean loss in nats per word."""
        settings, total, state = self.settings, 0.0, None
        self.optimizer.param_groups[0]["lr"] = rate(settings, epoch)
        length = len(ids) // settings.batch_size
        streams_lb = ids[: length * settings.batch_size].reshape(settings.batch_size, length).T
        steps = (length - 1) // settings.num_steps
        for first in range(0, steps * settings.num_steps, settings.num_steps):
            window = streams_lb[first : first + settings.num_steps + 1]
            logits, state = self.model(window[:-1], detached(state))
            # Over the steps the sum, over the streams the mean.
            loss = F.cross_entropy(logits, window[1:].flatten(), reduction="sum")
            loss = loss / settings.batch_size
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), settings.max_grad_norm)
            self.optimizer.step()
            total += loss.item()
        return total / (steps * settings.num_steps)

    @torch.inference_mode()
    def evaluate(self, ids: Tensor, batch_size: int) -> float:
        """Mean loss of all words but the first, in nats, read in streams, the last one shorter."""
        count, total, state = len(ids) - 1, 0.0, None
        length = -(-count // batch_size)
        padding = length * batch_size - count
        inputs_lb = F.pad(ids[:-1], (0, padding)).reshape(batch_size, length).T
        targets_lb = F.pad(ids[1:], (0, padding), value=-1).reshape(batch_size, length).T
        self.model.eval()
        for first in range(0, length, self.settings.num_steps):
            part = slice(first, first + self.settings.num_steps)
            logits, state = self.model(inputs_lb[part], state)
            targets = targets_lb[part].flatten()
            total += F.cross_entropy(logits, targets, ignore_index=-1, reduction="sum").item()
        self.model.train()
        return total / count


def rate(settings: Settings, epoch: int) -> float:
    """The learning rate of an epoch: `max_epoch` epochs in full, then decaying."""
    return settings.learning_rate * settings.lr_decay ** max(epoch + 1 - settings.max_epoch, 0)


def detached(state: State) -> State:
    """The state, through which no gradient goes back."""
    return None if state is None else (state[0].detach(), state[1].detach())
