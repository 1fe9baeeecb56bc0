import pytest

from benchmarks.gradient_flow_overhead import main


@pytest.mark.slow
def test_each_length_has_a_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPROC", "1")  # so that what the command sets does not outlast it
    sizes = ["model.rnn_size=4", "model.embed_size=3", "data.vocab_size=7"]
    main(["rnn", *sizes, "--rounds=1", "--markdown", "--lengths", "3", "6"])
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    names, _, *lengths = rows
    assert [row[0] for row in lengths] == ["3", "6"]
    for row in lengths:
        cost = dict(zip(names, row, strict=True))
        assert all(float(cost[name]) > 0 for name in ("step ms", "record ms", "encode ms"))
        assert all(float(size) >= 0 for size in cost["arrays MB"].split("/"))
    assert float(lengths[1][-1]) > float(lengths[0][-1])  # bytes
