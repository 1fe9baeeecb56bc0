"""Generation of text by a trained model.

`decode` draws words in one compiled loop, `generator` makes any number of texts with it, `prompt`
reads prompts, `trained` takes what the user does not say from a model's trial, `detokenize` turns
tokens into readable text. Nothing is imported here, so that
`prompt` does not load JAX.
"""
