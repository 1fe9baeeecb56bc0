"""Graph of the model for TensorBoard's Graphs tab, made from the traced computation.

`trace` traces the model to a jaxpr, `convert` turns that into nodes, `graph_def` into a GraphDef.
"""

import logging
from dataclasses import replace
from functools import lru_cache

from lm.config import InitializerConfig, ModelConfig
from lm.model.cells import CELLS
from lm.model.scan_vjp import CELL_VJPS
from sweeps.errors import first_line

log = logging.getLogger(__name__)


def graph_or_none(
    config: ModelConfig, vocab_size: int, batch_size: int, sequence_length: int
) -> bytes | None:
    """Make `model_graph`, or log a warning and return None: a trial can do without its graph.

    The graph depends on the inner form of jaxprs, which JAX changes between versions. It is made,
    or the warning logged, once a process for each shape.
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
    """Make a serialized GraphDef of a language model, from words to the mean loss.

    Scopes are the modules `embedding`, `layer_1`, ..., `hidden`, `output`, then `loss`; edges
    carry shapes. Equal models give equal bytes.
    """
    # Imported here, so that a name which another JAX lacks makes this function alone fail.
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
    names = NodeNames(STATES, CELL_VJPS[CELLS[config.cell]].residual_names)
    converter = JaxprConverter(graph, names)
    results = converter.convert(jaxpr, [value for (value,) in values], "")
    definition = to_graph_def(with_module_inputs(graph.needed(results)))
    serialized: bytes = definition.SerializeToString(deterministic=True)
    return serialized
