"""The table of local gradients: how a gradient passes back through each NumPy function.

============  =========================================================================
``x``, ``y``  the argument and the result of a function of one argument, y = f(x)
``z``         the result of a function of two, z = f(x, y)
``dy``        the gradient of the final scalar with respect to ``y``, and so for every letter
============  =========================================================================

``GRADIENTS`` has one rule ``(dy, y, *args) -> dx`` for each argument of a function, or None where the
result does not change smoothly with that argument. The arguments are those of NumPy's function; a call
with others is refused. A rule is NumPy code itself, so it can be differentiated again. It need not sum
over axes along which an argument was broadcast: the tape does that for all of them.

``COMPOSED`` says the less elementary functions in terms of the others. ``CONSTANT`` names those whose
results do not change as long as their arguments change little: comparisons, shapes, orders, roundings.

At a kink the gradient is a value between the slopes on both sides: abs'(0) = 0, and where several
numbers tie for the maximum or the minimum they share the gradient equally. ``clip`` passes the gradient
at its bounds, and ``sort`` gives each of several equal numbers the place that ``argsort`` gave it.
"""

import contextlib
import functools
import inspect
import itertools
import math
import operator
import string
from collections import Counter
from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import Any

import numpy as np

Rule = Callable[..., Any]


class Each:
    """The rules of a function of any number of arguments: ``rule(k, dy, y, *args)`` for the k-th of them."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def __getitem__(self, k: int) -> Rule:
        return functools.partial(self.rule, k)


GRADIENTS: dict[Any, tuple[Rule | None, ...] | Each] = {}


def records(x: Any) -> bool:
    """Tell a variable, which records what is done with it, from a plain array or number."""
    return hasattr(x, "__array_function__") and not issubclass(type(x), np.ndarray)


def gradient(*rules: Any) -> Callable[[Any], Any]:
    """Enter the decorated function in the table, with one rule for each argument.

    Examples
    --------
    >>> @gradient(lambda dy, y, x: dy * 2 * x)
    ... def squared(x):
    ...     return x * x
    """

    def enter(function: Any) -> Any:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            for x in args:
                if records(x):
                    return x.__array_function__(call, (), args, kwargs)
            return function(*args, **kwargs)

        GRADIENTS[call] = rules[0] if isinstance(rules[0], Each) else rules
        return call

    return enter


# Indexing: the gradient of a whole of which one part was used.


class Part:
    """A gradient that is ``dy`` at ``index`` and zero elsewhere; the zeros are not written out.

    A loop that reads one step after another from a sequence gives one such gradient a step: added
    up in place they cost as much as the sequence, written out they would cost its square.
    """

    __slots__ = ("dy", "index", "shape")

    def __init__(self, dy: Any, index: Any, shape: tuple[int, ...]) -> None:
        self.dy, self.index, self.shape = dy, index, shape

    def add_to(self, dx: Any) -> None:
        """Add this gradient to one that is written out."""
        if _each_place_once(self.index):
            dx[self.index] += self.dy
        elif dx.flags.c_contiguous:
            # With one axis np.add.at is several times as fast.
            places = np.arange(dx.size).reshape(dx.shape)[self.index]
            np.add.at(dx.reshape(-1), places.ravel(), np.ravel(self.dy))
        else:
            np.add.at(dx, self.index, self.dy)

    def whole(self) -> Any:
        """Write the zeros out."""
        dx = np.zeros(self.shape, self.dy.dtype)
        self.add_to(dx)
        return dx


def _each_place_once(index: Any) -> bool:
    """Whether an index cannot name one place twice, as arrays of integers can."""
    parts = index if isinstance(index, tuple) else (index,)
    rest = [k for k in parts if not isinstance(k, int | slice | EllipsisType | None)]
    return not any(np.ndim(k) and np.asarray(k).dtype != bool for k in rest)


@gradient(lambda ddx, dx, dy, index, shape: ddx[index])
def put(dy: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Put dy at an index of an array of zeros."""
    return Part(dy, index, shape).whole()


def _at_index(dy: Any, y: Any, x: Any, index: Any) -> Any:
    return put(dy, index, x.shape) if records(dy) else Part(dy, index, x.shape)


# Sums and other reductions.


def unreduce(y: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """Repeat a reduction's result, or its gradient, along the axes over which x was reduced."""
    return np.broadcast_to(y if axis is None or keepdims else np.expand_dims(y, axis), x.shape)


def _extreme(dy: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    best = _ordered(x) == unreduce(y, x, axis, keepdims)
    ties = np.sum(best, axis, keepdims=True, dtype=dy.dtype)
    return np.where(best, unreduce(dy, x, axis, keepdims) / ties, 0)


def _var(dy: Any, y: Any, x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    n = x.size // max(y.size, 1) - ddof
    return unreduce(dy, x, axis, keepdims) * (2 / n) * _conj(x - np.mean(x, axis, keepdims=True))


def _prod(dy: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    dy = unreduce(dy, x, axis, keepdims)
    if np.all(x != 0):
        return dy * unreduce(y, x, axis, keepdims) / x
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    last = tuple(range(-len(axes), 0))
    rows = np.moveaxis(x, axes, last)
    shape = rows.shape
    rows = rows.reshape((*shape[: len(shape) - len(axes)], -1))
    # Division would fail, so each product of the others is formed with a 1 in place of the number itself.
    others = np.prod(np.where(np.eye(rows.shape[-1], dtype=bool), 1, rows[..., None, :]), -1)
    return dy * np.moveaxis(others.reshape(shape), last, axes)


def _cumsum(dy: Any, y: Any, x: Any, axis: Any = None) -> Any:
    along = 0 if axis is None else axis
    return np.flip(np.cumsum(np.flip(dy, along), along), along).reshape(x.shape)


# Products of matrices.


def _swap(x: Any) -> Any:
    return x.mT if hasattr(x, "mT") else np.swapaxes(x, -1, -2)


def _rows(x: Any) -> Any:
    """Join all axes before the last: many small products become a large one, which is faster."""
    return np.reshape(x, (-1, x.shape[-1]))


def _matmul_left(dz: Any, z: Any, x: Any, y: Any) -> Any:
    if np.ndim(y) == 1:
        return dz[..., None] * y
    if np.ndim(x) == 1:
        return (dz[..., None, :] @ _swap(y))[..., 0, :]
    if np.ndim(y) == 2 < np.ndim(x):
        return np.reshape(_rows(dz) @ _swap(y), x.shape)
    return dz @ _swap(y)


def _matmul_right(dz: Any, z: Any, x: Any, y: Any) -> Any:
    if np.ndim(y) == 1:
        return dz[..., None] * x if np.ndim(x) < 3 else np.ravel(dz) @ _rows(x)
    if np.ndim(x) == 1:
        return x[:, None] * dz[..., None, :]
    if np.ndim(y) == 2 < np.ndim(x):
        return _swap(_rows(x)) @ _rows(dz)
    return _swap(x) @ dz


def _solve_left(dz: Any, z: Any, a: Any, b: Any) -> Any:
    db = _solve_right(dz, z, a, b)
    return -db[..., None] * z[..., None, :] if np.ndim(b) == 1 else -db @ _swap(z)


def _solve_right(dz: Any, z: Any, a: Any, b: Any) -> Any:
    return np.linalg.solve(_swap(a), dz[..., None])[..., 0] if np.ndim(b) == 1 else np.linalg.solve(_swap(a), dz)


def _einsum_each(k: int, dy: Any, y: Any, subscripts: str, *operands: Any, optimize: Any = False) -> Any:
    k -= 1  # the subscripts are the argument before the first operand
    before, _, out = subscripts.partition("->")
    terms = before.split(",")
    rest = [(term, x) for j, (term, x) in enumerate(zip(terms, operands, strict=True)) if j != k]
    known = set(out).union(*(term for term, _ in rest))
    mine = "".join(letter for letter in terms[k] if letter in known)
    asked = ",".join([out, *(term for term, _ in rest)])
    dx = np.einsum(f"{asked}->{mine}", dy, *(x for _, x in rest), optimize=optimize)
    # A letter that stands in this operand alone was summed over: its gradient is the same everywhere.
    alone = [axis for axis, letter in enumerate(terms[k]) if letter not in known]
    x = operands[k]
    dx = np.expand_dims(dx, tuple(alone))
    return np.broadcast_to(dx, [n if axis in alone else dx.shape[axis] for axis, n in enumerate(x.shape)])


@gradient(Each(_einsum_each))
def einsum(subscripts: str, *operands: Any, optimize: Any = False) -> Any:
    """Sum products as ``numpy.einsum`` does, with every index and the output written out, no index twice in a term."""
    return np.einsum(subscripts, *operands, optimize=optimize)


def _einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Any:
    if not isinstance(subscripts, str):
        raise TypeError("no gradient for numpy.einsum with lists of axes; write the indices as a string.")
    before, arrow, out = subscripts.replace(" ", "").replace("...", ".").partition("->")
    terms: Any = before.split(",")
    free = [letter for letter in string.ascii_letters if letter not in subscripts]
    hidden = [np.ndim(x) - len(term) + 1 if "." in term else 0 for term, x in zip(terms, operands, strict=True)]
    dots = "".join(free[: max(hidden)])
    terms = [term.replace(".", dots[len(dots) - n :]) for term, n in zip(terms, hidden, strict=True)]
    if not arrow:
        counts = Counter(letter for letter in before if letter not in ",.")
        out = "." + "".join(sorted(letter for letter, n in counts.items() if n == 1))
    single = [_diagonals(term, x) for term, x in zip(terms, operands, strict=True)]
    terms, arrays = zip(*single, strict=True)
    return einsum(f"{','.join(terms)}->{out.replace('.', dots)}", *arrays, optimize=optimize)


def _diagonals(term: str, x: Any) -> tuple[str, Any]:
    """Take the diagonal for an index that stands twice in a term, until none does."""
    while len(set(term)) < len(term):
        letter = max(term, key=term.count)
        first, second = term.index(letter), term.index(letter, term.index(letter) + 1)
        x = np.diagonal(x, axis1=first, axis2=second)
        term = term.replace(letter, "", 2) + letter
    return term, x


# Joining.


def _concatenate_each(k: int, dy: Any, y: Any, *arrays: Any, axis: int | None = 0) -> Any:
    if axis is None:
        begin = sum(np.size(x) for x in arrays[:k])
        return dy[begin : begin + arrays[k].size].reshape(arrays[k].shape)
    begin = sum(np.shape(x)[axis] for x in arrays[:k])
    return dy[_along(axis, slice(begin, begin + arrays[k].shape[axis]), y.ndim)]


@gradient(Each(_concatenate_each))
def concatenate(*arrays: Any, axis: int | None = 0) -> Any:
    """Join arrays along an axis: ``numpy.concatenate`` with each array an argument of its own."""
    return np.concatenate(arrays, axis)


@gradient(Each(lambda k, dy, y, *arrays, axis=0: dy[_along(axis, k, y.ndim)]))
def stack(*arrays: Any, axis: int = 0) -> Any:
    """Join arrays along a new axis: ``numpy.stack`` with each array an argument of its own."""
    return np.stack(arrays, axis)


def _along(axis: int, k: Any, ndim: int) -> tuple[Any, ...]:
    """Index an axis with k and take all of the others."""
    return (*(slice(None),) * (axis % ndim), k)


def _unpad(dy: Any, y: Any, x: Any, widths: Any, *, constant_values: Any = 0) -> Any:
    return dy[tuple(slice(a, a + n) for (a, _), n in zip(widths, x.shape, strict=True))]


@gradient(_unpad)
def pad(x: Any, widths: Any, *, constant_values: Any = 0) -> Any:
    """Surround x with constants."""
    return np.pad(x, widths, constant_values=constant_values)


@gradient(lambda dy, y, x, dtype: dy)
def cast(x: Any, dtype: Any) -> Any:
    """Convert to another kind of floating-point or complex numbers."""
    return x.astype(dtype)


def _untranspose(dy: Any, y: Any, x: Any, axes: Any = None) -> Any:
    return np.transpose(dy, None if axes is None else np.argsort(np.mod(axes, x.ndim)))


def _conj(x: Any) -> Any:
    return np.conj(x) if np.iscomplexobj(x) else x


def _ordered(dy: Any) -> Any:
    if np.iscomplexobj(dy):
        raise TypeError("no gradient for the sign, the maximum or the minimum of complex numbers.")
    return dy


def _absolute(dy: Any, y: Any, x: Any) -> Any:
    return dy * np.conj(x) / np.where(y == 0, 1, y) if np.iscomplexobj(x) else dy * np.sign(x)


def _share(dz: Any, wins: Any, ties: Any) -> Any:
    return np.where(wins, _ordered(dz), np.where(ties, dz / 2, 0))


def _power_left(dz: Any, z: Any, x: Any, y: Any) -> Any:
    # Where y is 0 the slope is 0, even at x = 0, where x^(y − 1) is not finite.
    less = np.where(y == 0, 1, y - 1) if np.ndim(y) else (y - 1 if y != 0 else 1)
    return dz * y * x**less


GRADIENTS |= {
    # Arithmetic
    np.positive: (lambda dy, y, x: dy,),
    np.negative: (lambda dy, y, x: -dy,),
    np.add: (lambda dz, z, x, y: dz, lambda dz, z, x, y: dz),
    np.subtract: (lambda dz, z, x, y: dz, lambda dz, z, x, y: -dz),
    np.multiply: (lambda dz, z, x, y: dz * y, lambda dz, z, x, y: dz * x),
    np.divide: (lambda dz, z, x, y: dz / y, lambda dz, z, x, y: -dz * z / y),
    np.remainder: (lambda dz, z, x, y: dz, lambda dz, z, x, y: -dz * np.floor(x / y)),
    np.reciprocal: (lambda dy, y, x: -dy * y * y,),
    operator.pow: (_power_left, lambda dz, z, x, y: dz * z * np.log(np.where(x == 0, 1, x))),
    np.square: (lambda dy, y, x: dy * (2 * x),),
    np.sqrt: (lambda dy, y, x: dy / (2 * y),),
    np.cbrt: (lambda dy, y, x: dy / (3 * y * y),),
    # Exponentials and their kin
    np.exp: (lambda dy, y, x: dy * y,),
    np.exp2: (lambda dy, y, x: dy * y * math.log(2),),
    np.expm1: (lambda dy, y, x: dy * (y + 1),),
    np.log: (lambda dy, y, x: dy / x,),
    np.log2: (lambda dy, y, x: dy / (x * math.log(2)),),
    np.log10: (lambda dy, y, x: dy / (x * math.log(10)),),
    np.log1p: (lambda dy, y, x: dy / (x + 1),),
    np.logaddexp: (lambda dz, z, x, y: dz * np.exp(x - z), lambda dz, z, x, y: dz * np.exp(y - z)),
    np.sin: (lambda dy, y, x: dy * np.cos(x),),
    np.cos: (lambda dy, y, x: -dy * np.sin(x),),
    np.tan: (lambda dy, y, x: dy * (1 + y * y),),
    np.arcsin: (lambda dy, y, x: dy / np.sqrt(1 - x * x),),
    np.arccos: (lambda dy, y, x: -dy / np.sqrt(1 - x * x),),
    np.arctan: (lambda dy, y, x: dy / (1 + x * x),),
    np.arctan2: (lambda dz, z, x, y: dz * y / (x * x + y * y), lambda dz, z, x, y: -dz * x / (x * x + y * y)),
    np.sinh: (lambda dy, y, x: dy * np.cosh(x),),
    np.cosh: (lambda dy, y, x: dy * np.sinh(x),),
    np.tanh: (lambda dy, y, x: dy * (1 - y * y),),
    np.arcsinh: (lambda dy, y, x: dy / np.sqrt(x * x + 1),),
    np.arctanh: (lambda dy, y, x: dy / (1 - x * x),),
    # Kinks and choices
    np.absolute: (_absolute,),
    np.sign: (lambda dy, y, x: 0 * _ordered(dy),),
    np.maximum: (lambda dz, z, x, y: _share(dz, x > y, x == y), lambda dz, z, x, y: _share(dz, y > x, x == y)),
    np.minimum: (lambda dz, z, x, y: _share(dz, x < y, x == y), lambda dz, z, x, y: _share(dz, y < x, x == y)),
    np.where: (None, lambda dz, z, c, x, y: np.where(c, dz, 0), lambda dz, z, c, x, y: np.where(c, 0, dz)),
    # Complex numbers
    np.real: (lambda dy, y, x: dy,),
    np.imag: (lambda dy, y, x: -1j * dy,),
    np.conj: (lambda dy, y, x: _conj(dy),),
    # Reductions
    np.sum: (lambda dy, y, x, axis=None, *, keepdims=False: unreduce(dy, x, axis, keepdims),),
    np.mean: (lambda dy, y, x, axis=None, *, keepdims=False: unreduce(dy * (y.size / x.size), x, axis, keepdims),),
    np.var: (_var,),
    np.prod: (_prod,),
    np.max: (_extreme,),
    np.min: (_extreme,),
    np.cumsum: (_cumsum,),
    # Matrices
    np.matmul: (_matmul_left, _matmul_right),
    np.linalg.inv: (lambda dy, y, x: -_swap(y) @ dy @ _swap(y),),
    np.linalg.solve: (_solve_left, _solve_right),
    # Shapes
    np.reshape: (lambda dy, y, x, shape: np.reshape(dy, x.shape),),
    np.ravel: (lambda dy, y, x: np.reshape(dy, x.shape),),
    np.squeeze: (lambda dy, y, x, axis=None: np.reshape(dy, x.shape),),
    np.expand_dims: (lambda dy, y, x, axis: np.reshape(dy, x.shape),),
    np.transpose: (_untranspose,),
    np.swapaxes: (lambda dy, y, x, axis1, axis2: np.swapaxes(dy, axis1, axis2),),
    np.moveaxis: (lambda dy, y, x, source, destination: np.moveaxis(dy, destination, source),),
    np.broadcast_to: (lambda dy, y, x, shape: dy,),
    np.roll: (lambda dy, y, x, shift, axis=None: np.roll(dy, np.negative(shift), axis),),
    operator.getitem: (_at_index, None),
}
GRADIENTS |= {
    np.power: GRADIENTS[operator.pow],
    np.fabs: GRADIENTS[np.absolute],
    np.amax: GRADIENTS[np.max],
    np.amin: GRADIENTS[np.min],
}


# Functions said in terms of the others.


def _clip(x: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    x = x if low is None else np.where(x < low, low, x)
    return x if high is None else np.where(x > high, high, x)


def _dot(x: Any, y: Any) -> Any:
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        return x * y
    return x @ y if np.ndim(y) < 3 else np.tensordot(x, y, (-1, -2))


def _outer(x: Any, y: Any) -> Any:
    return np.ravel(x)[:, None] * np.ravel(y)


def _tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    if isinstance(axes, int):
        axes = range(-axes, 0), range(axes)
    left, right = ([int(k) % np.ndim(z) for k in np.atleast_1d(a)] for z, a in zip((x, y), axes, strict=True))
    keep_left = [k for k in range(np.ndim(x)) if k not in left]
    keep_right = [k for k in range(np.ndim(y)) if k not in right]
    shape = [np.shape(x)[k] for k in keep_left] + [np.shape(y)[k] for k in keep_right]
    inner = math.prod(np.shape(x)[k] for k in left)
    rows = np.transpose(x, keep_left + left).reshape((math.prod(shape[: len(keep_left)]), inner))
    columns = np.transpose(y, right + keep_right).reshape((inner, math.prod(shape[len(keep_left) :])))
    return (rows @ columns).reshape(shape)


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if ord not in (None, 2) or (ord == 2 and axis is None and np.ndim(x) > 1) or isinstance(axis, tuple):
        raise TypeError("no gradient for numpy.linalg.norm but for the root of a sum of squares; write it out.")
    return np.sqrt(np.sum(np.square(np.absolute(x)), axis, keepdims=keepdims))


def _take(x: Any, indices: Any, axis: Any = None) -> Any:
    return np.ravel(x)[indices] if axis is None else x[_along(axis, indices, x.ndim)]


def _take_along_axis(x: Any, indices: Any, axis: Any = -1) -> Any:
    if axis is None:
        return np.ravel(x)[indices]
    places = list(np.ix_(*(np.arange(n) for n in indices.shape)))
    places[axis] = indices
    return x[tuple(places)]


def _sort(x: Any, axis: int | None = -1) -> Any:
    x, axis = (np.ravel(x), -1) if axis is None else (x, axis)
    return np.take_along_axis(x, np.argsort(x, axis), axis)


def _diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    rows, columns = x.shape[axis1], x.shape[axis2]
    k = np.arange(max(0, min(rows + min(offset, 0), columns - max(offset, 0))))
    return np.moveaxis(x, (axis1, axis2), (-2, -1))[..., k - min(offset, 0), k + max(offset, 0)]


def _tri(x: Any, k: int) -> Any:
    tri: Any = np.tri
    return tri(*x.shape[-2:], k=k, dtype=bool)


def _flip(x: Any, axis: Any = None) -> Any:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    backwards = {k % x.ndim for k in axes}
    return x[tuple(slice(None, None, -1 if k in backwards else 1) for k in range(x.ndim))]


def _repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    x, axis = (np.ravel(x), 0) if axis is None else (x, axis % x.ndim)
    if np.ndim(repeats):
        return np.take(x, np.repeat(np.arange(x.shape[axis]), repeats), axis)
    shape = x.shape
    x = np.broadcast_to(np.expand_dims(x, axis + 1), (*shape[: axis + 1], repeats, *shape[axis + 1 :]))
    return x.reshape((*shape[:axis], shape[axis] * repeats, *shape[axis + 1 :]))


def _tile(x: Any, reps: Any) -> Any:
    counts = tuple(reps) if np.ndim(reps) else (reps,)
    ndim = max(len(counts), x.ndim)
    counts, shape = (1,) * (ndim - len(counts)) + counts, (1,) * (ndim - x.ndim) + x.shape
    x = x.reshape([m for n in shape for m in (1, n)])
    x = np.broadcast_to(x, [m for pair in zip(counts, shape, strict=True) for m in pair])
    return x.reshape([c * n for c, n in zip(counts, shape, strict=True)])


def _array_split(x: Any, sections: Any, axis: int = 0) -> Any:
    n = x.shape[axis]
    if np.ndim(sections) == 0:
        sections = np.cumsum([n // sections + (k < n % sections) for k in range(sections)])[:-1]
    edges = [0, *(int(k) for k in sections), n]
    return [x[_along(axis, slice(*edge), x.ndim)] for edge in itertools.pairwise(edges)]


def _split(x: Any, sections: Any, axis: int = 0) -> Any:
    if np.ndim(sections) == 0 and x.shape[axis] % sections:
        raise ValueError(f"An axis of {x.shape[axis]} does not split into {sections} equal parts; use np.array_split.")
    return _array_split(x, sections, axis)


def _pad(x: Any, pad_width: Any, mode: Any = "constant", *, constant_values: Any = 0) -> Any:
    if mode != "constant":
        raise TypeError(f"no gradient for numpy.pad with mode {mode!r}, only for padding with a constant.")
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2))
    return pad(x, tuple((int(a), int(b)) for a, b in widths), constant_values=constant_values)


def _diff(x: Any, n: int = 1, axis: int = -1) -> Any:
    for _ in range(n):
        x = x[_along(axis, slice(1, None), x.ndim)] - x[_along(axis, slice(None, -1), x.ndim)]
    return x


def _full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    dtype = dtype or x.dtype
    if records(fill_value):
        return np.broadcast_to(fill_value.astype(dtype), x.shape)
    return np.full(x.shape, fill_value, dtype)


def _astype(x: Any, dtype: Any, copy: bool = True) -> Any:
    if np.issubdtype(dtype, np.inexact):
        return cast(x, np.dtype(dtype))
    # Whole numbers and truth values are constants: plain arrays.
    return x != 0 if np.dtype(dtype) == bool else np.trunc(x).astype(dtype)


def _atleast(ndim: int) -> Any:
    def atleast(x: Any) -> Any:
        return np.reshape(x, (1,) * (ndim - np.ndim(x)) + np.shape(x))

    return atleast


COMPOSED: dict[Any, Any] = {
    np.clip: _clip,
    np.std: lambda x, axis=None, *, ddof=0, keepdims=False: np.sqrt(np.var(x, axis, ddof=ddof, keepdims=keepdims)),
    np.linalg.norm: _norm,
    np.angle: lambda x: np.arctan2(np.imag(x), np.real(x)),
    np.diff: _diff,
    np.dot: _dot,
    np.inner: lambda x, y: np.tensordot(x, y, (-1, -1)) if np.ndim(x) and np.ndim(y) else x * y,
    np.outer: _outer,
    np.tensordot: _tensordot,
    np.einsum: _einsum,
    np.trace: lambda x, offset=0, axis1=0, axis2=1: np.sum(np.diagonal(x, offset, axis1, axis2), -1),
    np.diagonal: _diagonal,
    np.tril: lambda x, k=0: np.where(_tri(x, k), x, 0),
    np.triu: lambda x, k=0: np.where(_tri(x, k - 1), 0, x),
    np.concatenate: lambda arrays, axis=0: concatenate(*arrays, axis=axis),
    np.stack: lambda arrays, axis=0: stack(*arrays, axis=axis),
    np.vstack: lambda arrays: np.concatenate([np.atleast_2d(x) for x in arrays]),
    np.hstack: lambda arrays: np.concatenate([np.atleast_1d(x) for x in arrays], -1 if np.ndim(arrays[0]) < 2 else 1),
    np.atleast_1d: _atleast(1),
    np.atleast_2d: _atleast(2),
    np.split: _split,
    np.array_split: _array_split,
    np.pad: _pad,
    np.flip: _flip,
    np.repeat: _repeat,
    np.tile: _tile,
    np.take: _take,
    np.take_along_axis: _take_along_axis,
    np.sort: _sort,
    np.copy: lambda x: +x,
    np.matrix_transpose: lambda x: np.swapaxes(x, -1, -2),
    np.astype: _astype,
    np.full_like: _full_like,
    np.broadcast_arrays: lambda *xs: tuple(np.broadcast_to(x, np.broadcast_shapes(*map(np.shape, xs))) for x in xs),
}

CONSTANT: set[Any] = {
    *(np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.isclose, np.allclose),
    *(np.array_equal, np.logical_and, np.logical_or, np.logical_not, np.any, np.all, np.isnan, np.isinf, np.isfinite),
    *(np.signbit, np.floor, np.ceil, np.rint, np.round, np.around, np.trunc, np.floor_divide, np.heaviside),
    *(np.argmax, np.argmin, np.argsort, np.nonzero, np.count_nonzero, np.searchsorted, np.digitize),
    *(np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.isrealobj, np.shares_memory),
    *(np.zeros_like, np.ones_like, np.empty_like, np.array_repr, np.array_str),
}

# How arrays are written: the functions that stand behind their operators, methods and attributes.

ARITHMETIC: dict[str, Any] = {
    **{"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "pow": operator.pow},
    **{"matmul": np.matmul, "mod": np.remainder, "floordiv": np.floor_divide},
}
OPERATORS: dict[str, Any] = {
    **{"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal},
    **{"ne": np.not_equal, "neg": np.negative, "pos": np.positive, "abs": np.absolute, "getitem": operator.getitem},
}
METHODS: dict[str, Any] = {
    **{"sum": np.sum, "prod": np.prod, "mean": np.mean, "var": np.var, "std": np.std, "cumsum": np.cumsum},
    **{"max": np.max, "min": np.min, "argmax": np.argmax, "argmin": np.argmin, "argsort": np.argsort, "any": np.any},
    **{"all": np.all, "dot": np.dot, "trace": np.trace, "diagonal": np.diagonal, "repeat": np.repeat, "take": np.take},
    **{"conj": np.conj, "clip": np.clip, "round": np.round, "ravel": np.ravel, "flatten": np.ravel, "copy": np.copy},
    **{"squeeze": np.squeeze, "swapaxes": np.swapaxes, "astype": _astype},
    "__len__": lambda x: len(x.value),
    "__iter__": lambda x: (x[n] for n in range(len(x))),
    "__bool__": lambda x: bool(x.value),
    "__copy__": np.copy,
    "__deepcopy__": lambda x, memo: np.copy(x),
    "__repr__": lambda x: f"Variable({x.value!r})",
    "__format__": lambda x, how: format(x.value, how),
    "reshape": lambda x, *shape: np.reshape(x, shape[0] if len(shape) == 1 else shape),
    "transpose": lambda x, *axes: np.transpose(x, axes[0] if len(axes) == 1 else axes or None),
}
ATTRIBUTES: dict[str, Any] = {
    **{name: operator.attrgetter(f"value.{name}") for name in ("shape", "ndim", "size", "dtype")},
    **{"T": np.transpose, "mT": np.matrix_transpose, "real": np.real, "imag": np.imag},
}


# What the tape asks for beside the rules.


def name(function: Any) -> str:
    """Name a function as one writes it: ``numpy.linalg.norm``."""
    return f"{getattr(function, '__module__', None) or 'numpy'}.{function.__name__}"


@functools.cache
def check_call(function: Any, positional: int, *keywords: str) -> None:
    """Refuse a call with arguments that the table does not know, such as ``out``."""
    if function in COMPOSED:
        signature, ours = inspect.signature(COMPOSED[function]), 0
    else:
        rules: Any = GRADIENTS[function]
        signature, ours = inspect.signature(next(rule for rule in rules if rule)), 2  # dy and y
    try:
        signature.bind(*[None] * (ours + positional), **dict.fromkeys(keywords))
    except TypeError:
        told = f"{positional} arguments" + "".join(f" and {key}=" for key in keywords)
        raise TypeError(f"no gradient for {name(function)} when it is called with {told}.") from None


def by_position(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Sequence[Any], dict[str, Any]]:
    """Pass by position what may be, because the rules are given by position."""
    if any(records(x) for x in kwargs.values()):
        with contextlib.suppress(ValueError):  # some functions that are written in C do not tell their signature
            bound = inspect.signature(function).bind(*args, **kwargs)
            args, kwargs = bound.args, bound.kwargs
        if any(records(x) for x in kwargs.values()):
            raise TypeError(f"no gradient for {name(function)} with a variable as keyword argument.")
    return args, kwargs


def fit(dx: Any, x: Any) -> Any:
    """Give a gradient the shape and the kind of numbers of x: sum over the axes along which x was broadcast."""
    if dx.shape != x.shape:
        new = dx.ndim - x.ndim
        if new > 0:
            dx = np.sum(dx, tuple(range(new)))
        stretched = tuple(axis for axis, n in enumerate(x.shape) if n == 1) if new >= 0 else ()
        if dx.shape != x.shape and stretched:
            dx = np.sum(dx, stretched, keepdims=True)
        if dx.shape != x.shape:
            raise ValueError(f"A gradient came back with shape {dx.shape} for an argument of shape {x.shape}.")
    if dx.dtype != x.dtype:
        dx = (np.real(dx) if dx.dtype.kind == "c" != x.dtype.kind else dx).astype(x.dtype)
    return dx
