"""TensorBoard's server, set up for many runs."""

import subprocess
import sys


def test_limit_of_open_files_is_raised_as_far_as_may_be() -> None:
    """In a process of its own, which may open 64 files, and 200 if it asks."""
    program = (
        "import resource as r; from sweeps.tensorboard import server;"
        "r.setrlimit(r.RLIMIT_NOFILE, (64, 200));"
        "print(server.raise_open_file_limit(100), r.getrlimit(r.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "200 (200, 200)\n", done.stderr
