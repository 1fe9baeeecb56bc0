"""A linear classifier of scikit-learn, trained epoch by epoch; its options are arguments.

python examples/sklearn_digits.py lr=0.001,0.01 loss=hinge,log_loss
"""

import pickle
from typing import Literal

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

import sweeps


@sweeps.experiment(metric="valid/error")
def train(
    run: sweeps.Run,
    lr: float = 0.01,
    l2: float = 1e-4,
    loss: Literal["hinge", "log_loss"] = "hinge",
    epochs: int = 10,
    seed: int = 0,
) -> None:
    """Classify scikit-learn's images of digits."""
    x, y = load_digits(return_X_y=True)
    x_train, x_valid, y_train, y_valid = train_test_split(x / 16, y, random_state=0)
    model = SGDClassifier(loss=loss, alpha=l2, learning_rate="constant", eta0=lr, random_state=seed)
    if state := run.restore():
        model = pickle.loads(state["model"])
    for epoch in range(max(1, run.start), epochs + 1):
        order = np.random.default_rng([seed, epoch]).permutation(len(y_train))
        model.partial_fit(x_train[order], y_train[order], classes=np.unique(y))
        errors = {
            "train/error": 1 - model.score(x_train, y_train),
            "valid/error": 1 - model.score(x_valid, y_valid),
        }
        run.report(epoch, errors, epochs)
        run.save({"model": pickle.dumps(model)})


if __name__ == "__main__":
    train.main()
