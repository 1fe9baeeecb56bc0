from collections.abc import Sequence

import pytest

from benchmarks import training_scaling
from benchmarks.harness.interleaving import Implementation, Measurement, TimingPlan
from benchmarks.training_scaling import main
from sweeps.errors import UserError

TINY = ["model.embed_size=4", "model.rnn_size=4", "model.hidden_size=4", "train.batch_size=2"]


def test_each_value_has_a_row_that_compares_both_sides_and_the_first_value(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a word took the peer 3 ms and us 1, and all of us 2 ms a step besides."""

    def run_interleaved(
        implementations: Sequence[Implementation], plan: TimingPlan
    ) -> list[Measurement]:
        lengths = [one.values["train"]["sequence_length"] for one in implementations]
        each = zip(implementations, lengths, (3, 1), strict=True)
        seconds = {one.name: (2 + length * words) / 1000 for one, length, words in each}
        return [
            Measurement(name, [9.0, s, s / 2], 1.0, 7_000_000, 0.04) for name, s in seconds.items()
        ]

    monkeypatch.setattr(training_scaling, "run_interleaved", run_interleaved)
    monkeypatch.setattr(training_scaling, "has_torch", lambda: True)
    main(["length", "--most=10", "--markdown", *TINY])
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    peer, ours = "PyTorch", "ours"
    assert rows[0][1:5] == [f"{peer} ms", f"{ours} ms", f"{peer} times", f"{ours} times"]
    assert rows[2:] == [
        ["5", "17.00", "7.00", "1.00", "1.00", "2.43", "40.0", "7 / 7"],
        ["10", "32.00", "12.00", "1.88", "1.71", "2.67", "40.0", "7 / 7"],
    ]


@pytest.mark.slow
def test_lanes_stand_beside_one_trial_alone(capsys: pytest.CaptureFixture[str]) -> None:
    main(["lanes", "--most=2", "--rounds=1", "--steps=2", "--markdown", *TINY])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert lines[0].split("|")[1].strip() == "lanes"
    one, together, *_, ratio, _, _ = [cell.strip() for cell in lines[2].split("|")[2:-1]]
    assert float(ratio) == pytest.approx(2 * float(one) / float(together), abs=0.01, rel=0.1)


def test_unknown_axis_is_refused() -> None:
    with pytest.raises(UserError, match="no axis depth"):
        main(["depth"])
