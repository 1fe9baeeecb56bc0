"""The document's generated parts: marks, words, and the command that fills them in."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from scripts.sherlock_study import __main__, document, words
from tests.scripts.sherlock_study.made_up import trial, write

MARKED = "Before.\n<!-- figures: grid -->\nold\n<!-- end -->\nAfter.\n"


def test_parts_stand_between_their_marks_and_nothing_else_changes() -> None:
    filled = document.fill(MARKED, {"grid": "| new |"})
    assert filled == "Before.\n<!-- figures: grid -->\n\n| new |\n\n<!-- end -->\nAfter.\n"
    assert document.fill(filled, {"grid": "| new |"}) == filled


@pytest.mark.parametrize("parts", [{}, {"grid": "a", "more": "b"}])
def test_a_part_without_marks_and_marks_without_a_part_are_errors(parts: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="marks"):
        document.fill(MARKED, parts)


def test_documents_marks_are_those_that_the_command_fills() -> None:
    text = __main__.DOCUMENT.read_text(encoding="utf-8")
    document.fill(text, __main__.parts(Path("nowhere")))


def test_loop_is_found_where_the_window_comes_back() -> None:
    assert words.loop(["a", "b", "c", "d", "e"], 2) is None
    assert words.loop(["a", "b", "it", "is", ".", "it", "is", ".", "it", "is", "."], 2) == (2, 3)
    assert words.loop(["x", "y", "z", "x", "y", "z"], 3) == (0, 3)
    # "it is" comes back, but a window of three words does not
    assert words.loop(["it", "is", ".", "it", "is", ",", "but"], 3) is None


def test_perplexity_of_known_words_leaves_out_the_others(tmp_path: Path) -> None:
    with (tmp_path / "words.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "position", "word", "log_probability"])
        table.writerows([["valid", 1, "a", -1], ["valid", 2, "<unk>", -7], ["valid", 3, "b", -1]])
    found = words.perplexities(tmp_path / "words.csv")
    assert found == {"valid": ["20.1", "2.7", "33%"]}  # exp(9 / 3), exp(2 / 2)


def test_figures_bring_the_document_up_to_date_and_check_says_when_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root, page = tmp_path / "outputs", tmp_path / "sherlock.md"
    page.write_text(__main__.DOCUMENT.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(__main__, "DOCUMENT", page)
    monkeypatch.setattr(__main__, "WRITTEN", dict.fromkeys(__main__.WRITTEN, ("", _no)))
    grid = {"optimizer.learning_rate": "0.1", "optimizer.momentum": "0.8"}
    write(root, "sherlock_momentum", [trial(grid, [5.25])])
    assert __main__.main(["--output", str(root), "figures", "--check"]) == 1
    monkeypatch.setattr("scripts.sherlock_study.pictures.save", _no)
    assert __main__.main(["--output", str(root), "figures"]) == 0
    assert "| 0.1           | 0.8      |  5.18 | 5.25 |" in page.read_text(encoding="utf-8")
    assert __main__.main(["--output", str(root), "figures", "--check"]) == 0
    assert "as the outputs say" in capsys.readouterr().out


def _no(*given: Any) -> str:
    return ""


def answering(patch: pytest.MonkeyPatch, printed: str, words_written: list[str]) -> list[Any]:
    """Stand in for the program's commands, which print this and write that; gives what is asked."""
    asked: list[tuple[str, ...]] = []

    def answer(module: str, *arguments: str) -> str:
        asked.append((module, *arguments))
        if "--out" in arguments:
            sample = {"tokens": words_written, "text": " ".join(words_written).replace(" .", ".")}
            Path(arguments[-1]).write_text(json.dumps(sample) + "\n", encoding="utf-8")
        return printed

    patch.setattr(words, "command", answer)
    return asked


def test_words_are_asked_of_both_lengths_with_the_studys_queries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = answering(monkeypatch, "nearest\n", ["it", "is", "."] * 10)
    made = [trial({"train.sequence_length": length}, [5.0]) for length in ("5", "20")]
    assert "    had:has::was: is am are" in words.vectors(made)
    both, word2vec = asked
    assert both[:3] == ("lm.vectors", "folder", "folder")
    assert word2vec[:4] == ("lm.vectors", "folder", "--table", "embedding")
    assert word2vec[-1] == "+vectors=[skipgram,cbow,window]"
    text = words.generated(made)
    assert all("--temperature" in one for one in asked[2:])
    assert "| 5 words  |                      3 |               0 |             3 |" in text
    assert "> it is. it is." in text


def test_longest_training_writes_and_is_asked_without_sections_that_nobody_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged = ["analogies  0.4% [0.2%, 0.7%]", "  family  0.9%  1.0%", "  gram8-plural  0.9%"]
    asked = answering(monkeypatch, "\n".join([*judged, "     1  0.0%"]), ["no", "."] * 300)
    made = [trial({"train.predict": "last"}, losses) for losses in ([5.0], [5.0, 4.0])]
    text = words.longer(made)
    assert "2 epochs, drawn at temperature 0.8:" in text
    assert [one[one.index("--temperature") + 1] for one in asked if "--out" in one] == ["0.8", "0"]
    assert "analogies" in text
    assert "family" in text
    assert "gram8" not in text
    assert "     1  0.0%" in text
    assert sum(len(line) for line in text.splitlines() if line.startswith("> no.")) < 900
    assert text.count("> no. no.") > 2
    assert "no. ..." in text
