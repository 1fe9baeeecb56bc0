"""TensorBoard's page with room for names: what is served, and what stays as it is."""

import io
import zipfile
from pathlib import Path

import pytest
from tensorboard import assets

from sweeps.tensorboard.assets import INDEX, SCRIPT, Provider, assets_with_room


def content(provider: Provider | None) -> dict[str, bytes]:
    assert provider is not None
    with provider() as file, zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_page_loads_a_script_and_is_otherwise_as_it_was() -> None:
    given, made = assets.get_default_assets_zip_provider(), assets_with_room(52)
    before, after = content(given), content(made)
    assert b"52" in after.pop(SCRIPT)
    script = f'<script src="{SCRIPT}"></script>'.encode()
    assert after[INDEX].replace(script, b"") == before[INDEX]
    assert after[INDEX].index(script) < after[INDEX].index(b"index.js")
    assert {**after, INDEX: b""} == {**before, INDEX: b""}
    assert content(made).keys() == {*after, SCRIPT}  # it can be read again


@pytest.mark.parametrize("page", [b"", b"<html><body></body></html>", b"<head><head>"])
def test_page_that_is_not_known_is_served_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: bytes
) -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr(INDEX, page)
    monkeypatch.setattr(
        assets, "get_default_assets_zip_provider", lambda: lambda: io.BytesIO(written.getvalue())
    )
    assert assets_with_room(52) is None


def test_nothing_is_made_without_a_length() -> None:
    assert assets_with_room(0) is None
