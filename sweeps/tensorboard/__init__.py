"""TensorBoard: event files, hyperparameters, charts, projector, links and the server."""
