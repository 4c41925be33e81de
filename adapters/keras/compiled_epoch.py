"""An epoch's minibatches as one compiled loop: the one adapter module that calls JAX."""

from typing import Any


def loop_over_minibatches(model: Any, size: int) -> bool:
    """Let `model.fit` take an epoch as one batch of Keras', cut into minibatches of `size` rows.

    Keras' own `train_step` is called for each of them, so weights, metrics, regularisation and the
    optimiser's moments become what they would in Keras' loop; callbacks hear of batches once an
    epoch. The number of rows must be a multiple of `size`. `model` is a compiled keras.Model.
    Returned is whether that can be had: if not, nothing is changed, and Keras must be given one
    minibatch at a time. It needs JAX, whose calls cost more from Python than such steps.
    """
    import keras

    # In the mode called NNX Keras does not ask the instance for its step
    if keras.backend.backend() != "jax" or keras.config.is_nnx_enabled():
        return False

    import jax

    take_step = model.train_step

    def take_minibatch(state: Any, minibatch: Any) -> tuple[Any, Any]:
        logs, state = take_step(state, minibatch)
        return state, logs

    def take_epoch(state: Any, data: Any) -> tuple[Any, Any]:
        minibatches = jax.tree.map(lambda rows: rows.reshape(-1, size, *rows.shape[1:]), data)
        state, logs = jax.lax.scan(take_minibatch, state, minibatches)
        # metrics are running means, so the last ones are those of the epoch
        return jax.tree.map(lambda values: values[-1], logs), state

    model.train_step = take_epoch
    return True
