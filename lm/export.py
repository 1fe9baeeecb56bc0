"""`python -m lm.export outputs/SWEEP/TRIAL --to KIND PATH`: a trained model for other programs.

    python -m lm.export DIR --to safetensors FILE   # parameters by name, what the model is
    python -m lm.export DIR --to torch FOLDER       # runs with PyTorch alone
    python -m lm.export DIR --to onnx FILE          # runs with onnxruntime, and other runtimes
    python -m lm.export DIR --to torch FOLDER --checkpoint last

What was written is read back and computes the same words as the model does; the largest difference
is printed. Nothing in the trial's folder is changed. JAX is imported only once the command line is
known to be sound.
"""

import argparse
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lm.cli.arguments import add_checkpoint, trial_parser
from lm.serialization.exported import STEPS, ExportedModel, Logits, compare, named_arrays
from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError
from sweeps.io.console import make_console, print_line

if TYPE_CHECKING:
    from lm.training.load import TrainedModel


class Kind(NamedTuple):
    """A form of export."""

    extra: str
    """Extra of this program that brings what it needs."""
    packages: tuple[str, ...]
    """What it needs."""


KINDS = {
    "safetensors": Kind("safetensors", ("safetensors",)),
    "torch": Kind("torch", ("torch",)),
    "onnx": Kind("onnx", ("onnx", "onnxruntime")),
}
TOLERANCE = 1e-5
"""Largest difference of logits and states that rounding explains, relative to the largest of them;
absolute where that is below 1."""
MAX_ONNX_BYTES = 2**31 - 2**20
"""Protocol buffers, which an ONNX file is, end at 2 GiB."""


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; None: with this process's arguments."""
    options = _parser().parse_args(arguments)
    kind, path = options.to[0], Path(options.to[1])
    _check(kind, path)

    from lm.backend.compile_cache import use_cache  # imports JAX, as all below
    from lm.evaluation.logits import logits_function
    from lm.training.load import load_trained

    use_cache()
    trained = load_trained(options.directory, choice=options.checkpoint)
    model = exported(trained)
    _check_finite(model)
    with _beside(path) as folder:
        made = Path(folder, path.name)
        try:
            said = WRITERS[kind](model, made, logits_function(trained))
        except OSError as error:
            raise _cannot_write(path, error) from error
        _replace(made, path)
    console = make_console()
    print_line(console, f"{path}: {trained.describe_checkpoint()}, {_size(model)}; {said}")


def exported(trained: "TrainedModel") -> ExportedModel:
    """Return what an export has of a trained model."""
    return ExportedModel(
        config=trained.config,
        vocabulary=trained.vocabulary,
        arrays=named_arrays(trained.params),
        trial=trained.trial.directory.absolute().name,
        step=trained.step,
        checkpoint=trained.checkpoint,
    )


def _parser() -> argparse.ArgumentParser:
    parser = trial_parser("python -m lm.export", "A trained model for other programs.")
    parser.add_argument(
        "--to",
        nargs=2,
        required=True,
        action=_To,
        metavar=("KIND", "PATH"),
        help="safetensors FILE: parameters by name; torch FOLDER: weights, vocabulary and a model "
        "file that need PyTorch alone; onnx FILE: a graph of ONNX's operators",
    )
    add_checkpoint(parser)
    return parser


class _To(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[str] | None,
        option_string: str | None = None,
    ) -> None:
        assert values is not None
        if values[0] not in KINDS:
            parser.error(f"argument --to: {values[0]!r} is no kind; choose {', '.join(KINDS)}")
        setattr(namespace, self.dest, values)


def _check(kind: str, path: Path) -> None:
    """Refuse before JAX is loaded what can be refused."""
    missing = [name for name in KINDS[kind].packages if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"--to {kind} needs the package {missing[0]}; "
            f"pip install 'lm-sweeps[{KINDS[kind].extra}]'."
        )
    if not path.name:
        raise UserError(f"{path} is no name; give that of a new file or folder.")
    if not path.absolute().parent.is_dir():
        raise UserError(f"there is no folder {path.parent} for {path}; make it.")
    if kind != "torch":
        if path.is_dir():
            raise UserError(f"{path} is a folder; name a file for --to {kind}.")
        return
    from lm.serialization.to_torch import FILES

    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; name a folder for --to torch.")
    others = {one.name for one in path.iterdir()} - {*FILES, "__pycache__"} if path.exists() else ()
    if others:
        raise UserError(
            f"{path} has other files in it, such as {min(others)}; name a new folder for "
            "--to torch."
        )


def _check_finite(model: ExportedModel) -> None:
    for name, array in model.arrays.items():
        if not np.isfinite(array).all():
            raise UserError(
                f"{name} of {model.trial} has values that are no finite numbers at step "
                f"{model.step:,}; choose another checkpoint with --checkpoint, or another trial."
            )


def _to_safetensors(model: ExportedModel, path: Path, reference: Logits) -> str:
    from lm.serialization import to_safetensors

    to_safetensors.write(model, path)
    if wrong := to_safetensors.differs(model, path):
        raise UserError(f"{wrong[0]} reads back as another array than was written; try again.")
    return f"{len(model.arrays)} arrays, read back bit for bit"


def _to_torch(model: ExportedModel, path: Path, reference: Logits) -> str:
    from lm.serialization import to_torch

    path.mkdir()
    to_torch.write(model, path)
    return _compared("PyTorch", model, to_torch.logits_of(path), reference)


def _to_onnx(model: ExportedModel, path: Path, reference: Logits) -> str:
    from lm.serialization import to_onnx

    if (size := sum(array.nbytes for array in model.arrays.values())) > MAX_ONNX_BYTES:
        raise UserError(
            f"the parameters take {size / 2**30:.1f} GiB, and an ONNX file ends at 2 GiB; take "
            "--to safetensors or --to torch."
        )
    to_onnx.write(model, path)
    return _compared("onnxruntime", model, to_onnx.logits_of(model, path), reference)


WRITERS: dict[str, Callable[[ExportedModel, Path, Logits], str]] = {
    "safetensors": _to_safetensors,
    "torch": _to_torch,
    "onnx": _to_onnx,
}


def _compared(library: str, model: ExportedModel, logits: Logits, reference: Logits) -> str:
    """Say how far another library's logits are from the model's own.

    Raises:
      UserError: further than rounding explains.
    """
    errors = compare(model, logits, reference)
    if not errors.from_equal_states <= TOLERANCE * max(1.0, errors.scale):
        raise UserError(
            f"logits of {library} differ from the model's by {errors.from_equal_states:.1e}, more "
            f"than rounding explains, and nothing was written; take another version of {library}, "
            "or another kind of export."
        )
    return (
        f"logits of {library} differ from the model's by at most {errors.from_equal_states:.1e} "
        f"from equal states, {errors.over_text:.1e} over {STEPS} words (the largest is "
        f"{errors.scale:.3g})"
    )


def _size(model: ExportedModel) -> str:
    count = sum(array.size for array in model.arrays.values())
    return f"{count:,} parameters"


def _beside(path: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder on the same disk, in which an export is made and checked."""
    try:
        return tempfile.TemporaryDirectory(
            prefix=".export-", dir=path.absolute().parent, ignore_cleanup_errors=True
        )
    except OSError as error:
        raise _cannot_write(path, error) from error


def _replace(made: Path, path: Path) -> None:
    """Put a complete export in the place of an earlier one."""
    try:
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(made, path)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> UserError:
    return UserError(
        f"cannot write {path} ({error.strerror or error}); free some space or mend its "
        "permissions, or name another place."
    )


if __name__ == "__main__":
    main()
