"""A model outside of this program: its parameters in files that other libraries read.

`exported` is what an export knows of a model; `to_safetensors`, `to_torch` and `to_onnx` write it,
`source` reads what another training begins with. Nothing is imported here, and nothing in this
package loads JAX.
"""
