"""The page of gradient flow: its own tests, its built file, and what it reads in a record."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lm.gradient_flow.codec import ComponentRecord, decode, encode

PLUGIN = Path(__file__).parents[4] / "lm" / "gradient_flow" / "plugin"
PAGE = PLUGIN / "page"
BUILT = PLUGIN / "static" / "index.js"

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")


def node(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["node", *map(str, arguments)]
    return subprocess.run(command, cwd=PAGE, capture_output=True, text=True)


@needs_node
def test_the_pages_own_tests_pass() -> None:
    done = node("--test", *sorted(PAGE.glob("test/*.test.js")))
    assert done.returncode == 0, done.stdout
    assert re.search(r"^# pass [1-9]", done.stdout, re.MULTILINE)


@needs_node
@pytest.mark.parametrize(("units", "has_means"), [(0, True), (3, True), (3, False)])
def test_page_reads_in_a_record_what_python_reads(
    tmp_path: Path, units: int, has_means: bool
) -> None:
    rng = np.random.default_rng(1)
    items, length, reach = 2, 9, 6
    inside = np.arange(reach) <= np.arange(length)[:, None]
    norms = (rng.lognormal(-5, 9, (items, length, reach)) * inside).astype(np.float32)
    norms[0, 4, 1] = np.nan
    each = np.repeat(norms[..., None], 3, axis=-1) * [1, 2, 4] if units else None
    means = norms / 9 if has_means else None  # records of earlier versions have none
    written = encode(ComponentRecord(norms, norms / 7, each, norms * 3, means))
    (tmp_path / "record").write_bytes(written)
    done = node("test/decode.js", tmp_path / "record")
    assert done.returncode == 0, done.stderr
    found, expected = json.loads(done.stdout), decode(written)
    assert [found[name] for name in ("T", "K", "items", "units")] == [length, reach, items, units]
    for name, values in {
        "norm": expected.norms,
        "mean_abs": expected.mean_abs,
        "mean": expected.means,
        "input_norm": expected.input_norms,
    }.items():
        if values is None:
            assert name == "mean"
            assert not has_means
            assert name not in found["measures"]
            continue
        shown = np.array(found["measures"][name], np.float64)
        np.testing.assert_allclose(shown, values[:, inside], rtol=1e-6)
    if units:
        assert expected.units is not None
        shown = np.array(found["perUnit"], np.float64).reshape(items, -1, units)
        np.testing.assert_allclose(shown, expected.units[:, inside], rtol=1e-6)


def test_built_page_is_of_these_sources() -> None:
    hashed = hashlib.sha256()
    for path in sorted((PAGE / "src").iterdir()):
        hashed.update(path.read_bytes())
    hashed.update((PAGE / "package-lock.json").read_bytes())
    first = BUILT.read_text(encoding="utf-8").partition("\n")[0]
    assert hashed.hexdigest()[:16] in first, "build it anew: npm ci && npm run build"


def test_page_asks_nobody_but_its_server() -> None:
    program = BUILT.read_text(encoding="utf-8").partition("/* With parts of:")[0]
    program += (PLUGIN / "static" / "index.css").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"'`)]+", program)) <= {
        "http://www.w3.org/1999/xhtml",
        "http://www.w3.org/1999/xlink",
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/2000/xmlns/",
        "http://www.w3.org/XML/1998/namespace",
    }
    assert len(program) < 200_000
