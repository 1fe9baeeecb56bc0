"""Figures of gradient flow over training, trial by trial; docs/gradient_flow.md has them.

python -m lm.sweep +sweep=gradient_flow
python scripts/gradient_flow_findings.py outputs/gradient_flow/*
"""

import sys
from pathlib import Path

import numpy as np

from lm.gradient_flow.codec import decode
from lm.gradient_flow.plugin.event_reader import RunRecords, read_run

EARLY, LATE = 500, 25_000
"""Updates: the batches before the first, and those from the second on."""
BACK = 8
"""Steps back from a loss."""


def main() -> None:
    """Print the figures of the folders that are given."""
    for folder in map(Path, sys.argv[1:]):
        if (run := read_run(folder)).overviews:
            print(folder.name)
            print_horizons(run)
            print_largest(run)


def print_horizons(run: RunRecords) -> None:
    """Print for each component the horizon and the share of a loss that is left some steps back.

    Of the losses of the second half of a window, relative to the peak of each.
    """
    for index, name in enumerate(run.about["components"]):
        spans = []
        for steps in ([s for s in run.batches if s < EARLY], [s for s in run.batches if s >= LATE]):
            horizon = np.mean([run.overviews[step][index][2] for step in steps])
            norms = np.stack([decode(run.batches[step].records[name]).norms for step in steps])
            seen = norms[:, :, norms.shape[2] // 2 :]
            left = np.mean(seen[..., BACK] / np.maximum(seen.max(axis=-1), 1e-12))
            spans.append(f"horizon {horizon:.1f}, left {BACK} steps back {left:.2%}")
        print(f"  {name}: early {spans[0]}; late {spans[1]}")


def print_largest(run: RunRecords) -> None:
    """Print the largest contribution of each batch in the first component, and its loss."""
    name = run.about["components"][0]
    found = []
    for batch in run.batches.values():
        norms = decode(batch.records[name]).norms[0]
        loss = int(norms.max(axis=1).argmax())
        labels = {key: batch.labels[key][0] for key in ("targets", "correct", "losses")}
        found.append((float(norms.max()), loss, labels))
    largest = [one[0] for one in found]
    wrong = [not labels["correct"][loss] for _, loss, labels in found]
    there = [labels["losses"][loss] for _, loss, labels in found]
    every = [value for _, _, labels in found for value in labels["losses"]]
    right = [value for _, _, labels in found for value in labels["correct"]]
    print(f"  largest contribution: {np.mean(largest):.2f} on average, {max(largest):.2f} at most")
    shares = f"{np.mean(wrong):.0%}, where {1 - np.mean(right):.0%} are wrong"
    print(f"  from a wrong prediction: {shares}")
    print(f"  nats of its loss: {np.mean(there):.2f}, where the mean is {np.mean(every):.2f}")
    for value, loss, labels in sorted(found, key=lambda one: -one[0])[:3]:
        before = "".join(labels["targets"][:loss])
        print(f"  {value:.2f}: {labels['targets'][loss]!r} after {before!r}")


if __name__ == "__main__":
    main()
