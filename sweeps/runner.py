"""Trials in parallel through Ray Tune.

Tune gets a flat list of trial folders. A worker reads its configuration from the folder and writes
everything there; Tune itself starts, retries and stops workers, and passes progress on.
"""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweeps import cluster
from sweeps.files import make_directory
from sweeps.hooks import locate
from sweeps.options import SweepOptions
from sweeps.outcome import Outcome, settle
from sweeps.progress import Progress
from sweeps.worker import Throttle, Work, train_trial


def run_trials(
    directories: Sequence[Path],
    work: Work,
    options: SweepOptions,
    *,
    environment: str | None,
    scratch: Path,
    progress: Progress,
) -> Outcome:
    """Train every trial; returns when all have ended or Ctrl-C was pressed.

    Args:
      directories: trial folders with distinct names.
      work: what the trials share; its `environment` is filled in here.
      options: resources and retries.
      environment: dotted path of a function (cpus, gpus) -> environment variables; or None.
      scratch: folder for Tune's own state, emptied first.
      progress: told about each start, report and end.

    Raises:
      UserError: the cluster cannot be reached, or cannot ever hold one trial.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    make_directory(scratch)
    outcome = Outcome()
    try:
        # Ray prints paragraphs about dead workers, whatever its log level.
        with (scratch / "driver.log").open("w") as log, redirect_stdout(log), cluster.session():
            gpus = cluster.gpus_per_trial(options)
            cluster.check_resources(options.cpus_per_trial, gpus)
            variables = locate(environment)(options.cpus_per_trial, gpus) if environment else {}
            work = replace(work, environment={**cluster.SETTINGS, **variables})
            with progress:
                _tune(directories, work, options, gpus, scratch, progress, outcome)
    except KeyboardInterrupt:
        outcome.interrupted = True
    return outcome


def _tune(
    directories: Sequence[Path],
    work: Work,
    options: SweepOptions,
    gpus: float,
    scratch: Path,
    progress: Progress,
    outcome: Outcome,
) -> None:
    from ray import tune

    resources = {"cpu": options.cpus_per_trial, "gpu": gpus}
    trainable = tune.with_resources(_train, resources)
    tuner = tune.Tuner(
        trainable,
        param_space={
            "directory": tune.grid_search([str(path) for path in directories]),
            "work": vars(work),
        },
        tune_config=tune.TuneConfig(
            reuse_actors=True,
            trial_name_creator=_trial_id,
            trial_dirname_creator=_trial_id,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(scratch),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=options.retries),
            callbacks=[_callback(progress, outcome)],
        ),
    )
    tuner.fit()
    outcome.interrupted = len(outcome.ended) + len(outcome.lost) < len(directories)


def _train(config: dict[str, Any]) -> None:
    """The function that Tune calls in a worker."""
    from ray import tune

    def send(step: int, metrics: Mapping[str, float], total_steps: int | None) -> None:
        tune.report({"step": step, "metrics": dict(metrics), "total_steps": total_steps})

    train_trial(Path(config["directory"]), Work(**config["work"]), Throttle(send))


def _callback(progress: Progress, outcome: Outcome) -> Any:
    from ray import tune

    class Watch(tune.Callback):
        """Passes Tune's events on."""

        def __reduce__(self) -> Any:
            # Tune pickles its set-up for a restore that we never make.
            return tune.Callback, ()

        def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            progress.started(_name(trial))

        def on_trial_result(
            self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any
        ) -> None:
            if "metrics" in result:
                total = result["total_steps"]
                progress.reported(_name(trial), result["step"], total, result["metrics"])

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            outcome.ended.add(_name(trial))
            progress.ended(_name(trial), settle(_directory(trial), outcome).summary())

        def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            progress.retried(_name(trial))

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            outcome.lost[_name(trial)] = _cause(trial)
            progress.ended(_name(trial), settle(_directory(trial), outcome).summary())

        def on_experiment_end(self, trials: Any, **info: Any) -> None:
            # Some of Tune's own errors end a trial without telling the callbacks.
            for trial in trials:
                if trial.status == "ERROR":
                    outcome.lost.setdefault(_name(trial), _cause(trial))

        def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
            progress.refresh()

    return Watch()


def _directory(trial: Any) -> Path:
    return Path(trial.config["directory"])


def _name(trial: Any) -> str:
    return _directory(trial).name


def _trial_id(trial: Any) -> str:
    return str(trial.trial_id)


def _cause(trial: Any) -> str:
    """Why Ray gave a trial up: one line, then Ray's own account of every attempt."""
    from ray import cloudpickle
    from ray.exceptions import RayActorError

    try:
        account = Path(trial.error_file).read_text()
        error = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    except (OSError, TypeError):
        return "Ray gave it up without saying why"
    if isinstance(error, RayActorError):
        times = f"{trial.num_failures} times" if trial.num_failures > 1 else "once"
        line = f"its worker process died {times} (killed, crashed, or out of memory)"
    else:
        line = str(error).strip().splitlines()[-1]
    return f"{line}\n{account}"
