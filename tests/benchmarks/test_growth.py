import importlib.util

import pytest

from benchmarks.growth import main
from sweeps.errors import UserError

TINY = ["model.embed_size=4", "model.rnn_size=4", "model.hidden_size=4", "train.batch_size=2"]


def test_command_prints_a_row_for_each_value(capsys: pytest.CaptureFixture[str]) -> None:
    main(["length", "--most=10", "--rounds=1", "--steps=2", "--markdown", *TINY])
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    assert [row[0] for row in rows[2:]] == ["5", "10"]
    both = importlib.util.find_spec("torch") is not None
    assert rows[2][3:5] == ["1.00", "1.00"] if both else rows[2][2] == "1.00"


def test_lanes_stand_beside_one_trial_alone(capsys: pytest.CaptureFixture[str]) -> None:
    main(["lanes", "--most=2", "--rounds=1", "--steps=2", "--markdown", *TINY])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert lines[0].split("|")[1].strip() == "lanes"
    one, together, *_, ratio, _, _ = [cell.strip() for cell in lines[2].split("|")[2:-1]]
    assert float(ratio) == pytest.approx(2 * float(one) / float(together), abs=0.01, rel=0.1)


def test_unknown_axis_is_refused() -> None:
    with pytest.raises(UserError, match="no axis depth"):
        main(["depth"])
