"""Why Ray gave a trial up, from its text alone; and requests of another command to stop."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sweeps.naming import label, trial_name
from sweeps.store.result import correct_result
from sweeps.store.stop_requests import interrupt_file, read_requests, request_stop
from sweeps.store.trial import update_trial
from sweeps.tracking import Interrupt
from sweeps.tune.callback import (
    ProgressCallback,
    RunContext,
    failure_cause,
    shown_name,
    tune_callback,
)
from sweeps.tune.guard import SweepGuard
from sweeps.tune.outcome import Outcome
from sweeps.tune.schedulers import SchedulerHandle
from sweeps.tune.session import SETTINGS

DIED = (
    "The actor died unexpectedly before finishing this task.\n\tclass_name: Worker\n"
    "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR"
)
RAISED = (
    "\x1b[36mray::Worker.train()\x1b[39m (pid=1, ip=10.0.0.1, actor_id=ab)\n"
    '  File "trainable.py", line 1, in train\nsweeps.errors.UserError: cannot write x (No space)'
)


@pytest.mark.parametrize(
    ("attempts", "told"),
    [
        ([DIED], "its worker process died once (killed, crashed, or out of memory)"),
        ([RAISED, DIED], "its worker process died 2 times (killed, crashed, or out of memory)"),
        ([DIED, RAISED], "cannot write x (No space)"),
        (
            [RAISED.replace("sweeps.errors.UserError", "ValueError")],
            "ValueError: cannot write x (No space)",
        ),
        ([RAISED.replace("\x1b[36m", "").replace("\x1b[39m", "")], "cannot write x (No space)"),
    ],
)
def test_line_tells_of_the_last_attempt(tmp_path: Path, attempts: list[str], told: str) -> None:
    account = "".join(
        f"Failure # {count} (occurred at 2026-01-01_00-00-00)\n{text}\n"
        for count, text in enumerate(attempts, 1)
    )
    (tmp_path / "error.txt").write_text(account)
    # The pickle beside the text is a program to whoever loads it.
    (tmp_path / "error.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    trial = SimpleNamespace(
        error_file=str(tmp_path / "error.txt"),
        pickled_error_file=str(tmp_path / "error.pkl"),
        num_failures=len(attempts),
        run_metadata=SimpleNamespace(pickled_error_filename="error.pkl"),
    )
    assert failure_cause(trial) == f"{told}\n{account}"
    assert trial.run_metadata.pickled_error_filename is None


def test_account_that_is_missing_is_told() -> None:
    trial = SimpleNamespace(error_file=None, num_failures=1, run_metadata=SimpleNamespace())
    assert failure_cause(trial) == "Ray gave it up without saying why"


def test_requests_of_another_command_reach_the_workers_and_the_driver(tmp_path: Path) -> None:
    said: list[str] = []
    progress: Any = SimpleNamespace(
        refresh=lambda: None, interrupted=lambda reason: said.append("interrupted")
    )
    interrupt = Interrupt()
    context = RunContext(
        progress=progress,
        outcome=Outcome(),
        scheduler="none",
        interrupt=interrupt,
        guard=SweepGuard(metric="loss"),
        fetch=lambda path: None,
        running={"1": [tmp_path / "a,id=ab"], "2": [tmp_path / "b,id=cd"]},
        stop_all=lambda: said.append("stop all"),
        stop_trial=said.append,
        requests=lambda at_once: read_requests(tmp_path),
    )
    callback = ProgressCallback(context, SchedulerHandle(scheduler=None))
    callback.on_step_end(1, [])
    assert said == []
    request_stop(tmp_path, "a,id=ab")
    for step in (2, 3):
        callback.on_step_end(step, [])
        assert said == [interrupt_file("a,id=ab")]  # once
        assert not interrupt.requested
    request_stop(tmp_path)
    callback.on_step_end(4, [])
    assert interrupt.requested
    assert said[1:] == ["stop all", "interrupted"]
    context.running.clear()  # they have saved
    with pytest.raises(KeyboardInterrupt):
        callback.on_step_end(5, [])


def test_request_that_the_last_worker_saw_first_is_no_end_by_itself(tmp_path: Path) -> None:
    """The workers of a shared folder look into it themselves."""
    directory = tmp_path / "a,id=ab"
    directory.mkdir()
    looks: list[bool] = []

    def requests(at_once: bool) -> set[str]:
        looks.append(at_once)
        return read_requests(tmp_path) if at_once else set()

    interrupt = Interrupt()
    progress: Any = SimpleNamespace(ended=lambda *told, interrupted: None)
    context = RunContext(
        progress=progress,
        outcome=Outcome(),
        scheduler="none",
        interrupt=interrupt,
        guard=SweepGuard(metric="loss"),
        fetch=lambda path: None,
        requests=requests,
    )
    callback = ProgressCallback(context, SchedulerHandle(scheduler=None))
    trial = SimpleNamespace(trial_id="1", config={"directory": str(directory)})
    update_trial(directory, fingerprint="f")
    correct_result(directory, status="finished")
    callback.on_trial_complete(1, [], trial)
    assert not looks
    other = SimpleNamespace(trial_id="2", config={"directory": str(directory)})
    correct_result(directory, status="interrupted")
    request_stop(tmp_path)
    callback.on_trial_complete(1, [], other)
    assert looks == [True]
    assert interrupt.requested


def test_tune_adds_no_callback_that_keeps_the_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.tune.progress_reporter import TrialProgressCallback
    from ray.tune.utils.callback import _create_default_callbacks

    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    context: Any = SimpleNamespace()
    ours = tune_callback(context, SchedulerHandle(scheduler=None))
    assert _create_default_callbacks([ours]) == [ours]
    tunes = {name for name in vars(TrialProgressCallback) if name.startswith("on_")}
    assert tunes <= set(vars(ProgressCallback))  # so that nothing of Tune's own is called


@pytest.mark.parametrize(
    ("settings", "command", "shown"),
    [
        ({"size": "1"}, "app size=1", ""),
        ({"train.changes": label([]), "size": "1"}, "app train.changes=[]", "changes=none,size=1"),
        ({"text": "a-beef"}, "app text=a-beef", "text=a-beef"),
    ],
)
def test_trial_is_called_by_its_values(
    tmp_path: Path, settings: dict[str, str], command: str, shown: str
) -> None:
    directory = tmp_path / trial_name(settings, "0123456789")
    directory.mkdir()
    update_trial(directory, settings=settings, train_command=command, fingerprint="0123456789")
    assert shown_name(directory) == shown
