"""A classifier in PyTorch; its options come from files, one for each model.

python examples/pytorch/train.py model=linear,mlp lr=0.1,0.5
"""

import io
from typing import Any

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import sweeps


def build(options: Any) -> nn.Module:
    """Make the model that a file of the folder `model` describes."""
    if options.kind == "linear":
        return nn.Linear(64, 10)
    hidden = nn.Linear(64, options.width), nn.ReLU(), nn.Dropout(options.dropout)
    return nn.Sequential(*hidden, nn.Linear(options.width, 10))


@sweeps.experiment("conf/config.yaml", metric="valid/loss", metrics=["train/loss", "valid/loss"])
def train(config: Any, run: sweeps.Run) -> None:
    """Classify scikit-learn's images of digits."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images / 16, labels, random_state=0)
    x, x_valid = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
    y, y_valid = (torch.tensor(part) for part in parts[2:])
    torch.manual_seed(config.seed)
    model = build(config.model)
    optimizer = torch.optim.SGD(model.parameters(), config.lr, config.momentum)
    if state := run.restore():
        saved = torch.load(io.BytesIO(state["torch"]))
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
    for epoch in range(max(1, run.start), config.epochs + 1):
        torch.manual_seed(1000 * config.seed + epoch)  # of the epoch: a resumed run draws the same
        losses = []
        for batch in torch.randperm(len(y)).split(64):
            loss = nn.functional.cross_entropy(model.train()(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            valid = nn.functional.cross_entropy(model.eval()(x_valid), y_valid)
        train_loss = sum(losses) / len(losses)
        run.report(epoch, {"train/loss": train_loss, "valid/loss": valid}, config.epochs)
        saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(saved, file := io.BytesIO())
        run.save({"torch": file.getvalue()})


if __name__ == "__main__":
    train.main()
