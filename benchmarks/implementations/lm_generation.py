"""Generation of texts by `lm`, without a trial's folder; a step of the harness is one word."""

from collections.abc import Sequence

import jax
import numpy as np
from numpy.typing import NDArray

from benchmarks.implementations.jax_memory import gpu_bytes
from lm.config import Config
from lm.generation.generator import GeneratedText, GenerationRequest, generate_texts
from lm.model.initializers import init_scales
from lm.training.functions import build_functions, make_static_config


class Training:
    """Writes texts by a fresh model, for the time does not depend on what it has learned."""

    def __init__(
        self, config: Config, ids: NDArray[np.int32], samples: int = 1, temperature: float = 1.0
    ) -> None:
        assert config.data.vocab_size is not None
        self.functions = build_functions(make_static_config(config, config.data.vocab_size))
        self.params = self.functions.initialize(jax.random.key(0), init_scales(config.model)).params
        self.order = GenerationRequest(
            prompt=ids[:1],
            words=0,
            samples=samples,
            temperature=temperature,
            top_k=None,
            seed=0,
            avoid=[],
            scored=False,
        )

    def run(self, steps: int) -> float:
        """Write a number of words of each text."""
        self.write(steps)
        return 0.0

    def write(self, words: int) -> Sequence[GeneratedText]:
        """Write the texts and return them."""
        return list(generate_texts(self.functions, self.params, self.order._replace(words=words)))

    def flush(self) -> None:
        """Do nothing: generation leaves no work for later."""

    def device_bytes(self) -> int | None:
        """Most memory in use on the GPU so far; None on the CPU."""
        return gpu_bytes()
