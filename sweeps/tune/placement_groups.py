"""Ray Tune's placement groups, removed only when Ray can give their CPUs back.

A trial runs in a placement group. Ray loses the CPUs of one that is removed in the instant in which
it is being created: no process has them, and no later trial of the cluster gets them
(https://github.com/ray-project/ray/issues/64693, seen with Ray 2.60). Tune does just this. It asks
for a group for a trial that is to start, and takes the request back when a worker that has ended
its trial takes the new one over.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

UNUSED_SECONDS = 1.0
"""How long a group is kept that nothing asks for any more."""
SETTLE_SECONDS = 0.5
"""Time for groups that are being created when a sweep ends; Ray takes some milliseconds."""


class _Unused(NamedTuple):
    """A placement group whose request was taken back before it was created."""

    since: float
    request: Any
    group: Any
    ready: Any
    """Ray's reference that resolves when the group is created."""


@contextmanager
def settled_placement_groups() -> Iterator[None]:
    """In this context, Tune removes no placement group that is being created."""
    with patch("ray.tune.execution.tune_controller.PlacementGroupResourceManager", make_manager()):
        yield


def make_manager() -> Any:
    """Return the class that stands in for Ray's `PlacementGroupResourceManager`."""
    import ray
    from ray.air.execution import PlacementGroupResourceManager

    class Manager(PlacementGroupResourceManager):
        def __init__(self, update_interval_s: float = 0.1) -> None:
            super().__init__(update_interval_s)
            self._unused: list[_Unused] = []

        def request_resources(self, resource_request: Any) -> None:
            for one in self._unused:
                if one.request == resource_request:
                    self._unused.remove(one)
                    self._request_to_staged_pgs[one.request].add(one.group)
                    self._staging_future_to_pg[one.ready] = one.group
                    self._pg_to_staging_future[one.group] = one.ready
                    return
            super().request_resources(resource_request)

        def cancel_resource_request(self, resource_request: Any) -> None:
            staged = self._request_to_staged_pgs[resource_request]
            if not staged:
                super().cancel_resource_request(resource_request)
                return
            group = staged.pop()
            ready = self._pg_to_staging_future.pop(group)
            self._staging_future_to_pg.pop(ready)
            self._unused.append(_Unused(time.monotonic(), resource_request, group, ready))

        def get_resource_futures(self) -> Any:
            self._remove_unused(before=time.monotonic() - UNUSED_SECONDS)
            return super().get_resource_futures()

        def clear(self) -> None:
            if not ray.is_initialized():
                return
            if self._unused or any(self._request_to_staged_pgs.values()):
                time.sleep(SETTLE_SECONDS)
            self._remove_unused(before=float("inf"))
            super().clear()  # type: ignore[no-untyped-call]

        def _remove_unused(self, before: float) -> None:
            old = [one for one in self._unused if one.since < before]
            for one in old:
                self._unused.remove(one)
                ray.cancel(one.ready)  # it would wait for its group forever
                self._pg_to_request.pop(one.group)
                ray.util.remove_placement_group(one.group)

    return Manager
