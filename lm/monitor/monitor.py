"""What a trial shows beside its metrics: looks inside, generated text, vectors, its graph."""

import logging

from lm.generation.detokenize import sample_markdown
from lm.generation.prompt import PROMPT_OPTION, unknown_words_notice
from lm.gradient_flow.recorder import GradientFlowRecorder
from lm.model.types import Params
from lm.monitor.graph import graph_or_none
from lm.monitor.projector import projector_embeddings
from lm.monitor.statistics import report_values
from lm.training.state import TrainState
from lm.training.trainer import Trainer
from lm.vectors.benchmarks import load_benchmarks
from lm.vectors.training_metrics import vector_metrics
from sweeps.run import Run
from sweeps.tensorboard import Text

log = logging.getLogger(__name__)


class Monitor:
    """Shows a trial to its run, as often as `log` says."""

    def __init__(self, trainer: Trainer, run: Run) -> None:
        self._trainer = trainer
        self._run = run
        self._log = trainer.config.log
        self._recorder = GradientFlowRecorder(trainer, run)
        self._questions = (
            load_benchmarks(trainer.vocabulary.words) if self._log.vector_scores else None
        )

    def begin(self, state: TrainState) -> None:
        """Show what there is before the first update."""
        trainer = self._trainer
        if self._log.sample_words and (
            notice := unknown_words_notice(trainer.prompt, PROMPT_OPTION)
        ):
            log.warning(notice)
        if self._log.graph:
            train, words = trainer.config.train, len(trainer.vocabulary)
            shape = (words, train.batch_size, train.sequence_length)
            if (graph := graph_or_none(trainer.config.model, *shape)) is not None:
                self._run.log_graph(graph)
        self.look(state, -1, 0)

    def due(self, before: int, step: int) -> bool:
        """Whether a look is, at the report after update `step`; the one before was at `before`."""
        return self._probe_due(before, step) or self._recorder.due(before, step)

    def look(self, state: TrainState, before: int, step: int) -> dict[str, float]:
        """Look inside the state after update `step`, as is due; gives numbers for its report."""
        numbers: dict[str, float] = {}
        if self._probe_due(before, step):
            numbers, histograms = report_values(self._trainer.probe(state, step))
            self._run.log_summaries(step, histograms)
        if self._recorder.due(before, step):
            numbers |= self._recorder.record(state, step)
        return numbers

    def _probe_due(self, before: int, step: int) -> bool:
        every = self._log.histogram_every
        return every > 0 and step // every > before // every

    def evaluated(self, params: Params, step: int) -> dict[str, float]:
        """Show what the model writes by now, and its word vectors; gives numbers for the report."""
        trainer = self._trainer
        if self._log.sample_words:
            prompt = trainer.vocabulary.decode(trainer.prompt.ids)
            words = trainer.sample(params)
            text = sample_markdown(prompt, words, trainer.config.data.level)
            self._run.log_summaries(step, {"samples": Text(text)})
        if self._log.embedding_words:
            vectors = projector_embeddings(trainer.vocabulary, self._log.embedding_words, params)
            self._run.log_embeddings(vectors)
        if self._questions is None:
            return {}
        return vector_metrics(params, self._questions, first=step == trainer.steps_per_epoch)
