"""The text of an error in one line, and names that are alike."""

import pytest

from sweeps.errors import UserError, differs_by_a_typo, first_line, one_line_error


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


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("valid/los", "valid/loss"),
        ("valid/losss", "valid/loss"),
        ("valid/lsos", "valid/loss"),
        ("vlaid/loss", "valid/loss"),
        ("valid/perplexjty", "valid/perplexity"),
        ("lss", "loss"),
        ("val_acuracy", "val_accuracy"),
        ("eval/acuracy5", "eval/accuracy5"),
    ],
)
def test_typing_error_is_known(name: str, tag: str) -> None:
    assert differs_by_a_typo(name, tag)


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("valid/loss", "valid/loss"),
        ("valid/loss", "train/loss"),
        ("valid/perplexity", "train/perplexity"),
        ("loss", "valid/loss"),
        ("val_loss", "eval_loss"),
        ("best/loss", "test/loss"),
        ("valid/acc1", "valid/acc5"),
        ("valid/acc1", "valid/acc"),
        ("rmse", "mse"),
        ("sale", "same"),
        ("valid.loss", "valid/loss"),
        ("valid/los", "valid/los/s"),
        ("l", "lr"),
        ("", "a"),
        ("vlid/los", "valid/loss"),
    ],
)
def test_tags_that_may_both_be_right_are_no_typing_errors(name: str, tag: str) -> None:
    assert not differs_by_a_typo(name, tag)
