"""Functions that `conf/config.yaml` names for sweeps: identity, metrics, cost, limits of packs."""
