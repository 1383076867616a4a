"""Reverse-mode differentiation of plain NumPy code.

To differentiate f, we run it on a :class:`Variable` in place of an array. NumPy hands every function that
meets a variable to ``record``, which computes the value as ever and puts it on a ``Tape`` together
with the call that gave it. How a gradient passes back through one call is one line of the table in
``gradients.py``; how it passes back through all of f is one walk over the tape, ``sweep``.

Throughout, y is computed from x, and dy is the gradient of the final scalar with respect to y: an array in
the shape of y. In a rule or a pull x and y are plain values.

Complex numbers: inside, dy gives the change of the scalar as Re(Σ dy δy), and all rules read as for real
numbers. Handed out is the conjugate, ∂/∂Re x + i ∂/∂Im x, which points the steepest way up.
Arrays that a recorded call has used must not be overwritten before the gradient is taken.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from recurrence import gradients, tree
from recurrence.gradients import GRADIENTS, Part, check_call, fit, gradient, name

__all__ = ["Variable", "constant", "grad", "gradient", "primitive", "value_and_grad"]


class Tape:
    """The variables of one differentiation, in the order in which they were made.

    Where f takes a gradient itself, differentiations nest. The inner one begins later and has the higher
    level; the values on its tape may be variables of the outer one.
    """

    levels = itertools.count()

    def __init__(self) -> None:
        self.level = next(self.levels)
        self.variables: list[Variable] | None = []  # None when the differentiation is over


class Variable:
    """A value and the call that gave it; NumPy and model code use it as they use an array.

    ``rules`` is what the table has for the call, or a pull that takes dy to the gradients of all ``args``.
    """

    __slots__ = ("args", "gradient", "kwargs", "owned", "rules", "tape", "value")

    def __init__(self, value: Any, tape: Tape, rules: Any = None, args: Any = (), kwargs: Any = None) -> None:
        if tape.variables is None:
            raise RuntimeError("A variable has outlived its differentiation; return what is wanted with has_aux=True.")
        tape.variables.append(self)
        self.value, self.tape, self.rules, self.args, self.kwargs = value, tape, rules, args, kwargs
        self.gradient: Any = None
        self.owned = False  # whether nothing else holds the memory of the gradient

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            raise TypeError(f"no gradient for {name(ufunc)}.{method}; use a function such as np.sum or np.cumsum.")
        return record(ufunc, args, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return record(function, args, kwargs)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("A variable cannot become a plain array; use np.stack, or constant(x), which has no gradient.")

    def _change(self, *_: Any) -> Any:
        raise TypeError("A variable cannot change in place; write x = x + y, or use np.where, np.stack or the like.")

    __float__ = __int__ = __complex__ = __index__ = __reduce_ex__ = __array__
    __setitem__ = _change
    __hash__ = None  # type: ignore[assignment]

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """Pass for an array where ``isinstance`` asks, as model code does and :mod:`recurrence.tree`."""
        return np.ndarray


def _operator(function: Any) -> Any:
    return lambda self, *others: record(function, (self, *others), {})


def _reflected(function: Any) -> Any:
    return lambda self, other: record(function, (other, self), {})


for _name, _function in (gradients.ARITHMETIC | gradients.OPERATORS).items():
    setattr(Variable, f"__{_name}__", _operator(_function))
for _name, _function in gradients.ARITHMETIC.items():
    setattr(Variable, f"__r{_name}__", _reflected(_function))
    setattr(Variable, f"__i{_name}__", Variable._change)
for _name, _function in gradients.METHODS.items():
    setattr(Variable, _name, functools.partialmethod(_function))
for _name, _function in gradients.ATTRIBUTES.items():
    setattr(Variable, _name, property(_function, doc="As an array has it."))


def record(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call a function on the values of its arguments, and put the result on their tape."""
    rules = GRADIENTS.get(function)
    if rules is None:
        if function in gradients.CONSTANT:
            return function(*map(constant, args), **{key: constant(x) for key, x in kwargs.items()})
        if function not in gradients.COMPOSED:
            raise TypeError(f"no gradient for {name(function)}; say it in other functions or give it a gradient.")
        check_call(function, len(args), *kwargs)
        return gradients.COMPOSED[function](*args, **kwargs)
    if kwargs:
        args, kwargs = gradients.by_position(function, args, kwargs)
    check_call(function, len(args), *kwargs)
    tape = _innermost(args)
    return Variable(function(*_values(args, tape), **kwargs), tape, rules, args, kwargs)


def _innermost(args: Sequence[Any]) -> Any:
    """Find the tape of the highest level among the arguments."""
    tape: Any = None
    for x in args:
        if type(x) is Variable and (tape is None or x.tape.level > tape.level):
            tape = x.tape
    return tape


def _values(args: Sequence[Any], tape: Tape) -> list[Any]:
    return [x.value if type(x) is Variable and x.tape is tape else x for x in args]


def constant(x: Any) -> Any:
    """Return the plain value of a variable, and anything else as it is: no gradient passes through."""
    while type(x) is Variable:
        x = x.value
    return x


def sweep(tape: Tape, y: Variable) -> None:
    """Walk the tape backwards from the scalar y, and leave their gradients with the variables it began with.

    dx = Σ dy ∂y/∂x over all y that were computed from x. They were recorded after x, so when the walk comes
    to x, all of them have given their share. What the walk has passed is let go of, and its memory freed.
    """
    variables, tape.variables = tape.variables or [], None
    y.gradient = np.ones_like(y)
    while variables:
        y = variables.pop()
        args, rules, dy = y.args, y.rules, y.gradient
        if rules is None:
            continue
        if dy is not None:
            dxs = rules(dy) if callable(rules) else _pull(dy, y, tape)
            for x, dx in zip(args, dxs, strict=True):
                if dx is not None and type(x) is Variable:
                    _add(x, dx)
        y.rules = y.args = y.gradient = None


def _pull(dy: Any, y: Variable, tape: Tape) -> list[Any]:
    """Find the gradient of each argument of y that is on the tape, by the rules of the table."""
    values, rules = _values(y.args, tape), y.rules
    return [
        rules[k](dy, y.value, *values, **y.kwargs) if type(x) is Variable and x.tape is tape and rules[k] else None
        for k, x in enumerate(y.args)
    ]


def _add(x: Variable, dx: Any) -> None:
    """Add to the gradient of x: in place from the third time on, for until then its memory may be another's."""
    if type(dx) is Part:
        if x.gradient is None:
            x.gradient, x.owned = np.zeros(x.value.shape, x.value.dtype), True
        if x.owned:
            dx.add_to(x.gradient)
            return
        dx = dx.whole()
    if dx.shape != x.value.shape or dx.dtype != x.value.dtype:
        dx = fit(dx, x.value)
    if x.gradient is None:
        x.gradient = dx
    elif x.owned and type(dx) is not Variable:
        x.gradient += dx
    else:
        x.gradient = x.gradient + dx
        x.owned = type(x.gradient) is np.ndarray


def value_and_grad(f: Callable[..., Any], has_aux: bool = False) -> Callable[..., tuple[Any, Any]]:
    """Turn a function of a model into one that returns its value and its gradient.

    Parameters
    ----------
    f
        Called as ``f(model, *args, **kwargs)``; returns a real scalar. The model is a tree, see
        :mod:`recurrence.tree`, or a single array; all other arguments are constant.
    has_aux
        ``f`` returns a pair: the scalar, and whatever else should come out.

    Returns
    -------
    Callable
        Returns ``(f(model, ...), gradient)``. The gradient is a tree like the model: for each leaf an array
        of its shape and precision that nothing else holds; everything else as it is in the model. An array
        that stands at two places of the model is two parameters.
    """

    @functools.wraps(f)
    def differentiated(model: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        tape = Tape()

        def value(x: Any) -> Any:
            return x.value if type(x) is Variable and x.tape is tape else x

        try:
            variables = tree.map(lambda leaf: Variable(leaf, tape), model)
            held = {id(x.value) for x in tape.variables or ()}
            if not held:
                raise TypeError("There is nothing to differentiate by: the first argument has no floating-point array.")
            y, aux = f(variables, *args, **kwargs) if has_aux else (f(variables, *args, **kwargs), None)
            if np.shape(y) != () or np.asarray(constant(y)).dtype.kind not in "fiu":
                raise TypeError(f"Only a real scalar has a gradient, but the function returned {y!r:.60}.")
            if value(y) is not y:
                sweep(tape, y)
        finally:
            tape.variables = None
        grads = tree.map(lambda x: _handed_out(x, held), variables)
        y = value(y) if type(value(y)) is Variable else np.asarray(value(y))[()]
        return ((y, tree.map(value, aux, every=True)) if has_aux else y), grads

    return differentiated


def grad(f: Callable[..., Any], has_aux: bool = False) -> Callable[..., Any]:
    """Do what :func:`value_and_grad` does and return the gradient alone; with ``has_aux``, (gradient, aux)."""
    both = value_and_grad(f, has_aux)

    def differentiated(*args: Any, **kwargs: Any) -> Any:
        y, grads = both(*args, **kwargs)
        return (grads, y[1]) if has_aux else grads

    return functools.wraps(f)(differentiated)


def _handed_out(x: Variable, held: set[int]) -> Any:
    """Copy a gradient whose memory something else may hold, because an optimiser may write into it."""
    dx = np.zeros(x.value.shape, x.value.dtype) if x.gradient is None else x.gradient
    if dx.dtype.kind == "c":
        return np.conj(dx)
    if type(dx) is not Variable and (not dx.flags.owndata or not dx.flags.writeable or id(dx) in held):
        dx = np.array(dx)
    held.add(id(dx))
    return dx


def primitive(f: Any = None, *, definition: Any = None) -> Callable[..., Any]:
    """Make a function that knows its own gradient one step on the tape; it then returns y alone.

    Parameters
    ----------
    f
        Returns ``(y, pull)``: an array or a tuple of arrays, and a function of dy, in the shape of y, that
        returns the gradient of each positional argument, or None. Both see plain arrays and may work in
        place on arrays of their own, never on dy. Keyword arguments are constants.
    definition
        The same function in plain NumPy, for gradients of gradients: without it they are refused.
    """
    if f is None:
        return functools.partial(primitive, definition=definition)

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        if any(type(x) is Variable for x in kwargs.values()):
            raise TypeError(f"{f.__name__} takes variables by position, not by keyword.")
        if not any(type(x) is Variable for x in args):
            return f(*args, **kwargs)[0]
        values = _values(args, tape := _innermost(args))
        if any(type(x) is Variable for x in values):
            if definition is None:
                raise TypeError(f"no second derivative for {f.__name__}: it is fused and has no definition in NumPy.")
            return definition(*args, **kwargs)
        y, pull = f(*values, **kwargs)
        return _several(y, tape, pull, args) if isinstance(y, tuple) else Variable(y, tape, pull, args)

    return call


def _several(ys: tuple[Any, ...], tape: Tape, pull: Any, args: Sequence[Any]) -> tuple[Variable, ...]:
    """Record a step with several results: they leave their gradients with it, and it pulls them all at once."""
    dys = [np.zeros_like(y) for y in ys]
    step = Variable(ys, tape, lambda _: pull(tuple(dys)), args)

    def leave(k: int, dy: Any) -> tuple[()]:
        dys[k], step.gradient = dy, True
        return ()

    return tuple(Variable(y, tape, functools.partial(leave, k)) for k, y in enumerate(ys))
