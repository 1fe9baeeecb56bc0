"""`python -m lm.board [FOLDER]`: see all runs in TensorBoard; see `sweeps.cli.board`."""

from sweeps.cli.board import main

PINNED = ("valid/perplexity", "train/loss")


def run() -> None:
    """Run the command with the arguments of this process."""
    main(command="python -m lm.board", pinned=PINNED, compare="python -m lm.compare")


if __name__ == "__main__":
    run()
