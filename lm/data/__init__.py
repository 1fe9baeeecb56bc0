"""Text as ids: corpora, tokens, vocabularies, windows and batches.

Importing this package does not load JAX; `lm.data.batches`, which does, is imported by its path.
"""

from lm.data.dataset import Dataset, load_dataset
from lm.data.vocabulary import Vocabulary

__all__ = ["Dataset", "Vocabulary", "load_dataset"]
