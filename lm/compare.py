"""`python -m lm.compare FOLDER...`: compare the trials of sweeps; see `sweeps.cli.compare`."""

from sweeps.cli.compare import main

if __name__ == "__main__":
    main(command="python -m lm.compare")
