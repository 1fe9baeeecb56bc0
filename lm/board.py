"""`python -m lm.board [FOLDER]`: see all runs in TensorBoard; see `sweeps.cli.board`."""

from sweeps.cli.board import main

PINNED = ("valid/perplexity", "train/loss")
CURVES = "^(train|valid)/(loss|perplexity)$"

if __name__ == "__main__":
    main(command="python -m lm.board", pinned=PINNED, tags=CURVES)
