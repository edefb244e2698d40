"""Gradient checkpointing: activations are computed again on the way back, and not kept. It knows networks and no loop."""

from typing import Any

from weitiao.errors import UsageError
from weitiao.messages import _


def checkpoint_activations(network: Any) -> None:
    """Switch it on for a network, its layers one by one. Raises UsageError where its family has none."""
    try:
        network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    except ValueError as error:  # transformers' way to say that the family has none
        message = _("--gradient-checkpointing is not made for {family} models. Leave it out, and set a --token-budget instead.")
        raise UsageError(message.format(family=network.config.model_type)) from error
    # transformers lets gradients go back to the embeddings, as the reentrant way needs. Ours does not, and below the lowest weights that
    # learn that would be work for nothing.
    for module in network.modules():
        if hasattr(module, "disable_input_require_grads"):
            module.disable_input_require_grads()
