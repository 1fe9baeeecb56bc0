"""Commands end as a shell expects."""

import pytest

from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [(UserError("no."), 1, "error: no.\n"), (KeyboardInterrupt(), 130, "interrupted\n")],
)
def test_expected_errors_end_without_a_traceback(
    error: BaseException, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop, exit_on_user_error():
        raise error
    assert stop.value.code == status
    assert capsys.readouterr().err == words


def test_faults_of_the_program_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError), exit_on_user_error():
        raise ZeroDivisionError
