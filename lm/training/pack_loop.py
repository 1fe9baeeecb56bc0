"""Training several trials of one program together, each with its own reports and checkpoints."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax

from lm.backend.compile_cache import record_compilations, use_cache
from lm.config import parse_config
from lm.config.static import pack_key
from lm.data.dataset import load_dataset
from lm.training.checkpoint import AsyncCheckpointWriter
from lm.training.lanes import LaneReport, VmappedTrainer
from lm.training.session import TrainingSession
from lm.training.state import evaluated_params
from lm.training.trainer import Trainer, put_on_device
from sweeps.errors import UserError
from sweeps.io.atomic import make_directory, read_json, write_json
from sweeps.run import Diverged, Interrupt, Run

log = logging.getLogger(__name__)

WIDTH = "lanes.json"
"""Beside the checkpoints of a trial that is trained by a vmapped program: its number of lanes."""


def train(configs: Sequence[Mapping[str, Any]], runs: Sequence[Run]) -> None:
    """Train models that differ in numbers only; each goes on from its own last checkpoint.

    A run is closed as soon as its trial has ended: trained, diverged, or stopped as it was told to.

    Args:
      configs: composed configurations, alike in `lm.config.static.pack_key`.
      runs: entered; one for each.

    Raises:
      KeyboardInterrupt: Ctrl-C or SIGTERM; checkpoints were written first.
      UserError: the input is bad, or the disk is full.
    """
    if any(pack_key(values) != pack_key(configs[0]) for values in configs[1:]):
        raise UserError(
            "these trials differ in more than numbers and cannot train together; train each alone."
        )
    try:
        _train(configs, runs)
    except jax.errors.JaxRuntimeError:  # not enough memory, say: they may try again with fewer
        for run in runs:
            (run.checkpoints / WIDTH).unlink(missing_ok=True)
        raise


def _train(configs: Sequence[Mapping[str, Any]], runs: Sequence[Run]) -> None:
    use_cache()
    courses = list(_courses(configs, runs))
    width = _width(runs)
    lanes = VmappedTrainer(courses[0].trainer, width)
    for index, course in enumerate(courses):
        _enter(lanes, index, course)
    if not lanes.places:
        return
    log.info("Training %d trials as lanes of one program, %d wide.", len(lanes.places), width)
    with record_compilations() as compiling:
        compile_seconds = lanes.compile()
    facts: dict[str, int | str] = {"compile_cache": compiling.cache_status, "lanes": width}
    for index in lanes.places:
        if courses[index].step == 0:
            courses[index].views.begin(lanes.extract(index))
        courses[index].record(lanes.compute, compile_seconds, **facts)
        make_directory(runs[index].checkpoints)
        write_json(runs[index].checkpoints / WIDTH, {"lanes": width})
    with AsyncCheckpointWriter() as background, Interrupt() as interrupt:
        while lanes.places:
            _advance(lanes, courses, background, interrupt)
        if interrupt.requested:
            raise KeyboardInterrupt("stopped; what was trained is saved")


def _courses(
    configs: Sequence[Mapping[str, Any]], runs: Sequence[Run]
) -> Iterator[TrainingSession]:
    """The trials, which share the text on the device."""
    first = parse_config(configs[0])
    text = load_dataset(first.data)
    placed = put_on_device(text, first.train)
    for values, run in zip(configs, runs, strict=True):
        text.vocabulary.save(run.directory / "vocab.tsv")
        yield TrainingSession(Trainer(parse_config(values), text, placed), run)


def _width(runs: Sequence[Run]) -> int:
    """Places of a pack: those in which its trials began, as their rounding hangs on it.

    A resumed trial's number lies beside its checkpoints; that of one to be reproduced, whose
    folder is new, in the provenance.
    """
    files = [run.checkpoints / WIDTH for run in runs]
    files += [run.directory / "provenance.json" for run in runs]
    return max(2, len(runs), *(int((read_json(file) or {}).get("lanes", 0)) for file in files))


def _enter(lanes: VmappedTrainer, index: int, course: TrainingSession) -> None:
    """Give a trial its place, if it has anything left to train."""
    try:
        state = course.start()
    except UserError as error:  # its own checkpoints are damaged: the others go on
        course.run.close(error)
        return
    if course.ended:
        course.run.close()
        return
    lanes.insert(index, course.trainer, state)


def _advance(
    lanes: VmappedTrainer,
    courses: Sequence[TrainingSession],
    background: AsyncCheckpointWriter,
    interrupt: Interrupt,
) -> None:
    """Train to the nearest report, and do what the trials that have come to theirs need."""
    parts = lanes.advance()
    background.finish()  # before the next report, which would go out ahead of the checkpoint
    for part in parts:
        courses[part.place].go_on(part.steps, part.seconds)
    epochs = {
        part.place: courses[part.place].ended
        for part in parts
        if part.finite and courses[part.place].epoch_ended
    }
    evaluations = {}
    if epochs:
        evaluations = lanes.evaluate(epochs)
        lanes.judge({place: found["valid/loss"] for place, found in evaluations.items()})
    reported = [part for part in parts if _report(lanes, courses, part, evaluations)]
    leaving = interrupt.requested  # looked at once, so that who leaves has saved
    ending: list[TrainingSession] = []
    for part in reported:
        course = courses[part.place]
        ends = course.ended or leaving or course.run.should_stop
        if ends or course.due:
            background.save(course.checkpoints, lanes.extract(part.place), course.saved)
        if ends:
            lanes.remove(part.place)
            ending.append(course)
    if ending:
        background.finish()
    for course in ending:
        course.run.close(course.interrupted() if leaving else None)


def _report(
    lanes: VmappedTrainer,
    courses: Sequence[TrainingSession],
    part: LaneReport,
    evaluations: Mapping[int, Mapping[str, float]],
) -> bool:
    """Report what a lane did; one that has diverged ends. Gives whether it goes on."""
    course, metrics = courses[part.place], part.metrics
    views, evaluation = course.views, evaluations.get(part.place, {})
    before = course.step - part.steps
    if part.finite and views.due(before, course.step):
        metrics = metrics | views.look(lanes.extract(part.place), before, course.step)
    if evaluation:
        params = evaluated_params(lanes.extract(part.place))
        evaluation = {**evaluation, **views.evaluated(params, course.step)}
    try:
        course.report(metrics, part.finite, evaluation, part.before)
    except Diverged as error:
        lanes.remove(part.place)
        course.run.close(error)
        return False
    return True
