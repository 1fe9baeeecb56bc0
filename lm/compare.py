"""`python -m lm.compare FOLDER...`: compare the trials of sweeps; see `sweeps.cli.compare`."""

from sweeps.cli.compare import main


def run() -> None:
    """Run the command with the arguments of this process."""
    main(command="python -m lm.compare")


if __name__ == "__main__":
    run()
