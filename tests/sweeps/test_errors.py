"""The text of an error in one line."""

import pytest

from sweeps.errors import UserError, first_line, one_line_error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("first\nsecond"), "first"),
        (ValueError("  \n after blanks"), "after blanks"),
        (ValueError(), "ValueError"),
        (ValueError("x" * 300), "x" * 200),
    ],
)
def test_first_line_is_short_and_never_empty(error: Exception, text: str) -> None:
    assert first_line(error) == text


def test_one_line_error_names_the_type_unless_its_text_says_enough() -> None:
    assert one_line_error(ValueError("a\n b"), (UserError,)) == "ValueError: a b"
    assert one_line_error(UserError("a\n b"), (UserError,)) == "a b"
    assert one_line_error(KeyError(), (UserError,)) == "KeyError"
