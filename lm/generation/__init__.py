"""Generation of text by a trained model.

`decode` draws words in one compiled loop, `generator` makes any number of texts with it, `prompt`
reads prompts, `detokenize` turns tokens into readable text. Nothing is imported here, so that
`prompt` does not load JAX.
"""
