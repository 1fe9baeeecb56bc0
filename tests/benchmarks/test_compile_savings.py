import pytest

from benchmarks.compile_savings import WAYS, main
from sweeps.errors import UserError


@pytest.mark.slow
def test_all_ways_compute_the_same_loss(capsys: pytest.CaptureFixture[str]) -> None:
    tiny = ["data.vocab_size=50", "model.embed_size=4", "model.hidden_size=4", "train.batch_size=2"]
    main(["default", "--sizes=2", "--rounds=1", "--markdown", "model.rnn_size=4", *tiny])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[1:]]
    assert [row[0] for row in rows] == list(WAYS)
    assert all(float(seconds) > 0 for row in rows for seconds in row[1:5])
    assert len({row[5] for row in rows}) == 1


def test_unknown_configuration_is_refused() -> None:
    with pytest.raises(UserError, match="no configuration nonsense"):
        main(["nonsense"])
