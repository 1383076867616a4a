"""The tape: trees in and out, graphs of any shape and depth, derivatives of derivatives, and what is refused."""

import copy
import dataclasses
import gc
import math
import pickle
import threading
import tracemalloc
from typing import Any, NamedTuple

import numpy as np
import pytest

from recurrence import tree
from recurrence.check import check_gradient
from recurrence.gradients import GRADIENTS
from recurrence.tape import Variable, constant, grad, gradient, primitive, value_and_grad


@dataclasses.dataclass(frozen=True)
class Model:
    W: Any
    b: Any
    steps: Any = dataclasses.field(default_factory=lambda: np.arange(3))
    reservoir: Any = tree.fixed(default=2.0)
    name: str = "model"

    def __post_init__(self):
        if np.any(constant(self.W) < -100):
            raise ValueError("a model, not a gradient")


class Pair(NamedTuple):
    first: Any
    second: Any


def cubes(x):
    return np.sum(x**3)


# Trees in, trees out.


def test_value_and_gradient():
    value, dx = value_and_grad(cubes)(np.array([1.0, 2.0]))
    assert value == 9.0 and type(value) is np.float64
    np.testing.assert_array_equal(dx, [3.0, 12.0])


def test_the_gradient_is_a_tree_like_the_model():
    reservoir = np.ones((2, 2))
    model = Model(np.full((2, 2), -200.0 + 300.0), np.zeros(2, np.float32), reservoir=reservoir)
    grads = grad(lambda m: np.sum(m.W @ m.reservoir) * m.steps[2] - 1e3 * np.sum(m.W) + m.b[0])(model)
    assert type(grads) is Model and grads.name == "model"
    assert grads.steps is model.steps and grads.reservoir is reservoir
    np.testing.assert_array_equal(grads.W, np.full((2, 2), 4.0 - 1e3))
    np.testing.assert_array_equal(grads.b, [1, 0])
    assert grads.b.dtype == np.float32


def test_trees_of_every_kind():
    model = {"a": [np.ones(2), np.arange(2)], "b": Pair((np.array(3.0),), None)}
    grads = grad(lambda m: np.sum(m["a"][0]) * m["b"].first[0])(model)
    np.testing.assert_array_equal(grads["a"][0], [3, 3])
    assert grads["a"][1] is model["a"][1] and grads["b"].second is None
    assert grads["b"].first[0] == 2.0 and isinstance(grads["b"].first[0], np.ndarray)


def test_other_arguments_are_constants():
    value, dx = value_and_grad(lambda x, y, *, z: np.sum(x * y * z))(np.ones(2), np.array([2.0, 3.0]), z=10)
    assert value == 50
    np.testing.assert_array_equal(dx, [20, 30])


def test_auxiliary_results_come_out_plain():
    def f(x):
        y = x * x
        return np.sum(y), {"y": y, "rows": (y[0], 7, "text"), "n": np.arange(2)}

    (value, aux), dx = value_and_grad(f, has_aux=True)(np.array([1.0, 2.0]))
    assert value == 5 and type(aux["y"]) is np.ndarray and type(aux["rows"][0]) is np.ndarray
    np.testing.assert_array_equal(aux["y"], [1, 4])
    np.testing.assert_array_equal(dx, [2, 4])
    dx, aux = grad(f, has_aux=True)(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(dx, [2, 4])
    assert aux["rows"][1:] == (7, "text")


@pytest.mark.parametrize("f", [lambda x: 3.0, lambda x: np.float32(2), lambda x: np.sum(constant(x)), lambda x: 7])
def test_no_dependence_is_a_gradient_of_zeros(f):
    dx = grad(f)(np.ones((2, 3), np.float32))
    assert dx.dtype == np.float32 and dx.flags.writeable
    np.testing.assert_array_equal(dx, np.zeros((2, 3)))


def test_a_leaf_that_is_not_used_has_a_gradient_of_zeros():
    grads = grad(lambda m: np.sum(m["used"]))({"used": np.ones(2), "unused": np.ones(3, np.float32)})
    np.testing.assert_array_equal(grads["unused"], np.zeros(3))
    assert grads["unused"].dtype == np.float32


def test_empty_arrays():
    value, dx = value_and_grad(lambda x: np.sum(x * 2) + 1)(np.zeros((0, 3)))
    assert value == 1 and dx.shape == (0, 3)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
def test_precision_is_kept(kind):
    value, dx = value_and_grad(lambda x: np.mean(np.tanh(2.5 * x + 1) / 3))(np.ones(4, kind))
    assert value.dtype == dx.dtype == kind


def test_mixed_precisions_go_back_to_where_they_came_from():
    single, double = grad(lambda xy: np.sum(xy[0] * xy[1]))((np.ones(2, np.float32), np.ones(2)))
    assert single.dtype == np.float32 and double.dtype == np.float64


# Whose memory it is.


def test_gradients_share_no_memory_with_anything():
    x, W = np.ones((3, 3)), np.ones((3, 3))
    model = {"a": x, "b": np.ones((3, 3)), "same": x, "W": W, "t": np.ones((3, 3)), "s": np.array(2.0), "k": np.ones(9)}
    batch = np.ones((3, 3))

    def f(m):
        return (
            np.sum(m["a"] + m["b"] + m["same"])
            + np.sum(m["W"] * batch)
            + np.sum(m["t"].T + m["k"].reshape(3, 3))
            + m["s"]
            + np.sum(passed(m["a"]))
        )

    @primitive
    def passed(a):
        return a * batch, lambda dy: (batch,)

    value, grads = value_and_grad(f)(model)
    arrays = [*tree.leaves(grads), *tree.leaves({**model, "same": np.ones(1)}), np.asarray(value)]
    for k, one in enumerate(arrays):
        assert one.flags.writeable
        assert not any(np.shares_memory(one, other) for other in arrays[:k])


def test_the_value_is_not_the_models_own_memory():
    x = np.array(3.0)
    value, dx = value_and_grad(lambda x: x)(x)
    x += 1
    assert value == 3 and dx == 1


def test_an_array_used_many_times_adds_its_gradients_up_and_disturbs_no_other():
    def f(xy):
        x, y = xy
        z = x + y  # one array goes back to both, and x has more to come
        for _ in range(5):
            z = z + x
        return np.sum(z)

    dx, dy = grad(f)((np.ones(3), np.ones(3)))
    np.testing.assert_array_equal(dx, [6, 6, 6])
    np.testing.assert_array_equal(dy, [1, 1, 1])


def test_an_array_at_two_places_of_the_model_is_two_parameters():
    x = np.array([2.0, 3.0])
    first, second = grad(lambda m: np.sum(m[0] ** 2) + 5 * np.sum(m[1]))((x, x))
    np.testing.assert_array_equal(first, [4, 6])
    np.testing.assert_array_equal(second, [5, 5])


def test_the_model_is_left_alone():
    model = {"x": np.arange(3.0)}
    kept = copy.deepcopy(model)
    grad(lambda m: np.sum(np.exp(m["x"])[::-1] * m["x"]))(model)
    np.testing.assert_array_equal(model["x"], kept["x"])


# Graphs.


def test_a_graph_100_000_steps_deep():
    def f(x):
        for _ in range(100_000):
            x = x * 1.00001
        return x

    assert grad(f)(np.array(1.0)) == pytest.approx(1.00001**100_000, rel=1e-9)


def test_a_deep_graph_that_fails_is_let_go_of_too():
    def f(x):
        for _ in range(50_000):
            x = x + 1
        raise KeyError("on the way")

    with pytest.raises(KeyError, match="on the way"):
        grad(f)(np.array(1.0))
    gc.collect()


def test_a_graph_with_exponentially_many_paths():
    def f(x):
        for _ in range(60):
            x = x + x
        return x

    assert grad(f)(np.array(1.0)) == 2.0**60


def test_diamonds_wait_for_all_paths():
    def f(x):
        a = np.sin(x)
        b = a * x
        c = b + a
        return np.sum(c * b * a)

    check_gradient(f, np.array([0.3, 1.2]), rng=np.random.default_rng(0))


def test_memory_is_freed_on_the_way_back():
    n, steps = 100_000, 40

    def f(x):
        for _ in range(steps):
            x = np.sin(x)
        return np.sum(x)

    peaks = []

    def watched(dy, y, x):
        peaks.append(tracemalloc.get_traced_memory()[0])
        return dy * np.cos(x)

    plain = GRADIENTS[np.sin]
    GRADIENTS[np.sin] = (watched,)
    try:
        tracemalloc.start()
        grad(f)(np.ones(n))
    finally:
        tracemalloc.stop()
        GRADIENTS[np.sin] = plain
    assert len(peaks) == steps
    assert peaks[0] > 0.9 * steps * 8 * n and peaks[-1] < 5 * 8 * n


def test_reading_a_sequence_step_by_step_costs_as_much_as_the_sequence():
    n, width = 400, 500
    tracemalloc.start()
    try:
        dx = grad(lambda xs: sum(np.sum(xs[k]) * k for k in range(n)))(np.ones((n, width)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(dx, np.repeat(np.arange(float(n))[:, None], width, axis=1))
    assert peak < 4 * n * width * 8


def test_only_what_depends_on_a_variable_is_recorded():
    kinds = []

    def f(x):
        big = np.ones(5) * 2
        kinds.append(type(big))
        kinds.append(type(np.zeros_like(x)))
        kinds.append(type(x > 0))
        return np.sum(x * big)

    grad(f)(np.ones(5))
    assert kinds == [np.ndarray] * 3


def test_constants_get_no_rule_run():
    asked = []

    @gradient(lambda dz, z, x, y: asked.append("x") or dz * y, lambda dz, z, x, y: asked.append("y") or dz * x)
    def times(x, y):
        return x * y

    np.testing.assert_array_equal(grad(lambda x: np.sum(times(x, np.full(2, 3.0))))(np.ones(2)), [3, 3])
    assert asked == ["x"]


def test_threads_do_not_disturb_each_other():
    results = {}

    def work(k):
        results[k] = [grad(lambda x: np.sum(np.tanh(x * k) ** 2))(np.full(3, 0.1)) for _ in range(50)]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, grads in results.items():
        t = math.tanh(0.1 * k)
        np.testing.assert_allclose(grads, 2 * t * (1 - t * t) * k, rtol=1e-12)


# Derivatives of derivatives.


def test_second_and_third_derivative():
    slope = grad(lambda x: np.sum(x**4))
    curvature = grad(lambda x: np.sum(slope(x)))
    x = np.array([1.0, -2.0])
    np.testing.assert_allclose(slope(x), 4 * x**3)
    np.testing.assert_allclose(curvature(x), 12 * x**2)
    np.testing.assert_allclose(grad(lambda x: np.sum(curvature(x)))(x), 24 * x)
    assert grad(grad(np.sin))(np.array(0.3)) == pytest.approx(-math.sin(0.3), rel=1e-12)


def test_product_of_hessian_and_vector():
    A = np.random.default_rng(0).standard_normal((3, 3))
    x, v = np.array([0.1, 0.2, 0.3]), np.array([1.0, -1.0, 2.0])

    def f(x):
        return np.exp(x @ A @ x)

    def along(x):
        return grad(f)(x) @ v

    S = A + A.T
    hessian = np.exp(x @ A @ x) * (np.outer(S @ x, S @ x) + S)
    np.testing.assert_allclose(grad(along)(x), hessian @ v, rtol=1e-12)


def test_a_gradient_inside_a_function_that_is_differentiated():
    def learnt(lr):  # one step of descent, and how its success depends on the rate
        w = np.array([1.0, 2.0])
        w = w - lr * grad(lambda w: np.sum(w**4))(w)
        return np.sum(w**4)

    check_gradient(learnt, np.array(0.01), rng=np.random.default_rng(0))
    value, slope = value_and_grad(learnt)(np.array(0.01))
    assert type(value) is np.float64 and type(slope) is np.ndarray


def test_perturbations_are_not_confused():
    # d/dx (x · d/dy (x + y)) = 1, and 2 if the inner derivative took the x for its own.
    assert grad(lambda x: x * grad(lambda y: x + y)(np.array(1.0)))(np.array(1.0)) == 1
    # The classic with a product: d/dx (x · d/dy (x y)) = 2x.
    assert grad(lambda x: x * grad(lambda y: x * y)(np.array(2.0)))(np.array(3.0)) == 6


def test_the_inner_function_may_use_the_outer_variable_in_its_model():
    def outer(x):
        grads = grad(lambda m: np.sum(m["a"] ** 2 * m["b"]))({"a": x * 3, "b": np.ones(2)})
        assert type(grads["a"]) is Variable and type(grads["b"]) is Variable
        return np.sum(grads["a"]) + np.sum(grads["b"])

    np.testing.assert_allclose(grad(outer)(np.array([1.0, 2.0])), 6 + 18 * np.array([1.0, 2.0]), rtol=1e-12)


def test_value_and_aux_of_the_inner_one_belong_to_the_outer_one():
    def outer(x):
        (value, aux), dy = value_and_grad(lambda y: (np.sum(x * y), x * y), has_aux=True)(x * x)
        return value + np.sum(aux) + np.sum(dy)

    check_gradient(outer, np.array([0.5, 1.5]), rng=np.random.default_rng(0))


def test_what_the_inner_function_ignores_has_zero_gradient():
    assert grad(lambda x: x * grad(lambda y: x * 2)(np.array(1.0)))(np.array(5.0)) == 0


def test_a_number_that_is_used_and_indexed():
    assert grad(lambda x: x * x + x * x + x[()] * x + x[None][0] * x[None, None][0, 0])(np.array(3.0)) == 24


def test_second_derivatives_through_indexing_and_shared_parts():
    def f(x):
        return np.sum(x[1:] * x[:-1] ** 2) + np.sum(x[np.array([0, 0, 2])] ** 3)

    check_gradient(lambda x: np.sum(grad(f)(x) ** 2), np.array([0.5, -1.0, 2.0]), rng=np.random.default_rng(0))


# Primitives.


@primitive
def shifted_squares(x, shift, *, power=2):
    y = (x + shift) ** power

    def pull(dy):
        dx = dy * power * (x + shift) ** (power - 1)
        return dx, dx

    return y, pull


def test_a_primitive_on_plain_arrays_returns_its_value():
    y = shifted_squares(np.arange(3.0), 1.0)
    assert type(y) is np.ndarray
    np.testing.assert_array_equal(y, [1, 4, 9])


def test_a_primitive_is_one_step_of_the_tape():
    leaves = [np.ones((2, 3)), np.ones(3)]
    check_gradient(lambda m: np.sum(shifted_squares(*m, power=3)), leaves, rng=np.random.default_rng(0))


def test_a_primitive_with_several_results():
    @primitive
    def both(x, y):
        def pull(dys):
            dsum, dproduct = dys
            assert dsum.shape == x.shape and dproduct.shape == x.shape
            return dsum + y * dproduct, dsum + x * dproduct

        return (x + y, x * y), pull

    values = [np.array([0.5, 2.0]), np.array([1.5, -1.0])]
    assert type(both(*values)) is tuple
    for f in (
        lambda m: np.sum(both(*m)[0] ** 2),
        lambda m: np.sum(both(*m)[1] ** 3),
        lambda m: np.sum(both(*m)[0] * both(*m)[1]),
        lambda m: np.sum(both(both(*m)[0], both(*m)[1])[1]),
    ):
        check_gradient(f, values, rng=np.random.default_rng(0))
    dx, dy = grad(lambda m: (both(*m), np.sum(m[0]))[1])(values)
    np.testing.assert_array_equal([dx, dy], [[1, 1], [0, 0]])


def test_a_primitive_without_a_definition_has_no_second_derivative():
    with pytest.raises(TypeError, match=r"no second derivative for shifted_squares: it is fused"):
        grad(grad(lambda x: shifted_squares(x, 1.0)))(np.array(1.0))
    # Where only one of the two differentiations goes through it, nothing is in the way.
    assert grad(lambda x: x * grad(lambda y: shifted_squares(y, 1.0))(np.array(1.0)))(np.array(3.0)) == 4


def test_a_primitive_with_a_definition_has_every_derivative():
    @primitive(definition=lambda x: x**5)
    def fifth(x):
        return x**5, lambda dy: (dy * 5 * x**4,)

    assert grad(fifth)(np.array(2.0)) == 80
    assert grad(grad(fifth))(np.array(2.0)) == 160
    assert grad(grad(grad(fifth)))(np.array(2.0)) == 240


def test_variables_are_positional_arguments_of_a_primitive():
    with pytest.raises(TypeError, match="shifted_squares takes variables by position, not by keyword"):
        grad(lambda x: shifted_squares(np.ones(()), 1.0, power=x))(np.array(2.0))


def test_a_pull_that_returns_too_little_is_refused():
    @primitive
    def lame(x, y):
        return x + y, lambda dy: (dy,)

    with pytest.raises(ValueError, match="shorter"):
        grad(lambda x: np.sum(lame(x, x)))(np.ones(3))


def test_a_gradient_of_the_wrong_shape_is_refused():
    @primitive
    def bare(x):
        return 2 * x, lambda dy: 2 * dy  # not a tuple

    with pytest.raises(ValueError, match=r"A gradient came back with shape \(3,\) for an argument of shape \(1, 3\)"):
        grad(lambda x: np.sum(bare(x)))(np.ones((1, 3)))


def test_a_function_of_ones_own_joins_the_table():
    @gradient(lambda dy, y, x: dy * 3 * x**2)
    def cube(x):
        return x * x * x

    try:
        assert cube(2.0) == 8
        assert grad(cube)(np.array(2.0)) == 12 and grad(grad(cube))(np.array(2.0)) == 12
    finally:
        del GRADIENTS[cube]


def test_a_foreign_ufunc_joins_the_table():
    from scipy.special import erf

    with pytest.raises(TypeError, match=r"no gradient for numpy\.erf|no gradient for .*erf"):
        grad(lambda x: np.sum(erf(x)))(np.ones(2))
    GRADIENTS[erf] = (lambda dy, y, x: dy * (2 / math.sqrt(math.pi)) * np.exp(-x * x),)
    try:
        check_gradient(lambda x: np.sum(erf(x)), np.array([0.1, -0.7]), rng=np.random.default_rng(0))
    finally:
        del GRADIENTS[erf]


# A variable passes for an array, or says why not.


def test_it_looks_like_an_array():
    def f(x):
        assert isinstance(x, np.ndarray) and type(x) is Variable
        assert (x.shape, x.ndim, x.size, x.dtype, len(x)) == ((2, 3), 2, 6, np.float64, 2)
        assert np.shape(x) == (2, 3) and np.ndim(x) == 2 and np.size(x) == 6
        assert [row.shape for row in x] == [(3,), (3,)]
        assert repr(x[0, 0]) == "Variable(np.float64(1.0))" and f"{x[0, 0]:.2f}" == "1.00"
        assert x[0, 0] > 0 and not x[0, 0] < 0 and bool(x[0, 0])
        assert (x == 1).all() and not (x != 1).any() and (x >= 1).all() and (x <= 1).all()
        assert x.astype(int).dtype == int and type(x.astype(int)) is np.ndarray
        assert x.astype(bool).all() and type(np.astype(x, np.int8)) is np.ndarray
        with pytest.raises(TypeError, match="unhashable"):
            hash(x)
        return np.sum(x)

    np.testing.assert_array_equal(grad(f)(np.ones((2, 3))), 1)


OPERATORS = [
    lambda x: -x + +x - abs(x),
    lambda x: 3 + x + 3,
    lambda x: 3 - x - 3,
    lambda x: 3 * x * 3,
    lambda x: 3 / x / 3,
    lambda x: 3**x + x**3,
    lambda x: np.eye(2) @ x @ np.eye(2),
    lambda x: x % 0.7 + 5 % x + x // 0.7 + 5 // x,
    lambda x: np.ones((2, 2)) + x + np.float32(2) * x + x * np.float64(2),
    lambda x: x + [1.0, 2.0],  # noqa: RUF005
]


@pytest.mark.parametrize("f", OPERATORS)
def test_operators_from_both_sides(f):
    check_gradient(lambda x: np.sum(f(x)), np.array([[1.3, 2.4], [3.1, 0.6]]), rng=np.random.default_rng(0))


def in_place(change):
    def f(x):
        y = x * 1
        change(y)
        return np.sum(y)

    return f


def plus(y):
    y += 1


def times(y):
    y *= y


def power(y):
    y **= 2


def entry(y):
    y[0] = 1


def into_an_array(x):
    buffer = np.zeros(2)
    buffer[:] = x
    return np.sum(buffer)


def into_an_element(x):
    buffer = np.zeros(2)
    buffer[0] = x[0]
    return np.sum(buffer)


def added_to_an_array(x):
    buffer = np.zeros(2)
    buffer += x
    return np.sum(buffer)


PLAIN = r"A variable cannot become a plain array; use np\.stack, or constant\(x\)"
IN_PLACE = r"A variable cannot change in place; write x = x \+ y, or use np\.where"


@pytest.mark.parametrize(
    ("f", "sentence"),
    [
        (in_place(plus), IN_PLACE),
        (in_place(times), IN_PLACE),
        (in_place(power), IN_PLACE),
        (in_place(entry), IN_PLACE),
        (into_an_array, PLAIN),
        (into_an_element, "setting an array element with a sequence"),
        (added_to_an_array, r"no gradient for numpy\.add when it is called with 2 arguments and out="),
        (lambda x: np.sum(np.array(x)), PLAIN),
        (lambda x: np.sum(np.asarray(x)), PLAIN),
        (lambda x: np.sum(np.array([x[0], x[1]])), PLAIN),
        (lambda x: np.sum([x, x]), PLAIN),
        (lambda x: np.add(x[0], [x[1]]), PLAIN),
        (lambda x: np.sum(np.full(3, x[0])), PLAIN),
        (lambda x: math.exp(x[0]), PLAIN),
        (lambda x: float(x[0]), PLAIN),
        (lambda x: int(x[0]), PLAIN),
        (lambda x: complex(x[0]), PLAIN),
        (lambda x: np.float32(x[0]), PLAIN),
        (lambda x: np.zeros(3)[x], PLAIN),
        (lambda x: np.copyto(np.zeros(2), x), r"no gradient for numpy\.copyto"),
        (lambda x: np.add.at(np.zeros(2), [0, 0], x), r"no gradient for numpy\.add\.at"),
        (lambda x: np.random.default_rng(0).normal(x), PLAIN),
        (lambda x: np.concatenate([x, x], out=np.zeros(4)), r"no gradient for numpy\.concatenate .* out="),
        (lambda x: np.sum(x.data), "no attribute 'data'"),
        (lambda x: x[0].item(), "no attribute 'item'"),
        (lambda x: np.sum(np.exp(x, out=np.empty(2))), r"no gradient for numpy\.exp .* out="),
    ],
)
def test_what_would_lose_a_gradient_is_an_error(f, sentence):
    with pytest.raises((TypeError, AttributeError, ValueError), match=sentence):
        grad(f)(np.ones(2))


def test_a_copy_is_differentiated_like_the_original():
    def f(model):
        twin, shallow = copy.deepcopy(model), copy.copy(model["x"])
        assert type(twin["x"]) is Variable and twin["n"] is not model["n"]
        return np.sum(twin["x"] * shallow)

    np.testing.assert_array_equal(grad(f)({"x": np.array([1.0, 2.0]), "n": np.arange(2)})["x"], [2, 4])
    with pytest.raises(TypeError, match=PLAIN):
        grad(pickle.dumps)(np.ones(2))


def test_truth_of_a_whole_array_is_as_ambiguous_as_numpy_says():
    with pytest.raises(ValueError, match="ambiguous"):
        grad(lambda x: np.sum(x) if x else 0)(np.ones(2))


def test_constant_stops_the_gradient_at_every_level():
    assert grad(lambda x: x * constant(x))(np.array(3.0)) == 3
    assert grad(grad(lambda x: x * constant(x) ** 2))(np.array(3.0)) == 0
    assert constant("anything") == "anything"


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (lambda x: x, r"Variable\(array"),
        (lambda x: x[:1], r"Variable\(array"),
        (lambda x: None, "None"),
        (lambda x: "text", "'text'"),
        (lambda x: x[0] > 0, r"(np\.)?True"),
        (lambda x: x[0] + 1j, r"Variable\(np.complex128"),
    ],
)
def test_only_a_real_scalar_has_a_gradient(y, told):
    with pytest.raises(TypeError, match=f"Only a real scalar has a gradient, but the function returned {told}"):
        grad(y)(np.ones(2))


@pytest.mark.parametrize("model", [3.0, np.float64(3.0), np.arange(3), {"n": 3}, [], None])
def test_nothing_to_differentiate_by_is_an_error(model):
    with pytest.raises(TypeError, match="There is nothing to differentiate by"):
        grad(lambda x: np.sum(1.0))(model)


def test_a_variable_cannot_outlive_its_differentiation():
    kept = []

    def f(x):
        kept.append(x * 2)
        return np.sum(x)

    grad(f)(np.ones(2))
    with pytest.raises(RuntimeError, match="A variable has outlived its differentiation"):
        kept[0] + 1
