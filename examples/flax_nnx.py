"""A multilayer perceptron in Flax, trained by Optax; its options are the fields of a dataclass.

python examples/flax_nnx.py lr=0.003,0.03 optimizer=adam,sgd
"""

from dataclasses import dataclass

import jax
import numpy as np
import optax
from flax import nnx
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import sweeps


@dataclass
class Config:
    """Options and their defaults."""

    optimizer: str = "adam"
    lr: float = 0.01
    width: int = 32
    epochs: int = 10
    seed: int = 0


def mean_loss(model, images, labels):
    """Return the mean cross entropy."""
    return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()


@nnx.jit
def update(model, optimizer, images, labels):
    """Make a step of training."""
    loss, gradient = nnx.value_and_grad(mean_loss)(model, images, labels)
    optimizer.update(model, gradient)
    return loss


@sweeps.experiment(metric="valid/loss")
def train(config: Config, run: sweeps.Run):
    """Classify scikit-learn's images of digits; a trial that is interrupted begins anew."""
    x, x_valid, y, y_valid = train_test_split(*load_digits(return_X_y=True), random_state=0)
    rngs = nnx.Rngs(config.seed)
    layers = nnx.Linear(64, config.width, rngs=rngs), jax.nn.relu
    model = nnx.Sequential(*layers, nnx.Linear(config.width, 10, rngs=rngs))
    rule = getattr(optax, config.optimizer)(config.lr)
    optimizer = nnx.Optimizer(model, rule, wrt=nnx.Param)
    for epoch in range(1, config.epochs + 1):
        for batch in np.array_split(rngs.permutation(len(y)), 21):
            loss = update(model, optimizer, x[batch] / 16, y[batch])
        valid = mean_loss(model, x_valid / 16, y_valid)
        run.report(epoch, {"train/loss": loss, "valid/loss": valid}, config.epochs)


if __name__ == "__main__":
    train.main()
