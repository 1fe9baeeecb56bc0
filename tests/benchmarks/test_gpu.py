import importlib.util
from collections.abc import Sequence

import pytest

from benchmarks import gpu
from benchmarks.gpu import main
from benchmarks.harness import machine
from benchmarks.harness.interleaving import Implementation, Measurement, TimingPlan
from benchmarks.harness.repeated_training import Repetition
from sweeps.errors import UserError

TINY = ["data.vocab_size=50", "model.embed_size=4", "model.rnn_size=4", "model.hidden_size=4"]
TINY += ["train.batch_size=2", "train.sequence_length=3", "loss.samples=8"]
BRIEF = ["--rounds=1", "--steps=2", "--markdown", "--device=cpu"]


def rows_of(output: str) -> list[list[str]]:
    lines = [line for line in output.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines][1:]


@pytest.mark.slow
def test_command_prints_a_row_for_each_implementation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "measure_peak_flops", lambda *_: 1e12)
    main(["ptb_small", *BRIEF, *TINY])
    rows = rows_of(capsys.readouterr().out)
    torch = importlib.util.find_spec("torch") is not None
    speeds, bits = rows[:-3], rows[-2:]  # between them stands the head of the second table
    names = [*(["PyTorch"] if torch else []), "Flax", "ours", "ours, scan"]
    assert [row[0] for row in speeds] == names
    assert all(row[1] == "1" and float(row[5].replace(",", "")) > 0 for row in speeds)
    assert [(row[:2], row[3]) for row in bits] == [
        (["ptb_small", "any program"], "yes"),
        (["ptb_small", "deterministic ones"], "yes"),
    ]


def test_lanes_are_compared_with_one_and_with_the_peer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Implementation] = []

    def run_interleaved(
        implementations: Sequence[Implementation], plan: TimingPlan
    ) -> list[Measurement]:
        taken.extend(implementations)
        each = zip(implementations, (0.004, 0.005, 0.002, 0.003, 0.008), strict=True)
        return [Measurement(one.name, [seconds], 1.0, 7_000_000, 0.0) for one, seconds in each]

    monkeypatch.setattr(gpu, "measure_peak_flops", lambda *_: 1e12)
    monkeypatch.setattr(gpu, "has_torch", lambda *_: True)
    monkeypatch.setattr(gpu, "run_interleaved", run_interleaved)
    monkeypatch.setattr(gpu, "repeat_training", lambda *_, **how: Repetition(3.5, not how["flags"]))
    main(["sherlock", "--lanes=1,3", *BRIEF, *TINY])
    rows = rows_of(capsys.readouterr().out)
    assert rows[-2:] == [
        ["sherlock", "any program", "3.50", "yes"],
        ["sherlock", "deterministic ones", "3.50", "no"],
    ]
    assert [row[:2] + row[5:8] for row in rows[:-3]] == [
        ["PyTorch", "1", "1,500", "", ""],
        ["Flax", "1", "1,200", "0.80", ""],
        ["ours", "1", "3,000", "2.00", ""],
        ["ours", "3", "6,000", "4.00", "2.00"],
        ["ours, scan", "1", "750", "0.50", ""],
    ]
    assert taken[4].options == {"cudnn": False}
    assert taken[2].module == "benchmarks.implementations.lm_training"
    assert taken[3].module == "benchmarks.implementations.lm_lanes"
    assert taken[3].options == {"lanes": 3}


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
