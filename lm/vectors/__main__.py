"""`python -m lm.vectors WHERE ...`: the word vectors of trained models, and what they know."""
