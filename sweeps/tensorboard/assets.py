"""TensorBoard's page with a list of runs that is wide enough for the names of runs.

By default the list has a fifth of the window, 256 pixels of 1280. There the names of a sweep's
trials end before they differ. The width is no part of TensorBoard's address: the page keeps it in
the browser's storage (`_tb_global_settings`), where a script sets it before the page starts. A
width that a person has chosen by dragging the list's edge stays.
"""

import io
import zipfile
from collections.abc import Callable
from typing import IO

INDEX, SCRIPT = "index.html", "room_for_names.js"
HEAD = b"<head>"
PROGRAM = """// A list of runs with room for %(letters)d letters, unless a width has been chosen.
const SETTINGS = "_tb_global_settings", OURS = "sweeps-list-width";
const known = JSON.parse(localStorage.getItem(SETTINGS) ?? "{}");
const chosen = known.sideBarWidthInPercent;
if (chosen === undefined || String(chosen) === localStorage.getItem(OURS)) {
  const pixels = %(letters)d * %(letter)s + %(margin)d;
  const percent = Math.round(Math.max(20, Math.min(%(most)d, (100 * pixels) / innerWidth)));
  localStorage.setItem(OURS, String(percent));
  localStorage.setItem(SETTINGS, JSON.stringify({ ...known, sideBarWidthInPercent: percent }));
}
"""
LETTER = 6.6
"""Pixels of an average letter of a name."""
MARGIN = 96
"""Pixels beside a name: box, colour, scroll bar."""
MOST = 45
"""Percent of the window that the list takes at most."""

Provider = Callable[[], IO[bytes]]


def assets_with_room(letters: int) -> Provider | None:
    """Return TensorBoard's own files, with a list of runs that has room for names of this length.

    They are None, which stands for TensorBoard's default, where no length is given and where
    TensorBoard's page is not as it is known.
    """
    from tensorboard import assets

    if not letters or (given := assets.get_default_assets_zip_provider()) is None:
        return None
    with given() as file, zipfile.ZipFile(file) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    if files.get(INDEX, b"").count(HEAD) != 1:
        return None
    files[INDEX] = files[INDEX].replace(HEAD, HEAD + f'<script src="{SCRIPT}"></script>'.encode())
    files[SCRIPT] = (
        PROGRAM % {"letters": letters, "letter": LETTER, "margin": MARGIN, "most": MOST}
    ).encode()
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return lambda: io.BytesIO(written.getvalue())
