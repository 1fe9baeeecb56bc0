"""The model as TensorBoard's Graphs tab shows it, made from the traced computation.

`trace` says what the model computes, `walk` turns that into the operations of `nodes`.
"""

import logging
from dataclasses import replace
from functools import lru_cache

from lm.config.schema import InitializerConfig, ModelConfig
from lm.model.cells import CELLS
from sweeps.errors import first_line

log = logging.getLogger(__name__)


def graph_or_none(
    config: ModelConfig, vocab_size: int, batch_size: int, sequence_length: int
) -> bytes | None:
    """The same as `model_graph`; if that fails, a warning and None, for a trial can do without.

    It leans on the inner form of traced computations, which JAX changes between versions. It is
    made, or warned of, once a process for each shape.
    """
    start = InitializerConfig("uniform", 1.0)
    whole = replace(config, dropout=0.0, input_dropout=None, output_dropout=None)
    whole = replace(whole, dropout_kind="step", embedding_dropout=0.0, weight_drop=0.0)
    shape = replace(whole, forget_bias=0.0, embed_scale=1.0, initializer=start)
    return _once(shape, vocab_size, batch_size, sequence_length)


@lru_cache(maxsize=64)
def _once(*shape: object) -> bytes | None:
    try:
        return model_graph(*shape)  # type: ignore[arg-type]
    except Exception as error:  # whatever another version of JAX or Flax may bring
        reason = first_line(error)
        log.warning("The model's graph is left out of TensorBoard: %s.", reason)
        return None


def model_graph(
    config: ModelConfig, vocab_size: int, batch_size: int, sequence_length: int
) -> bytes:
    """A serialised GraphDef of a language model, from words to the mean loss.

    Its scopes are the modules `embedding`, `layer_1`, ..., `hidden`, `output`, then `loss`; edges
    carry shapes; equal models give equal bytes.
    """
    # Here, so that what another JAX no longer has to import is a failure of this alone.
    from lm.monitor.graph.convert import JaxprConverter, NodeNames
    from lm.monitor.graph.graph_def import Graph, TensorSpec, to_graph_def, with_module_inputs
    from lm.monitor.graph.trace import STATES, trace

    jaxpr, inputs = trace(config, vocab_size, batch_size, sequence_length)
    graph = Graph()
    values = [
        graph.add(
            given.scope, given.op, (), [TensorSpec(aval.shape, str(aval.dtype))], label=given.name
        )
        for given, aval in zip(inputs, jaxpr.in_avals, strict=True)
    ]
    walk = JaxprConverter(graph, NodeNames(STATES, CELLS[config.cell].kept))
    results = walk.computation(jaxpr, [value for (value,) in values], "")
    definition = to_graph_def(with_module_inputs(graph.needed(results)))
    serialised: bytes = definition.SerializeToString(deterministic=True)
    return serialised
