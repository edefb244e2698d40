"""Which words of a vocabulary a training reads, so that the others can be left out of it (``embeddings``), or why all of them may be read.

It knows a job's rows and the kinds of networks and objectives that read other words than the rows hold. It changes nothing.
"""

import numpy as np

from weitiao.engine.job import Job
from weitiao.engine.objectives import Objective
from weitiao.engine.own_network import OwnNetwork
from weitiao.messages import _


def why_every_word(job: Job) -> str:
    """Why a training may read words that its rows do not hold, as part of a sentence; "" where it reads no others."""
    network = job.loaded.network
    family = network.config.model_type
    if isinstance(network, OwnNetwork):
        return _("a network of somebody's own may look up other words than the rows hold")
    if type(job.objective).drawn is not Objective.drawn:
        return _("this task hides other words at every step")
    if getattr(network.config, "is_encoder_decoder", False):
        return _("{family} reads the words of its answers as well").format(family=family)
    if not hasattr(network, "get_input_embeddings"):
        return _("{family} has no single table of words").format(family=family)
    return ""


def words_in_use(job: Job, words: int) -> np.ndarray:
    """(words,) whether each of the vocabulary's words stands in a row of the training, or fills one up."""
    used = np.zeros(words, dtype=bool)
    used[job.loaded.padding["input_ids"]] = True
    for features in (one for example in job.examples for one in example):
        used[features.inputs["input_ids"]] = True
    return used
