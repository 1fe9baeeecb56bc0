"""Generation of texts in PyTorch, as an expert would write it: all texts at once, word by word.

A word is drawn where the running sum of the probabilities passes a uniform number: on a CPU that
takes less time than `torch.multinomial`, which draws a number for each word of the vocabulary.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.implementations.torch_training import LanguageModel, State
from lm.config import Config


class Training:
    """Writes texts by a fresh model; a step of the harness is one word."""

    def __init__(
        self, config: Config, ids: NDArray[np.int32], samples: int = 1, temperature: float = 1.0
    ) -> None:
        assert config.data.vocab_size is not None
        torch.set_flush_denormal(True)
        self.model = LanguageModel(config.model, config.data.vocab_size).eval()
        self.begin = torch.full((samples,), int(ids[0]))
        self.temperature = temperature

    def run(self, steps: int) -> float:
        """Write a number of words of each text."""
        self.write(steps)
        return 0.0

    @torch.inference_mode()
    def write(self, words: int) -> NDArray[np.int64]:
        """Write texts; returns their ids, [words, N]."""
        ids_n, found = self.begin, []
        state: State = None
        for _ in range(words):
            features_nd, state = self.model(ids_n[None], state)
            ids_n = self._draw(self.model.output(features_nd))
            found.append(ids_n)
        return torch.stack(found).numpy()

    def _draw(self, logits_nv: Tensor) -> Tensor:
        if self.temperature == 0:
            return logits_nv.argmax(dim=1)
        sums_nv = torch.softmax(logits_nv / self.temperature, dim=1).cumsum(dim=1)
        luck_n1 = torch.rand(len(sums_nv), 1) * sums_nv[:, -1:]
        ids_n = torch.searchsorted(sums_nv, luck_n1, right=True)[:, 0]
        return ids_n.clamp_(max=sums_nv.shape[1] - 1)

    def flush(self) -> None:
        """Do nothing: generation leaves no work for later."""

    def device_bytes(self) -> int | None:
        """Return None, for this computes on the CPU."""
        return None
