"""A Ray session and the resources of its machines."""

import logging
import math
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Thread

from sweeps.config import SweepConfig
from sweeps.errors import UserError

SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the trials write events and tables themselves
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C lets the trials save first
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # the trials' folders are the state, not Tune's
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "60",  # a stopped trial may take so long to end
    "RAY_AIR_NEW_OUTPUT": "0",  # the newer reporter prints at every verbosity
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_prestart_worker_first_driver": "0",  # Tune's workers have an environment of their own
}
"""Environment variables of Ray for the driver and its workers."""


@contextmanager
def session(address: str | None) -> Iterator[None]:
    """Connect to Ray: to the session of this process, a cluster, or a new session.

    Args:
      address: `host:port` of a cluster; None: RAY_ADDRESS, if that is set, else this machine.

    Raises:
      UserError: Ray cannot start, or no cluster answers at the address.
    """
    os.environ.update(SETTINGS)
    import ray

    for name in ("ray", "ray.tune", "ray.train", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if ray.is_initialized():
        yield
        return
    # Left to itself, Ray would join whatever cluster last ran on this machine, dead or alive.
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    _check_address(address)
    # Ray mostly waits while it starts.
    Thread(target=import_module, args=("ray.tune",)).start()
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            include_dashboard=False,
            logging_level=logging.CRITICAL,
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise UserError(
            f"Ray cannot start with ray.address={address} ({error}); mend the address, or take "
            "ray.address=local to run on this machine; if that cluster asks for a token, set "
            "RAY_AUTH_MODE=token here too."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Check that a cluster's port answers; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise UserError(
            f"no Ray cluster answers at ray.address={address} ({error}); start it, mend the "
            "address, or take ray.address=local to run on this machine."
        ) from error


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether Ray killed a worker because its machine's memory ran low."""
    from ray.exceptions import OutOfMemoryError

    return isinstance(error, OutOfMemoryError)


def gpus_per_trial(options: SweepConfig) -> float:
    """GPUs of a trial: what the options ask for, or one if the cluster has any."""
    if options.gpus_per_trial is not None:
        return options.gpus_per_trial
    return 1.0 if any(node.get("GPU", 0) >= 1 for node in _nodes()) else 0.0


def slots(address: str | None, cpus: int, gpus: float | None) -> int:
    """Trials that can run at a time on the cluster at an address, else on this machine."""
    if address or os.environ.get("RAY_ADDRESS"):
        with session(address):
            return slots_now(cpus, gpus)
    gpus = min(1.0, local_gpus()) if gpus is None else gpus
    return max(1, int(_fits((os.cpu_count() or 1, local_gpus()), cpus, gpus)))


def slots_now(cpus: int, gpus: float | None) -> int:
    """Trials that can run at a time in the present session."""
    sizes = [(node.get("CPU", 0), node.get("GPU", 0)) for node in _nodes()]
    return max(1, sum(int(_fits(have, cpus, gpus)) for have in sizes))


def local_gpus() -> int:
    """Number of GPUs of this machine, found without a driver library."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def _fits(have: tuple[float, float], cpus: int, gpus: float | None) -> float:
    """Trials that a machine's CPUs and GPUs can hold at a time."""
    by_gpu = have[1] / gpus if gpus and have[1] else math.inf
    return min(have[0] // cpus, by_gpu)


def _nodes() -> list[dict[str, float]]:
    """Resources of every machine of the cluster."""
    import ray

    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in nodes if node["Alive"]]


def check_resources(cpus: int, gpus: float) -> None:
    """Check that some machine can hold a trial; Tune would wait for one forever.

    Raises:
      UserError: no machine can.
    """
    sizes = [(node.get("CPU", 0), node.get("GPU", 0)) for node in _nodes()]
    if not any(cpus <= have_cpus and gpus <= have_gpus for have_cpus, have_gpus in sizes):
        machines = ", ".join(f"{have:g} CPUs and {gpu:g} GPUs" for have, gpu in sizes)
        raise UserError(
            f"a trial asks for {cpus} CPUs and {gpus:g} GPUs (sweep.cpus_per_trial, "
            f"sweep.gpus_per_trial), but the machines have {machines}; ask for less."
        )
