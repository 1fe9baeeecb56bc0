"""Which settings of the axes are trained."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from sweeps.config import SearchConfig
from sweeps.errors import UserError
from sweeps.search.samplers import all_settings, dimensions, position_of
from sweeps.search.space import Space, build_space

GRID = SearchConfig("grid", None, 0)


def space(*texts: str) -> Space:
    return build_space((), OverridesParser.create().parse_overrides(list(texts)))


def labels(
    found: Space,
    options: SearchConfig = GRID,
    zipped: list[list[str]] | None = None,
    exclude: list[str] | None = None,
) -> list[str]:
    every = all_settings(found, options, zipped or [], exclude or [])
    return [" ".join(value.label for value in setting) for setting in every]


def test_zipped_axes_step_together() -> None:
    found = space("a=1,2", "b=x,y", "c=3,4")
    assert labels(found, zipped=[["a", "c"]]) == ["1 x 3", "1 y 3", "2 x 4", "2 y 4"]


def test_excluded_combinations_are_left_out() -> None:
    found = space("cell=rnn,gru", "n=5,10,20")
    left = labels(found, exclude=["cell=rnn,n=20", "n=5"])
    assert left == ["rnn 10", "gru 10", "gru 20"]


def test_exclusion_compares_values_not_spellings() -> None:
    assert labels(space("rate=0.10,1e-1,1"), exclude=["rate=0.1"]) == ["1"]


@pytest.mark.parametrize(
    ("zipped", "exclude", "sentence"),
    [
        ([["a", "z"]], [], "sweep.zip names z, which is not swept; the axes are a, b, c"),
        ([["a", "b"]], [], "a has 2, b has 3"),
        ([["a", "c"]], [], "c has no end of"),
        ([["a"], ["a"]], [], "sweep.zip names a twice"),
        ([], ["z=1"], "sweep.exclude names z, which is not swept"),
        ([], ["a"], "not of the form key=value"),
        ([], ["a=1", "a=2"], "sweep.exclude leaves no trial"),
    ],
)
def test_nonsense_is_refused(zipped: list[list[str]], exclude: list[str], sentence: str) -> None:
    random = SearchConfig("random", 5, 0)
    with pytest.raises(UserError, match=sentence):
        labels(space("a=1,2", "b=1,2,3", "c=interval(0,1)"), random, zipped, exclude)


def test_grid_with_an_interval_needs_a_number_of_draws() -> None:
    found = space("rate=interval(0,1)", "a=x,y")
    with pytest.raises(UserError, match="rate has no end of values"):
        labels(found)
    drawn = labels(found, SearchConfig("grid", 3, 0))
    assert len(drawn) == 6
    assert len({text.split()[0] for text in drawn}) == 3


def test_more_draws_keep_the_earlier_ones_and_so_does_another_axis() -> None:
    few, many = (
        labels(space("rate=tag(log,interval(1e-4,1))", "a=x,y"), SearchConfig("random", n, 7))
        for n in (5, 20)
    )
    assert many[:5] == few
    assert len(set(many)) == 20
    wider = labels(space("rate=tag(log,interval(1e-4,1))", "b=1,2,3"), SearchConfig("random", 5, 7))
    assert [text.split()[0] for text in wider] == [text.split()[0] for text in few]


def test_seed_gives_other_draws() -> None:
    found = space("rate=interval(0,1)")
    one, other = (labels(found, SearchConfig("random", 4, seed)) for seed in (0, 1))
    assert not set(one) & set(other)


def test_random_search_of_a_small_grid_is_the_grid() -> None:
    found = space("a=1,2", "b=x,y")
    assert labels(found, SearchConfig("random", 9, 0)) == labels(found)


def test_random_search_never_repeats_or_draws_what_is_excluded() -> None:
    found = space("a=range(0,10)", "b=range(0,10)")
    drawn = labels(found, SearchConfig("random", 60, 0), exclude=["a=3"])
    assert len(set(drawn)) == 60
    assert not [text for text in drawn if text.startswith("3 ")]


def test_log_uniform_draws_are_uniform_in_the_logarithm() -> None:
    drawn = labels(space("rate=tag(log,interval(1e-4,1))"), SearchConfig("random", 400, 0))
    decades = [sum(10.0**k <= float(x) < 10.0 ** (k + 1) for x in drawn) for k in range(-4, 0)]
    # Binomial(400, 1/4): 100 with a deviation of 8.7; five of those never happen by chance.
    assert all(abs(count - 100) < 44 for count in decades), decades


def test_position_is_found_from_labels() -> None:
    found = dimensions(space("a=1,2", "b=x,y", "c=interval(0,1)"), [["a", "b"]])
    assert position_of(found, {"a": "2", "b": "y", "c": "0.25"}) == (1, 0.25)
    assert position_of(found, {"a": "2", "b": "x", "c": "0.25"}) is None
    assert position_of(found, {"a": "2", "b": "y", "c": "3"}) is None
    assert position_of(found, {"a": "2", "b": "y"}) is None


FIRST_AXES = ("rate=tag(log,interval(1e-4,1))", "cell=rnn,gru", "n=int(interval(1,9))")


def first(*texts: str, trials: int = 6) -> SearchConfig:
    return SearchConfig("random", trials, 0, first=list(texts))


def test_first_settings_come_before_the_draws_and_count_among_the_trials() -> None:
    found = space(*FIRST_AXES)
    chosen = labels(found, first("cell=gru,n=3,rate=0.05", "rate=0.5,cell=rnn,n=9"))
    assert chosen[:2] == ["0.05 gru 3", "0.5 rnn 9"]
    assert chosen[2:] == labels(found, SearchConfig("random", 4, 0))


def test_what_a_first_setting_leaves_open_is_drawn() -> None:
    chosen = labels(space(*FIRST_AXES), first("cell=gru", "cell=gru,n=3"))
    assert [text.split()[1] for text in chosen[:2]] == ["gru", "gru"]
    assert chosen[1].split()[2] == "3"
    assert len(set(chosen)) == 6


def test_first_setting_names_one_or_all_of_the_axes_that_step_together() -> None:
    found = space("a=1,2,3", "b=x,y,z", "c=interval(0,1)")
    for text in ("b=y", "a=2,b=y"):
        assert labels(found, first(text), zipped=[["a", "b"]])[0].startswith("2 y ")
    with pytest.raises(UserError, match=r"has a=1,b=y, which .* values are 1\+x, 2\+y, 3\+z"):
        labels(found, first("a=1,b=y"), zipped=[["a", "b"]])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cel=gru", "search.first names cel, which is not swept; the axes are rate, cell, n"),
        ("cell", "search.first has 'cell', which is not of the form key=value"),
        ("cell=lstm", "has cell=lstm, which the axis does not have; its values are rnn, gru"),
        ("rate=2", "has rate=2, which the axis does not have; its numbers are from 0.0001 to 1"),
        ("rate=fast", "has rate=fast, which the axis does not have"),
        ("n=2.5", "n=2.5, which the axis does not have; its numbers are whole and from 1 to 9"),
        ("rate=0.5,cell=gru,n=2", "which sweep.exclude leaves out"),
    ],
)
def test_first_setting_that_is_none_of_the_space_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        labels(space(*FIRST_AXES), first(text), exclude=["cell=gru"])


@pytest.mark.parametrize(("label", "position"), [("3", 3), ("2.5", None), ("10", None)])
def test_a_fraction_is_no_place_on_an_interval_of_whole_numbers(
    label: str, position: float | None
) -> None:
    found = dimensions(space("n=int(interval(1,9))"), [])
    assert position_of(found, {"n": label}) == (None if position is None else (position,))
