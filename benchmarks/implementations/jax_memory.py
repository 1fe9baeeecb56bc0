"""Peak memory of JAX on a GPU."""

import jax


def gpu_bytes() -> int | None:
    """Peak bytes in use so far; None on the CPU, whose memory JAX does not count."""
    facts = jax.devices()[0].memory_stats() if jax.default_backend() == "gpu" else None
    return int(facts["peak_bytes_in_use"]) if facts else None
