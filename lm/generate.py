"""`python -m lm.generate outputs/SWEEP/TRIAL --prompt "my dear"`: what a trained model writes.

    python -m lm.generate DIR                                     # as in the trial's tab Text
    python -m lm.generate DIR --prompt "my dear" --words 200 --temperature 0.8 --top-k 40 --seed 1
    python -m lm.generate DIR --temperature 0                     # the likeliest word each time
    fortune | python -m lm.generate DIR --prompt-file -
    python -m lm.generate DIR --samples 1000 --out FILE.jsonl     # tokens and log-probabilities too
    python -m lm.generate DIR --checkpoint last                   # not the best one; or a step

The same command gives the same texts, and text n is the same among few and among many. Which
checkpoint was taken stands on standard error. Nothing in the folder is changed. JAX is imported
only once the command line is known to be sound.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import track
from rich.text import Text

from lm.cli.arguments import add_checkpoint, add_location, checked_float, positive_int, trial_parser
from lm.data.location import TextLocation, is_utf8
from lm.data.text_files import read_text
from lm.generation.detokenize import split_continuation
from lm.generation.prompt import (
    DEFAULT_WORDS,
    PROMPT_OPTION,
    Prompt,
    read_prompt,
    unknown_words_notice,
)
from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError
from sweeps.io.console import make_console, print_line, print_text

if TYPE_CHECKING:
    from lm.generation.generator import GeneratedText
    from lm.training.load import TrainedModel

_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; None: with this process's arguments."""
    options = _parser().parse_args(arguments)
    if options.out is not None and not options.out.absolute().parent.is_dir():
        raise UserError(f"there is no folder {options.out.parent} for {options.out}; make it.")
    if options.prompt is not None and not is_utf8(options.prompt):
        raise UserError(f"--prompt {options.prompt!r} is not UTF-8 text; convert it.")
    given = None if options.prompt_file is None else read_text(options.prompt_file)

    from lm.backend.compile_cache import use_cache  # imports JAX, as all below
    from lm.generation.generator import generate_texts
    from lm.generation.trained import make_request
    from lm.training.load import load_trained

    use_cache()
    location = TextLocation(options.root, tuple(options.files))
    trained = load_trained(options.directory, location, options.checkpoint)
    prompt = _prompt(trained, options.prompt, given)
    request = make_request(
        trained,
        prompt,
        words=options.words,
        samples=options.samples,
        temperature=options.temperature,
        top_k=options.top_k,
        seed=options.seed,
        unknown=options.unknown,
        scored=options.out is not None and _is_json(options.out),
    )
    print(f"{trained.trial.directory}: {trained.describe_checkpoint()}", file=sys.stderr)
    texts = generate_texts(trained.functions, trained.params, request)
    if options.out is None:
        _print(trained, prompt, texts)
    else:
        began = time.perf_counter()
        _write(options.out, trained, prompt, texts, options.samples)
        seconds = time.perf_counter() - began
        size = f"{options.samples:,} texts of {options.words:,} {_unit(trained)}s"
        print_line(make_console(), f"{options.out}: {size}, {seconds:.1f} s")


def _parser() -> argparse.ArgumentParser:
    parser = trial_parser("python -m lm.generate", "Text that a trained model writes.")
    add = parser.add_argument
    begins = parser.add_mutually_exclusive_group()
    begins.add_argument(
        "--prompt",
        metavar="TEXT",
        help="what the text begins with (default: the trial's log.sample_prompt or, without one, "
        "the first words of its validation text)",
    )
    begins.add_argument(
        "--prompt-file",
        type=_file,
        metavar="FILE",
        help="the same from a UTF-8 file, without the newline at its end; -: from standard input",
    )
    add(
        "--words",
        type=positive_int,
        default=DEFAULT_WORDS,
        metavar="N",
        help="drawn after it; characters of a character model (default: %(default)s)",
    )
    add(
        "--temperature",
        type=_temperature,
        metavar="X",
        help="logits are divided by it; 0 takes the likeliest word (default: the trial's "
        "log.sample_temperature)",
    )
    add(
        "--top-k",
        type=positive_int,
        metavar="N",
        help="draw from the N likeliest words (default: all)",
    )
    add(
        "--seed",
        type=partial(positive_int, at_least=0),
        metavar="N",
        help="of the draws (default: the trial's)",
    )
    add("--samples", type=positive_int, default=1, metavar="N", help="number of texts (default: 1)")
    add_location(parser)
    add_checkpoint(parser)
    add("--unknown", action="store_true", help="let <unk> be drawn")
    add(
        "--out",
        type=Path,
        metavar="FILE",
        help=r"write the texts there, a line each, with \n for a newline; if its name ends in "
        ".jsonl, JSON: prompt, text, tokens, log_probability (nats, of all tokens of the text)",
    )
    return parser


def _file(text: str) -> Path:
    return Path("/dev/stdin" if text == "-" else text)


def _temperature(text: str) -> float:
    return checked_float(text, "a number of at least 0", lambda value: 0 <= value < math.inf)


def _prompt(trained: "TrainedModel", text: str | None, file: str | None) -> Prompt:
    """The user's, the trial's, or the start of the validation text; says which words are unknown.

    Raises:
      UserError: it cannot be read by this model, or there is none.
    """
    from lm.generation.trained import trial_prompt

    option = "--prompt"
    if file is not None:
        text, option = file.removesuffix("\n"), "--prompt-file"
    if text is None:
        prompt, option = trial_prompt(trained), PROMPT_OPTION
    else:
        prompt = read_prompt(text, trained.config.data, trained.vocabulary, option)
    if notice := unknown_words_notice(prompt, option):
        print(notice, file=sys.stderr)
    return prompt


def _print(trained: "TrainedModel", prompt: Prompt, texts: Iterable["GeneratedText"]) -> None:
    """To the terminal, with a blank line between texts; the prompt in bold."""
    console = make_console()
    for place, written in enumerate(texts):
        before, after = _prose(trained, prompt, written)
        gap = "\n" if place else ""
        if console.is_terminal:
            print_text(console, Text.assemble(gap, (before, "bold"), after))
        else:  # as it stands: without folded lines or expanded tabs
            print(f"{gap}{before}{after}")


def _write(
    path: Path,
    trained: "TrainedModel",
    prompt: Prompt,
    texts: Iterable["GeneratedText"],
    count: int,
) -> None:
    """To a file, as the texts come.

    Raises:
      UserError: it cannot be written.
    """
    as_line: Callable[..., str] = _json if _is_json(path) else _line
    errors = make_console(stderr=True)
    shown = track(
        texts, "writing", count, console=errors, transient=True, disable=not errors.is_terminal
    )
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            for written in shown:
                file.write(as_line(trained, prompt, written) + "\n")
    except OSError as error:
        raise UserError(
            f"cannot write {path} ({error.strerror or error}); free some space or mend its "
            "permissions, or name another file with --out FILE."
        ) from error


def _line(trained: "TrainedModel", prompt: Prompt, written: "GeneratedText") -> str:
    return "".join(_prose(trained, prompt, written)).translate(_ESCAPES)


def _json(trained: "TrainedModel", prompt: Prompt, written: "GeneratedText") -> str:
    before, after = _prose(trained, prompt, written)
    fields = {
        "prompt": before,
        "text": after,
        "tokens": trained.vocabulary.decode(written.ids),
        "log_probability": written.log_probability,
    }
    return json.dumps(fields, ensure_ascii=False)


def _prose(trained: "TrainedModel", prompt: Prompt, written: "GeneratedText") -> tuple[str, str]:
    """The prompt, and what comes after it."""
    decode = trained.vocabulary.decode
    return split_continuation(decode(prompt.ids), decode(written.ids), trained.config.data.level)


def _is_json(path: Path) -> bool:
    return path.suffix == ".jsonl"


def _unit(trained: "TrainedModel") -> str:
    return {"word": "word", "char": "character"}[trained.config.data.level]


if __name__ == "__main__":
    main()
