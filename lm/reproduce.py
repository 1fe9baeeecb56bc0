"""`python -m lm.reproduce outputs/SWEEP/TRIAL`: train it again, and compare all that it reported.

Lists what of code, packages, text and device is not as it was recorded. The exit status is 0 where
every value is the same; with other threads or another device, where it is within `--tolerance`.
"""

import sys

from lm.config import CONFIG_DIR
from sweeps.config import read_application
from sweeps.reproduce.command import main

if __name__ == "__main__":
    sys.exit(main(read_application(CONFIG_DIR / "config.yaml")))
