"""The comparison on the terminal: what stands in it, in which order, and what it refuses."""

import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sweeps.analysis.comparison import compare_sweeps
from sweeps.cli.compare import main


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def rows(text: str) -> list[list[str]]:
    """The cells of the ranked table."""
    return [line.split() for line in text.splitlines() if re.match(r" ?\d+  ", line)]


def test_status_ranks_before_the_metric(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, grid)
    assert text.startswith(
        "grid: 12 trials (10 finished, 1 diverged, 1 failed) by valid/loss, lowest first\n"
    )
    statuses = [row[6] for row in rows(text)]
    assert statuses == ["finished"] * 10 + ["diverged", "failed"]
    assert rows(text)[0][:6] == ["1", "0.01", "a", "0", "0.133333", "30"]
    assert rows(text)[10][4] == "0.001"  # the best of all


def test_tables_of_replicates_means_and_importance(
    grid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(capsys, grid)
    assert re.search(r"best valid/loss over seed, finished trials\nrate  kind +mean", text)
    assert re.search(r"0.01     a  0.138333    0.00707    2 of 2\n", text)
    assert re.search(r"0.5     b +0 of 2\n", text)
    assert re.search(r"rate +0.01  0.138333    0.00577       4\n", text)
    assert float(re.search(r"^rate +([\d.]+)%", text, re.M)[1]) > 90  # type: ignore[index]


def test_filter_selects_runs(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, grid, "--filter", "RATE=0.1,")
    assert "4 trials of 12" in text
    assert "over seed" in text
    assert "over seed" not in shown(capsys, grid, "--filter", "seed=1")
    assert {row[1] for row in rows(text)} == {"0.1"}


def test_other_metric_and_mode_are_read_from_the_tables(
    grid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(capsys, grid, "--metric", "train/loss", "--mode", "max", "--top", "2")
    assert "by train/loss, highest first" in text
    assert rows(text)[0][4:6] == ["2.555", "10"]  # (5 + 1/10 + 1/100) / 2, at the first step
    assert "... and 10 more: --top N shows more rows" in text
    same = compare_sweeps([grid], mode="max").trials[0]
    assert (same.best, same.step) == (pytest.approx(5.11), 10)


def test_several_sweeps_are_ranked_together(
    grid: Path, make_sweep: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_sweep([{"rate": 9}], lambda setting, step: 0.0, name="other")
    assert rows(shown(capsys, grid, other))[0][:3] == ["1", "other", "9"]
    assert len(compare_sweeps([grid, other], filter="^grid/.*kind=b").trials) == 6


def test_empty_sweep_has_an_empty_table(
    make_sweep: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(capsys, make_sweep([], lambda setting, step: 0.0)).startswith("grid: 0 trials")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--filter", "["], r"'\[' is not a regular expression \(.*\); mend the filter"),
        (["--filter", "none"], r"no run matches --filter 'none'; the first of 12 is rate="),
        (["--metric", "loss"], r"no trial reported loss; did you mean valid/loss or train/loss"),
        (["nowhere"], r"nowhere does not exist; name a sweep's folder"),
        (["--html", "nowhere/a.html"], r"cannot write nowhere/a.html \(No such file"),
    ],
)
def test_mistake_is_one_sentence(
    grid: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(grid), *arguments])
    assert stopped.value.code == 1
    errors = capsys.readouterr().err
    assert re.match(f"error: {sentence}", errors)
    assert errors.count("\n") == 1


def test_sweep_without_a_value_yet_is_shown(
    make_sweep: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_sweep([{"a": 1}, {"a": 2}], lambda s, step: math.nan, ends=lambda s: "diverged")
    text = shown(capsys, folder)
    assert "2 diverged" in text
    assert "not computed: it needs 4 finished trials" in text


def test_command_leaves_heavy_libraries_alone() -> None:
    program = "import sys, lm.compare; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"ray", "jax", "pandas", "optuna", "plotly", "sklearn"} & set(done.stdout.split())


def test_follow_needs_a_page(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(grid), "--follow"])
    assert "--html FILE" in capsys.readouterr().err


def test_page_follows_a_sweep_until_it_ends(
    grid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every look at whether a command runs the sweep tells what the page says by then."""
    html = tmp_path / "report.html"
    looks: list[bool] = []

    def is_running(folder: Path) -> bool:
        looks.append(html.exists() and '"live":10.0' in html.read_text(encoding="utf-8"))
        return len(looks) < 4

    monkeypatch.setattr("sweeps.cli.compare.is_running", is_running)
    monkeypatch.setattr("sweeps.cli.compare.FOLLOW_SECONDS", 10.0)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    main([str(grid), "--html", str(html), "--follow"])
    assert looks == [False, True, True, True, True]
    assert '"live":null' in html.read_text(encoding="utf-8")


def test_shares_of_few_trials_have_no_bars(
    make_sweep: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, count in {"few": 8, "many": 20}.items():
        settings = [{"rate": rate, "size": size} for rate in range(count // 2) for size in (1, 2)]
        folder = make_sweep(settings, lambda s, step: s["rate"] + s["size"] / 10, name=name)
        shares = shown(capsys, folder).partition("importance: ")[2]
        assert re.search(r"^rate +\d+%", shares, re.M)
        assert "." not in re.sub(r"From.*", "", shares)  # whole per cents
        assert ("\u2588" in shares) == (count >= 20)
        assert ("From 8 trials: too few for more than a hint." in shares) == (count < 20)


def test_what_chance_does_is_told_as_far_as_it_is_known(
    grid: Path, make_sweep: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "0.0257 may differ by chance (95%). This is from the deviation" in shown(capsys, grid)
    folder = make_sweep([{"a": a} for a in range(8)], lambda s, step: s["a"], name="single")
    assert "How far chance alone moves valid/loss cannot be told from 8 trials." in shown(
        capsys, folder
    )
