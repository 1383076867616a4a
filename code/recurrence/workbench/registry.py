"""The models that the workbench can train, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from recurrence.workbench import mlp
from recurrence.workbench.run import Training


@dataclass(frozen=True)
class Recipe:
    """What the workbench needs to know of a model.

    Attributes
    ----------
    description
        One line.
    settings
        The frozen dataclass of what can be set about it.
    defaults
        Its settings and its training for each data set that it can be trained on.
    init
        ``init(settings, shape, classes, rng)`` draws a model for inputs of a shape.
    logits
        ``logits(model, inputs, rng=None)`` computes ``(B, classes)``. It is given ``rng`` while learning.
    """

    description: str
    settings: type[Any]
    defaults: Mapping[str, tuple[Any, Training]]
    init: Callable[..., Any]
    logits: Callable[..., Any]


MODELS: Mapping[str, Recipe] = MappingProxyType(
    {
        "mlp": Recipe("multilayer perceptron", mlp.Settings, mlp.DEFAULTS, mlp.init, mlp.logits),
    }
)
