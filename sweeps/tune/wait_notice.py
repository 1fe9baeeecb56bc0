"""Says why no trial runs, where trials have waited for a while."""

import time
from collections.abc import Callable, Mapping, Sequence

from sweeps.tune import cluster
from sweeps.tune.session import SessionLost

WAIT_SECONDS = 45.0
"""Time without a running trial after which the user is told why."""


class WaitNotice:
    """Tells the user once why trials wait: no machine can hold one, or all CPUs are held.

    Or their workers take long to start. A session that only this sweep uses has nobody to wait for:
    where it gives no CPUs, the sweep ends.
    """

    def __init__(
        self,
        cpus: int,
        gpus: float,
        notify: Callable[[str], None],
        *,
        is_local: bool = False,
        clock: Callable[[], float] = time.monotonic,
        nodes: Callable[[], Sequence[Mapping[str, float]]] = cluster.nodes,
        holders: Callable[[], Sequence[str] | None] = cluster.holders,
    ) -> None:
        """Describe what a trial asks for.

        Args:
          cpus: of a trial.
          gpus: of a trial.
          notify: takes a line for the user.
          is_local: whether no other program can use the session.
          clock: seconds; for tests.
          nodes: resources of every machine that is there.
          holders: programs that hold resources; None: this one does.
        """
        self._cpus, self._gpus = cpus, gpus
        self._notify, self._clock, self._is_local = notify, clock, is_local
        self._nodes, self._holders = nodes, holders
        self._due = clock() + WAIT_SECONDS
        self._told = False

    def update(self, *, is_running: bool) -> None:
        """Look once more; called often.

        Raises:
          SessionLost: trials wait in vain.
        """
        now = self._clock()
        if is_running:
            self._due, self._told = now + WAIT_SECONDS, False
        elif now >= self._due and (self._is_local or not self._told):
            self._due = now + WAIT_SECONDS
            reason = self._reason()
            if reason and self._is_local:
                raise SessionLost(f"Ray starts no trial: {reason}")
            if not reason:
                reason = "Ray is still starting their workers, on a machine that may be too busy"
            if not self._told:
                self._notify(f"No trial runs yet: {reason}. Waiting.")
            self._told = True

    def _reason(self) -> str:
        sizes = [(node.get("CPU", 0), node.get("GPU", 0)) for node in self._nodes()]
        asked = f"{self._cpus} CPUs and {self._gpus:g} GPUs"
        if not any(self._cpus <= cpus and self._gpus <= gpus for cpus, gpus in sizes):
            machines = ", ".join(f"{cpus:g} CPUs and {gpus:g} GPUs" for cpus, gpus in sizes)
            return (
                f"each asks for {asked}, and the machines that are left have "
                f"{machines or 'nothing'}"
            )
        if (holders := self._holders()) is None:
            return ""
        names = "; ".join(holders) or "tasks or reservations (ray status shows them)"
        return f"each asks for {asked}, which are held by {names}"
