"""Figures of sweeps in a notebook: what is drawn, on which scale, and what is said of nothing."""

import math
from pathlib import Path
from typing import Any

import pytest

import sweeps
from sweeps.errors import UserError
from sweeps.naming import label
from sweeps.store import read_sweep
from sweeps.store.trial import update_trial


def test_curves_have_a_line_a_trial_and_a_colour_a_setting(grid: Path) -> None:
    figure = sweeps.load(grid).plot_curves()
    assert len(figure.data) == 12
    colours: dict[str, set[str]] = {}
    for line in figure.data:
        setting = line.name.partition("seed=")[0]
        colours.setdefault(setting, set()).add(line.line.color)
        assert list(line.x) == [10, 20, 30]
    assert len(colours) == 6
    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == 6
    best = figure.data[0]
    assert list(best.y) == pytest.approx([0.2, 0.15, 0.1 + 1 / 30])
    assert "rate=0.01<br>kind=a<br>seed=0" in best.hovertemplate
    assert figure.layout.yaxis.title.text == "valid/loss"


def test_curves_of_another_tag_and_values_that_no_axis_has(grid: Path) -> None:
    figure = sweeps.load(grid).plot_curves("train/loss")
    diverged = next(line for line in figure.data if "diverged" in line.hovertemplate)
    assert list(diverged.y) == [0.0005, 0.0005, None]
    with pytest.raises(UserError, match="no trial reported train/los; did you mean train/loss"):
        sweeps.load(grid).plot_curves("train/los")


@pytest.mark.parametrize(
    ("values", "steps", "scales"),
    [
        ([1.0, 0.5, 0.1], (10, 20, 30), ("linear", "linear")),
        ([1.0, 0.1, 0.001], (10, 20, 30), ("linear", "log")),
        ([1.0, 0.1, -0.001], (10, 20, 30), ("linear", "linear")),
        ([1.0, math.inf, 0.5], (1, 100, 1000), ("log", "linear")),
        ([0.0, 1.0, 1000.0], (0, 100, 1000), ("linear", "linear")),
    ],
)
def test_scale_is_logarithmic_where_positive_numbers_span_powers_of_ten(
    make_sweep: Any, values: list[float], steps: tuple[int, ...], scales: tuple[str, str]
) -> None:
    at = dict(zip(steps, values, strict=True))
    folder = make_sweep([{"a": 1}], lambda setting, step: at[step], steps=steps)
    layout = sweeps.load(folder).plot_curves().layout
    assert (layout.xaxis.type, layout.yaxis.type) == scales


def test_parallel_coordinates_have_labels_numbers_and_the_metric(make_sweep: Any) -> None:
    settings = [
        {"rate": rate, "cell": cell, "size": size, "same": 1}
        for rate in (0.001, 0.1, 1)
        for cell in ("rnn", "gru")
        for size in (64, 128)
    ]
    folder = make_sweep(settings, lambda s, step: s["rate"] * s["size"])
    (lines,) = sweeps.load(folder).plot_parallel().data
    rate, cell, size, best = lines.dimensions
    assert [one.label for one in lines.dimensions] == ["rate", "cell", "size", "best valid/loss"]
    assert sorted(cell.ticktext) == ["gru", "rnn"]
    assert set(cell["values"]) == {0, 1}
    assert set(size["values"]) == {64, 128}
    assert list(rate.ticktext) == ["0.001", "0.1", "1"]
    assert set(rate["values"]) == {-3, -1, 0}
    assert list(best["values"]) == pytest.approx(
        sorted(math.log10(s["rate"] * s["size"]) for s in settings)
    )
    assert list(best.ticktext) == ["0.064", "0.1", "1", "10", "128"]  # 100 is too near
    assert len(best["values"]) == 12


def test_parallel_coordinates_of_sweeps_with_other_axes(grid: Path, make_sweep: Any) -> None:
    other = make_sweep([{"depth": d} for d in (1, 2)], lambda s, step: 1.0, name="other")
    (lines,) = sweeps.load(grid, other).plot_parallel().data
    names = {one.label: one for one in lines.dimensions}
    assert list(names) == ["rate", "kind", "seed", "depth", "best valid/loss"]
    assert list(names["depth"].ticktext) == ["1", "2", ""]
    assert all(len(one["values"]) == 14 for one in lines.dimensions)


def test_importance_has_a_bar_an_axis_the_largest_on_top(grid: Path) -> None:
    figure = sweeps.load(grid).plot_importance()
    (bars,) = figure.data
    assert list(bars.y)[-1] == "rate"
    assert list(bars.x) == sorted(bars.x)
    assert sum(bars.x) <= 1.001
    assert bars.text[-1].endswith("%")


def test_slices_have_a_panel_an_axis_and_a_cross_for_what_diverged(grid: Path) -> None:
    results = sweeps.load(grid)
    figure = results.plot_slice()
    assert [one.title.text for one in figure.select_xaxes()] == ["rate", "kind", "seed"]
    rate, kind, _ = figure.data
    assert set(rate.x) == {0.01, 0.1, 0.5}
    assert set(kind.x) == {"a", "b"}
    assert list(figure.select_xaxes())[1].type == "category"
    assert len(rate.x) == 12
    (one,) = results.plot_slice("rate").data
    assert list(one.y) == list(rate.y)
    with pytest.raises(UserError, match="rat is no axis; did you mean rate"):
        results.plot_slice("rat")


def test_trial_without_a_finite_value_is_a_cross_at_the_worst_edge(make_sweep: Any) -> None:
    values = {1: 3.0, 2: math.inf, 3: 5.0, 4: math.nan}
    for mode, edge in {"min": 5.0, "max": 3.0}.items():
        folder = make_sweep(
            [{"a": a} for a in values], lambda s, step: values[s["a"]], name=mode, mode=mode
        )
        (points,) = sweeps.load(folder).plot_slice().data
        found = dict(zip(points.x, zip(points.y, points.marker.symbol, strict=True), strict=True))
        assert found[1] == (3.0, "circle")
        assert found[2] == found[4] == (edge, "x")


def test_history_has_the_best_so_far_in_the_order_of_time(make_sweep: Any) -> None:
    values = {"c": 3.0, "a": 2.0, "b": 4.0, "d": 1.0}
    folder = make_sweep([{"x": x} for x in values], lambda s, step: values[s["x"]])
    trials, line = sweeps.load(folder).plot_history().data
    assert list(trials.y) == [3.0, 2.0, 4.0, 1.0]
    assert list(line.y) == [3.0, 2.0, 2.0, 1.0]


def test_heatmap_has_means_over_the_other_axes(grid: Path) -> None:
    (cells,) = sweeps.load(grid).plot_heatmap("rate", "kind").data
    assert list(cells.x) == ["0.01", "0.1", "0.5"]
    assert list(cells.y) == ["a", "b"]
    assert cells.z[0][0] == pytest.approx(0.1 + 1 / 30 + 0.005)
    assert cells.z[1][2] is None
    (other,) = sweeps.load(grid).plot_heatmap(y="seed").data
    assert list(other.x) == ["0.01", "0.1", "0.5"]  # the most important one
    assert list(other.y) == ["0", "1"]


def test_figures_show_values_where_labels_are_hashes(make_sweep: Any) -> None:
    files = ["a/b.txt", "a/very_long_name_of_a_text_that_would_fill_the_figure.txt"]
    folder = make_sweep([{"x": x, "n": n} for x in files for n in (1, 2)], lambda s, step: s["n"])
    for trial in read_sweep(folder).trials:
        text = next(text for text in files if label(text) == trial.settings["x"])
        update_trial(trial.directory, train_command=f"app x={text}")
    results = sweeps.load(folder)
    (lines,) = results.plot_parallel().data
    assert list(lines.dimensions[0].ticktext) == ["a/b.txt", "a/very_long...figure.txt"]
    assert any("x=" + files[1] in one.hovertemplate for one in results.plot_curves().data)
    assert f'title="{files[1]}">a/very_long...figure.txt</td>' in results._repr_html_()


PLOTS = (
    "plot_curves",
    "plot_parallel",
    "plot_importance",
    "plot_slice",
    "plot_history",
    "plot_heatmap",
)


@pytest.mark.parametrize(
    ("plot", "reason"),
    [
        ("plot_curves", "no trial has reported valid/loss yet"),
        ("plot_parallel", "no trial has reported valid/loss yet"),
        ("plot_importance", "not computed, it needs 4 finished trials"),
        ("plot_slice", "no trial has reported valid/loss yet"),
        ("plot_history", "no trial has reported valid/loss yet"),
        ("plot_heatmap", "there are no two axes in which trials differ"),
    ],
)
def test_figure_of_nothing_says_why(make_sweep: Any, plot: str, reason: str) -> None:
    folder = make_sweep([{"a": 1}], lambda s, step: 1.0, ends=lambda setting: "waiting")
    figure = getattr(sweeps.load(folder), plot)()
    assert not figure.data
    assert reason in figure.layout.title.text
    filtered = getattr(sweeps.load(folder, filter="nothing"), plot)()
    assert not filtered.data


@pytest.mark.parametrize("plot", PLOTS)
def test_names_are_no_html_and_no_template(make_sweep: Any, plot: str) -> None:
    odd = "<a href=x>%{y}&"
    folder = make_sweep(
        [{"rate": rate} for rate in (1, 2, 3, 4)],
        lambda setting, step: setting["rate"],
        name=odd,
        metric=f"{odd}loss",
    )
    text = getattr(sweeps.load(folder), plot)().to_json()
    assert "<a" not in text.replace("\\u003c", "<")
    assert "%{y}&" not in text


@pytest.mark.parametrize("plot", PLOTS)
def test_figures_become_pages(grid: Path, plot: str) -> None:
    text = getattr(sweeps.load(grid), plot)().to_html(include_plotlyjs=False)
    assert "<div" in text
