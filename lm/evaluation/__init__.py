"""A trained model's perplexity on a text, word by word, with or without a neural cache."""
