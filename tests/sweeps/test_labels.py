"""Labels of an axis: their order, and ranges of them."""

import pytest

from sweeps.labels import are_numbers, label_ranges, shorten, sort_labels


def test_drawn_numbers_are_summarised_in_ranges() -> None:
    found = label_ranges(f"{value / 7:.6g}" for value in range(1, 17))
    assert len(found) == 8
    assert sum(map(len, found.values())) == 16
    assert next(iter(found)) == "0.143 to 0.286"
    assert label_ranges(map(str, range(12))) == {str(value): [str(value)] for value in range(12)}
    close = label_ranges(f"1.00000{value:02}" for value in range(16))
    assert sum(map(len, close.values())) == 16


def test_numbers_stand_by_size_and_names_as_they_came() -> None:
    assert sort_labels(["10", "9", "1e-05", "inf", "9"]) == ["1e-05", "9", "10", "inf"]
    assert sort_labels(["gru", "2", "a", "1"]) == ["1", "2", "gru", "a"]
    assert are_numbers(["1", "", "inf"])
    assert not are_numbers(["1", "null"])
    assert not are_numbers(["1_0"])
    assert not are_numbers([])


@pytest.mark.parametrize(
    ("width", "short"),
    [(30, "abcdefghijklmnopqrstuvwxyz"), (26, "abcdefghijklmnopqrstuvwxyz"), (8, "abc...yz")],
)
def test_middle_of_a_long_text_is_left_out(width: int, short: str) -> None:
    assert shorten("abcdefghijklmnopqrstuvwxyz", width) == short
