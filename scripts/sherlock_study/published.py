"""What the Sherlock study printed and showed: github.com/pat-coady/rnn, and its page.

Losses are NCE with 64 candidates, the mean of the last 20 batches of an epoch, on the text that is
trained on; there was no other.
"""

TRACE = {
    1: 4.935,
    2: 4.273,
    3: 4.122,
    5: 3.833,
    10: 3.432,
    20: 2.862,
    30: 2.538,
    40: 2.309,
    50: 2.113,
    60: 2.023,
    75: 2.033,
}
"""Epoch -> loss of sherlock_rnn.ipynb: embedding 64, LSTM 128, hidden layer 196, rate 0.05."""

TRACE_AGAIN = {1: 4.917, 2: 4.292, 5: 3.783, 75: 2.009}
"""Epoch -> loss of sherlock_rnn.ipynb, run a second time (commit c0e15bc)."""

GRID = {
    ("0.001", "0.8"): 36.889,
    ("0.001", "0.9"): 26.048,
    ("0.01", "0.8"): 6.299,
    ("0.01", "0.9"): 9.832,
    ("0.1", "0.8"): 5.178,
    ("0.1", "0.9"): 5.631,
}
"""(learning rate, momentum) -> loss after one epoch (sherlock_rnn_tune.ipynb, commit f72fbbe)."""

CLIPPED = {"0.01": (224.5, 226.8, 143.9), "0.1": (191.4, 150.6, 48.6), "1": (93.9, 63.4, 4.99)}
"""Clip level -> loss after 1, 2 and 25 epochs (sherlock_rnn_gradclip.ipynb, commit c0e15bc)."""

LAYERS = {"64": "2.8 to 2.9", "96": "2.6 to 2.75"}
"""Width of the hidden layer -> smoothed loss near update 190,000, read off the figure."""

SCHEDULE = {1: 5.849, 2: 5.007, 5: 3.936, 10: 3.406, 20: 3.003, 27: 2.860}
"""Epoch -> loss with 3 and 4 times the rate (sherlock_rnn_tune.ipynb, commit dc15270)."""

EXPLODED = {"3": "never", "5": "152,000", "10": "200,000"}
"""Steps of the basic RNN -> the update near which its loss explodes, read off the figure."""

CELL_HOURS = {"lstm": 1.55, "gru": 1.61}
"""Hours of 50 epochs, from the figure."""

ZERO, UNIGRAM = 231.0, 4.96
"""The loss of logits of 0 and of the exact word frequencies, for the study's 11,756 types."""

NEAREST = {
    "run": "walking play knowledge happened engaged",
    "mr": "st mrs dr continued above",
    "had:has::was": "is am are",
}
"""Query -> what the page's RNN answers, nearest first."""

SEED = (
    '" you will remember that i remarked the other day , just before we went into the very simple '
    "problem"
)
"""Words 11,000 to 11,019 of the text, from which the study's generated text starts."""
