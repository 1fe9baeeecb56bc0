"""Training: the state and its step, the trainer and its loop, checkpoints, callbacks."""

from lm.training.callbacks import Callback
from lm.training.checkpoint import CheckpointManager
from lm.training.load import TrainedModel, load_trained
from lm.training.state import TrainState
from lm.training.step import train_step
from lm.training.trainer import Trainer

__all__ = [
    "Callback",
    "CheckpointManager",
    "TrainState",
    "TrainedModel",
    "Trainer",
    "load_trained",
    "train_step",
]
