"""Callbacks that show a trial in TensorBoard: graph, statistics, texts, word vectors."""

import logging

from lm.backend.data_parallel import first_replica
from lm.data.dataset import Dataset
from lm.generation.detokenize import sample_markdown
from lm.generation.generator import GenerationRequest, prepare_sample, sample_words
from lm.generation.prompt import PROMPT_OPTION, choose_prompt, unknown_words_notice
from lm.model.types import Params
from lm.monitor.graph import graph_or_none
from lm.monitor.projector import projector_embeddings
from lm.monitor.statistics import prepare_statistics, report_values, step_statistics
from lm.training.callbacks import Callback
from lm.training.state import TrainState
from lm.training.trainer import Trainer
from lm.vectors.benchmarks import load_benchmarks
from lm.vectors.training_metrics import vector_metrics
from sweeps.tensorboard import Text
from sweeps.tracking import Run

log = logging.getLogger(__name__)


class ModelGraph(Callback):
    """Shows the model's graph (`log.graph`)."""

    def __init__(self, trainer: Trainer, run: Run) -> None:
        self._trainer = trainer
        self._run = run

    def on_train_begin(self, state: TrainState) -> None:
        """Show the graph, where one can be made."""
        config, words = self._trainer.config, len(self._trainer.vocabulary)
        train = config.train
        graph = graph_or_none(config.model, words, train.batch_size, train.sequence_length)
        if graph is not None:
            self._run.log_graph(graph)


class StatisticsMonitor(Callback):
    """Shows activations, parameters and gradients of a step (`log.histogram_every`)."""

    def __init__(self, trainer: Trainer, run: Run) -> None:
        self._trainer = trainer
        self._run = run

    def compile(self, state: TrainState) -> None:
        """Compile the statistics, where they are compiled."""
        prepare_statistics(self._trainer, state)

    def is_due(self, previous: int, step: int) -> bool:
        """Return whether the next multiple of `log.histogram_every` updates has been passed."""
        every = self._trainer.config.log.histogram_every
        return step // every > previous // every

    def on_report(self, state: TrainState, step: int) -> dict[str, float]:
        """Show histograms of the next step; returns numbers for the report."""
        numbers, histograms = report_values(step_statistics(self._trainer, state, step))
        self._run.log_summaries(step, histograms)
        return numbers


class GeneratedSamples(Callback):
    """Shows a generated text after each epoch (`log.sample_words`); <unk> is not drawn."""

    def __init__(self, trainer: Trainer, dataset: Dataset, run: Run) -> None:
        """Choose the prompt.

        Raises:
          UserError: the prompt that is given has no words that the vocabulary knows.
        """
        self._trainer = trainer
        self._run = run
        config = trainer.config
        self._prompt = choose_prompt(config.log.sample_prompt, config.data, dataset, PROMPT_OPTION)
        unknown = trainer.vocabulary.unk_id
        self._request = GenerationRequest(
            prompt=self._prompt.ids,
            words=config.log.sample_words,
            samples=1,
            temperature=config.log.sample_temperature,
            top_k=None,
            seed=config.seed,
            avoid=[] if unknown is None else [unknown],
            scored=False,
        )

    def compile(self, state: TrainState) -> None:
        """Compile generation, where it is compiled."""
        prepare_sample(self._trainer.functions, first_replica(state.params), self._request)

    def on_train_begin(self, state: TrainState) -> None:
        """Warn of words of the prompt that the vocabulary lacks."""
        if notice := unknown_words_notice(self._prompt, PROMPT_OPTION):
            log.warning(notice)

    def on_epoch(self, params: Params, step: int) -> dict[str, float]:
        """Show a generated text."""
        prompt = self._trainer.vocabulary.decode(self._prompt.ids)
        words = self._sample(params)
        text = sample_markdown(prompt, words, self._trainer.config.data.level)
        self._run.log_summaries(step, {"samples": Text(text)})
        return {}

    def _sample(self, params: Params) -> list[str]:
        ids = sample_words(self._trainer.functions, params, self._request)
        return self._trainer.vocabulary.decode(ids)


class VectorProjector(Callback):
    """Shows the vectors of frequent words in TensorBoard's projector (`log.embedding_words`)."""

    def __init__(self, trainer: Trainer, run: Run) -> None:
        self._trainer = trainer
        self._run = run

    def on_epoch(self, params: Params, step: int) -> dict[str, float]:
        """Show the vectors in place of the ones before."""
        trainer = self._trainer
        self._run.log_embeddings(
            projector_embeddings(trainer.vocabulary, trainer.config.log.embedding_words, params)
        )
        return {}


class VectorScores(Callback):
    """Reports scores of the word vectors after each epoch (`log.vector_scores`)."""

    def __init__(self, trainer: Trainer) -> None:
        self._first_epoch = trainer.steps_per_epoch
        self._benchmarks = load_benchmarks(trainer.vocabulary.words)

    def on_epoch(self, params: Params, step: int) -> dict[str, float]:
        """Score the vectors; after the first epoch with the shares of questions, too."""
        return vector_metrics(params, self._benchmarks, first=step == self._first_epoch)
