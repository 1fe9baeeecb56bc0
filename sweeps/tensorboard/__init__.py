"""Event files, hyperparameters, charts and links of TensorBoard, and its server."""
