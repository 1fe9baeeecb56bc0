"""Differences of code and packages, a line each."""

from sweeps.reproduce.environment_diff import code_changes, package_changes
from sweeps.store.provenance import Provenance


def test_changes_of_code_and_packages_are_listed() -> None:
    patch = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n"
    old = Provenance({"git": {"commit": "a" * 40, "untracked": []}}, patch)
    new = Provenance({"git": {"commit": "b" * 40, "untracked": ["y.py"]}}, "")
    assert code_changes(old, old) == []
    assert code_changes(old, new) == [
        "code: aaaaaaaaaaaa, now bbbbbbbbbbbb",
        "uncommitted changes: 2 lines of x.py, now none",
        "untracked files: none, now y.py",
    ]
    assert package_changes({"Jax": "1", "numpy": "2", "rich": "3"}, {"jax": "1", "numpy": "3"}) == [
        "numpy: 2, now 3",
        "rich: 3, now not installed",
    ]
    assert package_changes({}, {"jax": "1"}) == ["packages: not recorded"]
