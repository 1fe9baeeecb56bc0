"""Training several trials of one program together, each with its own reports and checkpoints."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax

from lm.config import typed
from lm.course import Course
from lm.data.tokens import load_tokens
from lm.pack_trainer import PackTrainer
from lm.packing import group
from lm.saving import Background
from lm.trainer import Trainer, place
from sweeps.errors import UserError
from sweeps.interrupt import Interrupt
from sweeps.run import Diverged, Run


def train(configs: Sequence[Mapping[str, Any]], runs: Sequence[Run]) -> None:
    """Train models that differ in numbers only; each goes on from its own last checkpoint.

    A run is closed as soon as its trial has ended: trained, diverged, or stopped as it was told to.

    Args:
      configs: composed configurations, alike in `lm.packing.group`.
      runs: entered; one for each.

    Raises:
      KeyboardInterrupt: Ctrl-C or SIGTERM; checkpoints were written first.
      UserError: the input is bad, the disk is full, or the pack does not fit into memory.
    """
    if any(group(values) != group(configs[0]) for values in configs[1:]):
        raise UserError(
            "these trials differ in more than numbers and cannot train together; train each alone."
        )
    try:
        _train(configs, runs)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise UserError(
            f"{len(runs)} trials do not fit into memory together; lower sweep.pack."
        ) from error


def _train(configs: Sequence[Mapping[str, Any]], runs: Sequence[Run]) -> None:
    courses = list(_courses(configs, runs))
    pack = PackTrainer(courses[0].trainer, len(courses))
    for index, course in enumerate(courses):
        _enter(pack, index, course)
    if not pack.busy:
        return
    pack.compile()
    share = pack.compile_seconds / len(pack.busy)  # so that a sweep's sum is what was spent
    for index in pack.busy:
        courses[index].record(share, lanes=pack.width)
    with Background() as background, Interrupt() as interrupt:
        while pack.busy:
            _advance(pack, courses, background, interrupt)
            if width := pack.narrower():
                courses = [courses[index] for index in pack.narrow(width)]
        background.finish()
    if interrupt.wanted:
        raise KeyboardInterrupt("stopped; what was trained is saved")


def _courses(configs: Sequence[Mapping[str, Any]], runs: Sequence[Run]) -> Iterator[Course]:
    """The trials, which share the text on the device."""
    first = typed(configs[0])
    text = load_tokens(first.data)
    placed = place(text, first.train)
    for values, run in zip(configs, runs, strict=True):
        text.vocabulary.save(run.directory / "vocab.tsv")
        yield Course(Trainer(typed(values), text, placed), run)


def _enter(pack: PackTrainer, index: int, course: Course) -> None:
    """Give a trial its place, if it has anything left to train."""
    try:
        state = course.start()
    except UserError as error:  # its own checkpoints are damaged: the others go on
        course.run.close(error)
        return
    if course.ended:
        course.run.close()
        return
    pack.put(index, course.trainer, state)


def _advance(
    pack: PackTrainer, courses: Sequence[Course], background: Background, interrupt: Interrupt
) -> None:
    """Train to the nearest report, and do what the trials that have come to theirs need."""
    parts = pack.advance()
    background.finish()  # before the next report, which would go out ahead of the checkpoint
    for part in parts:
        courses[part.place].go_on(part.steps, part.seconds)
    epochs = {
        part.place: courses[part.place].ended
        for part in parts
        if part.finite and courses[part.place].epoch_ended
    }
    evaluations = pack.evaluate(epochs) if epochs else {}
    leaving = interrupt.wanted  # looked at once, so that who leaves has saved
    ending: list[Course] = []
    for part in parts:
        course = courses[part.place]
        try:
            course.report(part.metrics, part.finite, evaluations.get(part.place, {}))
        except Diverged as error:
            pack.drop(part.place)
            course.run.close(error)
            continue
        ends = course.ended or leaving or course.run.stop_wanted
        if ends or course.due:
            background.save(course, pack.take(part.place))
        if ends:
            pack.drop(part.place)
            ending.append(course)
    if ending:
        background.finish()
        for course in ending:
            course.run.close(course.interrupted() if leaving else None)
