"""The configuration of a run: its schema, its checks, and what follows from it before JAX loads.

Sizes, identity and the split into traced and static options have modules of their own here.
"""

from lm.config.load import CONFIG_DIR, parse_config, register
from lm.config.schema import (
    OPTIMIZERS,
    RUN_ONLY,
    AdamConfig,
    AdamWConfig,
    Config,
    DataConfig,
    GradientFlowConfig,
    InitializerConfig,
    LionConfig,
    LogConfig,
    LossConfig,
    ModelConfig,
    MomentumConfig,
    MuonConfig,
    OptimizerConfig,
    RMSPropConfig,
    TrainConfig,
    momentum_of,
    varies_by_update,
)

__all__ = [
    "CONFIG_DIR",
    "OPTIMIZERS",
    "RUN_ONLY",
    "AdamConfig",
    "AdamWConfig",
    "Config",
    "DataConfig",
    "GradientFlowConfig",
    "InitializerConfig",
    "LionConfig",
    "LogConfig",
    "LossConfig",
    "ModelConfig",
    "MomentumConfig",
    "MuonConfig",
    "OptimizerConfig",
    "RMSPropConfig",
    "TrainConfig",
    "momentum_of",
    "parse_config",
    "register",
    "varies_by_update",
]
