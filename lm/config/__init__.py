"""The configuration of a run: its schema, its checks, and what follows from it before JAX loads.

Sizes, identity and the split into traced and static options have modules of their own here.
"""

from lm.config.load import CONFIG_DIR, parse_config, register
from lm.config.schema import (
    OPTIMIZERS,
    RUN_ONLY,
    AdamConfig,
    Config,
    DataConfig,
    GradientFlowConfig,
    InitializerConfig,
    LogConfig,
    LossConfig,
    ModelConfig,
    MomentumConfig,
    OptimizerConfig,
    RMSPropConfig,
    TrainConfig,
    momentum_of,
)

__all__ = [
    "CONFIG_DIR",
    "OPTIMIZERS",
    "RUN_ONLY",
    "AdamConfig",
    "Config",
    "DataConfig",
    "GradientFlowConfig",
    "InitializerConfig",
    "LogConfig",
    "LossConfig",
    "ModelConfig",
    "MomentumConfig",
    "OptimizerConfig",
    "RMSPropConfig",
    "TrainConfig",
    "momentum_of",
    "parse_config",
    "register",
]
