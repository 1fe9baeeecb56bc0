"""Which differences of two runs' machines allow a tolerance."""

from sweeps.reproduce.verdict import reasons_for_tolerance


def test_only_what_changes_bits_loosens_the_comparison() -> None:
    here = {"cpus": 2, "device": "cpu", "environment": {"NPROC": "2"}, "hostname": "a"}
    assert reasons_for_tolerance(here, {**here, "hostname": "b"}) == []
    assert reasons_for_tolerance({}, here) == ["its number of threads is not recorded"]
    assert reasons_for_tolerance(here, {**here, "device": "gpu"}) == [
        "it ran on cpu and now on gpu"
    ]
    flags = {"NPROC": "2", "FLAGS": "fast"}
    assert reasons_for_tolerance(here, {**here, "environment": flags}) == [
        "its environment was another (FLAGS: not set, now fast)"
    ]
