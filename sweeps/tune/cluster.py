"""The resources of a Ray session's machines."""

import math
import os
from pathlib import Path

from sweeps.config import SweepConfig
from sweeps.errors import UserError
from sweeps.tune.session import RaySession


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether Ray killed a worker because its machine's memory ran low."""
    from ray.exceptions import OutOfMemoryError

    return isinstance(error, OutOfMemoryError)


def gpus_per_trial(options: SweepConfig) -> float:
    """GPUs of a trial: what the options ask for, or one if the cluster has any."""
    if options.gpus_per_trial is not None:
        return options.gpus_per_trial
    return 1.0 if any(node.get("GPU", 0) >= 1 for node in nodes()) else 0.0


def slots(address: str | None, cpus: int, gpus: float | None) -> int:
    """Trials that can run at a time on the cluster at an address, else on this machine."""
    if address or os.environ.get("RAY_ADDRESS"):
        return RaySession(address, lambda session: slots_now(cpus, gpus)).run()
    gpus = min(1.0, local_gpus()) if gpus is None else gpus
    return max(1, int(_fits((os.cpu_count() or 1, local_gpus()), cpus, gpus)))


def slots_now(cpus: int, gpus: float | None) -> int:
    """Trials that can run at a time in the present session."""
    sizes = [(node.get("CPU", 0), node.get("GPU", 0)) for node in nodes()]
    return max(1, sum(int(_fits(have, cpus, gpus)) for have in sizes))


def local_gpus() -> int:
    """Number of GPUs of this machine, found without a driver library."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def _fits(have: tuple[float, float], cpus: int, gpus: float | None) -> float:
    """Trials that a machine's CPUs and GPUs can hold at a time."""
    by_gpu = have[1] / gpus if gpus and have[1] else math.inf
    return min(have[0] // cpus, by_gpu)


def nodes() -> list[dict[str, float]]:
    """Resources of every machine of the cluster."""
    import ray

    found = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in found if node["Alive"]]


def check_resources(cpus: int, gpus: float) -> None:
    """Check that some machine can hold a trial; Tune would wait for one forever.

    Raises:
      UserError: no machine can.
    """
    sizes = [(node.get("CPU", 0), node.get("GPU", 0)) for node in nodes()]
    if not any(cpus <= have_cpus and gpus <= have_gpus for have_cpus, have_gpus in sizes):
        machines = ", ".join(f"{have:g} CPUs and {gpu:g} GPUs" for have, gpu in sizes)
        raise UserError(
            f"a trial asks for {cpus} CPUs and {gpus:g} GPUs (sweep.cpus_per_trial, "
            f"sweep.gpus_per_trial), but the machines have {machines}; ask for less."
        )


def holders() -> list[str] | None:
    """Name the programs whose actors hold resources of the cluster; None: this program's do."""
    import ray
    from ray._private import state

    actors = [actor for actor in state.actors().values() if actor["State"] != "DEAD"]
    jobs = {actor["JobID"] for actor in actors}
    if ray.get_runtime_context().get_job_id() in jobs:
        return None
    return [
        f"{job['Entrypoint'] or 'a program'} (process {job['DriverPid']} on "
        f"{job['DriverIPAddress']}{', which has ended' if job['IsDead'] else ''})"
        for job in state.jobs()  # type: ignore[no-untyped-call]
        if job["JobID"] in jobs
    ]
