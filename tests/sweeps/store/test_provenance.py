"""A trial's folder records where its result comes from."""

from pathlib import Path

from sweeps.store.provenance import Provenance, collect, write_provenance


def test_provenance_knows_versions_and_command(tmp_path: Path) -> None:
    facts = collect(tmp_path).facts
    assert facts["packages"]["hydra-core"].startswith("1.3")
    assert facts["git"]["commit"] is None
    assert facts["command"].startswith("python ")


def test_dirty_tree_leaves_its_diff(tmp_path: Path) -> None:
    write_provenance(tmp_path, Provenance(facts={}, diff="+x"))
    assert (tmp_path / "provenance.diff").read_text() == "+x\n"
    write_provenance(tmp_path, Provenance(facts={}, diff=""))
    assert not (tmp_path / "provenance.diff").exists()
