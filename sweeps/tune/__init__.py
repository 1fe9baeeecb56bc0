"""All of Ray: the cluster, Ray Tune's tuner, and the workers that train trials."""
