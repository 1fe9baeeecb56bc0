"""Made-up outputs of the Sherlock sweeps: what a trial would have left, without training it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from scripts.sherlock_study.trials import StudyTrial, read
from sweeps.store.result import write_result
from sweeps.store.sweep import Sweep, write_sweep
from sweeps.store.trial import update_trial

REPORTS = 4
"""Of an epoch, 100 updates apart."""


def config(**sections: Mapping[str, Any]) -> dict[str, Any]:
    """What tables read of a configuration."""
    known: dict[str, dict[str, Any]] = {
        "model": {"cell": "lstm"},
        "optimizer": {"learning_rate": 0.05},
        "train": {"batch_size": 32, "sequence_length": 20, "changes": []},
    }
    return {name: {**known[name], **sections.get(name, {})} for name in known}


def rows(
    losses: Sequence[float], ms: float = 10.0, **tags: Sequence[float]
) -> list[dict[str, Any]]:
    """Reports of a trial with these losses at the end of each epoch; `tags`: further values."""
    found = []
    for report in range(len(losses) * REPORTS):
        epoch, ends = report // REPORTS, report % REPORTS == REPORTS - 1
        row = {
            "step": 100 * (report + 1),
            "wall_time": float(report),
            "train/loss": losses[epoch] if ends else losses[epoch] + 0.1,
            "train/grad_norm": 1.0,
            "train/clipped_share": 0.5,
            "time/epoch": (report + 1) / REPORTS,
            "time/words_per_second": 1000 * 640 / ms,
        }
        if ends:
            row |= {"valid/loss": losses[epoch] + 1, "valid/perplexity": 100 * losses[epoch]}
            row |= {name.replace("__", "/"): values[epoch] for name, values in tags.items()}
        found.append(row)
    return found


def trial(
    settings: Mapping[str, str], losses: Sequence[float], ms: float = 10.0, **sections: Any
) -> StudyTrial:
    """A finished trial."""
    tags = {name: sections.pop(name) for name in list(sections) if "__" in name}
    made = config(**sections)
    return StudyTrial(settings, "finished", Path("folder"), made, rows(losses, ms, **tags))


def write(root: Path, sweep: str, trials: Iterable[StudyTrial]) -> list[StudyTrial]:
    """Leave them as a sweep's folder, and read it back as the study does."""
    folder = root / sweep
    folder.mkdir(parents=True)
    trials = list(trials)
    axes = tuple(trials[0].settings)
    write_sweep(Sweep(folder=folder, axes=axes, metric="valid/perplexity"))
    for place, one in enumerate(trials):
        trial = folder / f"trial={place},id={place:06x}"
        trial.mkdir()
        update_trial(trial, fingerprint=f"{place:06x}", settings=dict(one.settings))
        write_result(trial, {"status": one.status})
        (trial / "config.yaml").write_text(yaml.safe_dump(dict(one.config)))
        (trial / "vocab.tsv").write_text("word\tcount\na\t90\nb\t9\nc\t1\n")
        heads = list(dict.fromkeys(tag for row in one.rows for tag in row))
        lines = [
            ",".join(repr(row[tag]) if tag in row else "" for tag in heads) for row in one.rows
        ]
        (trial / "metrics.csv").write_text("\n".join([",".join(heads), *lines]) + "\n")
    return read(root, sweep)
