"""Where a trial computes: its share of the machine, and the name of what it got."""


def environment(cpus: int, gpus: float) -> dict[str, str]:
    """Environment of a worker process that holds it to its share; must be set before JAX loads.

    Args:
      cpus: threads of XLA's CPU client.
      gpus: GPUs of a trial; a fraction reserves that share of one's memory.
    """
    threads = {"NPROC": str(cpus), "OMP_NUM_THREADS": str(cpus)}
    if gpus == 0:
        return {**threads, "JAX_PLATFORMS": "cpu"}  # Ray does not hide GPUs from who asked for none
    share = min(gpus, 1.0)
    return {**threads, "XLA_CLIENT_MEM_FRACTION": f"{0.9 * share:.3f}"}  # a tenth for CUDA itself


def describe() -> str:
    """The device that JAX computes on, as in `cpu` or `NVIDIA H200`."""
    import jax

    return str(jax.devices()[0].device_kind)
