"""What two ways of ours save of compiling, for a worker that trains models of several sizes.

    python -m benchmarks.compile_savings                     # default and sherlock, 4 sizes each
    python -m benchmarks.compile_savings default --sizes 8 model.layers=2

First parameters are drawn in blocks (`lm.model.block_random`) in place of `jax.random`, and random
numbers of steps ahead of them (`lm.training.randomness`) in place of within the program that
trains. In each row but the first, one of the two is done the plain way. A process of its own draws
the first parameters of each model and takes two steps, on a synthetic text: with an empty cache of
compiled programs (cold), and with what that left (warm). Processes take turns, round after round.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from benchmarks.harness import command_line, tables
from benchmarks.harness.compose import compose_values
from benchmarks.harness.configurations import CONFIGURATIONS
from lm.backend.devices import environment
from lm.config import Config, parse_config
from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError

OURS, PLAIN_DRAWS, IN_THE_STEP = "ours", "first parameters by jax.random", "drawn in the step"
WAYS = (OURS, PLAIN_DRAWS, IN_THE_STEP)
DEFAULT = ["default", "sherlock"]
HEADER = ("", "cold CPU s", "cold s", "warm CPU s", "warm s", "loss")
WIDER = 8
"""Units that a model has more than the one before."""


def train_sizes(way: str, config: Config, sizes: int) -> dict[str, float]:
    """Draw the parameters of models of several sizes, and take two steps with each.

    Args:
      way: one of `WAYS`.
      config: of the first model.
      sizes: number of models.

    Returns:
      Wall and processor seconds of all, and the mean loss of the last model's steps.
    """
    from benchmarks.harness.synthetic_text import synthetic_text
    from benchmarks.implementations.lm_training import Training
    from lm.backend.compile_cache import use_cache
    from lm.model import initializers

    use_cache()
    if way == PLAIN_DRAWS:
        initializers.draw = _plain_draw  # type: ignore[attr-defined]
    wall, processor, loss = time.perf_counter(), time.process_time(), 0.0
    for number in range(sizes):
        width = config.model.rnn_size + WIDER * number
        config_of_size = replace(config, model=replace(config.model, rnn_size=width))
        training = Training(config_of_size, synthetic_text(config))
        if way == IN_THE_STEP:
            training.functions = _drawn_in_the_step(training.functions)
        loss = training.run(2)
    seconds = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
    return {**seconds, "loss": loss}


def _plain_draw(distribution: Any, key: Any, shape: tuple[int, ...], number: Any) -> Any:
    import jax

    return jax.jit(distribution, static_argnums=1)(key, shape, number)


def _drawn_in_the_step(functions: Any) -> Any:
    """Return the functions of a training whose program draws its random numbers itself."""
    import jax.numpy as jnp

    from lm.training.multi_step import train_steps
    from lm.training.randomness import presample, random_spec

    static = functions.static

    def train(
        spec: Any, state: Any, totals: Any, values: Any, streams_lb: Any, numbers: Any, steps: Any
    ) -> Any:
        wanted = random_spec(static.loss, static.train, static.vocab_size, len(streams_lb))
        drawn = presample(wanted, *numbers)
        return train_steps(spec, state, totals, values, streams_lb, drawn, steps)

    return replace(
        functions,
        presample=lambda _, key, step, count: (key, jnp.copy(step), count),  # that one is donated
        train=functions.compile_beside(train, multiplies=True, donate_argnums=0),
    )


def measure(name: str, overrides: Sequence[str], sizes: int, rounds: int) -> tables.Table:
    """Time all ways in turns.

    Raises:
      UserError: a process failed; gives what it wrote.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for way in WAYS:
            with tempfile.TemporaryDirectory() as cache:
                for kind in ("cold", "warm"):
                    result = _in_a_process(way, overrides, sizes, cache)
                    found.setdefault(f"{way} {kind}", []).append(result)
    median = partial(_median, found)
    rows = [
        [
            way,
            *(
                f"{median(f'{way} {kind}', what):.2f}"
                for kind in ("cold", "warm")
                for what in ("processor", "wall")
            ),
            f"{median(f'{way} cold', 'loss'):.6f}",
        ]
        for way in WAYS
    ]
    caption = f"Medians of {rounds} rounds of {sizes} models, {WIDER} units apart, on one thread."
    return tables.Table(name, HEADER, rows, caption)


def _median(found: dict[str, list[dict[str, float]]], run: str, what: str) -> float:
    return statistics.median(result[what] for result in found[run])


def _in_a_process(way: str, overrides: Sequence[str], sizes: int, cache: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.compile_savings", f"--one={way}"]
    done = subprocess.run(
        [*command, f"--sizes={sizes}", *overrides],
        capture_output=True,
        text=True,
        env=os.environ | environment(1, 0) | {"XDG_CACHE_HOME": cache},
    )
    if done.returncode:
        raise UserError(f"a process failed: {done.stderr.strip()}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main(arguments: Sequence[str]) -> None:
    """Print the tables that the command line asks for."""
    options = _parse(arguments)
    if options.one:
        config = parse_config(compose_values(options.overrides))
        print(json.dumps(train_sizes(options.one, config, options.sizes)))
        return
    page = tables.Page(options.markdown)
    for name in options.configurations:
        overrides = [*CONFIGURATIONS[name], *options.overrides]
        page.show(measure(name, overrides, options.sizes, options.rounds))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command_line.parser("benchmarks.compile_savings", __doc__)
    parser.add_argument(
        "what",
        nargs="*",
        help=f"{', '.join(CONFIGURATIONS)} (default: {', '.join(DEFAULT)}), and Hydra overrides",
    )
    parser.add_argument("--sizes", type=int, default=4, help="models (default: 4)")
    parser.add_argument("--rounds", type=int, default=3, help="of each way (default: 3)")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args(arguments)
    options.configurations, options.overrides = command_line.split(
        options.what, "configuration", CONFIGURATIONS, DEFAULT
    )
    return options


if __name__ == "__main__":
    with exit_on_user_error():
        main(sys.argv[1:])
