"""Baselines: word2vec models that `+vectors=...` names, trained on the text of a trial."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import TaskID

from lm.data.dataset import Dataset
from lm.data.location import AS_RECORDED, TextLocation
from lm.data.windows import steps_per_epoch
from lm.training.load import TrainedModel, load_trained, load_trial_dataset
from lm.vectors.benchmarks import load_benchmarks
from lm.vectors.config import NONE, Word2VecConfig
from lm.vectors.epoch_scores import EpochScores, recorded_scores
from lm.vectors.load import load_vectors, model_vectors
from lm.vectors.scores import point_scores
from lm.vectors.word2vec import fill_defaults, occurring_words, train_word2vec
from lm.vectors.word_vectors import WordVectors
from sweeps.cli.progress import bar


class ScoredTables(NamedTuple):
    """Tables of word vectors, and their scores after each epoch."""

    tables: list[WordVectors]
    """The trial's own, then one for each baseline, in the order given."""
    epoch_scores: list[EpochScores]
    """Scores of the baselines and of the trial's own vectors; empty unless asked for."""
    checkpoint: str | None = None
    """Which checkpoint of the trial was read, in words; None: the tables are of a file."""


def load_tables(
    console: Console,
    where: Path,
    table: str,
    models: Mapping[str, Word2VecConfig],
    judged: bool,
    location: TextLocation = AS_RECORDED,
    checkpoint: str | int | None = None,
) -> ScoredTables:
    """Load the tables of a trial's folder and train its baselines, or load the table of a file.

    Args:
      table: one of `TABLE_CHOICES`, or `NONE`.
      location: where the text of a trial lies now.
      checkpoint: of a trial, as of `lm.training.load.load_trained`.
      console, models, judged: as for `train_baselines`.

    Raises:
      UserError: as `load_vectors` and `train_baselines`.
    """
    if not where.is_dir():
        return ScoredTables(
            tables=[] if table == NONE else load_vectors(where, table), epoch_scores=[]
        )
    trained = load_trained(where, location, checkpoint)
    own = [] if table == NONE else model_vectors(trained, table)
    if models:
        found = train_baselines(console, trained, own, models, judged)
    else:
        recorded = recorded_scores(where, [one.name for one in own]) if judged else []
        found = ScoredTables(tables=own, epoch_scores=recorded)
    return found._replace(checkpoint=trained.describe_checkpoint())


def train_baselines(
    console: Console,
    trained: TrainedModel,
    own: Sequence[WordVectors],
    models: Mapping[str, Word2VecConfig],
    judged: bool,
) -> ScoredTables:
    """Train baselines on the text of a trial; returns them after its own tables.

    Args:
      console: shows a bar if it is a terminal.
      trained: the trial.
      own: its tables, of `lm.vectors.load.model_vectors`.
      models: options of the baselines, by the names of their tables.
      judged: whether to score all vectors after each epoch.

    Raises:
      UserError: the text is missing or is another one now, or gensim's questions are missing.
    """
    dataset = load_trial_dataset(trained)
    full = {name: fill_defaults(config, trained, dataset) for name, config in models.items()}
    tables = list(own)
    epoch_scores: list[EpochScores] = []
    asked = (
        load_benchmarks(list(occurring_words(trained.vocabulary, dataset.train)))
        if judged
        else None
    )
    if judged:
        epoch_scores += _own_scores(trained, dataset, own)
    with bar(console, "{task.description}: pass") as shown:
        for name, config in full.items():
            task = shown.add_task(name, total=config.epochs)

            def ended(epoch: int, table: WordVectors, task: TaskID = task) -> None:
                shown.update(task, completed=epoch)
                if asked is not None:
                    scores = point_scores(table.matrix, asked)
                    epoch_scores.append(EpochScores(vectors=table.name, epoch=epoch, scores=scores))

            tables.append(train_word2vec(name, config, trained.vocabulary, dataset.train, ended))
    return ScoredTables(tables=tables, epoch_scores=epoch_scores)


def _own_scores(
    trained: TrainedModel, dataset: Dataset, own: Sequence[WordVectors]
) -> list[EpochScores]:
    """Scores that the trial recorded of its tables; a table without any is scored as it is now."""
    recorded = recorded_scores(trained.trial.directory, [table.name for table in own])
    epoch = trained.step / steps_per_epoch(len(dataset.train), trained.config.train)
    known = {one.vectors for one in recorded}
    return recorded + [
        EpochScores(
            vectors=table.name,
            epoch=epoch,
            scores=point_scores(table.matrix, load_benchmarks(table.words)),
        )
        for table in own
        if table.name not in known
    ]
