import pytest

from benchmarks.harness.tables import Page, Table, as_markdown

TABLE = Table("lstm", ["", "ms", "words/s"], [["ours", "1.25", "512,000"], ["PyTorch", "2", ""]])


def test_markdown_is_aligned_numbers_to_the_right() -> None:
    assert as_markdown(TABLE).splitlines() == [
        "lstm:",
        "",
        "|         |   ms | words/s |",
        "|---------|-----:|--------:|",
        "| ours    | 1.25 | 512,000 |",
        "| PyTorch |    2 |         |",
    ]


@pytest.mark.parametrize("markdown", [True, False])
def test_page_names_the_machine_and_keeps_each_row_on_a_line(
    markdown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    Page(markdown).show(TABLE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Machine: ")
    assert any("ours" in line and "512,000" in line for line in lines)
