"""A searcher of Ray Tune that the option `search.kind` names by dotted path."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sweeps.config import SearchConfig, locate_option
from sweeps.errors import UserError, first_line
from sweeps.labels import are_numbers, parse_number
from sweeps.search import Dimension
from sweeps.search.optuna_study import Observation

SCORE = "score"
"""Metric under which a searcher gets the value of `sweep.metric`."""


class CustomSearcher:
    """Asks a `ray.tune.search.Searcher` for settings, and gives it their scores.

    The searcher searches a dictionary of Tune's domains, by axis: `tune.choice` for listed values
    (numbers where all of them are), `tune.uniform`, `tune.loguniform`, `tune.randint` or
    `tune.lograndint` for an interval. Axes that step together are one choice. It is told of
    the metric, the mode and this space by `set_search_properties`.
    """

    def __init__(
        self,
        dimensions: Sequence[Dimension],
        options: SearchConfig,
        mode: str,
        observations: Sequence[Observation] = (),
        *,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Make the searcher.

        Args:
          dimensions: of the search space.
          options: its dotted path and its arguments.
          mode: which end of the score is best.
          observations: positions that were tried before.
          say: shows a line to the user.

        Raises:
          UserError: it cannot be made, or is no searcher.
        """
        self.is_finished = False
        self._parameters = {_name(one): _Parameter(one) for one in dimensions}
        self._searcher = make_custom_searcher(options)
        space = {name: one.domain for name, one in self._parameters.items()}
        if not self._searcher.set_search_properties(SCORE, mode, space):
            raise UserError(
                f"search.kind={options.kind} has a metric or a space already, and a sweep gives it "
                "both; leave them out of search.arguments."
            )
        self._observe(observations, options, say)

    def suggest(self, key: str) -> list[float] | None:
        """Return the next position; None: the searcher waits for a result, or is finished."""
        from ray.tune.search import Searcher

        config = self._searcher.suggest(key)
        self.is_finished = config == Searcher.FINISHED
        if config is None or self.is_finished:
            return None
        values = _flat(config)
        return [one.position(values[name]) for name, one in self._parameters.items()]

    def complete(self, key: str, values: Sequence[float] | None) -> None:
        """Report the score of a suggested position; None: it failed."""
        result = None if values is None else {SCORE: values[0], "done": True}
        self._searcher.on_trial_complete(key, result, error=values is None)

    def _observe(
        self,
        observations: Sequence[Observation],
        options: SearchConfig,
        say: Callable[[str], None],
    ) -> None:
        from ray.tune.search import Searcher

        if not observations:
            return
        if type(self._searcher).add_evaluated_point is Searcher.add_evaluated_point:
            say(
                f"{options.kind} cannot be told of trials that are done (it has no "
                "add_evaluated_point); it begins without them."
            )
            return
        for known in observations:
            pairs = zip(self._parameters.items(), known.position, strict=True)
            config = {name: one.outside(number) for (name, one), number in pairs}
            self._searcher.add_evaluated_point(config, known.values[0])


def make_custom_searcher(options: SearchConfig) -> Any:
    """Make the searcher that the options name, without a metric and a space.

    Raises:
      UserError: it cannot be made, or is no searcher.
    """
    from ray.tune.search import Searcher

    make = locate_option("search.kind", options.kind)
    try:
        searcher = make(**options.keywords)
    except Exception as error:  # of a searcher that is not ours
        raise UserError(
            f"search.kind={options.kind} cannot be made with search.arguments={options.keywords} "
            f"({type(error).__name__}: {first_line(error)}); mend them."
        ) from error
    if not isinstance(searcher, Searcher):
        raise UserError(
            f"search.kind={options.kind} gives a {type(searcher).__name__}, and no "
            "ray.tune.search.Searcher; name a class of one."
        )
    return searcher


class _Parameter:
    """A domain of Tune for one dimension."""

    def __init__(self, dimension: Dimension) -> None:
        from ray import tune

        self._values: list[Any] | None = None
        self._is_integer = dimension.interval is not None and dimension.interval.integer
        self.domain: Any
        if (interval := dimension.interval) is None:
            self._values = _values(dimension)
            self.domain = tune.choice(self._values)
        elif interval.integer:
            draw = tune.lograndint if interval.log else tune.randint
            self.domain = draw(int(interval.start), int(interval.end) + 1)
        else:
            draw = tune.loguniform if interval.log else tune.uniform
            self.domain = draw(float(interval.start), float(interval.end))

    def position(self, value: Any) -> float:
        """Return the position on the dimension for a value of the searcher's."""
        return float(value) if self._values is None else self._values.index(value)

    def outside(self, position: float) -> Any:
        """Return the searcher's value for a position on the dimension."""
        if self._values is not None:
            return self._values[int(position)]
        return int(position) if self._is_integer else position


def _values(dimension: Dimension) -> list[Any]:
    """The listed values: numbers where all of them are, else labels."""
    columns = [[value.label for value in axis.values] for axis in dimension.axes]
    labels = ["+".join(row) for row in zip(*columns, strict=True)]
    if not are_numbers(labels):
        return labels
    numbers = [parse_number(label) for label in labels]
    return [int(x) if x is not None and x.is_integer() else x for x in numbers]


def _name(dimension: Dimension) -> str:
    # Tune takes `/` for a path of nested dictionaries.
    return dimension.key.replace("/", ".")


def _flat(config: Mapping[str, Any]) -> Mapping[str, Any]:
    from ray.tune.utils import flatten_dict

    flat = flatten_dict(dict(config), delimiter="/")
    assert isinstance(flat, dict)
    return flat
