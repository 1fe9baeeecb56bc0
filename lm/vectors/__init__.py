"""Word vectors: nearest words, analogies, human judgements, files that other tools read."""
