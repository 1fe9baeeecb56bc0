"""The user's cache folder, by the XDG base directory specification."""

from pathlib import Path

import pytest

from sweeps.io.cache_dir import cache_dir, local_folder

URL = "s3://bucket/a b/"


def test_cache_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "lm-sweeps"
    assert local_folder(URL) == tmp_path / "sweeps" / "s3_bucket_a_b"


@pytest.mark.parametrize("unusable", ["", "relative/path"])
def test_cache_falls_back_to_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unusable: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", unusable)
    assert cache_dir() == tmp_path / ".cache" / "lm-sweeps"
    assert local_folder(URL) == tmp_path / ".cache" / "sweeps" / "s3_bucket_a_b"
