"""Every entry of the table of gradients, checked along random directions, once and twice, and in single precision."""

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from recurrence import gradients
from recurrence.check import check_gradient
from recurrence.gradients import COMPOSED, CONSTANT, GRADIENTS
from recurrence.tape import Variable, grad, value_and_grad


def normal(*shape):
    return np.random.default_rng(sum(shape) + len(shape)).standard_normal(shape)


def positive(*shape):
    return np.random.default_rng(7).uniform(0.5, 2.0, shape)


def small(*shape):
    return np.random.default_rng(8).uniform(-0.8, 0.8, shape)


def waves(*shape):
    return normal(*shape) + 1j * positive(*shape)


# Broadcast in every direction: new axes, axes of length 1 on either side, single numbers.
SHAPES = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (2, 3)),
    ((2, 1), (1, 3)),
    ((), (2, 2)),
    ((2, 2), ()),
    ((4, 1, 3), (2, 1)),
    ((0, 2), (1, 2)),
]


def unary(function, *samples):
    return [(function, (sample,)) for sample in samples or (normal(2, 3), normal(), normal(0, 2))]


def binary(function, left=normal, right=normal):
    return [(function, (left(*a), right(*b))) for a, b in SHAPES]


def reduction(function, sample=normal):
    return [
        (function, (sample(2, 3, 4),)),
        (lambda x: function(x, axis=1), (sample(2, 3, 4),)),
        (lambda x: function(x, axis=-1, keepdims=True), (sample(2, 3),)),
        (lambda x: function(x, (0, -1)), (sample(2, 3, 4),)),
        (lambda x: function(x, axis=(1, 0)), (sample(2, 3),)),
        (function, (sample(),)),
    ]


MASK = normal(2, 3) > 0
PRODUCTS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 2)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((4, 1, 2, 3), (5, 3, 2)),
    ((1, 2, 3), (5, 3, 2)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 2)),
]
EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ji", (2, 3)),
    ("ij->", (2, 3)),
    ("ij,j->j", (2, 3), (3,)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iij,jk->ik", (2, 2, 3), (3, 4)),
    ("iii", (2, 2, 2)),
    ("i,j,k->kji", (2,), (3,), (4,)),
    ("ab,bc,cd,de->ae", (2, 3), (3, 2), (2, 4), (4, 2)),
    ("...ij,...jk->...ik", (5, 2, 3), (3, 4)),
    ("...i,i...", (2, 3), (3, 2)),
    ("...,...->...", (2, 1), (3,)),
    ("b t h d, b s h d -> b h t s", (2, 3, 2, 4), (2, 5, 2, 4)),
    (",i->i", (), (3,)),
    ("ij,ik->i", (2, 3), (2, 4)),
    ("ij,ij->ij", (1, 3), (2, 3)),
]


def einsum_cases():
    for subscripts, *shapes in EINSUMS:
        yield (lambda *xs, s=subscripts: np.einsum(s, *xs)), tuple(normal(*shape) for shape in shapes)
    yield (lambda *xs: np.einsum("ab,bc,cd->ad", *xs, optimize=True)), (normal(2, 3), normal(3, 2), normal(2, 4))


INDICES = [
    1,
    -1,
    slice(1, None),
    slice(None, None, -2),
    None,
    Ellipsis,
    (),
    (0, 1),
    (slice(None), 2),
    (Ellipsis, 0),
    (None, slice(1), None, Ellipsis, slice(0, 3, 2)),
    np.array([0, 2, 0, 0]),
    [0, 2, 0],
    np.array([[0, 1], [2, 2]]),
    np.array(1),
    (slice(None), np.array([3, 3, 1])),
    (np.array([0, 1, 0]), np.array([1, 1, 1])),
    (np.array([[0], [2]]), np.array([1, 1, 3])),
    (np.array([0, 0]), slice(1, 3)),
    (np.array([0, 0]), None, 1),
    np.int64(2),
    np.arange(12).reshape(3, 4) % 3 > 0,
    np.array([True, False, True]),
    (slice(None), np.array([True, False, True, True])),
    (np.array([True, False, True]), np.array([1, 1])),
]
TO_DOUBLE = operator.methodcaller("astype", np.float64)
x34, x234, x3 = normal(3, 4), normal(2, 3, 4), normal(3)
CASES = {
    np.positive: unary(np.positive),
    np.negative: unary(np.negative),
    np.add: [*binary(np.add), (lambda x: 2 + x, (x3,))],
    np.subtract: [*binary(np.subtract), (lambda x: 2 - x, (x3,))],
    np.multiply: [*binary(np.multiply), (lambda x: 2 * x * x, (x3,))],
    np.divide: [*binary(np.divide, normal, positive), (lambda x: 2 / x, (positive(3),))],
    np.remainder: [(lambda x, y: x % y, (np.array([5.3, -4.1]), np.array([2.0, 1.5]))), (lambda x: x % 1, (x3,))],
    np.reciprocal: unary(np.reciprocal, positive(3)),
    operator.pow: [
        *binary(operator.pow, positive, normal),
        *((lambda x, p=p: x**p, (positive(3),)) for p in (0, 1, 2, 3, -1, 0.5, 2.5, np.array([0.0, 1.0, 3.0]))),
        (lambda x: x**2 + x**0 + x**1, (np.zeros(2),)),
        (lambda x: x**3, (-positive(2),)),
        (lambda y: 2**y, (normal(2),)),
    ],
    np.power: [*binary(np.power, positive, normal), (lambda x: np.power(x, 2), (x3,))],
    np.square: unary(np.square),
    np.sqrt: unary(np.sqrt, positive(3)),
    np.cbrt: unary(np.cbrt, positive(3), -positive(2)),
    np.exp: unary(np.exp),
    np.exp2: unary(np.exp2),
    np.expm1: unary(np.expm1),
    np.log: unary(np.log, positive(3)),
    np.log2: unary(np.log2, positive(3)),
    np.log10: unary(np.log10, positive(3)),
    np.log1p: unary(np.log1p, small(3)),
    np.logaddexp: binary(np.logaddexp),
    np.sin: unary(np.sin),
    np.cos: unary(np.cos),
    np.tan: unary(np.tan, small(3)),
    np.arcsin: unary(np.arcsin, small(3)),
    np.arccos: unary(np.arccos, small(3)),
    np.arctan: unary(np.arctan),
    np.arctan2: binary(np.arctan2, normal, positive),
    np.sinh: unary(np.sinh),
    np.cosh: unary(np.cosh),
    np.tanh: unary(np.tanh),
    np.arcsinh: unary(np.arcsinh),
    np.arctanh: unary(np.arctanh, small(3)),
    np.absolute: [*unary(np.absolute), (abs, (x3,))],
    np.fabs: unary(np.fabs),
    np.sign: [(lambda x: x * np.sign(x), (x3,))],
    np.maximum: [*binary(np.maximum, normal, small), (lambda x: np.maximum(x, 0), (x34,))],
    np.minimum: [*binary(np.minimum, normal, small), (lambda x: np.minimum(0.1, x), (x34,))],
    np.where: [
        *(
            (lambda x, y: np.where(MASK, x, y), (normal(*a), small(*b)))
            for a, b in [((2, 3), (3,)), ((), (2, 1)), ((3,), ())]
        ),
        (lambda x: np.where(x > 0, x * x, 0), (x34,)),
    ],
    np.real: [(np.real, (x3,)), (lambda x: (x * 2j + x).real, (x3,))],
    np.imag: [(np.imag, (x3,)), (lambda x: (x * 2j + x).imag, (x3,))],
    np.conj: [(np.conj, (x3,)), (lambda x: np.conj(x * 2j + x), (x3,))],
    np.sum: [*reduction(np.sum), (lambda x: x.sum(0, keepdims=True), (x34,)), (np.sum, (normal(0, 2),))],
    np.mean: [*reduction(np.mean), (lambda x: x.mean(axis=0), (x34,))],
    np.var: [*reduction(np.var), (lambda x: np.var(x, axis=1, ddof=1), (x34,)), (lambda x: x.var(), (x34,))],
    np.prod: [
        *reduction(np.prod, positive),
        (np.prod, (np.array([1.5, 0.0, -2.0]),)),
        (np.prod, (np.array([1.5, 0.0, 0.0]),)),
        (lambda x: np.prod(x, axis=(0, 2)), (np.where(np.arange(24).reshape(2, 3, 4) % 5 > 0, x234, 0),)),
        (lambda x: x.prod(axis=0, keepdims=True), (np.where(MASK, 0, normal(2, 3)),)),
    ],
    np.max: [*reduction(np.max), (lambda x: x.max(0), (x34,))],
    np.min: [*reduction(np.min), (lambda x: x.min(0), (x34,))],
    np.amax: reduction(np.amax),
    np.amin: reduction(np.amin),
    np.cumsum: [(np.cumsum, (x34,)), (lambda x: np.cumsum(x, axis=-2), (x234,)), (lambda x: x.cumsum(0), (x34,))],
    np.matmul: [(np.matmul, (normal(*a), normal(*b))) for a, b in PRODUCTS] + [(lambda x: x @ x.T, (x34,))],
    np.linalg.inv: [(np.linalg.inv, (normal(*shape) + 3 * np.eye(2),)) for shape in ((2, 2), (3, 2, 2))],
    np.linalg.solve: [
        (np.linalg.solve, (normal(*a) + 3 * np.eye(3), normal(*b)))
        for a, b in [((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (2, 3, 1)), ((2, 3, 3), (3, 2)), ((2, 3, 3), (3,))]
    ],
    np.reshape: [
        (lambda x: np.reshape(x, (2, -1)), (x34,)),
        (lambda x: x.reshape(6, 2), (x34,)),
        (lambda x: x.reshape((1, 12)), (x34,)),
        (lambda x: x.reshape(-1), (normal(),)),
    ],
    np.ravel: [(np.ravel, (x34,)), (lambda x: x.ravel(), (x234,)), (lambda x: x.flatten(), (x234,))],
    np.squeeze: [(np.squeeze, (normal(1, 3, 1),)), (lambda x: np.squeeze(x, axis=0), (normal(1, 3, 1),))],
    np.expand_dims: [(lambda x: np.expand_dims(x, 1), (x34,)), (lambda x: np.expand_dims(x, axis=(0, -1)), (x34,))],
    np.transpose: [
        (np.transpose, (x34,)),
        (lambda x: np.transpose(x, (2, 0, 1)), (x234,)),
        (lambda x: np.transpose(x, axes=(1, -1, 0)), (x234,)),
        (lambda x: x.T @ x.transpose() + x.mT, (normal(3, 3),)),
        (lambda x: x.transpose(1, 0, 2) + x.transpose((1, 0, 2)), (x234,)),
    ],
    np.matrix_transpose: [(np.matrix_transpose, (x234,)), (lambda x: x.mT, (x234,))],
    np.swapaxes: [(lambda x: np.swapaxes(x, 0, -1), (x234,)), (lambda x: x.swapaxes(1, 2), (x234,))],
    np.moveaxis: [(lambda x: np.moveaxis(x, 0, -1), (x234,)), (lambda x: np.moveaxis(x, (0, 1), (2, 0)), (x234,))],
    np.broadcast_to: [
        (lambda x: np.broadcast_to(x, (2, 3, 4)), (normal(3, 1),)),
        (lambda x: np.broadcast_to(x, 3), (normal(),)),
    ],
    np.roll: [
        (lambda x: np.roll(x, 2), (x34,)),
        (lambda x: np.roll(x, -1, axis=1), (x34,)),
        (lambda x: np.roll(x, (1, 2), (0, 1)), (x34,)),
    ],
    operator.getitem: [(lambda x, i=i: x[i], (x34,)) for i in INDICES]
    + [(lambda x: x[0] * x[1] + x[np.array([1, 1])].sum(0) + x[0], (x34,)), (lambda x: sum(row for row in x), (x34,))],
    gradients.put: [(lambda x: gradients.put(x, (0, slice(None)), (3, 4)), (normal(4),))],
    gradients.einsum: [(lambda x, y: gradients.einsum("ij,jk->ik", x, y), (x34, normal(4, 2)))],
    gradients.concatenate: [(lambda x, y: gradients.concatenate(x, y, axis=1), (x34, normal(3, 2)))],
    gradients.stack: [(lambda x, y: gradients.stack(x, y, axis=1), (x34, small(3, 4)))],
    gradients.pad: [(lambda x: gradients.pad(x, ((1, 2),)), (x3,))],
    gradients.cast: [(lambda x: gradients.cast(x, np.dtype(x.dtype)), (x3,))],
    np.clip: [
        (lambda x: np.clip(x, -0.3, 0.5), (x34,)),
        (lambda x: np.clip(x, None, 0.5), (x34,)),
        (lambda x: np.clip(x, a_min=0, a_max=None), (x34,)),
        (lambda x: x.clip(min=-0.1), (x34,)),
        (np.clip, (x34, np.array(-0.2), np.full(4, 0.4))),
    ],
    np.std: [*reduction(np.std)[:4], (lambda x: x.std(0, ddof=1), (x34,))],
    np.linalg.norm: [
        (np.linalg.norm, (x34,)),
        (lambda x: np.linalg.norm(x, axis=-1, keepdims=True), (x34,)),
        (lambda x: np.linalg.norm(x, 2), (x3,)),
    ],
    np.angle: [(lambda x, y: np.angle(x + 1j * y), (positive(3), small(3)))],
    np.diff: [(np.diff, (x34,)), (lambda x: np.diff(x, n=2, axis=0), (x34,))],
    np.dot: [
        (np.dot, (normal(*a), normal(*b)))
        for a, b in [*PRODUCTS[:5], ((), (3,)), ((2, 3), ()), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((2, 3), (3,))]
    ]
    + [(lambda x, y: x.dot(y), (x34, normal(4)))],
    np.inner: [(np.inner, (normal(*a), normal(*b))) for a, b in [((3,), (3,)), ((2, 3), (4, 3)), ((), (3,))]],
    np.outer: [(np.outer, (normal(*a), normal(*b))) for a, b in [((3,), (2,)), ((2, 3), (2,)), ((), (2,))]],
    np.tensordot: [
        (np.tensordot, (normal(2, 3, 4), normal(3, 4, 5))),
        (lambda x, y: np.tensordot(x, y, axes=1), (x34, normal(4, 2, 2))),
        (lambda x, y: np.tensordot(x, y, 0), (x3, normal(2))),
        (lambda x, y: np.tensordot(x, y, ([0, 2], [1, 0])), (x234, normal(4, 2, 3))),
        (lambda x, y: np.tensordot(x, y, (-1, -2)), (x34, normal(2, 4, 3))),
    ],
    np.einsum: list(einsum_cases()),
    np.trace: [(np.trace, (x34,)), (lambda x: x.trace(offset=1), (x34,)), (lambda x: np.trace(x, 0, 1, 2), (x234,))],
    np.diagonal: [
        *((lambda x, k=k: np.diagonal(x, k), (x34,)) for k in (-4, -2, 0, 1, 5)),
        (lambda x: np.diagonal(x, axis1=-1, axis2=0), (x234,)),
    ],
    np.tril: [(np.tril, (x34,)), (lambda x: np.tril(x, k=-1), (x234,))],
    np.triu: [(np.triu, (x34,)), (lambda x: np.triu(x, 1), (x234,))],
    np.concatenate: [
        (lambda x, y: np.concatenate([x, y, x]), (x34, normal(2, 4))),
        (lambda x, y: np.concatenate((x, np.ones((3, 1), x.dtype), y), axis=-1), (x34, normal(3, 2))),
        (lambda x, y: np.concatenate([x, y], 0), (np.zeros((0, 2)), normal(3, 2))),
        (lambda x, y: np.concatenate([x, y], axis=None), (x34, x3)),
    ],
    np.stack: [
        (lambda x, y: np.stack([x, y, x]), (x3, small(3))),
        (lambda x, y: np.stack((x, y), axis=-1), (x34, small(3, 4))),
        (lambda x, y: np.stack((x, y), -2), (normal(2), small(2))),
        (lambda x: np.stack([x[0, 0], x[1, 1]]), (x34,)),
        (lambda x: np.stack(x, axis=1), (x34,)),
    ],
    np.vstack: [(lambda x, y: np.vstack([x, y]), (x34, normal(4)))],
    np.hstack: [(lambda x, y: np.hstack([x, y]), pair) for pair in ((x34, normal(3, 1)), (x3, normal(2)))],
    np.atleast_1d: [(np.atleast_1d, (normal(),)), (np.atleast_1d, (x34,))],
    np.atleast_2d: [(np.atleast_2d, (normal(),)), (np.atleast_2d, (x3,))],
    np.split: [
        (lambda x: np.concatenate(np.split(x, 2, axis=1)[::-1]), (x34,)),
        (lambda x: np.concatenate(np.split(x, [1, 3], axis=-1), 1), (x34,)),
    ],
    np.array_split: [(lambda x: np.concatenate([part.sum(0) for part in np.array_split(x, 2)]), (x34,))],
    np.pad: [
        (lambda x: np.pad(x, 1), (x34,)),
        (lambda x: np.pad(x, (1, 2), constant_values=3), (x3,)),
        (lambda x: np.pad(x, ((0, 1), (2, 0)), mode="constant"), (x34,)),
    ],
    np.flip: [(np.flip, (x34,)), (lambda x: np.flip(x, -1), (x34,)), (lambda x: np.flip(x, axis=(0, 1)), (x234,))],
    np.repeat: [
        (lambda x: np.repeat(x, 2), (x34,)),
        (lambda x: np.repeat(x, 3, axis=-1), (x34,)),
        (lambda x: x.repeat([1, 0, 2], axis=0), (x34,)),
    ],
    np.tile: [
        *((lambda x, r=r: np.tile(x, r), (x34,)) for r in (2, (2, 1), (2, 1, 3), ())),
        (lambda x: np.tile(x, 2), (normal(),)),
    ],
    np.take: [
        (lambda x: np.take(x, np.array([5, 0, 5])), (x34,)),
        (lambda x: np.take(x, [[1, 1], [0, 2]], axis=0), (x34,)),
        (lambda x: x.take(2, axis=-1), (x34,)),
    ],
    np.take_along_axis: [
        (lambda x: np.take_along_axis(x, np.array([[0, 0], [1, 3], [2, 2]]), axis=-1), (x34,)),
        (lambda x: np.take_along_axis(x, np.array([[0, 2, 1, 1]]), axis=0), (x34,)),
        (lambda x: np.take_along_axis(x, np.array([5, 1]), axis=None), (x34,)),
    ],
    np.sort: [(np.sort, (x34,)), (lambda x: np.sort(x, axis=0), (x34,)), (lambda x: np.sort(x, None), (x34,))],
    np.copy: [(np.copy, (x34,)), (lambda x: x.copy(), (x34,))],
    np.astype: [(lambda x: np.astype(x, x.dtype), (x34,)), (TO_DOUBLE, (x34,))],
    np.full_like: [(lambda x, y: x * np.full_like(x, y), (x34, normal())), (lambda x: x * np.full_like(x, 2), (x34,))],
    np.broadcast_arrays: [(lambda x, y: operator.mul(*np.broadcast_arrays(x, y)), (x34, normal(3, 1)))],
}
PAIRS = [
    pytest.param(function, run, values, id=f"{gradients.name(function)}-{k}")
    for function, cases in CASES.items()
    for k, (run, values) in enumerate(cases)
]


def weighted(run, seed=0):
    """Turn a function of arrays into a scalar function of a list of them."""

    def scalar(xs):
        y = run(*xs)
        weights = np.random.default_rng(seed).uniform(0.5, 1.5, y.shape)
        if np.iscomplexobj(y):
            weights = weights * np.exp(1j * np.arange(y.size).reshape(y.shape))
        return np.sum(np.real(y * weights.astype(y.dtype)))

    return scalar


def test_every_entry_of_the_table_has_a_case():
    entries = {f for f in GRADIENTS if gradients.name(f).startswith(("numpy", "_operator", "recurrence.gradients"))}
    assert set(CASES) == entries | set(COMPOSED)


@pytest.mark.parametrize(("function", "run", "values"), PAIRS)
def test_gradient(function, run, values):
    check_gradient(weighted(run), list(values), rng=np.random.default_rng(0))


@pytest.mark.parametrize(("function", "run", "values"), PAIRS)
def test_gradient_of_the_gradient(function, run, values):
    slope = grad(weighted(run))
    along = [np.random.default_rng(1).standard_normal(x.shape) for x in values]

    def directional(xs):
        return sum(np.sum(dx * v) for dx, v in zip(slope(xs), along, strict=True))

    check_gradient(directional, list(values), rng=np.random.default_rng(2), rtol=1e-6, directions=1)


@pytest.mark.parametrize(("function", "run", "values"), PAIRS)
def test_single_precision_stays_single_and_values_stay_what_they_are(function, run, values):
    if np.iscomplexobj(run(*values)) or run is TO_DOUBLE:
        return
    singles = [x.astype(np.float32) for x in values]
    seen = []

    def watched(*xs):
        seen.append(run(*xs))
        return seen[-1]

    _, grads = value_and_grad(weighted(watched))(singles)
    expected = run(*singles)
    assert isinstance(seen[0], np.ndarray) and type(seen[0]) is Variable
    np.testing.assert_allclose(seen[0].value, expected, rtol=1e-5, atol=1e-6)
    assert seen[0].dtype == expected.dtype
    for dx, exact in zip(grads, grad(weighted(run))(list(values)), strict=True):
        assert dx.dtype == np.float32
        np.testing.assert_allclose(dx, exact, rtol=2e-3, atol=2e-4)


def test_locally_constant_functions_are_not_recorded():
    def f(x):
        y = x * 1
        for function in CONSTANT - TWO_ARGUMENTS:
            assert not isinstance(function(y), Variable) and type(function(y)) is not Variable
        for function in TWO_ARGUMENTS:
            assert type(function(y, y)) is not Variable
        assert y.argmax() == 2 and y.any() and (y > 0).all() and y.round().sum() == 6
        return np.sum(y)

    np.testing.assert_array_equal(grad(f)(np.array([1.0, 2.0, 3.0])), 1)


TWO_ARGUMENTS = {
    *(np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.isclose, np.allclose),
    *(np.array_equal, np.logical_and, np.logical_or, np.floor_divide, np.heaviside, np.searchsorted, np.digitize),
    np.shares_memory,
}


# Complex numbers: the gradient of a real function points along ∂/∂Re + i ∂/∂Im.

COMPLEX = [
    (lambda z: z * z * (1 + 2j) - 3 * z, (waves(3),)),
    (lambda z, w: z * w, (waves(2, 3), waves(3))),
    (lambda z, x: z * x, (waves(2, 3), normal(3))),
    (lambda z, w: z / w, (waves(3), waves(3))),
    (lambda z, x: x / z, (waves(3), normal(3))),
    (lambda z: z**2 + z**-1 + z**0.5, (waves(3),)),
    (lambda z, w: z**w, (waves(3), waves(3))),
    (np.exp, (waves(3),)),
    (np.expm1, (waves(3),)),
    (np.log, (waves(3),)),
    (np.log1p, (waves(3),)),
    (np.sqrt, (waves(3),)),
    (np.square, (waves(3),)),
    (np.sin, (waves(3),)),
    (np.cos, (waves(3),)),
    (np.tanh, (waves(3),)),
    (np.absolute, (waves(3),)),
    (np.angle, (waves(3),)),
    (np.conj, (waves(3),)),
    (np.real, (waves(3),)),
    (np.imag, (waves(3),)),
    (lambda z: z.real**2 + z.imag, (waves(3),)),
    (lambda z, w: z @ w, (waves(2, 3), waves(3, 2))),
    (lambda z, x: z @ x, (waves(2, 3), normal(3, 2))),
    (lambda z, x: np.einsum("ij,kj->ik", z, x), (waves(2, 3), normal(2, 3))),
    (lambda z: np.sum(z, 0) + np.mean(z, 0), (waves(2, 3),)),
    (np.prod, (waves(3),)),
    (lambda z: np.var(z, 0), (waves(3, 2),)),
    (np.linalg.norm, (waves(3),)),
    (np.cumsum, (waves(3),)),
    (np.linalg.solve, (waves(2, 2) + 3 * np.eye(2), waves(2))),
    (lambda z: np.where(np.array([True, False, True]), z, 0), (waves(3),)),
    (lambda z, x: np.concatenate([z, x]), (waves(3), normal(2))),
    (lambda z: z[np.array([0, 0, 2])], (waves(3),)),
    (lambda x: np.exp(1j * x), (normal(3),)),
    (lambda x, y: (x + 1j * y).astype(np.complex128), (normal(3), normal(3))),
]


@pytest.mark.parametrize(("run", "values"), COMPLEX)
def test_complex_gradient(run, values):
    check_gradient(weighted(run), list(values), rng=np.random.default_rng(0))


@pytest.mark.parametrize(("run", "values"), COMPLEX)
def test_complex_gradient_of_the_gradient(run, values):
    slope = grad(weighted(run))
    along = [normal(*x.shape) for x in values]

    def directional(xs):
        return sum(np.sum(np.real(dx) * v) for dx, v in zip(slope(xs), along, strict=True))

    check_gradient(directional, list(values), rng=np.random.default_rng(2), rtol=1e-6, directions=1)


def test_a_complex_gradient_is_the_steepest_way_up():
    z = np.array([1 + 2j, -3j])
    np.testing.assert_allclose(grad(lambda z: np.sum(np.abs(z) ** 2))(z), 2 * z)
    np.testing.assert_allclose(grad(lambda z: np.sum(z.imag))(z), [1j, 1j])


@pytest.mark.parametrize(
    "f",
    [
        np.max,
        np.min,
        lambda z: np.sum(np.maximum(z, 0)),
        lambda z: np.sum(np.sign(z)),
        lambda z: np.sum(np.minimum(z, 1j)),
    ],
)
def test_complex_numbers_have_no_order(f):
    with pytest.raises(TypeError, match="no gradient for the sign, the maximum or the minimum of complex numbers"):
        grad(lambda z: np.real(f(z)))(waves(3))


# Kinks: which of the possible slopes it is.


def test_the_absolute_value_is_flat_at_zero():
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.abs(x)))(np.array([-2.0, 0.0, 3.0])), [-1, 0, 1])


def test_ties_share_the_gradient():
    x, y = np.array([1.0, 2.0]), np.array([1.0, 0.0])
    dx, dy = grad(lambda xy: np.sum(np.maximum(*xy)))((x, y))
    np.testing.assert_array_equal([dx, dy], [[0.5, 1], [0.5, 0]])
    dx, dy = grad(lambda xy: np.sum(np.minimum(*xy)))((x, y))
    np.testing.assert_array_equal([dx, dy], [[0.5, 0], [0.5, 1]])
    np.testing.assert_array_equal(grad(np.max)(np.array([3.0, 1.0, 3.0])), [0.5, 0, 0.5])
    best = grad(lambda x: np.sum(np.min(x, axis=1)))(np.array([[3.0, 1.0, 1.0], [0.0, 0.0, 0.0]]))
    np.testing.assert_allclose(best, [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]])


def test_clip_passes_the_gradient_at_its_bounds():
    x = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.clip(x, -1, 1)))(x), [0, 1, 1, 1, 0])


def test_sort_hands_the_gradient_to_each_number_in_its_place():
    weights = np.array([1.0, 10.0, 100.0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.sort(x) * weights))(np.array([3.0, 1.0, 2.0])), [100, 1, 10])


def test_a_power_of_zero():
    np.testing.assert_array_equal(grad(lambda x: np.sum(x**0 + x**1 + x**2))(np.zeros(2)), [1, 1])
    np.testing.assert_array_equal(grad(lambda y: np.sum(np.zeros(2) ** y))(np.array([1.0, 2.0])), [0, 0])


# Properties over shapes that nobody thought of.

kinds = st.sampled_from([operator.add, operator.sub, operator.mul, np.logaddexp])


@settings(max_examples=60, deadline=None)
@given(arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3), kinds, st.integers(0, 2**32 - 1))
def test_broadcasting(shapes, function, seed):
    rng = np.random.default_rng(seed)
    values = [rng.standard_normal(shape) for shape in shapes.input_shapes]
    check_gradient(weighted(function), values, rng=rng, directions=1, rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(arrays.mutually_broadcastable_shapes(num_shapes=3, min_side=0, max_dims=3, max_side=3))
def test_unbroadcasting_counts_how_often_each_number_was_used(shapes):
    values = [np.ones(shape) for shape in shapes.input_shapes]
    grads = grad(lambda xs: np.sum(xs[0] + xs[1] + xs[2]))(values)
    total = int(np.prod(shapes.result_shape))
    for x, dx in zip(values, grads, strict=True):
        assert dx.shape == x.shape
        np.testing.assert_array_equal(dx, np.full(x.shape, total / x.size if x.size else 0))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_indexing(data):
    shape = data.draw(arrays.array_shapes(min_dims=1, max_dims=3, max_side=4))
    basic = arrays.basic_indices(shape, allow_newaxis=True)
    fancy = arrays.integer_array_indices(shape)
    mask = arrays.arrays(bool, shape)
    index = data.draw(basic | fancy | mask)
    x = np.arange(float(np.prod(shape))).reshape(shape)
    used = np.bincount(np.ravel(x[index]).astype(int), minlength=x.size).reshape(shape)
    np.testing.assert_array_equal(grad(lambda x: np.sum(x[index]))(x), used)
    np.testing.assert_array_equal(grad(lambda x: np.sum(x[index] + 2 * x[index]))(x), 3 * used)


@st.composite
def einsums(draw):
    """Any sum of products of up to three arrays, with indices repeated, left out or in any order."""
    sizes = dict(zip("abcd", draw(st.tuples(*[st.integers(1, 3)] * 4)), strict=True))
    terms = draw(st.lists(st.text("abcd", max_size=3), min_size=1, max_size=3))
    letters = sorted(set("".join(terms)))
    out = "".join(draw(st.permutations(letters))[: draw(st.integers(0, len(letters)))])
    return f"{','.join(terms)}->{out}", [tuple(sizes[letter] for letter in term) for term in terms]


@settings(max_examples=60, deadline=None)
@given(einsums(), st.integers(0, 2**32 - 1))
def test_einsum(spec, seed):
    subscripts, shapes = spec
    rng = np.random.default_rng(seed)
    values = [rng.standard_normal(shape) for shape in shapes]
    check_gradient(weighted(lambda *xs: np.einsum(subscripts, *xs)), values, rng=rng, directions=1)


# Refusals.

REFUSED = [
    (np.fft.fft, r"no gradient for numpy\.fft\.fft[;.]"),
    (np.median, r"no gradient for numpy\.median[;.]"),
    (np.linalg.svd, r"no gradient for numpy\.linalg\.svd[;.]"),
    (np.spacing, r"no gradient for numpy\.spacing[;.]"),
    (lambda x: np.sum(x, where=x > 0), r"no gradient for numpy\.sum when it is called with 1 arguments and where="),
    (lambda x: np.sum(x, 0, np.float64), r"no gradient for numpy\.sum when it is called with 3 arguments"),
    (lambda x: np.sum(x, out=np.empty(())), r"no gradient for numpy\.sum .* out="),
    (lambda x: np.std(x, out=np.empty(())), r"no gradient for numpy\.std .* out="),
    (lambda x: np.add(x, 1, out=np.empty((2, 2))), r"no gradient for numpy\.add .* out="),
    (lambda x: np.exp(x, where=x > 0), r"no gradient for numpy\.exp .* where="),
    (np.add.reduce, r"no gradient for numpy\.add\.reduce; use a function such as np\.sum"),
    (lambda x: np.multiply.outer(x, x), r"no gradient for numpy\.multiply\.outer"),
    (np.where, r"no gradient for numpy\.where when"),
    (lambda x: np.pad(x, 1, mode="edge"), r"no gradient for numpy\.pad with mode 'edge'"),
    (lambda x: np.pad(np.pad(x, 1), 1, constant_values=x[0, 0]), r"with a variable as keyword argument"),
    (lambda x: np.linalg.norm(x, 2), r"no gradient for numpy\.linalg\.norm but"),
    (lambda x: np.linalg.norm(x, axis=(0, 1)), r"no gradient for numpy\.linalg\.norm but"),
    (lambda x: np.einsum(x, [0, 1], x, [1, 2]), r"no gradient for numpy\.einsum with lists of axes"),
    (lambda x: np.reshape(x, (4,), order="F"), r"no gradient for numpy\.reshape .* order="),
    (lambda x: np.take(x, 0, mode="clip"), r"no gradient for numpy\.take .* mode="),
]


@pytest.mark.parametrize(("run", "sentence"), REFUSED)
def test_what_has_no_gradient_is_refused_by_name(run, sentence):
    with pytest.raises(TypeError, match=sentence):
        grad(lambda x: np.sum(run(x)))(np.ones((2, 2)))


def test_a_variable_may_come_as_a_keyword():
    x = normal(2, 3)
    np.testing.assert_array_equal(grad(lambda x: np.sum(a=x, axis=None))(x), 1)
    np.testing.assert_array_equal(grad(lambda x: np.clip(0.0, a_min=np.sum(x), a_max=9))(np.ones(2)), 1)


def test_a_split_that_does_not_come_out_even_is_refused():
    with pytest.raises(ValueError, match=r"An axis of 3 does not split into 2 equal parts"):
        grad(lambda x: np.sum(np.split(x, 2)[0]))(np.ones(3))
