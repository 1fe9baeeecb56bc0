"""Programs with `@hydra.main` sweep with `hydra/sweeper=ray_tune`: Hydra's own tests, and ours."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.test_utils.launcher_common_tests import IntegrationTestSuite, LauncherTestSuite
from hydra.version import VersionBase
from hydra_plugins import ray_tune_sweeper
from packaging.version import Version

from sweeps.store import read_metrics, read_sweep

pytestmark = pytest.mark.slow

OVERRIDES = ["hydra/sweeper=ray_tune"]


@pytest.fixture(autouse=True)
def session(
    ray_session: str, monkeypatch: pytest.MonkeyPatch, hydra_restore_singletons: None
) -> None:
    """Jobs join the session that is there, and Hydra is as in a process of its own.

    Programs of ours, which other tests run in this process, have options of the same names as the
    plugin's, and another version base than Hydra's tests are written for.
    """
    monkeypatch.setenv("RAY_ADDRESS", ray_session)
    ray_tune_sweeper.register()
    VersionBase.instance().setbase(Version("1.1"))


def test_hydra_finds_the_sweeper() -> None:
    found = [one.__module__ for one in Plugins.instance().discover(Sweeper)]
    assert "hydra_plugins.ray_tune_sweeper" in found


@pytest.mark.parametrize(("launcher_name", "overrides"), [("basic", OVERRIDES)])
class TestJobs(LauncherTestSuite):
    """Hydra's tests of sweeps."""


@pytest.mark.parametrize(("task_launcher_cfg", "extra_flags"), [({}, ["-m", *OVERRIDES])])
class TestProgram(IntegrationTestSuite):
    """Hydra's tests of programs."""

    # It gives one sweep folder twice and wants its job to run twice. Here that keeps the job, see
    # `test_a_folder_that_is_given_again_keeps_its_jobs`.
    test_to_absolute_path_multirun = None


PROGRAM = """
import hydra
import sweeps
from hydra.core.hydra_config import HydraConfig

@hydra.main(version_base="1.3", config_path=None)
def main(config):
    open("ran.txt", "a").write(f"{HydraConfig.get().job.get('num')} {config.lr}\\n")
    for step in range(4):
        if run := sweeps.active_run():
            run.report(step, {"value": config.lr / (step + 1)}, 4)
    if config.lr == 3:
        raise ValueError("three")
    return config.lr / 4

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    (tmp_path / "app.py").write_text(PROGRAM)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "app.py", *arguments]
        return subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=120)

    return run


def test_a_folder_that_is_given_again_keeps_its_jobs(
    program: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    common = ["-m", *OVERRIDES, "hydra.sweep.dir=grid"]
    first = program(*common, "+lr=1,2")
    assert first.returncode == 0, first.stderr
    assert "again alone: python app.py +lr=1" in first.stdout
    assert sorted((tmp_path / "ran.txt").read_text().split("\n")) == ["", "0 1", "1 2"]
    second = program(*common, "+lr=1,2,3")
    assert second.returncode == 1
    assert "3 trials, 2 of them done before, in grid" in second.stdout
    assert "ValueError: three" in second.stdout
    assert sorted((tmp_path / "ran.txt").read_text().split("\n")) == ["", "0 1", "1 2", "2 3"]
    trials = {trial.settings["lr"]: trial for trial in read_sweep(tmp_path / "grid").trials}
    assert [len(read_metrics(trials[lr].directory / "metrics.csv")) for lr in "123"] == [4, 4, 4]
    assert trials["1"].best is not None
    assert trials["1"].best.value == 0.25
    assert (tmp_path / "grid/2/.hydra/overrides.yaml").read_text() == "- +lr=3\n"


def test_jobs_keep_their_numbers_and_output_folders_when_a_sweep_grows(
    program: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    common = ["-m", *OVERRIDES, "hydra.sweep.dir=grid"]
    assert program(*common, "+lr=1,2").returncode == 0
    assert program(*common, "+lr=0.5,1,2").returncode == 0
    assert sorted((tmp_path / "ran.txt").read_text().split()) == sorted(
        ["0", "1", "1", "2", "2", "0.5"]
    )
    of_job = [(tmp_path / f"grid/{n}/.hydra/overrides.yaml").read_text() for n in range(3)]
    assert of_job == ["- +lr=1\n", "- +lr=2\n", "- +lr=0.5\n"]


def test_preview_and_a_refused_folder_write_nothing(
    program: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    common = ["-m", *OVERRIDES, "hydra.sweep.dir=grid"]
    shown = program(*common, "+lr=1,2", "hydra.sweeper.sweep.preview=true")
    assert shown.returncode == 0, shown.stderr
    assert not (tmp_path / "grid").exists()
    assert program(*common, "+lr=1,2", "+a=1").returncode == 0
    task = (tmp_path / "grid/task.pkl").read_bytes()
    other = program(*common, "+lr=1,2", "+a=2")
    assert other.returncode == 1
    assert "holds trials of another configuration" in other.stderr
    assert (tmp_path / "grid/task.pkl").read_bytes() == task


def test_own_options_with_names_of_ours_stay_in_the_printed_command(
    program: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    names = ["+scheduler.name=cosine", "+search.depth=3", "+sweep.x=1", "+ray.y=2", "+output_dir=o"]
    done = program("-m", *OVERRIDES, "hydra.sweep.dir=grid", "+lr=1,2", *names)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in names)


def test_optuna_and_asha_search_over_a_program(
    program: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = program(
        "-m",
        *OVERRIDES,
        "hydra.sweep.dir=search",
        "hydra/sweeper/search=optuna",
        "hydra.sweeper.search.trials=3",
        "hydra/sweeper/scheduler=asha",
        "+lr=interval(0.1,2)",
    )
    assert done.returncode == 0, done.stderr
    assert len(read_sweep(tmp_path / "search").trials) == 3


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("lr=1,2", "Could not override 'lr'"),
        ("hydra.sweeper.search.kind=random", "needs a number of trials"),
        ("hydra.sweep.dir=s3://bucket/x", "is a URL"),
    ],
)
def test_bad_input_is_one_sentence(
    program: Callable[..., subprocess.CompletedProcess[str]], argument: str, words: str
) -> None:
    done = program("-m", *OVERRIDES, "+x=1,2", argument)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_other_programs_load_nothing_heavy_for_it() -> None:
    code = (
        "import sys; from hydra.core.plugins import Plugins; Plugins.instance(); "
        "assert 'hydra_plugins.ray_tune_sweeper' in sys.modules; "
        "print({'ray', 'pandas', 'numpy', 'optuna', 'rich', 'tensorboard'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout == "set()\n"
