"""`python -m lm.evaluate outputs/SWEEP/TRIAL`: perplexity of a trained model, word by word.

    python -m lm.evaluate DIR                              # valid and test, as the trial did
    python -m lm.evaluate DIR --batch-size 1               # each text read once, as one stream
    python -m lm.evaluate DIR --text FILE                  # any text
    python -m lm.evaluate DIR --checkpoint last            # not the best one; or a step
    python -m lm.evaluate DIR --root CORPUS                # its text, which has moved
    python -m lm.evaluate DIR --worst 20 --words words.csv # which words it predicts badly
    python -m lm.evaluate DIR --batch-size 1 --cache-search # with a neural cache

The full softmax is used whatever the training loss was, and nothing in the folder is changed. JAX
is imported only once the command line is known to be sound.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from lm.cli.arguments import (
    add_checkpoint,
    add_location,
    checked_float,
    comma_list,
    positive_int,
    trial_parser,
)
from lm.data.location import TextLocation
from lm.evaluation.cache_grid import DEFAULT_CACHE, DEFAULT_GRID, CacheGrid
from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError
from sweeps.io.console import make_console


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; None: with this process's arguments."""
    options = _parser().parse_args(arguments)
    _check(options)
    grid = _grid(options)

    from lm.backend.compile_cache import use_cache  # imports JAX, as all below
    from lm.evaluation.evaluate import evaluate
    from lm.evaluation.scoring import evaluation_config
    from lm.evaluation.tables import show_evaluation, show_worst
    from lm.evaluation.texts import EvaluationText, load_file, load_splits
    from lm.evaluation.token_scores import write_token_scores
    from lm.training.load import load_trained

    use_cache()
    location = TextLocation(options.root, tuple(options.files))
    trained = load_trained(options.directory, location, options.checkpoint)
    train = evaluation_config(trained, options.batch_size)
    texts: list[EvaluationText] = []
    if options.split or not options.text:
        texts += load_splits(trained, options.split)
    texts += [load_file(trained, path) for path in options.text or []]
    found = evaluate(trained, texts, train, grid)
    if options.words is not None:  # first, for the terminal may be a pipe that closes early
        write_token_scores(options.words, found.texts, trained.vocabulary)
    console = make_console()
    show_evaluation(console, trained, train, texts, found)
    if options.worst is not None:
        show_worst(console, trained.vocabulary, found.texts, options.worst)


def _parser() -> argparse.ArgumentParser:
    parser = trial_parser("python -m lm.evaluate", "Perplexity of a trained model, word by word.")
    add = parser.add_argument
    add(
        "--split",
        type=comma_list(_split),
        metavar="NAMES",
        help="of train,valid,test (default: valid and test, unless there is --text)",
    )
    add(
        "--text",
        type=Path,
        action="append",
        metavar="FILE",
        help="a UTF-8 text, cut into tokens as the corpus was; may be given several times",
    )
    add_location(parser)
    add_checkpoint(parser)
    add(
        "--batch-size",
        type=positive_int,
        metavar="N",
        help="pieces of a text that are read side by side, each from a zero state; 1: the text as "
        "it stands (default: as in training)",
    )
    add("--words", type=Path, metavar="FILE", help="write each word's log-probability, as CSV")
    add("--worst", type=positive_int, metavar="N", help="show the N words that are predicted worst")
    _add_cache(parser)
    return parser


def _add_cache(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "neural cache (Grave et al. 2017)",
        "Its perplexity is shown beside the model's own. Of several values, separated by commas, "
        "those with the lowest perplexity on the validation split are taken.",
    )
    add = group.add_argument
    usual = [
        values[0] for values in (DEFAULT_CACHE.windows, DEFAULT_CACHE.shares, DEFAULT_CACHE.thetas)
    ]
    add("--cache", action="store_true", help="with window {}, lambda {}, theta {}".format(*usual))
    add("--cache-search", action="store_true", help=f"the best of {DEFAULT_GRID.size}")
    add("--cache-window", type=comma_list(positive_int), metavar="N,...", help="words kept")
    add("--cache-lambda", type=comma_list(_share), metavar="X,...", help="the cache's share")
    add("--cache-theta", type=comma_list(_theta), metavar="X,...", help="weight of likeness")


def _split(text: str) -> str:
    if text not in ("train", "valid", "test"):
        raise argparse.ArgumentTypeError(f"{text!r} is no split; choose train, valid or test")
    return text


def _share(text: str) -> float:
    return checked_float(text, "a number from 0 to below 1", lambda value: 0 <= value < 1)


def _theta(text: str) -> float:
    return checked_float(text, "a number of at least 0", lambda value: 0 <= value < math.inf)


def _check(options: argparse.Namespace) -> None:
    """Refuse before JAX is loaded what can be refused."""
    for path in options.text or []:
        if not path.exists():
            raise UserError(f"there is no file {path}; check the path.")
    if options.words is not None and not options.words.absolute().parent.is_dir():
        raise UserError(f"there is no folder {options.words.parent} for {options.words}; make it.")


def _grid(options: argparse.Namespace) -> CacheGrid | None:
    given = (options.cache_window, options.cache_lambda, options.cache_theta)
    if not (options.cache or options.cache_search or any(given)):
        return None
    usual = DEFAULT_GRID if options.cache_search else DEFAULT_CACHE
    return CacheGrid(
        options.cache_window or usual.windows,
        options.cache_lambda or usual.shares,
        options.cache_theta or usual.thetas,
    )


if __name__ == "__main__":
    main()
