"""How the workbench trains a multilayer perceptron: what can be set, what is set by default, and what it computes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from recurrence.nn import MLP
from recurrence.tree import Array
from recurrence.workbench.run import Training


@dataclass(frozen=True)
class Settings:
    """What a multilayer perceptron is made of.

    Attributes
    ----------
    hidden
        How many units each hidden layer has.
    dropout
        The share of hidden activations that is left out at random while learning.
    """

    hidden: tuple[int, ...]
    dropout: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))
        if not self.hidden or any(not isinstance(units, int) or units < 1 for units in self.hidden):
            raise ValueError(f"Each hidden layer needs a whole number of units, at least 1, not {list(self.hidden)}.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), not {self.dropout}.")


DEFAULTS: Mapping[str, tuple[Settings, Training]] = MappingProxyType(
    {
        # Chosen by leaving one of the eleven forms of training images out after the other.
        "digits": (
            Settings(hidden=(256,), dropout=0.5),
            Training(epochs=40, batch=32, lr=3e-3, decay=0.1, warmup=0.05, holdout=0.1),
        ),
        # Chosen by the accuracy on the hold-out, the last tenth of the training images.
        "mnist": (
            Settings(hidden=(512, 256), dropout=0.3),
            Training(epochs=20, batch=128, lr=2e-3, decay=0.05, warmup=0.05, holdout=0.1),
        ),
    }
)
"""For each data set that it can be trained on."""


def init(settings: Settings, shape: tuple[int, ...], classes: int, rng: np.random.Generator) -> MLP:
    """Draw a perceptron for images of a shape: a pixel is an input, and a class an output."""
    sizes = (int(np.prod(shape)), *settings.hidden, classes)
    return MLP.init(sizes, rng, dropout=settings.dropout)


def logits(model: MLP, images: Array, rng: np.random.Generator | None = None) -> Any:
    """Take images ``(B, height, width)``; return logits ``(B, classes)``. With ``rng`` units drop out."""
    return model(images.reshape(len(images), -1), rng)
