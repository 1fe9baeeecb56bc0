import pytest

from benchmarks.gradient_flow import main


def test_each_length_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["model.rnn_size=4", "model.embed_size=3", "data.vocab_size=7"]
    main(["rnn", *sizes, "--rounds=1", "--markdown", "--lengths", "3", "6"])
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    assert [row[0] for row in rows] == ["T", "---:", "3", "6"]
    for row in rows[2:]:
        assert all(float(cell) > 0 for cell in row[1:5])
        step, record = (float(cell) for cell in row[6].split("/"))
        assert step >= 0
        assert record >= 0
    assert float(rows[3][7]) > float(rows[2][7])
