"""The tab "Gradient flow" on real runs: pointing, selecting, switching, comparing, addresses."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.tensorboard import browser
from benchmarks.tensorboard.gradient_flow_runs import write_run
from lm.gradient_flow.codec import decode
from lm.gradient_flow.plugin.event_reader import RunRecords, read_run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CELLS = ("lstm", "rnn")
SMALL = (
    "+experiment=rnnbow",
    f"data.files=[{ROOT / 'sweeps'}]",
    "data.characters=25000",
    "train.batch_size=16",
    "train.report_every=5",
    "gradient_flow.every=5",
    "model.layers=2",
    "model.embed_size=8",
    "model.rnn_size=12",
    "log.sample_words=0",
)
LEFT, RIGHT, BARS, LENGTH = 72, 30, 212, 25
"""Of a figure: its margins, the floor of its bars in pixels, its steps."""
NOTHING_FAILS = "error|Refused|Content Security Policy"


@pytest.fixture(scope="module")
def recorded(chromium: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vanilla RNN and an LSTM that read the same text, with their gradient flow."""
    folder = tmp_path_factory.mktemp("flows")
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    for cell in CELLS:
        command = [sys.executable, "-m", "lm.train", *SMALL, f"model.cell={cell}"]
        done = subprocess.run(
            [*command, f"output_dir={folder}"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def names(recorded: Path) -> dict[str, str]:
    """Cell -> what TensorBoard calls its run."""
    return {
        cell: path.relative_to(recorded).as_posix()
        for cell in CELLS
        for path in recorded.glob(f"single/*cell={cell},*")
    }


@pytest.fixture(scope="module")
def board_url(recorded: Path) -> Iterator[str]:
    with browser.board(recorded) as board:
        yield board.url


@pytest.fixture
def said(page: Any) -> Iterator[list[str]]:
    """What the browser complains of; nothing, at the end."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text))
    page.on("pageerror", lambda error: found.append(f"error: {error}"))
    yield found
    assert not [text for text in found if re.search(NOTHING_FAILS, text)]


def opened(page: Any, address: str) -> Any:
    """The tab's page, once it is drawn."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(address)
    frame = page.frame_locator("iframe") if address.startswith("http") else page
    frame.locator("main#flow[data-ready]").wait_for()
    return frame


def link(url: str, **chosen: str) -> str:
    from urllib.parse import quote

    parts = [f"p.lm-gradient-flow.{key}={quote(value, safe='')}" for key, value in chosen.items()]
    return f"{url}#lm-gradient-flow&{'&'.join(parts)}"


def facts(frame: Any, side: str) -> str:
    frame.locator("main#flow:not([aria-busy])").wait_for()
    return str(frame.locator(f".panel.{side} .facts").inner_text())


def largest(run: RunRecords, step: int, component: str) -> float:
    return float(decode(run.batches[step].records[component]).norms.max())


def most_told(text: str) -> float:
    """The number after "Most gradient", of a page or of a row of tokens."""
    found = re.search(r"Most gradient, ([\d.]+)(?:\u00d710([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?", text)
    assert found, text
    raised = (found[2] or "⁰").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    return float(found[1]) * 10.0 ** int(raised)


def horizon(norms: np.ndarray, t: int) -> int | None:
    """Steps back until a tenth of the peak, beyond it; None where it is never passed."""
    row = norms[0, t, : t + 1]
    low = [k for k in range(int(row.argmax()), t + 1) if row[k] < 0.1 * row.max()]
    return low[0] if low else None


def wait_for(frame: Any, side: str, pattern: str) -> str:
    frame.locator(f".panel.{side} .facts", has_text=re.compile(pattern)).wait_for()
    return facts(frame, side)


def test_pointing_at_a_bar_tells_the_horizon_of_its_loss_in_both_trials(
    page: Any, said: list[str], board_url: str, names: dict[str, str], recorded: Path
) -> None:
    frame = opened(page, link(board_url, run=names["lstm"], **{"with": names["rnn"]}))
    figure = frame.locator(".panel.a .figure")
    width = figure.bounding_box()["width"] - LEFT - RIGHT
    for step in (7, 18):
        across = LEFT + (step + 0.5) * width / LENGTH
        figure.hover(position={"x": across, "y": BARS - 1})
        for side, cell, component in (("a", "lstm", "layer_1/both"), ("b", "rnn", "layer_1/h")):
            text = frame.locator(f".panel.{side} .horizon").inner_text()
            loss = re.search(r"The loss at step (\d+)", text)
            assert loss, text
            run = read_run(recorded / names[cell])
            norms = decode(run.batches[max(run.batches)].records[component]).norms
            steps = horizon(norms, int(loss[1]) - 1)
            told = re.search(r"below 10% of its peak (\d+) step", text)
            assert (int(told[1]) if told else None) == steps, text
            pointed = frame.locator(f".panel.{side} .pointed").inner_text()
            assert pointed.startswith(f"Step {step + 1}, reading")


def test_overview_previews_and_selects_batches_and_keys_go_through_them(
    page: Any, said: list[str], board_url: str, names: dict[str, str], recorded: Path
) -> None:
    frame = opened(page, link(board_url, run=names["lstm"]))
    run = read_run(recorded / names["lstm"])
    steps = sorted(run.overviews)
    assert len(steps) > 5
    assert f"Update {steps[-1]}, newest of {len(steps)}" in facts(frame, "a")
    course = frame.locator(".overview .figure")
    width = course.bounding_box()["width"] - LEFT - RIGHT
    place = len(steps) // 2
    at = LEFT + width * (steps[place] - steps[0]) / (steps[-1] - steps[0])
    course.hover(position={"x": at, "y": 50})
    wait_for(frame, "a", f"Update {steps[place]},")
    frame.locator("h2", has_text="Over training").hover()
    wait_for(frame, "a", f"Update {steps[-1]},")  # it was a preview
    assert "step=" not in page.url
    course.click(position={"x": at, "y": 50})
    frame.locator("h2", has_text="Over training").hover()
    assert f"number {place + 1} of" in wait_for(frame, "a", f"Update {steps[place]},")
    for key, step in (("ArrowLeft", -1), ("ArrowRight", 0), ("ArrowRight", 1)):
        page.keyboard.press(key)
        text = wait_for(frame, "a", f"Update {steps[place + step]},")
        expected = largest(run, steps[place + step], "layer_1/both")
        assert most_told(text) == pytest.approx(expected, rel=6e-3)
    assert f"p.lm-gradient-flow.step={steps[place + 1]}" in page.url
    again = opened(page, page.url)  # a person who follows the address sees the same
    assert facts(again, "a") == text


def test_layer_and_way_are_switched_and_named_where_a_trial_has_no_such(
    page: Any, said: list[str], board_url: str, names: dict[str, str], recorded: Path
) -> None:
    frame = opened(page, link(board_url, run=names["lstm"], **{"with": names["rnn"]}))
    run = read_run(recorded / names["lstm"])
    newest = max(run.batches)
    shown = [most_told(facts(frame, "a"))]
    for group, button, component in (
        ("Layer", "2", "layer_2/both"),
        ("Way", "c", "layer_2/c"),
        ("Way", "h", "layer_2/h"),
        ("Way", "down", "layer_2/down"),
    ):
        choice = frame.get_by_role("group", name=group)
        choice.get_by_role("button", name=button, exact=True).click()
        assert component.replace("/", "%2F") in page.url
        shown.append(most_told(facts(frame, "a")))
        assert shown[-1] == pytest.approx(largest(run, newest, component), rel=6e-3)
        note = frame.locator(".panel.b .note").inner_text()
        assert ("no layer 2, c" in note) == (component == "layer_2/c")
    assert len(set(shown)) > 3  # what comes back first comes along the hidden state alone


def test_heat_map_zooms_and_comes_back(
    page: Any, said: list[str], board_url: str, names: dict[str, str]
) -> None:
    frame = opened(page, link(board_url, run=names["rnn"], view="heat", scale="log"))
    figure = frame.locator(".panel.a .figure")
    figure.hover(position={"x": 300, "y": 300})
    page.mouse.wheel(0, -600)
    page.wait_for_url(re.compile("zoom="))
    shown = frame.locator(".panel.a .texts text")
    assert 0 < shown.count() < 3 * LENGTH
    figure.dblclick(position={"x": 300, "y": 300})
    page.wait_for_url(re.compile("^((?!zoom=).)*$"))
    assert shown.count() == 3 * LENGTH


def test_page_follows_tensorboards_filter_and_theme(
    page: Any, said: list[str], board_url: str, names: dict[str, str]
) -> None:
    frame = opened(page, f"{board_url}?runFilter=cell%3Drnn#lm-gradient-flow")
    options = frame.locator(".chooser.a option")
    assert options.count() == 1
    assert options.get_attribute("value") == names["rnn"]
    page.evaluate("history.replaceState(null, '', '?runFilter=zzz' + location.hash)")
    frame.locator(".empty", has_text="No trial matches").wait_for()
    page.evaluate("history.replaceState(null, '', '?runFilter=' + location.hash)")
    frame.locator(".panel.a .facts", has_text="Update").wait_for()
    assert options.count() == 2
    page.evaluate("document.body.classList.add('dark-mode')")
    frame.locator("main#flow.dark").wait_for()


def test_without_records_the_tab_says_how_to_make_some(
    page: Any, said: list[str], tmp_path: Path
) -> None:
    from sweeps.tensorboard.event_file import EventWriter

    (tmp_path / "run").mkdir()
    writer = EventWriter(tmp_path / "run", start=None)
    writer.write_scalars(1, 1.0, {"train/loss": 1.0})
    writer.close()
    with browser.board(tmp_path) as board:
        frame = opened(page, f"{board.url}#lm-gradient-flow")
        frame.locator("code", has_text="gradient_flow.every=").first.wait_for()


def test_tab_fills_while_training_goes_on_and_tells_records_that_it_cannot_read(
    page: Any, said: list[str], tmp_path: Path
) -> None:
    write_run(tmp_path / "a", [0, 10], length=5)
    write_run(tmp_path / "b", [0], length=5, version=9)
    with browser.board(tmp_path) as board:
        frame = opened(page, link(board.url, run="a"))
        assert "Update 10, newest of 2" in facts(frame, "a")
        write_run(tmp_path / "a", [20], length=5)  # as a resumed trial does, in a file of its own
        wait_for(frame, "a", "Update 20, newest of 3")
        frame.locator(".chooser.a select").select_option("b")
        wait_for(frame, "a", "of version 9.*update lm-sweeps")


def test_exported_file_shows_the_same_without_a_network(
    page: Any,
    said: list[str],
    board_url: str,
    names: dict[str, str],
    recorded: Path,
    tmp_path: Path,
) -> None:
    path = tmp_path / "flow.html"
    command = [sys.executable, "-m", "lm.gradient_flow", str(recorded), "--html", str(path)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    asked: list[str] = []
    in_tab = facts(opened(page, link(board_url, run=names["lstm"])), "a")
    page.on("request", lambda request: asked.append(request.url))
    frame = opened(page, path.as_uri() + "#run=" + names["lstm"])
    assert facts(frame, "a") == in_tab
    page.keyboard.press("ArrowLeft")
    wait_for(frame, "a", "number ")
    assert {url.partition("#")[0] for url in asked} == {path.as_uri()}


def chosen_steps(frame: Any) -> list[int]:
    """Update of each panel's batch."""
    frame.locator("main#flow:not([aria-busy])").wait_for()
    texts = frame.locator(".panel:not([hidden]) .facts").all_inner_texts()
    return [int(re.match(r"Update ([\d,]+)", text)[1].replace(",", "")) for text in texts]  # type: ignore[index]


def test_button_goes_to_the_batch_of_the_highest_bar(
    page: Any, said: list[str], board_url: str, names: dict[str, str], recorded: Path
) -> None:
    frame = opened(page, link(board_url, run=names["rnn"]))
    overviews = read_run(recorded / names["rnn"]).overviews
    for curve, column in (("largest", 0), ("horizon", 2)):
        choice = frame.get_by_role("group", name="curve")
        choice.get_by_role("button", name=curve, exact=True).click()
        frame.get_by_role("button", name="Largest batch").click()
        highest = max(overviews, key=lambda step: (overviews[step][0, column], -step))
        wait_for(frame, "a", f"Update {highest},")
    # A bar can be hit at its foot and above it, whatever its height.
    steps = sorted(overviews)
    box = frame.locator(".overview .figure").bounding_box()
    plot = box["width"] - LEFT - RIGHT
    for step, y in ((steps[0], 90), (steps[-1], 20)):
        bar = min(16, 0.8 * plot * 5 / (steps[-1] - steps[0]))
        across = (plot - bar) * (step - steps[0]) / (steps[-1] - steps[0]) + bar / 2
        frame.locator(".overview .figure").click(position={"x": LEFT + across, "y": y})
        frame.locator("h2", has_text="Over training").hover()
        wait_for(frame, "a", f"Update {step},")


def test_two_batches_of_one_trial_stand_beside_each_other(
    page: Any, said: list[str], board_url: str, names: dict[str, str], recorded: Path
) -> None:
    frame = opened(page, link(board_url, run=names["lstm"]))
    steps = sorted(read_run(recorded / names["lstm"]).overviews)
    assert frame.get_by_role("group", name="Select the").count() == 0
    frame.locator(".chooser.b select").select_option(label="another batch of this trial")
    assert chosen_steps(frame) == [steps[-1], steps[0]]
    page.keyboard.press("ArrowLeft")
    wait_for(frame, "a", f"Update {steps[-2]},")
    sides = frame.get_by_role("group", name="Select the")
    sides.get_by_role("button", name="right").click()
    for key, place in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        wait_for(frame, "b", f"Update {steps[place]},")
    assert chosen_steps(frame) == [steps[-2], steps[1]]
    for side in ("a", "b"):
        shown = most_told(facts(frame, side))
        step = chosen_steps(frame)[side == "b"]
        expected = largest(read_run(recorded / names["lstm"]), step, "layer_1/both")
        assert shown == pytest.approx(expected, rel=6e-3)
    assert frame.locator(".panel.b .note").inner_text() == ""
    again = opened(page, page.url)
    assert chosen_steps(again) == [steps[-2], steps[1]]
    again.locator(".swap").click()
    wait_for(again, "b", f"Update {steps[-2]},")
    assert chosen_steps(again) == [steps[1], steps[-2]]
    again.locator(".chooser.b select").select_option(names["rnn"])
    again.locator(".panel.b .facts", has_text=f"Update {steps[1]},").wait_for()  # it follows


def test_measures_are_defined_where_one_chooses_and_the_papers_is_among_them(
    page: Any, said: list[str], board_url: str, names: dict[str, str], recorded: Path
) -> None:
    frame = opened(page, link(board_url, run=names["rnn"]))
    run = read_run(recorded / names["rnn"])
    record = decode(run.batches[max(run.batches)].records["layer_1/h"])
    chooser = frame.get_by_label("Measure")
    for name, values, words in (
        ("norm", record.norms, "length of G"),
        ("mean size", record.mean_abs, "averaged over all units"),
        ("mean, as in the paper", record.means, "may cancel"),
    ):
        assert values is not None
        chooser.select_option(label=name)
        definition = frame.locator(".definition", has_text=words).inner_text()
        assert re.match(rf"{name}: .+ \(equation \d of .+\)\.$", definition, re.IGNORECASE)
        shown = most_told(facts(frame, "a"))
        assert shown == pytest.approx(float(values[0].max()), rel=6e-3)


def test_steps_have_numbers_above_the_text(
    page: Any, said: list[str], board_url: str, names: dict[str, str]
) -> None:
    frame = opened(page, link(board_url, run=names["rnn"]))
    numbers = frame.locator(".panel.a .numbers text")
    assert numbers.all_text_contents() == [str(step) for step in range(1, LENGTH + 1)]
    words = frame.locator(".panel.a .texts text")
    assert numbers.first.bounding_box()["y"] < words.first.bounding_box()["y"]
    page.set_viewport_size({"width": 390, "height": 800})
    every_fifth = frame.locator(".panel.a .numbers:not(:has(:text-is('1')))")
    every_fifth.wait_for(state="attached")
    assert 1 < numbers.count() < LENGTH


def test_introduction_is_there_on_a_first_visit_and_stays_closed(
    page: Any, said: list[str], board_url: str, names: dict[str, str]
) -> None:
    frame = opened(page, link(board_url, run=names["rnn"]))
    lines = frame.locator(".introduction li")
    assert lines.count() == 3
    assert lines.first.is_visible()
    frame.locator(".introduction summary").click()
    lines.first.wait_for(state="hidden")
    page.goto("about:blank")
    again = opened(page, link(board_url, run=names["rnn"]))
    assert not again.locator(".introduction li").first.is_visible()


@pytest.mark.parametrize("width", [390, 320])
def test_phone_has_whole_buttons_that_a_finger_hits(
    page: Any, said: list[str], names: dict[str, str], recorded: Path, tmp_path: Path, width: int
) -> None:
    path = tmp_path / "flow.html"
    command = [sys.executable, "-m", "lm.gradient_flow", str(recorded), "--html", str(path)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    address = f"{path.as_uri()}#run={names['lstm']}&with={names['lstm']}"
    frame = opened(page, address)
    page.set_viewport_size({"width": width, "height": 800})
    browser.painted(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    targets = frame.locator("button:visible, select:visible, input:visible, summary:visible")
    assert targets.count() > 12
    for target in targets.all():
        box = target.bounding_box()
        assert box["height"] >= 44
        assert box["width"] >= 44
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        # A word that does not fit is cut.
        assert target.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
