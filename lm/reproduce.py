"""`python -m lm.reproduce outputs/SWEEP/TRIAL`: train it again, and compare all that it reported.

Says what of code, packages, text and device is not as it was recorded. The exit status is 0 where
every value is the same; with other threads or another device, where it is within `--tolerance`.
"""

import sys

from sweeps.config.application import Application
from sweeps.reproduce.command import main

APPLICATION = Application(
    objective="lm.training.loop.train",
    identify="lm.hooks.identity.identify",
    environment="lm.backend.devices.environment",
    pack="lm.training.pack_loop.train",
)

if __name__ == "__main__":
    sys.exit(main(APPLICATION))
