"""Training losses over the vocabulary, whole or sampled, and penalties on activations."""
