"""The search space of a command: what a sweep file may hold, and what cannot be an axis."""

import math
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from sweeps import hydra_sweeper
from sweeps.config import SearchConfig, parse_override, quoted
from sweeps.errors import UserError
from sweeps.naming import RunFilter, label, short_keys, trial_name
from sweeps.plan.planner import trial_command
from sweeps.search import all_settings, build_space, param_override, read_space
from sweeps.search.space import Space

CONF = Path(__file__).parents[1] / "helpers" / "conf"

bounded = settings(derandomize=True, max_examples=100, deadline=None, database=None)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12) | st.text(
    "ab1 =,:'\"()[]{}\\$éя日.-+~@/", max_size=12
)
numbers = st.integers() | st.floats(allow_nan=False, allow_subnormal=False)
yaml_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.from_regex(r"[a-z][a-z_]{0,5}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def composed() -> Iterator[tuple[Any, Any]]:
    """Hydra's loader and the toy program's configuration."""
    hydra_sweeper.register()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        yield loader, loader.load_configuration("toy", overrides=[], run_mode=RunMode.MULTIRUN)


def read(composed: tuple[Any, Any], params: Mapping[str, Any], *arguments: str) -> Space:
    return read_space(params, arguments, *composed, not_swept=["pause"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "k=null"),
        (True, "k=True"),
        (3, "k=3"),
        (1e-05, "k=1e-05"),
        ("1,2", "k=1,2"),
        ([1, 2], "k=[1,2]"),
        ([[1], None, "a b"], "k=[[1],null,a b]"),
        (["a.txt", "b (1).txt", "1", "x,y", ""], "k=[a.txt,'b (1).txt','1','x,y','']"),
        ({"kind": "uniform", "scale": 0.1}, "k={kind:uniform,scale:0.1}"),
        ("2020-01-01", "k=2020-01-01"),
    ],
)
def test_yaml_values_of_a_sweep_file_are_read_as_hydra_reads_them(value: object, text: str) -> None:
    assert param_override("k", value) == text


@bounded
@given(yaml_values.filter(lambda value: not isinstance(value, str)))
def test_yaml_value_that_is_no_text_is_one_value_and_itself(value: Any) -> None:
    override = parse_override(param_override("k", value))
    assert not override.is_sweep_override()
    assert same(override.value(), value)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, list | dict):
        items = range(len(one)) if isinstance(one, list) else one
        return len(one) == len(other) and all(same(one[item], other[item]) for item in items)
    return type(one) is type(other) and (one == other or (math.isnan(one) and math.isnan(other)))


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"rate": [0.1, 0.2]}, "without brackets, rate: 0.1,0.2."),
        ({"shape": ["small", "large"]}, "without brackets, shape: small,large."),
        ({"fault": ["a b", "c,d"]}, "without brackets, fault: a b,'c,d'."),
        ({"rate": {"a": 1}}, "rate takes none; write each option by its whole key, rate.a: 1."),
        ({"+own": {"rate": "1,2"}}, "for an axis write the whole key, own.rate: 1,2."),
        ({"rate": b"x"}, "of YAML's type bytes"),
        ({"rate": "0.1,"}, "hydra.sweeper.params has rate: 0.1,; rate=0.1, has a comma too many"),
        ({"+sweep": "grid"}, "another sweep file"),
        ({"sweep": "grid,grid"}, "another sweep file"),
        ({"sweep.metric": "loss"}, "give sweep.metric on the command line"),
        ({"search.trials": 3}, "give search.trials on the command line"),
        ({"output_dir": "x"}, "give output_dir on the command line"),
    ],
)
def test_entry_of_a_sweep_file_that_means_nothing_there_is_refused(
    composed: tuple[Any, Any], params: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError) as error:
        read(composed, params, "seed=0,1")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_lists_and_mappings_stand_where_an_option_takes_them(composed: tuple[Any, Any]) -> None:
    found = read(composed, {"changes": [{"step": 3}], "+own": {"a": ["b c"]}, "rate": "1,2"})
    assert found.fixed == ("changes=[{step:3}]", "+own={a:[b\\ c]}")
    assert [axis.key for axis in found.axes] == ["rate"]


@pytest.mark.parametrize(
    "argument",
    [
        "+sweep=a,b",
        "sweep=choice(a,b)",
        "+sweep=glob(*)",
        "+sweep/deep=a,b",
        "+sweep@here=a,b",
    ],
)
def test_sweep_over_sweep_files_is_refused(composed: tuple[Any, Any], argument: str) -> None:
    with pytest.raises(UserError, match="has several values, and a command trains one sweep file"):
        read(composed, {}, argument)


@pytest.mark.parametrize(
    "argument",
    [
        *("output_dir=a,b", "sweep.name=a,b", "sweep.metric=a,b", "sweep.cpus_per_trial=1,2"),
        *("search=grid,random", "search.trials=1,2", "search.seed=range(0,3)"),
        *("scheduler=asha,none", "scheduler.grace=interval(1,2)", "ray.address=null,x"),
        "pause=0,1",
    ],
)
def test_options_of_the_command_are_no_axes(composed: tuple[Any, Any], argument: str) -> None:
    with pytest.raises(UserError, match="has several values, and trials cannot differ in it"):
        read(composed, {}, argument)


@bounded
@given(st.lists(texts, min_size=2, max_size=4, unique=True))
def test_values_of_an_axis_make_the_round_through_names_commands_and_exclusions(
    values: list[str],
) -> None:
    override = parse_override(f"+k={','.join(map(quoted, values))}")
    space = build_space([], [override])
    (axis,) = space.axes
    assert [parse_override(one.override).value() for one in axis.values] == values
    assert [one.label for one in axis.values] == [label(text) for text in values]
    (key,) = short_keys([axis.key])
    names = [trial_name({key: one.label}, "0" * 64) for one in axis.values]
    assert len(set(names)) == len(values)
    for name, one in zip(names, axis.values, strict=True):
        assert name == f"k={one.label},id=000000"
        assert RunFilter(f"^k={one.label.replace('.', '[.]').replace('+', '[+]')},id")(name)
        program, *overrides = shlex.split(trial_command("app", [one.override]))
        assert (program, overrides) == ("app", [one.override])
    excluded = f"k={quoted(values[0])}"
    left = all_settings(space, SearchConfig("grid", None, 0), exclude=[excluded])
    assert [setting[0].label for setting in left] == [one.label for one in axis.values[1:]]


def test_entries_keep_what_hydra_made_of_them(composed: tuple[Any, Any]) -> None:
    """Hydra hands lists over as its own type."""
    params = OmegaConf.create({"changes": [{"step": 1}], "rate": "1,2"})
    sweeper = hydra_sweeper.RayTuneSweeper(params, objective="x", identify="x", train_command="x")
    assert sweeper.params == {"changes": [{"step": 1}], "rate": "1,2"}
