"""The recurrent cells `rnn`, `gru` and `lstm` as Flax modules: one time step each.

Shapes: B batch, E inputs of the layer, H units, G gates (1 for rnn, 3 for gru, 4 for lstm). The
gates' columns stand side by side in each matrix, in PyTorch's order. `lm.model.recurrence` runs a
cell over a sequence.
"""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.nn import sigmoid

from lm.backend.transfer import to_device
from lm.model.initializers import Initializer, zeros
from lm.model.types import Carry


class RecurrentCell(nnx.RNNCellBase):
    """What the cells share: parameters, and a state that starts at zero.

    Attributes:
      input_kernel: W, [E, G*H].
      recurrent_kernel: U, [H, G*H].
      bias: b, [G*H]; zero at first.
    """

    gates: ClassVar[int]
    """G, the candidate for the new state included."""
    carry_names: ClassVar[tuple[str, ...]] = ("h",)
    """Names of the arrays of the carry, each [B, H]; the first is the output."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        kernel_init: Initializer,
        rngs: nnx.Rngs,
    ) -> None:
        """Draw the parameters.

        Args:
          in_features: E.
          hidden_features: H.
          kernel_init: draws both kernels.
          rngs: its stream `params` gives the keys.
        """
        self.in_features, self.hidden_features = in_features, hidden_features
        width = self.gates * hidden_features
        self.input_kernel = nnx.Param(kernel_init(rngs.params(), (in_features, width)))
        self.recurrent_kernel = nnx.Param(kernel_init(rngs.params(), (hidden_features, width)))
        self.bias = nnx.Param(zeros(width))

    def initialize_carry(
        self,
        input_shape: tuple[int, ...],
        rngs: nnx.Rngs | nnx.RngStream | None = None,
        carry_init: object = None,
    ) -> Carry:
        """Return the state before the first step, all zeros.

        Args:
          input_shape: of one step's inputs, [..., E].
          rngs, carry_init: part of Flax's protocol; not used.
        """
        shape = (*input_shape[:-1], self.hidden_features)
        return tuple(jnp.zeros(shape, jnp.float32) for _ in self.carry_names)

    @property
    def num_feature_axes(self) -> int:
        """Number of axes of the inputs behind those of the batch."""
        return 1


class RNNCell(RecurrentCell):
    """Simple recurrent network (Elman 1990).

    h_t = tanh(W x_t + b + U h_{t-1})
    """

    gates = 1

    def __call__(self, carry: Carry, inputs: Array) -> tuple[Carry, Array]:
        """Take one step: carry (h,) and inputs [B, E] -> carry (h,) and output h, [B, H]."""
        (h,), x = carry, inputs
        W, U = self.input_kernel[...], self.recurrent_kernel[...]  # noqa: N806
        b = self.bias[...][None, :]
        h = jnp.tanh(x @ W + b + h @ U)
        return (h,), h


class GRUCell(RecurrentCell):
    """Gated recurrent unit, its reset gate after the product (Cho et al. 2014, v1; as in cuDNN).

    r = sigmoid(W_r x_t + b_r + U_r h_{t-1});  z = sigmoid(W_z x_t + b_z + U_z h_{t-1})
    n = tanh(W_n x_t + b_n + r * (U_n h_{t-1} + c_n));  h_t = (1 - z) * n + z * h_{t-1}

    Attributes:
      recurrent_bias: c_n, [H]; zero at first.
    """

    gates = 3

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        kernel_init: Initializer,
        rngs: nnx.Rngs,
    ) -> None:
        """Draw the parameters; arguments as of `RecurrentCell`."""
        super().__init__(in_features, hidden_features, kernel_init=kernel_init, rngs=rngs)
        self.recurrent_bias = nnx.Param(zeros(hidden_features))

    def __call__(self, carry: Carry, inputs: Array) -> tuple[Carry, Array]:
        """Take one step: carry (h,) and inputs [B, E] -> carry (h,) and output h, [B, H]."""
        (h,), x = carry, inputs
        W, U = self.input_kernel[...], self.recurrent_kernel[...]  # noqa: N806
        b = self.bias[...][None, :]
        x_r, x_z, x_n = jnp.split(x @ W + b, 3, axis=-1)
        u_r, u_z, u_n = jnp.split(h @ U, 3, axis=-1)
        r = sigmoid(x_r + u_r)
        z = sigmoid(x_z + u_z)
        n = jnp.tanh(x_n + r * (u_n + self.recurrent_bias[...][None, :]))
        h = (1 - z) * n + z * h
        return (h,), h


class LSTMCell(RecurrentCell):
    """Long short-term memory without peepholes (Zaremba et al. 2014, section 3).

    i, f, o = sigmoid(W x_t + b + U h_{t-1});  g = tanh(W x_t + b + U h_{t-1}), each its own part
    c_t = f * c_{t-1} + i * g;  h_t = o * tanh(c_t)
    """

    gates = 4
    carry_names = ("h", "c")

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        kernel_init: Initializer,
        forget_bias: float = 0.0,
        rngs: nnx.Rngs,
    ) -> None:
        """Draw the parameters.

        Args:
          in_features, hidden_features, kernel_init, rngs: as of `RecurrentCell`.
          forget_bias: b of the forget gate at first; above zero, the cell remembers from the start
            (Jozefowicz et al. 2015).
        """
        super().__init__(in_features, hidden_features, kernel_init=kernel_init, rngs=rngs)
        bias = np.zeros(4 * hidden_features, np.float32)
        bias[hidden_features : 2 * hidden_features] = forget_bias
        self.bias = nnx.Param(to_device(bias))

    def __call__(self, carry: Carry, inputs: Array) -> tuple[Carry, Array]:
        """Take one step: carry (h, c) and inputs [B, E] -> carry (h, c) and output h, [B, H]."""
        (h, c), x = carry, inputs
        W, U = self.input_kernel[...], self.recurrent_kernel[...]  # noqa: N806
        b = self.bias[...][None, :]
        i, f, g, o = jnp.split(x @ W + b + h @ U, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
        h = sigmoid(o) * jnp.tanh(c)
        return (h, c), h


CELLS: dict[str, type[RecurrentCell]] = {"rnn": RNNCell, "gru": GRUCell, "lstm": LSTMCell}
"""The cell that each value of `model.cell` names."""
