"""Who may import whom, and which outside libraries stand where."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
JAX = {"jax", "jaxlib", "flax", "optax", "orbax"}


def imports(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, within functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative path"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def users(library: str) -> set[str]:
    """Files of the two packages that import a library."""
    files = [*ROOT.glob("lm/**/*.py"), *ROOT.glob("sweeps/**/*.py")]
    assert len(files) > 30
    return {
        path.relative_to(ROOT).as_posix()
        for path in files
        if any(name.partition(".")[0] == library for name in imports(path))
    }


def test_sweeps_knows_nothing_of_language_models() -> None:
    for library in ("lm", *JAX, "gensim", "torch"):
        assert not {path for path in users(library) if path.startswith("sweeps/")}, library


@pytest.mark.parametrize(
    ("library", "files"),
    [
        (
            "ray",
            {
                "sweeps/runner.py",
                "sweeps/cluster.py",
                "sweeps/scheduler.py",
                "sweeps/optuna_search.py",
                "sweeps/trainable.py",
                "sweeps/watch.py",
            },
        ),
        ("gensim", {"lm/vectors/tables.py", "lm/vectors/word2vec.py"}),
        ("scipy", {"lm/vectors/judge.py"}),
        ("sklearn", {"lm/vectors/page.py"}),
        ("threadpoolctl", {"lm/vectors/page.py"}),
        ("pandas", {"sweeps/frames.py"}),
        ("plotly", {"sweeps/report/__init__.py"}),
        ("torch", set()),
        ("orbax", set()),
        (
            "tensorboard",
            {
                "lm/flow_plugin/loader.py",
                "lm/flow_plugin/plugin.py",
                "lm/flow_plugin/recorded.py",
                "lm/flow_plugin/stored.py",
                "lm/graph/nodes.py",
                "sweeps/events.py",
                "sweeps/serving.py",
                "sweeps/summaries.py",
            },
        ),
        ("optax", {"lm/optimizer.py", "lm/rows.py", "lm/step.py"}),
        (
            "flax",
            {
                "lm/gradient_flow/batch.py",
                "lm/graph/trace.py",
                "lm/model.py",
                "lm/probes.py",
                "lm/program.py",
                "lm/start.py",
            },
        ),
    ],
)
def test_outside_library_stands_in_few_files(library: str, files: set[str]) -> None:
    assert users(library) == files


@pytest.mark.parametrize(
    ("lower", "above"),
    [
        ("lm/cells.py", {"lm.recurrence", "lm.model", "lm.config", "lm.step"}),
        ("lm/recurrence.py", {"lm.model", "lm.config", "lm.step"}),
        ("lm/rows.py", {"lm.model", "lm.losses", "lm.step", "lm.program"}),
        ("lm/model.py", {"lm.losses", "lm.step", "lm.optimizer", "lm.program", "lm.loop"}),
        ("lm/graph/nodes.py", {"lm"}),
        ("lm/graph/trace.py", {"lm.step", "lm.program", "lm.loop", "lm.train", "sweeps"}),
        ("lm/losses.py", {"lm.model", "lm.step", "lm.config"}),
        ("lm/perplexity.py", {"lm.step", "lm.program", "lm.trainer", "lm.evaluation", "sweeps"}),
        ("lm/trained.py", {"lm.evaluation", "lm.evaluate", "lm.trainer", "lm.loop", "lm.train"}),
        ("lm/evaluation/cache.py", {"lm.config", "lm.model", "lm.program", "lm.trained", "sweeps"}),
        ("lm/gradient_flow/back.py", {"lm.model", "lm.step", "lm.config", "sweeps"}),
        ("lm/gradient_flow/measures.py", {"lm.model", "lm.step", "lm.config", "sweeps"}),
        ("lm/gradient_flow/batch.py", {"lm.program", "lm.trainer", "lm.config", "sweeps"}),
        ("lm/gradient_flow/records.py", {"lm", "sweeps"}),
        ("lm/vectors/questions.py", {"lm.vectors", "lm.config", "lm.trained", "lm.model"}),
        ("lm/vectors/nearest.py", {"lm.config", "lm.trained", "lm.vectors.show", "sweeps"}),
        ("lm/vectors/metrics.py", {"lm.config", "lm.trained", "lm.views", "lm.vectors.show"}),
        ("lm/samples.py", {"lm.step", "lm.program", "lm.trainer", "lm.config", "sweeps"}),
        ("lm/writing.py", {"lm.trainer", "lm.trained", "lm.generate", "lm.train", "sweeps"}),
        ("lm/vectors/page.py", {"lm.config", "lm.trained", "lm.program", "lm.trainer"}),
        ("lm/step.py", {"lm.program", "lm.trainer", "lm.loop", "lm.train", "sweeps"}),
        ("lm/program.py", {"lm.trainer", "lm.loop", "lm.train", "sweeps"}),
        ("lm/trainer.py", {"lm.loop", "lm.train", "lm.checkpoint", "sweeps"}),
        ("lm/loop.py", {"lm.train", "lm.sweep", "lm.command"}),
    ],
)
def test_imports_point_downwards(lower: str, above: set[str]) -> None:
    for name in imports(ROOT / lower):
        assert not {module for module in above if f"{name}.".startswith(f"{module}.")}, name


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("lm.train", {"ray", "gensim", *JAX}),
        ("lm.sweep", {"ray", "gensim", *JAX}),
        ("lm.reproduce", {"ray", "gensim", *JAX}),
        ("lm.evaluate", {"ray", "gensim", "pandas", *JAX}),
        ("lm.generate", {"ray", "gensim", "pandas", *JAX}),
        ("lm.identity", {"ray", "gensim", *JAX}),
        ("lm.compare", {"ray", "gensim", "pandas", "optuna", "plotly", *JAX}),
        ("lm.prompt", {"ray", "gensim", *JAX}),
        ("lm.prose", {"ray", "gensim", *JAX}),
        ("lm.gradient_flow.__main__", {"ray", "gensim", "pandas", "optuna", "plotly", *JAX}),
        ("lm.board", {"ray", "gensim", "pandas", "optuna", "plotly", *JAX}),
        ("lm.vectors.__main__", {"ray", "gensim", "scipy", "sklearn", "pandas", "plotly", *JAX}),
        ("lm.loop", {"ray", "gensim", "pandas", "sklearn"}),
    ],
)
def test_importing_stays_light(module: str, absent: set[str]) -> None:
    program = f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not absent & set(done.stdout.split())
