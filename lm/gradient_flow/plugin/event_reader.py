"""Read recorded gradient flow from the event files of a run, without a TensorBoard."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lm.gradient_flow.plugin.data_reader import BatchRecords, parse_labels, parse_metadata
from lm.gradient_flow.plugin.tags import LABELS, OVERVIEW, PLUGIN, PREFIX


class RunRecords(NamedTuple):
    """All records of a run."""

    about: dict[str, Any]
    """Metadata of the records."""
    overviews: dict[int, NDArray[np.float32]]
    """Update step -> f32[components, 3]."""
    batches: dict[int, BatchRecords]
    """Update step -> records of the batch."""


def read_run(folder: Path) -> RunRecords:
    """Read the event files of a run, each up to its first damage.

    Of a step that was recorded twice, before and after a resume, the later record counts.
    """
    run = RunRecords(about={}, overviews={}, batches={})
    for path in sorted(folder.glob("*tfevents*")):
        _read_events(run, path)
    for step in run.overviews.keys() ^ run.batches.keys():  # the end of a file was cut
        run.overviews.pop(step, None)
        run.batches.pop(step, None)
    return run


def _read_events(run: RunRecords, path: Path) -> None:
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    ours = False
    for event in LegacyEventFileLoader(str(path)).Load():
        values = [value for value in event.summary.value if value.tag.startswith(PREFIX)]
        # Metadata may stand in the first event of a file only.
        named = next((v.metadata.plugin_data for v in values if v.HasField("metadata")), None)
        if named is not None and named.plugin_name == PLUGIN:
            ours = True
            run.about.update(parse_metadata(named.content))
        if ours and values:
            _add_batch(run, event.step, {value.tag: value.tensor for value in values})


def _add_batch(run: RunRecords, step: int, tensors: dict[str, Any]) -> None:
    if OVERVIEW not in tensors:  # scalars beside the records
        return
    overview = tensors.pop(OVERVIEW)
    shape = [dim.size for dim in overview.tensor_shape.dim]
    run.overviews[step] = np.frombuffer(overview.tensor_content, "<f4").reshape(shape)
    blobs = {tag: bytes(one.string_val[0]) for tag, one in tensors.items() if one.string_val}
    labels = parse_labels(blobs.pop(LABELS, b"{}"))
    run.batches[step] = BatchRecords(
        labels, {tag.removeprefix(PREFIX): one for tag, one in blobs.items()}
    )
