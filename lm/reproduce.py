"""`python -m lm.reproduce outputs/SWEEP/TRIAL`: train it again, and compare all that it reported.

Says what of code, packages, text and device is not as it was recorded. The exit status is 0 where
every value is the same; with other threads or another device, where it is within `--tolerance`.
"""

import sys

from sweeps.reproduce import Application, main

APPLICATION = Application(
    objective="lm.loop.train",
    identify="lm.identity.identify",
    environment="lm.devices.environment",
    pack="lm.pack.train",
)

if __name__ == "__main__":
    sys.exit(main(APPLICATION))
