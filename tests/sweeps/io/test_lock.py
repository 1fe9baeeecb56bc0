"""Who looks at a lock neither takes it nor is taken for its owner."""

import threading
from pathlib import Path

import pytest

from sweeps.errors import UserError
from sweeps.io.lock import is_locked, locked


def test_lock_is_seen_while_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / ".a.lock"
    assert not is_locked(path)
    assert not path.exists()
    with locked(path, "in use"):
        assert is_locked(path)
        with pytest.raises(UserError, match="in use"), locked(path, "in use"):
            pass
        assert is_locked(path)
    assert not is_locked(path)


def test_many_looks_refuse_nobody(tmp_path: Path) -> None:
    path = tmp_path / ".a.lock"
    path.touch()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            is_locked(path)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(30):
            with locked(path, "in use"):
                pass
    finally:
        ended.set()
        for thread in threads:
            thread.join()
