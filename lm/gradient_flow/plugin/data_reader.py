"""Read recorded gradient flow from TensorBoard's data provider, for the tab's requests."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tensorboard import errors
from tensorboard.context import RequestContext
from tensorboard.data.provider import DataProvider, RunTagFilter

from lm.gradient_flow.plugin.tags import LABELS, OVERVIEW, PLUGIN, PREFIX

ALL_POINTS = 10**7
"""Number of points of a series to ask for; large enough for every one."""
BLOB_THREADS = 8
"""Blobs read in parallel; a single one waits for the data server for most of its 44 ms."""
CACHED_RUNS = 16
"""Runs whose blob keys are cached; 10,000 batches have about 60,000 keys."""

Keys = Mapping[int, Mapping[str, str]]


class RunOverview(NamedTuple):
    """Overview values of all recorded batches of a run."""

    steps: list[int]
    values: NDArray[np.float32]
    """batches x components x 3."""


class BatchRecords(NamedTuple):
    """Records and labels of one batch."""

    labels: dict[str, Any]
    records: dict[str, bytes]
    """Encoded record by component."""


class RecordReader:
    """Reads records from TensorBoard's data provider; several threads may use it at once."""

    def __init__(self, provider: DataProvider) -> None:
        self._provider = provider
        self._pool = ThreadPoolExecutor(BLOB_THREADS)
        self._keys: dict[tuple[str, str], Keys] = {}

    def runs(self, ctx: RequestContext, experiment: str) -> dict[str, dict[str, Any]]:
        """List the runs that have records: name -> last step and metadata."""
        found = self._provider.list_tensors(
            ctx, experiment_id=experiment, plugin_name=PLUGIN, run_tag_filter=_filter(OVERVIEW)
        )
        return {
            run: {
                "last": tags[OVERVIEW].max_step,
                "about": parse_metadata(tags[OVERVIEW].plugin_content),
            }
            for run, tags in sorted(found.items())
            if OVERVIEW in tags
        }

    def overview(self, ctx: RequestContext, experiment: str, run: str) -> RunOverview:
        """Read the overview of a run.

        Raises:
          NotFoundError: the run has none.
        """
        found = self._provider.read_tensors(
            ctx,
            experiment_id=experiment,
            plugin_name=PLUGIN,
            downsample=ALL_POINTS,
            run_tag_filter=_filter(OVERVIEW, run),
        )
        data = found.get(run, {}).get(OVERVIEW)
        if not data:
            raise errors.NotFoundError(f"{run} has no record of gradient flow")
        return RunOverview(
            steps=[d.step for d in data], values=np.stack([d.numpy for d in data]).astype("<f4")
        )

    def batch(self, ctx: RequestContext, experiment: str, run: str, step: int) -> BatchRecords:
        """Read one recorded batch.

        Raises:
          NotFoundError: none was recorded at this step.
        """
        keys = self._keys.get((experiment, run), {}).get(step)
        if keys is None:
            keys = self._known(ctx, experiment, run).get(step)
        if keys is None:
            raise errors.NotFoundError(f"{run} has no record at step {step}")

        def read(key: str) -> bytes:
            return bytes(self._provider.read_blob(ctx, blob_key=key))

        blobs = dict(zip(keys, self._pool.map(read, keys.values()), strict=True))
        labels = parse_labels(blobs.pop(LABELS, b"{}"))
        return BatchRecords(labels, {tag.removeprefix(PREFIX): blob for tag, blob in blobs.items()})

    def _known(self, ctx: RequestContext, experiment: str, run: str) -> Keys:
        """Read the current keys of a run's blobs, by step and tag."""
        found = self._provider.read_blob_sequences(
            ctx,
            experiment_id=experiment,
            plugin_name=PLUGIN,
            downsample=ALL_POINTS,
            run_tag_filter=RunTagFilter(runs=[run]),
        )
        keys: dict[int, dict[str, str]] = {}
        for tag, data in sorted(found.get(run, {}).items()):
            for datum in data:
                keys.setdefault(datum.step, {})[tag] = datum.values[0].blob_key
        self._keys.pop((experiment, run), None)
        self._keys[experiment, run] = keys
        for oldest in list(self._keys)[:-CACHED_RUNS]:
            self._keys.pop(oldest, None)
        return keys


def parse_metadata(content: bytes) -> dict[str, Any]:
    """Parse the metadata of a run's records; empty where it cannot be read."""
    try:
        said = json.loads(content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def parse_labels(blob: bytes) -> dict[str, Any]:
    """Parse the words that were read, expected and predicted."""
    labels: dict[str, Any] = json.loads(blob, parse_constant=_null)
    return labels


def _null(word: str) -> None:
    """Replace NaN and infinities, which a browser's JSON lacks, by null."""


def _filter(tag: str, run: str | None = None) -> RunTagFilter:
    return RunTagFilter(runs=None if run is None else [run], tags=[tag])
