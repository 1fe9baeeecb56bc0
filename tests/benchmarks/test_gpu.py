import importlib.util

import pytest

from benchmarks import gpu, machine
from benchmarks.gpu import main
from sweeps.errors import UserError

TINY = ["data.vocab_size=50", "model.embed_size=4", "model.rnn_size=4", "model.hidden_size=4"]
TINY += ["train.batch_size=2", "train.sequence_length=3", "loss.samples=8"]
BRIEF = ["--rounds=1", "--steps=2", "--markdown", "--device=cpu"]


def rows_of(output: str) -> list[list[str]]:
    lines = [line for line in output.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines][1:]


def test_command_prints_a_row_for_each_implementation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "measure_peak", lambda *_: 1e12)
    main(["ptb_small", *BRIEF, *TINY])
    rows = rows_of(capsys.readouterr().out)
    torch = importlib.util.find_spec("torch") is not None
    assert [row[0] for row in rows] == [*(["PyTorch"] if torch else []), "Flax", "ours"]
    assert all(row[1] == "1" and float(row[5].replace(",", "")) > 0 for row in rows)


def test_lanes_are_compared_with_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "measure_peak", lambda *_: 1e12)
    main(["sherlock", "--lanes=1,3", *BRIEF, *TINY])
    ours = [row for row in rows_of(capsys.readouterr().out) if row[0] == "ours"]
    assert [row[1] for row in ours] == ["1", "3"]
    times = 3 * float(ours[0][2]) / float(ours[1][2])
    assert float(ours[1][7]) == pytest.approx(times, rel=0.1)


def test_where_no_gpu_is_the_command_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "gpu_name", lambda: None)
    with pytest.raises(UserError, match="no NVIDIA GPU here"):
        main([])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["default"], "no configuration default"),
        (["--lanes=many"], "--lanes=many is no list"),
        (["--lanes=0"], "--lanes=0 is no list"),
    ],
)
def test_bad_input_is_refused(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        main(arguments)
