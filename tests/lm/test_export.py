"""The command that exports a trained model: what it writes, checks, prints and refuses."""

import errno
import importlib.util
import io
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from lm.evaluate import main as evaluate
from lm.export import main
from lm.serialization import to_torch
from lm.train import train_single

Compose = Callable[..., dict[str, Any]]
Capture = pytest.CaptureFixture[str]
PACKAGES = {"torch": "torch", "onnx": "onnxruntime", "safetensors": "safetensors"}
ERROR = r"by at most (\S+) from equal states, (\S+) over 70 words"

WITHOUT_JAX = """
import runpy, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("jax", "jaxlib", "flax", "lm", "sweeps", "optax", "hydra"):
            raise ImportError(f"{name} is refused")

sys.meta_path.insert(0, Refuse())
program, *sys.argv = sys.argv[1], *sys.argv[1:]
runpy.run_path(program, run_name="__main__")
"""


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, story: Path) -> Path:
    path = tmp_path_factory.mktemp("own") / "text.txt"
    path.write_text(story.read_text().strip())
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Compose, text: Path) -> Any:
    """Overrides -> a trained run's folder; each once."""
    found: dict[tuple[str, ...], Path] = {}

    def train(*overrides: str) -> Path:
        if overrides not in found:
            root = tmp_path_factory.mktemp("outputs")
            values = tiny(f"data.files=[{text}]", f"output_dir={root}", *overrides)
            found[overrides] = train_single(values, overrides, Console(file=io.StringIO()))
        return found[overrides]

    return train


def shown(capsys: Capture, *arguments: object) -> str:
    main([str(argument) for argument in arguments])
    return " ".join(capsys.readouterr().out.split())


def refused(capsys: Capture, *arguments: object) -> str:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert caught.value.code in (1, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return " ".join(err.split())


def need(kind: str) -> None:
    pytest.importorskip(PACKAGES[kind], reason=f"the extra {kind} is not installed")


@pytest.mark.parametrize(
    ("overrides", "unit"),
    [
        (("data.vocab_size=15", "model.layers=2"), "word"),
        pytest.param(
            ("data.level=char", "model.cell=rnn", "model.hidden_size=null"),
            "char",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("train.predict=last", "model.cell=gru", "train.epochs=1"),
            "word",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["words", "characters", "windows"],
)
def test_torch_process_without_jax_has_the_perplexity_of_lm_evaluate(
    capsys: Capture,
    trained: Any,
    text: Path,
    tmp_path: Path,
    overrides: tuple[str, ...],
    unit: str,
) -> None:
    need("torch")
    directory = trained(*overrides)
    out = shown(capsys, directory, "--to", "torch", tmp_path / "model")
    error = re.search(ERROR, out)
    assert error
    assert 0 < float(error[1]) < 1e-5
    command = [sys.executable, "-c", WITHOUT_JAX, str(tmp_path / "model" / "model.py")]
    done = subprocess.run(
        [*command, "--text", str(text)], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    found = re.search(r": ([\d,]+) predicted, loss (\S+) nats, perplexity (\S+)", done.stdout)
    assert found
    one_stream = [] if "train.predict=last" in overrides else ["--batch-size", "1"]
    evaluate([str(directory), "--text", str(text), *one_stream])
    count, loss, perplexity = capsys.readouterr().out.splitlines()[-1].split()[1:]
    assert found[1] == count
    nats = float(loss) * (np.log(2) if unit == "char" else 1)
    assert float(found[2]) == pytest.approx(nats, abs=1.5e-5)
    assert float(found[3]) == pytest.approx(float(perplexity), rel=1e-4)


@pytest.mark.parametrize("kind", ["onnx", "safetensors"])
def test_file_is_written_checked_and_told(
    capsys: Capture, trained: Any, tmp_path: Path, kind: str
) -> None:
    need(kind)
    path = tmp_path / "model"
    path.write_text("an earlier one")
    out = shown(capsys, trained(), "--to", kind, path, "--checkpoint", "last")
    assert out.startswith(f"{path}: last checkpoint, step 46 of 46, ")
    assert re.search(r"read back bit for bit" if kind == "safetensors" else ERROR, out)
    assert path.read_bytes()[:7] != b"an earl"
    assert [one.name for one in tmp_path.iterdir()] == ["model"]
    assert path.stat().st_mode & 0o444 == 0o444


def test_folder_of_an_earlier_export_is_replaced_and_others_are_not(
    capsys: Capture, trained: Any, tmp_path: Path
) -> None:
    need("torch")
    path = tmp_path / "model"
    for _ in range(2):
        shown(capsys, trained(), "--to", "torch", path)
        (path / "__pycache__").mkdir(exist_ok=True)
    assert {one.name for one in path.iterdir()} == {*to_torch.FILES, "__pycache__"}
    (path / "notes.txt").touch()
    assert "has other files in it, such as notes.txt" in refused(
        capsys, trained(), "--to", "torch", path
    )
    assert (path / "notes.txt").exists()


def test_logits_that_differ_are_refused_and_nothing_is_written(
    capsys: Capture, trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("torch")
    right = to_torch.state_dict

    def wrong(model: Any) -> Any:
        found = right(model)
        return found | {"layers.0.bias_ih_l0": found["layers.0.bias_ih_l0"] + np.float32(1e-3)}

    monkeypatch.setattr(to_torch, "state_dict", wrong)
    message = refused(capsys, trained(), "--to", "torch", tmp_path / "model")
    assert re.search(r"logits of PyTorch differ from the model's by \d\S+, more than", message)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "pickle", "a"], "'pickle' is no kind; choose safetensors, torch, onnx"),
        (["--to", "onnx"], "argument --to: expected 2 arguments"),
        ([], "required: --to"),
        (["--to", "onnx", "nowhere/a"], "there is no folder nowhere for nowhere/a; make it."),
        (["--to", "safetensors", "."], ". is no name; give that of a new file or folder."),
        (["--to", "onnx", "folder"], "folder is a folder; name a file for --to onnx."),
        (["--to", "torch", "file"], "file is a file; name a folder for --to torch."),
        (["--to", "safetensors", "a"], "there is no folder trial; name a trial's"),
        (["--to", "safetensors", "a", "--checkpoint", "x"], "'x' is no checkpoint; give best"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
) -> None:
    if len(arguments) > 2:
        need(arguments[1]) if arguments[1] in PACKAGES else None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert sentence in refused(capsys, "trial", *arguments)
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "file"}


@pytest.mark.parametrize("kind", PACKAGES)
def test_absent_package_is_named_with_its_extra(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    find = importlib.util.find_spec
    absent = PACKAGES[kind]
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == absent else find(name)
    )
    message = refused(capsys, "trial", "--to", kind, tmp_path / "a")
    if kind == "onnx" and find("onnx") is None:
        absent = "onnx"
    assert message.endswith(
        f"--to {kind} needs the package {absent}; pip install 'lm-sweeps[{kind}]'."
    )


def test_parameters_that_are_no_numbers_are_refused(
    capsys: Capture, trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("safetensors")
    from lm.training import load

    def broken(*arguments: Any, **options: Any) -> Any:
        found = right(*arguments, **options)
        bias = found.params["output"]["bias"].at[2].set(np.nan)
        return found._replace(params={**found.params, "output": {"bias": bias}})

    right = load.load_trained
    monkeypatch.setattr(load, "load_trained", broken)
    message = refused(capsys, trained(), "--to", "safetensors", tmp_path / "a")
    assert "output/bias of " in message
    assert "has values that are no finite numbers at step 46" in message


@pytest.mark.parametrize("kind", PACKAGES)
def test_full_disk_is_told_in_one_sentence(
    capsys: Capture, trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    need(kind)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a"
    directory = trained()
    monkeypatch.setattr(Path, "write_bytes", full)
    message = refused(capsys, directory, "--to", kind, path)
    assert message == (
        f"error: cannot write {path} (No space left on device); free some space or mend its "
        "permissions, or name another place."
    )
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["evaluate", "generate", "export"])
def test_help_names_the_checkpoint_that_is_taken(capsys: Capture, command: str) -> None:
    with pytest.raises(SystemExit):
        import_module(f"lm.{command}").main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "--checkpoint best|last|STEP" in shown
    assert "default: best where there is one, else last" in shown
