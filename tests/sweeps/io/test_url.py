"""What counts as the URL of a store."""

import pytest

from sweeps.io.url import is_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/path", True),
        ("file:///tmp/x", True),
        ("fsspec+memory://x", True),
        ("outputs", False),
        ("/tmp/a", False),
        ("C:/x", False),
        ("a=b://c", False),
    ],
)
def test_a_url_has_a_scheme(text: str, expected: bool) -> None:
    assert is_url(text) is expected
