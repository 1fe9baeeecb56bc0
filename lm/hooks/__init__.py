"""What `conf/config.yaml` names for a sweep: identity, cost, workload and limits of packs."""
