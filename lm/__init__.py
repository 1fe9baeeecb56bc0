"""Recurrent language models, trained alone or in sweeps.

The files beside this one are commands, `python -m lm.train` and so on; everything else is in a
package. docs/architecture.md says what is where.
"""
