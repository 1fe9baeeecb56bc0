"""The objective that a sweep calls: it trains one trial, or several as the lanes of a pack.

Here a configuration becomes a dataset, a trainer, its callbacks and a session; then
`lm.training.loop` takes over.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from lm.backend.compile_cache import use_cache
from lm.backend.devices import require_gpu
from lm.config.load import parse_config
from lm.config.static import pack_key
from lm.data.dataset import Dataset, load_dataset
from lm.gradient_flow.recorder import GradientFlowRecorder
from lm.monitor.monitor import (
    GeneratedSamples,
    ModelGraph,
    StatisticsMonitor,
    VectorProjector,
    VectorScores,
)
from lm.training.callbacks import Callback
from lm.training.lanes import (
    VmappedEngine,
    forget_num_lanes,
    read_num_lanes,
    write_num_lanes,
)
from lm.training.loop import SingleEngine, compile_functions, run_training
from lm.training.session import TrainingSession
from lm.training.trainer import Trainer, put_on_device
from sweeps.errors import UserError
from sweeps.store.provenance import read_provenance
from sweeps.tracking import Run

log = logging.getLogger(__name__)


def train(config: Mapping[str, Any], run: Run) -> None:
    """Train one model; goes on from its last checkpoint, if the run's folder holds one.

    The run is closed when its trial has ended: trained, diverged, or stopped as it was asked to.

    Args:
      config: a composed configuration, plain values.
      run: takes the reports; its folder takes vocabulary and checkpoints.

    Raises:
      KeyboardInterrupt: Ctrl-C or another signal; a checkpoint was written first.
      UserError: the input is bad, or the disk is full.
    """
    _require_gpu(run)
    parsed = parse_config(config)
    run.phase("loading text")
    dataset = load_dataset(parsed.data)
    dataset.vocabulary.save(run.directory / "vocab.tsv")
    use_cache()
    trainer = Trainer(parsed, dataset)
    session = TrainingSession(trainer, run, make_callbacks(trainer, dataset, run))
    engine = SingleEngine(trainer, session.start())
    compile_functions(engine, [session])
    run_training(engine, [session])


def train_pack(configs: Sequence[Mapping[str, Any]], runs: Sequence[Run]) -> None:
    """Train models that differ in numbers only; each goes on from its own last checkpoint.

    A run is closed as soon as its trial has ended: trained, diverged, or stopped as it was asked
    to.

    Args:
      configs: composed configurations, alike in `lm.config.static.pack_key`.
      runs: entered; one for each.

    Raises:
      KeyboardInterrupt: Ctrl-C or another signal; checkpoints were written first.
      UserError: the input is bad, or the disk is full.
    """
    if any(pack_key(config) != pack_key(configs[0]) for config in configs[1:]):
        raise UserError(
            "these trials differ in more than numbers and cannot train together; train each alone."
        )
    try:
        _train_pack(configs, runs)
    except jax.errors.JaxRuntimeError:  # not enough memory, say: they may try again with fewer
        forget_num_lanes(runs)
        raise


def make_callbacks(trainer: Trainer, dataset: Dataset, run: Run) -> list[Callback]:
    """The observers that a trial's options ask for, in the order in which they are called."""
    config = trainer.config
    callbacks: list[Callback] = []
    if config.log.graph:
        callbacks.append(ModelGraph(trainer, run))
    if config.log.histogram_every:
        callbacks.append(StatisticsMonitor(trainer, run))
    if config.gradient_flow.every:
        callbacks.append(GradientFlowRecorder(trainer, run))
    if config.log.sample_words:
        callbacks.append(GeneratedSamples(trainer, dataset, run))
    if config.log.embedding_words:
        callbacks.append(VectorProjector(trainer, run))
    if config.log.vector_scores:
        callbacks.append(VectorScores(trainer))
    return callbacks


def _require_gpu(run: Run) -> None:
    """Refuse to train on the CPU what has a GPU in a sweep, as its worker records."""
    require_gpu(float(read_provenance(run.directory).facts.get("gpus") or 0))


def _train_pack(configs: Sequence[Mapping[str, Any]], runs: Sequence[Run]) -> None:
    _require_gpu(runs[0])
    use_cache()
    parsed = [parse_config(config) for config in configs]
    dataset = load_dataset(parsed[0].data)
    device_text = put_on_device(dataset, parsed[0].train)
    sessions = []
    for config, run in zip(parsed, runs, strict=True):
        dataset.vocabulary.save(run.directory / "vocab.tsv")
        trainer = Trainer(config, dataset, device_text)
        sessions.append(TrainingSession(trainer, run, make_callbacks(trainer, dataset, run)))
    num_lanes = read_num_lanes(runs)
    engine = VmappedEngine(sessions[0].trainer, num_lanes)
    for lane, session in enumerate(sessions):
        _enter(engine, lane, session)
    if not engine.lanes:
        return
    log.info("Training %d trials as lanes of one program, %d wide.", len(engine.lanes), num_lanes)
    compile_functions(engine, sessions, lanes=num_lanes)
    for lane in engine.lanes:
        write_num_lanes(runs[lane], num_lanes)
    run_training(engine, sessions)


def _enter(engine: VmappedEngine, lane: int, session: TrainingSession) -> None:
    """Give a trial its lane, if it has anything left to train."""
    try:
        state = session.start()
    except UserError as error:  # its own checkpoints are damaged: the others go on
        session.run.close(error)
        return
    if session.is_over:
        session.close()
        return
    engine.insert(lane, session.trainer, state)
