"""Itemized gradients: which part of a recurrent layer's gradient came from the loss of which step.

After RNNbow (Cashman et al. 2017), for every cell, for stacks, and for long sequences. The loss of
step t reaches the layer again at every step j <= t, through the state. There it adds

    G[t, j] = h[j-1] (x) u[t, j]

to the gradient of the recurrent weights, where u[t, j] is the gradient of that loss for U h[j-1],
the state's share of the pre-activations at step j. The sum of G over all t, j and sequences is the
gradient that training uses, before clipping. The loss is the training loss as it is, a mean
over words; what enters the top layer at step t counts as the loss of step t. With
`model.weight_drop` the weights are the dropped ones.

For each pair (t, j) of one sequence a record holds, from the matrix G alone, of rank one:

| measure      | what it is                                                                    |
|--------------|-------------------------------------------------------------------------------|
| `norm`       | its Frobenius norm, the length of h[j-1] times that of u[t, j]                |
| `mean_abs`   | the mean of the absolute values of its entries                                |
| `mean`       | the absolute value of the mean of its entries, in which they may cancel       |
| `input_norm` | the norm of what the same step adds to the gradient of the cell's input weights |
| per unit     | the norm of the columns of one unit, all its gates; their squares add up      |
|              | to that of `norm`                                                             |

and it does so for each of these components:

| component      | which part of u                                                           |
|----------------|---------------------------------------------------------------------------|
| `layer_1/h`    | what comes back through h[j]: for rnn and gru all of it                   |
| `layer_1/c`    | lstm: what comes back from step j + 1 along the cell state, through c[j]  |
| `layer_1/both` | lstm: all of it, the sum of the two                                       |
| `layer_2/down` | no weights': the gradient that layer 2 hands down to layer 1 at step j;   |
|                | `norm`, `mean_abs`, `mean` and units are those of this vector             |

The loss of step t enters through h[t], so that `c` begins one step back. With a horizon only
the last K steps back from each loss are kept apart. What lies beyond is summed in one more row, so
that its share is known: the norm of the sum of G beyond over that plus the norm of the sum within.
"""
