"""Optimisers: how a gradient changes a model, and how the learning rate changes over time.

Symbols, as in the chapter *Optimisation*:

============  ===============================================================================
``w``, ``g``  a parameter and its gradient
``lr``        the learning rate: a number, or a schedule that gives one for each update
``t``         the number of the update: 1 for the first
``m``, ``v``  first and second moment: running means of the gradient and of its square
============  ===============================================================================

An :class:`Optimiser` is two functions, ``start(model) -> state`` and
``update(model, grads, state) -> (model, state)``. The model that comes back is made of fresh arrays, and neither
the model nor the gradient that went in is written to. The state is used up: its arrays are changed in place and
handed on, so that a step through a large model needs no second copy of its moments. Only the state that came
back last is valid.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from recurrence import tree
from recurrence.tree import Array

Schedule: TypeAlias = Callable[[int], float]
Model = TypeVar("Model")

BLOCK = 65536
"""Numbers that an update works on at a time: few enough that what lies between two operations stays in the cache."""


class State(NamedTuple):
    """What an optimiser remembers from one update to the next.

    Attributes
    ----------
    updates
        How many updates there were: an array, so that a checkpoint holds it.
    moments
        Trees of the model's own shape: none for :func:`sgd`, the velocity for :func:`momentum`, m and v for
        :func:`adam`, and for :func:`amsgrad` the largest v as well.
    """

    updates: Array
    moments: tuple[Any, ...]


class Optimiser(NamedTuple):
    """Two functions: ``start(model) -> state`` and ``update(model, grads, state) -> (model, state)``."""

    start: Callable[[Any], State]
    update: Callable[[Any, Any, State], tuple[Any, State]]


def sgd(lr: float | Schedule) -> Optimiser:
    """Descend along the gradient.

    w ← w − lr g

    On a quadratic whose curvatures lie between λ₁ and λₙ = κ λ₁ the best rate is 2 / (λ₁ + λₙ), and each step then
    leaves at most (κ − 1) / (κ + 1) of the error; above 2 / λₙ it diverges.

    Parameters
    ----------
    lr
        Learning rate, or a schedule.
    """

    def rule(t: int, lr: float) -> Callable[..., None]:
        def step(new: Array, w: Array, g: Array) -> None:
            np.multiply(-lr, g, out=new)
            new += w

        return step

    return _each_number(rule, lr, moments=0)


def momentum(lr: float | Schedule, beta: float = 0.9) -> Optimiser:
    """Let a velocity gather the gradients, as a heavy ball does.

    | v ← β v + g
    | w ← w − lr v

    The gradient is not multiplied by 1 − β: where it stays the same, the steps grow to lr / (1 − β) times it. Some
    write u = −lr v instead; the two are the same as long as the rate is.

    Parameters
    ----------
    lr
        Learning rate, or a schedule.
    beta
        β in [0, 1), how much of the velocity is kept.

    References
    ----------
    Polyak, *Some methods of speeding up the convergence of iteration methods*, 1964. In this
    convention: Sutskever, Martens, Dahl and Hinton, ICML 2013, equations 1 and 2 with v in units of −lr.
    """
    beta = _share("beta", beta)

    def rule(t: int, lr: float) -> Callable[..., None]:
        def step(new: Array, w: Array, g: Array, v: Array) -> None:
            v *= beta
            v += g
            np.multiply(-lr, v, out=new)
            new += w

        return step

    return _each_number(rule, lr, moments=1)


def adam(lr: float | Schedule = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Optimiser:
    """Divide the mean gradient by its typical size, so that each parameter moves by about ``lr`` a step.

    | m ← β₁ m + (1 − β₁) g
    | v ← β₂ v + (1 − β₂) g²
    | w ← w − lr m̂ / (√v̂ + ε)  with  m̂ = m / (1 − β₁ᵗ)  and  v̂ = v / (1 − β₂ᵗ)

    The two hats undo that m and v start at zero; so the first step is lr sign(g), nearly.

    Parameters
    ----------
    lr
        Learning rate, or a schedule.
    beta1, beta2
        β₁ and β₂ in [0, 1): what is kept of the mean gradient and of the mean square.
    eps
        ε, which keeps a parameter without gradient where it is.

    References
    ----------
    Kingma and Ba, *Adam: a method for stochastic optimization*, ICLR 2015, algorithm 1.
    """
    return adamw(lr, 0.0, beta1, beta2, eps)


def adamw(
    lr: float | Schedule = 1e-3,
    decay: float = 0.01,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> Optimiser:
    """Take the step of :func:`adam`, and beside it let every parameter shrink by the same share.

    w ← (1 − lr λ) w − lr m̂ / (√v̂ + ε)

    A penalty ½ λ w² in the loss would pass through the division, and hardly hold the parameters with large
    gradients. Here the decay is decoupled from the gradient.

    Parameters
    ----------
    lr
        Learning rate, or a schedule; the decay follows it.
    decay
        λ, at least 0.
    beta1, beta2, eps
        As in :func:`adam`.

    References
    ----------
    Loshchilov and Hutter, *Decoupled weight decay regularization*, ICLR 2019, algorithm 2, where lr λ is
    written as η λ with the rate α kept apart.
    """
    return _adaptive(lr, decay, beta1, beta2, eps, forget=True)


def amsgrad(lr: float | Schedule = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Optimiser:
    """Take the step of :func:`adam`, but divide by the largest v so far, so that no large gradient is ever forgotten.

    | v ← β₂ v + (1 − β₂) g²  and  u ← max(u, v)
    | w ← w − lr m̂ / (√û + ε)  with  û = u / (1 − β₂ᵗ)

    Parameters
    ----------
    lr
        Learning rate, or a schedule.
    beta1, beta2, eps
        As in :func:`adam`.

    References
    ----------
    Reddi, Kale and Kumar, *On the convergence of Adam and beyond*, ICLR 2018, algorithm 2, which leaves out ε and
    both hats. With them, as here, it is what PyTorch and Keras do.
    """
    return _adaptive(lr, 0.0, beta1, beta2, eps, forget=False)


def _adaptive(lr: float | Schedule, decay: float, beta1: float, beta2: float, eps: float, *, forget: bool) -> Optimiser:
    """Make :func:`adamw`, with the moments m and v, or, if it shall not forget the largest v, :func:`amsgrad`."""
    beta1, beta2 = _share("beta1", beta1), _share("beta2", beta2)
    decay, eps = _at_least_zero("decay", decay), _at_least_zero("eps", eps)

    def rule(t: int, lr: float) -> Callable[..., None]:
        # The hats are pulled out of the arrays: lr m̂ / (√v̂ + ε) = rate m / (√v + small).
        c1, c2 = 1 - beta1**t, math.sqrt(1 - beta2**t)
        rate, small, keep = lr * c2 / c1, c2 * eps, 1 - lr * decay

        # Until it holds the result, ``new`` holds what lies between two operations.
        def step(new: Array, w: Array, g: Array, m: Array, v: Array, *largest: Array) -> None:
            m *= beta1
            m += np.multiply(1 - beta1, g, out=new)
            v *= beta2
            v += np.multiply(np.multiply(1 - beta2, g, out=new), g, out=new)
            for u in largest:
                v = np.maximum(u, v, out=u)
            np.sqrt(v, out=new)
            new += small
            np.divide(m, new, out=new)
            new *= -rate
            new += keep * w if decay else w

        return step

    return _each_number(rule, lr, moments=2 if forget else 3)


def clip_norm(limit: float, optimiser: Optimiser) -> Optimiser:
    """Shorten a gradient that is longer than ``limit``, in one for all parameters, before another optimiser sees it.

    g ← g min(1, limit / ‖g‖)

    Parameters
    ----------
    limit
        The greatest length, positive.
    optimiser
        What uses the shortened gradient.

    References
    ----------
    Pascanu, Mikolov and Bengio, *On the difficulty of training recurrent neural networks*, ICML 2013, algorithm 1.
    """
    if not limit > 0:
        raise ValueError(f"A gradient cannot be clipped to the length {limit}; give a positive limit.")

    def update(model: Any, grads: Any, state: State) -> tuple[Any, State]:
        length = norm(grads)
        if length > limit:
            scale = float(limit) / length
            grads = tree.map(lambda g: scale * g, grads)
        return optimiser.update(model, grads, state)

    return Optimiser(optimiser.start, update)


def norm(grads: Any) -> float:
    """Measure a gradient as one long vector: ‖g‖ = √(Σ g²) over all its numbers.

    Parameters
    ----------
    grads
        A tree of arrays.
    """
    return math.hypot(*(float(np.linalg.norm(g)) for g in tree.leaves(grads)))


def constant(lr: float) -> Schedule:
    """Keep one rate for ever.

    Parameters
    ----------
    lr
        The rate, positive and finite.
    """
    lr = float(lr)
    if not 0 < lr < math.inf:
        raise ValueError(f"A learning rate must be positive and finite, not {lr}.")
    return lambda t: lr


def warmup(updates: int, after: float | Schedule) -> Schedule:
    """Let a rate grow in a straight line during the first updates.

    lr(t) = min(1, t / updates) · after(t)

    Parameters
    ----------
    updates
        How many updates until the full rate is reached.
    after
        The rate, or the schedule that is warmed up to. It counts from the first update, not from the end of the
        warm-up.

    References
    ----------
    Goyal et al., *Accurate, large minibatch SGD: training ImageNet in 1 hour*, 2017, section 2.2.
    """
    updates, schedule = _count(updates), _schedule(after)
    return lambda t: min(1.0, t / updates) * schedule(t)


def cosine(lr: float, updates: int, final: float = 0.0) -> Schedule:
    """Let a rate fall along half a cosine: gently first, steadily, gently again.

    lr(t) = final + ½ (lr − final) (1 + cos(π (t − 1) / updates)), and ``final`` after so many updates

    Parameters
    ----------
    lr
        The rate of the first update.
    updates
        How many updates the fall takes.
    final
        The rate at its end.

    References
    ----------
    Loshchilov and Hutter, *SGDR: stochastic gradient descent with warm restarts*, ICLR 2017, equation 5.
    """
    updates, start = _count(updates), constant(lr)(1)
    final = _at_least_zero("final", final)
    return lambda t: final + (start - final) * (1 + math.cos(math.pi * min(t - 1, updates) / updates)) / 2


def step_decay(lr: float, updates: int, factor: float = 0.1) -> Schedule:
    """Let a rate fall in stairs.

    lr(t) = lr · factor^⌊(t − 1) / updates⌋

    Parameters
    ----------
    lr
        The rate of the first stair.
    updates
        How many updates a stair is long.
    factor
        What the rate is multiplied by at the end of each.
    """
    updates, start = _count(updates), constant(lr)(1)
    factor = _at_least_zero("factor", factor)
    return lambda t: start * factor ** ((t - 1) // updates)


def _each_number(rule: Callable[[int, float], Callable[..., None]], lr: float | Schedule, moments: int) -> Optimiser:
    """Make an optimiser of a rule that treats every number of a model alike.

    ``rule(t, lr)`` gives the step of one update, ``step(new, w, g, *moments)``, which writes the new w into ``new`` and
    changes the moments in place. It sees flat blocks of real numbers; a complex parameter is to it two real ones.
    """
    schedule = _schedule(lr)

    def start(model: Any) -> State:
        # In C order whatever the model's is, so that a flat view always exists.
        trees = (tree.map(lambda w: np.zeros(w.shape, w.dtype), model) for _ in range(moments))
        return State(np.zeros((), np.int64), tuple(trees))

    def update(model: Model, grads: Model, state: State) -> tuple[Model, State]:
        t = int(state.updates) + 1
        step = rule(t, float(schedule(t)))

        def renew(w: Array, *others: Array) -> Array:
            new = np.empty(w.shape, w.dtype)
            flat, *rest = (_flat(array) for array in (new, w, *others))
            for begin in range(0, flat.size, BLOCK):
                block = slice(begin, begin + BLOCK)
                step(flat[block], *(array[block] for array in rest))
            return new

        return tree.map(renew, model, grads, *state.moments), State(np.array(t), state.moments)

    return Optimiser(start, update)


def _flat(array: Array) -> Array:
    """View an array in C order as a row of real numbers; copy one in another order."""
    row = array.reshape(-1)
    return row.view(row.real.dtype) if np.iscomplexobj(row) else row


def _schedule(lr: float | Schedule) -> Schedule:
    return lr if callable(lr) else constant(lr)


def _share(name: str, value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError(f"What is kept from step to step must lie in [0, 1), but {name} = {value}.")
    return float(value)


def _at_least_zero(name: str, value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be finite and at least 0, not {value}.")
    return float(value)


def _count(updates: int) -> int:
    if updates < 1:
        raise ValueError(f"A schedule must last one update at least, not {updates}.")
    return int(updates)
