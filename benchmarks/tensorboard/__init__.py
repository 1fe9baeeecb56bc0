"""TensorBoard under measurement: a headless browser, and runs to show in it."""
