"""Links into TensorBoard: what they select, and that a terminal takes each as one address."""

import json
import re
from itertools import product
from urllib.parse import parse_qs, urlsplit

from sweeps.tensorboard.links import Dashboard, Link, dashboard_url, sweep_links

URL = "http://localhost:6006/"
AXES = ("size", "embed_size", "rate")
RUNS = {
    f"my.grid/size={size},embed_size={embed},rate={rate},id=00000{number}": {
        "size": size,
        "embed_size": embed,
        "rate": rate,
    }
    for number, (size, embed, rate) in enumerate(product("12", "12", ("0.1", "1e-05", "1e+16")))
}


def links() -> dict[str, Link]:
    view = Dashboard(URL, ("valid/perplexity", "train/loss"))
    return {link.shows: link for link in sweep_links(view, "my.grid", AXES, RUNS)}


def query(link: Link) -> dict[str, str]:
    """As a browser reads it."""
    return {key: value for key, [value] in parse_qs(urlsplit(link.url).query).items()}


def test_each_axis_has_a_link_and_so_has_each_value() -> None:
    values = ["size=1", "size=2", "embed_size=1", "embed_size=2"]
    rates = ["rate=1e-05", "rate=0.1", "rate=1e+16"]
    assert set(links()) == {"all", *(f"coloured by {axis}" for axis in AXES), *values, *rates}


def test_link_of_a_value_selects_its_runs_and_no_others() -> None:
    others = ["my.grid", "myxgrid/size=1,embed_size=1,rate=0.1,id=0", "a/my.grid/size=1,id=0"]
    for shows, link in links().items():
        name, _, value = shows.partition("=")
        expected = [run for run, axes in RUNS.items() if not value or axes[name] == value]
        pattern = re.compile(query(link)["runFilter"], re.IGNORECASE)
        assert [run for run in [*RUNS, *others] if pattern.search(run)] == expected
        assert link.runs == len(expected)


def test_link_colours_runs_by_the_value_of_an_axis() -> None:
    for axis in AXES:
        kind, _, expression = query(links()[f"coloured by {axis}"])["runColorGroup"].partition(":")
        assert kind == "regex"
        for run, settings in RUNS.items():
            found = re.search(expression, run)
            assert found
            assert found.groups() == (settings[axis],)


def test_link_pins_cards_and_has_no_filter_of_tags_which_would_hide_them() -> None:
    for link in links().values():
        tags = ("valid/perplexity", "train/loss")
        pinned = [{"plugin": "scalars", "tag": tag} for tag in tags]
        assert json.loads(query(link)["pinnedCards"]) == pinned
        assert "tagFilter" not in query(link)


def test_no_link_smooths_curves() -> None:
    """Smoothed by 0.6, as TensorBoard does by itself, a curve of eight points ends elsewhere."""
    for link in links().values():
        assert query(link)["smoothing"] == "0"
    assert urlsplit(dashboard_url(Dashboard(URL))).query == "smoothing=0"


def test_link_says_which_axis_it_is_of() -> None:
    kinds = [("coloured by ", ""), ("", "=1"), ("", "=2")]
    assert {shows: link.axis for shows, link in links().items() if link.axis != "rate"} == {
        "all": "",
        **{f"{start}{axis}{end}": axis for axis in ("size", "embed_size") for start, end in kinds},
    }


def test_link_has_no_character_at_which_a_terminal_ends_an_address() -> None:
    for link in links().values():
        assert link.url.startswith(URL)
        assert re.fullmatch(r"[\w.~%&=?#/:-]+", link.url)


def test_axis_that_names_lack_or_with_many_values_has_no_link() -> None:
    runs = {f"id={n:06}": {"cut": str(n % 2), "drawn": str(n / 7)} for n in range(40)}
    assert [link.shows for link in sweep_links(Dashboard(URL), "", ("cut", "drawn"), runs)] == [
        "all"
    ]
    assert sweep_links(Dashboard(URL), "", (), {}) == []
