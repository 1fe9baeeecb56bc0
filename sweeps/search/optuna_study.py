"""A study of Optuna over the dimensions of a search space, and its samplers by name.

Optuna is imported when a study is made. A position has the parameter `d0`, `d1`, ... for each
dimension.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from sweeps.config import Objective, SearchConfig, locate_option, takes_argument
from sweeps.errors import UserError, first_line
from sweeps.search.samplers import Dimension

CATEGORICAL = ("tpe", "nsgaii")
"""Samplers to which each listed value is a category, numbers included."""
SOURCE_TRIALS = 10
"""Least number of trials from which CMA-ES can begin: it takes the best tenth."""


@dataclass(frozen=True)
class _Named:
    """A sampler of Optuna by name."""

    path: str
    package: str = ""
    """What it needs that is not installed with this program; empty: nothing."""


NAMED = {
    "tpe": _Named("optuna.samplers.TPESampler"),
    "gp": _Named("optuna.samplers.GPSampler", "torch"),
    "cmaes": _Named("optuna.samplers.CmaEsSampler", "cmaes"),
    "qmc": _Named("optuna.samplers.QMCSampler"),
    "nsgaii": _Named("optuna.samplers.NSGAIISampler"),
}


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A position that was tried, and what came of it."""

    position: Sequence[float]
    values: Sequence[float]
    """One for each objective."""


def check_sampler(
    dimensions: Sequence[Dimension], options: SearchConfig, objectives: Sequence[Objective]
) -> None:
    """Refuse a sampler that is not there, or that cannot search these dimensions.

    Raises:
      UserError: it is; or it does not take its arguments.
    """
    name = options.sampler
    package = NAMED[name].package if name in NAMED else ""
    if package and find_spec(package) is None:
        raise UserError(
            f"search.sampler={name} needs the package {package}; pip install "
            f"'lm-sweeps[{name}]', or take another sampler."
        )
    if name == "cmaes":
        words = [one.key for one in dimensions if not one.is_ordered]
        if words:
            raise UserError(
                f"search.sampler=cmaes takes numbers alone, and {words[0]} is none; leave it out "
                "or take tpe."
            )
        if sum(one.size != 1 for one in dimensions) < 2:
            raise UserError(
                "search.sampler=cmaes needs two axes or more of several numbers; take tpe."
            )
    if name != "tpe" or options.keywords:
        _try_out(dimensions, options, objectives)


def _try_out(
    dimensions: Sequence[Dimension], options: SearchConfig, objectives: Sequence[Objective]
) -> None:
    """Have the sampler suggest once, in a study that is thrown away."""
    study = OptunaStudy(dimensions, options, objectives)
    try:
        study.suggest("")
    except Exception as error:  # of a sampler that is not ours
        raise UserError(
            f"search.sampler={options.sampler} cannot search these axes ({type(error).__name__}: "
            f"{first_line(error)}); take another one."
        ) from error


class OptunaStudy:
    """Suggests positions, and learns what came of them."""

    is_finished = False

    def __init__(
        self,
        dimensions: Sequence[Dimension],
        options: SearchConfig,
        objectives: Sequence[Objective],
        observations: Sequence[Observation] = (),
        firsts: Sequence[Sequence[float | None]] = (),
    ) -> None:
        """Make a study that knows some positions.

        Args:
          dimensions: of the search space.
          options: sampler, its arguments and its seed.
          objectives: what is optimised.
          observations: positions that were tried before.
          firsts: positions to suggest first; None on a dimension: the sampler chooses.

        Raises:
          UserError: the sampler does not take its arguments.
        """
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self._trials: dict[str, Any] = {}
        is_categorical = options.sampler in CATEGORICAL
        self._parameters = [_Parameter(one, is_categorical) for one in dimensions]
        self._space = {f"d{index}": one.distribution for index, one in enumerate(self._parameters)}
        sampler = _make_sampler(options, {})
        known = [self._frozen(one, sampler) for one in observations]
        if options.sampler == "cmaes" and len(known) >= SOURCE_TRIALS:
            sampler = _make_sampler(options, {"source_trials": known})
        self._study = optuna.create_study(
            sampler=sampler,
            pruner=optuna.pruners.NopPruner(),
            directions=["minimize" if one.mode == "min" else "maximize" for one in objectives],
        )
        self._study.add_trials(known)
        for position in firsts:
            given = {
                f"d{index}": self._parameters[index].outside(number)
                for index, number in enumerate(position)
                if number is not None
            }
            self._study.enqueue_trial(given)

    def suggest(self, key: str) -> list[float]:
        """Return the next position; `complete` says later, by this key, what came of it."""
        trial = self._trials[key] = self._study.ask(fixed_distributions=self._space)
        return [
            one.position(trial.params[name])
            for name, one in zip(self._space, self._parameters, strict=True)
        ]

    def complete(self, key: str, values: Sequence[float] | None) -> None:
        """Report the values of a suggested position, one for each objective; None: it failed."""
        states = self._optuna.trial.TrialState
        state = states.FAIL if values is None else states.COMPLETE
        self._study.tell(self._trials.pop(key), values, state=state)

    def _frozen(self, known: Observation, sampler: Any) -> Any:
        """An observation as a finished trial of Optuna."""
        numbers = zip(self._parameters, known.position, strict=True)
        # A genetic algorithm has the best trials of a generation as parents of the next one. It
        # does not count a trial without a generation.
        generation = getattr(sampler, "_get_generation_key", lambda: None)()
        return self._optuna.trial.create_trial(
            values=list(known.values),
            params={f"d{index}": one.outside(x) for index, (one, x) in enumerate(numbers)},
            distributions=self._space,
            system_attrs={generation: 0} if generation else {},
        )


class _Parameter:
    """A parameter of Optuna for one dimension."""

    def __init__(self, dimension: Dimension, is_categorical: bool) -> None:
        """Listed numbers are whole numbers from 0, by size; or categories, as words are."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        self._order: list[int] | None = None
        self.distribution: Any
        if (interval := dimension.interval) is not None:
            kind = IntDistribution if interval.integer else FloatDistribution
            number: Any = int if interval.integer else float
            start, end = number(interval.start), number(interval.end)
            self.distribution = kind(start, end, log=interval.log)
        elif is_categorical or not dimension.is_ordered:
            self.distribution = CategoricalDistribution(range(dimension.size))
        else:
            self._order = dimension.order
            self.distribution = IntDistribution(0, dimension.size - 1)

    def position(self, outside: float) -> float:
        """Return the position on the dimension for a value of Optuna's."""
        return outside if self._order is None else self._order[int(outside)]

    def outside(self, position: float) -> float:
        """Return Optuna's value for a position on the dimension."""
        return position if self._order is None else self._order.index(int(position))


def _make_sampler(options: SearchConfig, more: Mapping[str, Any]) -> Any:
    """Make the sampler of the options; `more` are arguments that Optuna calls experimental."""
    from optuna.exceptions import ExperimentalWarning

    name = options.sampler
    make = locate_option("search.sampler", NAMED[name].path if name in NAMED else name)
    arguments = {**options.keywords, **more}
    if "seed" not in arguments and takes_argument(make, "seed"):
        arguments["seed"] = options.seed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        try:
            sampler = make(**arguments)
        except Exception as error:  # of a sampler that is not ours
            raise UserError(
                f"search.sampler={name} cannot be made with search.arguments={options.keywords} "
                f"({type(error).__name__}: {first_line(error)}); mend them."
            ) from error
    if not hasattr(sampler, "sample_relative"):
        raise UserError(f"search.sampler={name} is no sampler of Optuna; name a class of one.")
    return sampler
