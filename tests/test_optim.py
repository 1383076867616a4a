"""Optimisers and schedules: steps by hand, closed forms on quadratics, published values, and who owns which array."""

import dataclasses
import math

import numpy as np
import pytest

from recurrence import optim, tree

ALL = [optim.sgd, optim.momentum, optim.adam, optim.adamw, optim.amsgrad]


@dataclasses.dataclass(frozen=True)
class Model:
    W: tree.Array
    b: tree.Array
    recurrent: tree.Array = tree.fixed(default_factory=lambda: np.ones(2))
    name: str = "model"


def model(kind=np.float64):
    rng = np.random.default_rng(0)
    return Model(rng.standard_normal((4, 3)).astype(kind), rng.standard_normal(3).astype(kind))


def run(optimiser, w, gradient, updates):
    """Return every value of w, the first one included."""
    w = np.asarray(w, float)
    state, path = optimiser.start(w), [w]
    for _ in range(updates):
        w, state = optimiser.update(w, gradient(w), state)
        path.append(w)
    return np.array(path)


# Steps by hand.


def test_sgd_by_hand():
    path = run(optim.sgd(0.1), [1.0, -2.0], lambda w: np.array([3.0, 5.0]), 2)
    np.testing.assert_allclose(path, [[1, -2], [0.7, -2.5], [0.4, -3.0]], rtol=1e-15)


def test_momentum_by_hand():
    # Gradients 1, 2, −1 and β = ½: v = 1, 2.5, 0.25.
    gradients = iter([1.0, 2.0, -1.0])
    path = run(optim.momentum(0.1, 0.5), 0.0, lambda w: np.array(next(gradients)), 3)
    np.testing.assert_allclose(path, [0, -0.1, -0.35, -0.375], rtol=1e-15)


def test_adam_by_hand():
    # Gradients 1 and 3, β₁ = ½, β₂ = ¾: m = ½, 1¾; m̂ = 1, 7/3; v = ¼, 39/16; v̂ = 1, 39/7.
    gradients = iter([1.0, 3.0])
    path = run(optim.adam(0.1, 0.5, 0.75, eps=0.5), 2.0, lambda w: np.array(next(gradients)), 2)
    first = 2 - 0.1 * 1 / 1.5
    np.testing.assert_allclose(path, [2, first, first - 0.1 * (7 / 3) / (math.sqrt(39 / 7) + 0.5)], rtol=1e-15)


def test_adamw_by_hand_shrinks_beside_the_step():
    path = run(optim.adamw(0.1, decay=0.5), [2.0, -4.0], lambda w: np.array([0.0, 0.0]), 2)
    np.testing.assert_allclose(path, [[2, -4], [1.9, -3.8], [1.805, -3.61]], rtol=1e-15)
    with_gradient = run(optim.adamw(0.1, decay=0.5), 2.0, lambda w: np.array(7.0), 1)
    without_decay = run(optim.adam(0.1), 2.0, lambda w: np.array(7.0), 1)
    np.testing.assert_allclose(with_gradient[1], without_decay[1] - 0.1 * 0.5 * 2.0, rtol=1e-15)


def test_adamw_with_all_its_numbers_agrees_with_the_published_algorithm():
    rng = np.random.default_rng(1)
    gradients = rng.standard_normal((7, 50)) * np.geomspace(1e-9, 1e3, 50)
    lr, decay, beta1, beta2, eps = 0.03, 0.2, 0.8, 0.95, 1e-6
    w = expected = rng.standard_normal(50)
    m = v = np.zeros(50)
    optimiser = optim.adamw(lr, decay, beta1, beta2, eps)
    state = optimiser.start(w)
    for t, g in enumerate(gradients, start=1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        expected = expected - lr * decay * expected - lr * m_hat / (np.sqrt(v_hat) + eps)
        w, state = optimiser.update(w, g, state)
        np.testing.assert_allclose(w, expected, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(state.moments, [m, v], rtol=1e-13)


@pytest.mark.parametrize("make", [optim.adam, lambda lr: optim.adamw(lr, decay=0.0)])
def test_the_first_step_of_adam_is_the_rate_whatever_the_gradient(make):
    g = np.array([1e-3, -1.0, 1e6, 0.0])
    path = run(make(0.01), np.zeros(4), lambda w: g, 1)
    # ε = 1e-8 beside the smallest gradient of 1e-3.
    np.testing.assert_allclose(path[1], -0.01 * np.sign(g), rtol=1.1e-5)


# Closed forms on quadratics, whose gradient is λ w.


@pytest.mark.parametrize(("condition", "rate"), [(10, 0.818182), (100, 0.980198), (1000, 0.998002)])
def test_the_best_rate_on_a_quadratic(condition, rate):
    curvature = np.array([1.0, condition])
    path = run(optim.sgd(2 / curvature.sum()), [1.0, 1.0], lambda w: curvature * w, 40)
    assert rate == pytest.approx((condition - 1) / (condition + 1), abs=5e-7)
    np.testing.assert_allclose(np.abs(path[1:] / path[:-1]), (condition - 1) / (condition + 1), rtol=1e-10)


@pytest.mark.parametrize(("excess", "ends"), [(-1e-3, 0.0), (1e-3, np.inf)])
def test_the_largest_stable_rate(excess, ends):
    path = np.abs(run(optim.sgd((2 + excess) / 5), 1.0, lambda w: 5 * w, 3000))
    assert path[-1] < 0.06 if ends == 0 else path[-1] > 20


@pytest.mark.parametrize(("condition", "rate"), [(10, 0.519494), (100, 0.818182), (1000, 0.938693)])
def test_the_best_momentum_on_a_quadratic(condition, rate):
    # Polyak's rate and β make the two eigenvalues of each direction equal, ±√β, so that w_t = (a + b t)(±√β)^t:
    # two steps and their successors give back √β as a double root.
    low, high = 1.0, math.sqrt(condition)
    lr, beta = (2 / (low + high)) ** 2, ((high - low) / (high + low)) ** 2
    assert math.sqrt(beta) == pytest.approx(rate, abs=5e-7)
    path = run(optim.momentum(lr, beta), [1.0, 1.0], lambda w: np.array([1.0, condition]) * w, 20)
    # w_{t+1} = (1 + β − lr λ) w_t − β w_{t−1}, whose discriminant is 0 at both ends.
    for k, curvature in enumerate((1.0, condition)):
        trace, determinant = np.linalg.lstsq(np.stack([path[1:-1, k], -path[:-2, k]], 1), path[2:, k], rcond=None)[0]
        assert trace == pytest.approx(1 + beta - lr * curvature, rel=1e-8)
        assert determinant == pytest.approx(beta, rel=1e-8)
        assert trace**2 == pytest.approx(4 * determinant, rel=1e-7)


def test_momentum_is_stable_up_to_its_own_largest_rate():
    beta, curvature = 0.9, 3.0
    limit = (2 + 2 * beta) / curvature
    inside = np.abs(run(optim.momentum(0.99 * limit, beta), 1.0, lambda w: curvature * w, 2000))
    beyond = np.abs(run(optim.momentum(1.01 * limit, beta), 1.0, lambda w: curvature * w, 200))
    assert inside[-1] < 1e-10 and beyond[-1] > 100


def test_a_steady_gradient_makes_steps_of_the_rate_over_one_minus_beta():
    path = run(optim.momentum(0.1, 0.9), 0.0, lambda w: np.array(1.0), 400)
    assert path[-1] - path[-2] == pytest.approx(-0.1 / (1 - 0.9), rel=1e-9)


def test_adam_goes_to_the_wrong_end_where_rare_gradients_are_large():
    # Reddi, Kale and Kumar, ICLR 2018, section 3: every third gradient is C, the others −1, w in [−1, 1], and the best
    # point is −1. With β₁ = 0 and β₂ = 1 / (1 + C²) Adam ends at +1.
    # AMSGrad ends at −1.
    C = 3.0
    for make, end in [(optim.adam, 1), (optim.amsgrad, -1)]:
        optimiser, w = make(lambda t: 0.5 / math.sqrt(t), 0.0, 1 / (1 + C**2), eps=0.0), np.array(0.0)
        state, late = optimiser.start(w), []
        for t in range(1, 6001):
            w, state = optimiser.update(w, np.array(C if t % 3 == 1 else -1.0), state)
            w = np.asarray(np.clip(w, -1, 1))
            late.append(float(w))
        assert np.mean(late[-1500:]) * end > 0.98


def test_amsgrad_by_hand_forgets_no_large_gradient():
    # Gradients 2, 0 and 1, β₁ = 0, β₂ = ½: v = 2, 1, 1, but the largest stays 2; the hats divide by ½, ¾ and ⅞.
    gradients = iter([2.0, 0.0, 1.0])
    optimiser = optim.amsgrad(0.1, 0.0, 0.5, eps=0.5)
    path = run(optimiser, 1.0, lambda w: np.array(next(gradients)), 3)
    first = 1 - 0.1 * 2 / (math.sqrt(4) + 0.5)
    np.testing.assert_allclose(path, [1, first, first, first - 0.1 / (math.sqrt(16 / 7) + 0.5)], rtol=1e-14)


def test_amsgrad_is_adam_while_v_grows():
    # Signs change, sizes grow.
    gradients = (-2.0) ** np.arange(20)
    paths = []
    for make in (optim.adam, optim.amsgrad):
        steps = iter(gradients)
        paths.append(run(make(0.1, beta2=0.5), 1.0, lambda w, steps=steps: np.array(next(steps)), 20))
    np.testing.assert_array_equal(*paths)


def test_adam_finds_the_bottom_of_rosenbrocks_valley():
    def gradient(w):
        x, y = w
        return np.array([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])

    np.testing.assert_allclose(gradient(np.array([-1.2, 1.0])), [-215.6, -88])
    path = run(optim.adam(optim.cosine(0.05, 4000)), [-1.2, 1.0], gradient, 4000)
    np.testing.assert_allclose(path[-1], [1, 1], atol=1e-3)


# Whose arrays are whose.


@pytest.mark.parametrize("make", ALL)
def test_neither_the_model_nor_the_gradient_is_written_to(make):
    before, grads = model(), tree.map(np.ones_like, model())
    for array in (*tree.leaves(before, every=True), *tree.leaves(grads)):
        array.flags.writeable = False
    optimiser = make(0.1)
    state, models = optimiser.start(before), [before]
    for _ in range(3):
        after, state = optimiser.update(models[-1], grads, state)
        models.append(after)
    kept = [leaf for some in models for leaf in tree.leaves(some)]
    assert not any(np.shares_memory(a, b) for n, a in enumerate(kept) for b in kept[:n])
    assert not any(np.shares_memory(a, b) for a in tree.leaves(state) for b in kept)
    np.testing.assert_array_equal(before.W, model().W)
    assert after.recurrent is before.recurrent and after.name == "model"


def test_the_moments_are_changed_in_place_and_the_number_of_updates_is_not():
    optimiser, w = optim.adam(0.1), np.zeros(3)
    start = optimiser.start(w)
    _, state = optimiser.update(w, np.ones(3), start)
    assert [a is b for a, b in zip(state.moments, start.moments, strict=True)] == [True, True]
    assert start.updates == 0 and state.updates == 1 and state.updates.dtype == np.int64


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_precision_stays(make, kind):
    optimiser, before = make(np.float64(0.1)), model(kind)
    state = optimiser.start(before)
    after, state = optimiser.update(before, before, state)
    assert {leaf.dtype for leaf in [*tree.leaves(after), *tree.leaves(state)]} == {np.dtype(kind)}


@pytest.mark.parametrize("make", ALL)
def test_blocks_orders_and_lone_numbers_are_all_one(make, monkeypatch):
    rng = np.random.default_rng(3)
    W, G = rng.standard_normal((2, 30, 20))
    trees = {"plain": (W, G), "order": (np.asfortranarray(W), np.asfortranarray(G)), "view": (W.T, G.T)}
    ends = {}
    for name, (w, g) in trees.items():
        monkeypatch.setattr(optim, "BLOCK", 7 if name == "plain" else 10**6)
        optimiser = make(0.1)
        state = optimiser.start(w)
        for _ in range(3):
            w, state = optimiser.update(w, g, state)  # noqa: PLW2901
        ends[name] = w
    np.testing.assert_array_equal(ends["plain"], ends["order"])
    np.testing.assert_array_equal(ends["plain"], ends["view"].T)
    lone = run(make(0.1), W[0, 0], lambda w: G[0, 0], 3)[-1]
    assert lone == ends["plain"][0, 0]


@pytest.mark.parametrize("make", ALL)
def test_a_gradient_may_be_a_broadcast_view(make):
    path = run(make(0.1), np.ones((4, 3)), lambda w: np.broadcast_to(0.5, (4, 3)), 2)
    np.testing.assert_array_equal(path[-1], np.full((4, 3), path[-1][0, 0]))


@pytest.mark.parametrize("make", ALL)
def test_a_complex_parameter_is_two_real_ones(make):
    w, g = np.array([1.0, -2.0, 3.0, 0.5]), np.array([0.1, -5.0, 2.0, 0.0])
    real = run(make(0.1), w, lambda w: g, 3)[-1]
    optimiser, both = make(0.1), w.view(complex)
    state = optimiser.start(both)
    for _ in range(3):
        both, state = optimiser.update(both, g.view(complex), state)
    np.testing.assert_array_equal(both, real.view(complex))


def test_no_parameters_are_no_trouble():
    optimiser = optim.adam()
    assert optimiser.update({}, {}, optimiser.start({}))[0] == {}
    assert run(optim.adam(), np.zeros((0, 3)), lambda w: w, 1).shape == (2, 0, 3)


# Clipping.


def test_the_norm_is_that_of_one_long_vector():
    assert optim.norm({"a": np.array([[3.0]]), "b": [np.array([4.0, 12.0])]}) == 13
    assert optim.norm([np.array([3 + 4j])]) == 5
    assert optim.norm({}) == 0


@pytest.mark.parametrize(("limit", "scale"), [(6.5, 0.5), (13.0, 1.0), (20.0, 1.0)])
def test_only_a_longer_gradient_is_shortened_and_keeps_its_direction(limit, scale):
    w, g = {"a": np.zeros(1), "b": np.zeros(2)}, {"a": np.array([3.0]), "b": np.array([4.0, 12.0])}
    optimiser = optim.clip_norm(limit, optim.sgd(1.0))
    after, state = optimiser.update(w, g, optimiser.start(w))
    np.testing.assert_allclose(np.concatenate([after["a"], after["b"]]), [-3 * scale, -4 * scale, -12 * scale])
    assert state.updates == 1 and g["b"][1] == 12


def test_clipping_keeps_single_precision():
    optimiser, w = optim.clip_norm(np.float64(0.1), optim.sgd(1.0)), np.ones(3, np.float32)
    assert optimiser.update(w, w, optimiser.start(w))[0].dtype == np.float32


# Schedules.


def test_schedules_at_the_points_where_their_values_are_known():
    assert [optim.constant(0.1)(t) for t in (1, 10**6)] == [0.1, 0.1]
    warm = optim.warmup(4, 0.8)
    np.testing.assert_allclose([warm(t) for t in (1, 2, 3, 4, 5, 100)], [0.2, 0.4, 0.6, 0.8, 0.8, 0.8])
    fall = optim.cosine(1.0, 6, final=0.1)
    np.testing.assert_allclose(
        [fall(t) for t in (1, 3, 4, 5, 7, 99)], [1.0, 0.1 + 0.9 * 0.75, 0.55, 0.1 + 0.9 * 0.25, 0.1, 0.1], rtol=1e-14
    )
    stairs = optim.step_decay(1.0, 3, 0.5)
    assert [stairs(t) for t in (1, 3, 4, 6, 7, 10)] == [1, 1, 0.5, 0.5, 0.25, 0.125]
    both = optim.warmup(2, optim.cosine(1.0, 4))
    np.testing.assert_allclose([both(t) for t in (1, 2, 3, 5)], [0.5, (1 + math.sqrt(0.5)) / 2, 0.5, 0], atol=1e-15)


@pytest.mark.parametrize("make", ALL)
def test_a_schedule_is_asked_for_the_number_of_each_update_from_one_on(make):
    asked = []
    optimiser = make(lambda t: asked.append(t) or 0.1)
    run(optimiser, np.ones(2), lambda w: w, 3)
    assert asked == [1, 2, 3]


def test_a_schedule_rules_the_rate():
    path = run(optim.sgd(optim.step_decay(1.0, 1, 0.5)), 0.0, lambda w: np.array(1.0), 4)
    np.testing.assert_array_equal(path, [0, -1, -1.5, -1.75, -1.875])


# What is refused, and how.


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: optim.sgd(0.0), r"^A learning rate must be positive and finite, not 0\.0\.$"),
        (lambda: optim.adam(math.nan), r"^A learning rate must be positive"),
        (lambda: optim.cosine(-1.0, 5), r"^A learning rate must be positive"),
        (lambda: optim.momentum(0.1, 1.0), r"must lie in \[0, 1\), but beta = 1\.0\.$"),
        (lambda: optim.adam(0.1, beta2=1.5), r"must lie in \[0, 1\), but beta2 = 1\.5\.$"),
        (lambda: optim.adamw(0.1, decay=-1), r"^decay must be finite and at least 0, not -1\.$"),
        (lambda: optim.adam(0.1, eps=math.nan), r"^eps must be finite"),
        (lambda: optim.clip_norm(0.0, optim.sgd(0.1)), r"give a positive limit\.$"),
        (lambda: optim.warmup(0, 0.1), r"^A schedule must last one update at least, not 0\.$"),
        (lambda: optim.cosine(0.1, 0), r"^A schedule must last"),
        (lambda: optim.step_decay(0.1, 3, -0.5), r"^factor must be finite"),
    ],
)
def test_an_impossible_number_is_one_clear_sentence(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()


def test_a_gradient_of_another_model_is_refused():
    optimiser = optim.sgd(0.1)
    with pytest.raises(ValueError, match="trees differ"):
        optimiser.update({"a": np.ones(1)}, {"b": np.ones(1)}, optimiser.start({"a": np.ones(1)}))
