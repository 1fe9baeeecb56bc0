"""Training in PyTorch, as an expert would write it, to compare `lm` with.

Model, loss, clipping and update rule are those of `lm`, on the same ids: `nn.LSTM` over the whole
sequence, time-major ids cut without a copy, the output layer's rows taken by one `F.embedding`
(somewhat faster on a CPU than two of them, or than indexing), a fused optimizer (no slower than the
others). Subnormal numbers are flushed to zero, as XLA does it. Embeddings start as ours, all else
as PyTorch has it. One difference in what is computed: PyTorch's recurrences have a second bias.

Shapes: T time, B batch, V vocabulary, D features, N = T B targets, S candidates.
"""

import math
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.implementations.log_uniform import Candidates, LogUniform
from benchmarks.implementations.supported import check_supported
from lm.config import Config, ModelConfig, momentum_of

RECURRENCES = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}

State: TypeAlias = tuple[Tensor, ...] | Tensor | None
"""State of the recurrence between two batches; None is zero."""


class LanguageModel(nn.Module):
    """Embedding -> stacked recurrence -> tanh hidden layer -> softmax."""

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, config.embed_size)
        nn.init.uniform_(self.embedding.weight, -config.embed_scale, config.embed_scale)
        self.dropout = nn.Dropout(config.dropout)
        between = config.dropout if config.layers > 1 else 0.0
        self.recurrence = RECURRENCES[config.cell](
            config.embed_size, config.rnn_size, config.layers, dropout=between
        )
        self.hidden = None
        if config.hidden_size is not None:
            self.hidden = nn.Linear(config.rnn_size, config.hidden_size)
        self.output = nn.Linear(config.hidden_size or config.rnn_size, vocab_size)

    def forward(self, ids_tb: Tensor, state: State) -> tuple[Tensor, State]:
        """Read words; returns features for the softmax [N, D], and the state after the last."""
        x, state = self.recurrence(self.dropout(self.embedding(ids_tb)), state)
        x = self.dropout(x).flatten(0, 1)
        return x if self.hidden is None else torch.tanh(self.hidden(x)), state


def log_expected_count(ids: Tensor, tries: int, samples: int, vocab_size: int) -> Tensor:
    """Logarithm of the expected number of times that each id is among the candidates."""
    p = torch.log1p(1 / (ids + 1.0)) / math.log1p(vocab_size)
    if tries == samples:
        return torch.log(samples * p)
    return torch.log(-torch.expm1(tries * torch.log1p(-p)))


def sampled_softmax_loss(
    features: Tensor, output: nn.Linear, targets: Tensor, drawn: Candidates
) -> Tensor:
    """Mean cross entropy of each target among itself and the candidates (Jean et al. 2015)."""
    count, samples = len(targets), len(drawn.ids)
    candidates = torch.from_numpy(drawn.ids).to(targets.device, non_blocking=True)
    rows = torch.cat([targets, candidates])
    weight = F.embedding(rows, output.weight)
    log_count = log_expected_count(rows, drawn.tries, samples, output.out_features)
    offset = output.bias[rows] - log_count
    true_n = (features * weight[:count]).sum(1) + offset[:count]
    sampled_ns = torch.addmm(offset[count:], features, weight[count:].T)
    hits_ns = targets[:, None] == candidates
    sampled_ns = sampled_ns.masked_fill(hits_ns, torch.finfo(torch.float32).min)
    logits = torch.cat([true_n[:, None], sampled_ns], dim=1)
    return F.cross_entropy(logits, torch.zeros_like(targets))


class Training:
    """Trains one configuration on a text; its state goes on from call to call."""

    def __init__(self, config: Config, ids: NDArray[np.int32], device: str = "cpu") -> None:
        """Build the model.

        Args:
          device: as PyTorch names it: `cpu`, `cuda`.

        Raises:
          UserError: the configuration has no counterpart here.
        """
        check_supported(config, precisions=("float32", "bfloat16"))
        torch.set_flush_denormal(True)
        torch.set_float32_matmul_precision("high")  # TF32 on a GPU, as JAX has it
        vocab_size, batch_size = config.data.vocab_size, config.train.batch_size
        assert vocab_size is not None
        self.config = config
        self.model = LanguageModel(config.model, vocab_size).to(device)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            lr=config.optimizer.learning_rate,
            momentum=momentum_of(config.optimizer),
            fused=True,
        )
        self.sampler = LogUniform(config.loss.samples, vocab_size)
        self.streams_lb = time_major(ids, batch_size).to(device)
        self.position = 0
        self.state: State = None

    def run(self, steps: int) -> float:
        """Take a number of steps; returns their mean loss, in nats per word."""
        total = torch.zeros((), device=self.streams_lb.device)
        for _ in range(steps):
            total += self._step(*self._next_window())
        return float(total) / steps

    def flush(self) -> None:
        """Do nothing: every step updates all rows."""

    def device_bytes(self) -> int | None:
        """Most memory in use on the GPU so far; None on the CPU."""
        return torch.cuda.max_memory_allocated() if self.streams_lb.is_cuda else None

    @torch.inference_mode()
    def evaluate(self, ids: NDArray[np.int32]) -> float:
        """Mean negative log-likelihood of a held-out text, full softmax, nats per word."""
        length, device = self.config.train.sequence_length, self.streams_lb.device
        streams_lb = time_major(ids, self.config.train.batch_size).to(device)
        total, count, state = torch.zeros((), device=device), 0, None
        self.model.eval()
        for start in range(0, len(streams_lb) - 1, length):
            window = streams_lb[start : start + length + 1]
            features, state = self.model(window[:-1], state)
            targets = window[1:].reshape(-1)
            total += F.cross_entropy(self.model.output(features), targets, reduction="sum")
            count += len(targets)
        self.model.train()
        return float(total) / count

    def _next_window(self) -> tuple[Tensor, Tensor]:
        length = self.config.train.sequence_length
        if self.position + length >= len(self.streams_lb):
            self.position, self.state = 0, None
        window = self.streams_lb[self.position : self.position + length + 1]
        self.position += length
        return window[:-1], window[1:].reshape(-1)

    def _step(self, inputs_tb: Tensor, targets: Tensor) -> Tensor:
        narrow = self.config.train.precision == "bfloat16"
        with torch.autocast(inputs_tb.device.type, torch.bfloat16, enabled=narrow):
            features, state = self.model(inputs_tb, self.state)
            loss = self._loss(features, targets)
        self.optimizer.zero_grad()
        loss.backward()
        if self.config.train.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.train.clip_norm)
        self.optimizer.step()
        self.state = _detach(state)  # backpropagation ends at the batch's start
        return loss.detach()

    def _loss(self, features: Tensor, targets: Tensor) -> Tensor:
        output = self.model.output
        if self.config.loss.kind == "softmax":
            return F.cross_entropy(output(features), targets)
        return sampled_softmax_loss(features, output, targets, self.sampler.draw())


def time_major(ids: NDArray[np.int32], batch_size: int) -> Tensor:
    """Lay a text out as i64[L, B]; column b is its b-th contiguous piece, the tail is dropped."""
    length = len(ids) // batch_size
    streams_bl = ids[: length * batch_size].astype(np.int64).reshape(batch_size, length)
    return torch.from_numpy(np.ascontiguousarray(streams_bl.T))


def _detach(state: State) -> State:
    if isinstance(state, tuple):
        return tuple(part.detach() for part in state)
    return None if state is None else state.detach()
