"""The neuron against closed forms, Novikoff's bound, published counts and proofs in whole numbers."""

import math
from itertools import combinations, islice, product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from recurrence.basics import neuron as nr
from recurrence.basics.neuron import Neuron, Verdict

# https://oeis.org/A000609, from no input on.
THRESHOLD_FUNCTIONS = [2, 4, 14, 104, 1882, 94572]


def with_one(x):
    return np.concatenate([x, np.ones((len(x), 1), int)], axis=1)


def exact(table, corners):
    return nr.signed(corners, 2 * table - 1)


# One neuron


def test_a_neuron_is_its_equation():
    neuron = Neuron(np.array([2.0, -1.0]), 0.5, nr.sigmoid)
    x = np.random.default_rng(0).standard_normal((3, 4, 2))
    u = 2 * x[..., 0] - x[..., 1] + 0.5
    np.testing.assert_allclose(neuron.sum(x), u, rtol=1e-12)
    np.testing.assert_allclose(neuron(x), 1 / (1 + np.exp(-u)), rtol=1e-12)


def test_step_is_silent_on_the_hyperplane():
    np.testing.assert_array_equal(nr.step([-1.0, -0.0, 0.0, 1e-300]), [0, 0, 0, 1])
    assert nr.step(np.float32([1, -1])).dtype == np.float32


@given(arrays.arrays(float, 3, elements=st.floats(-5, 5)), st.floats(-5, 5), st.floats(1e-3, 1e3), st.integers(0, 99))
def test_scaling_moves_no_hyperplane(w, b, c, seed):
    assume(np.linalg.norm(w) > 1e-3)
    x = np.random.default_rng(seed).standard_normal((20, 3))
    small, large = Neuron(w, b), Neuron(c * w, c * b)
    np.testing.assert_allclose(nr.distance(large, x), nr.distance(small, x), rtol=1e-9, atol=1e-9)
    clear = abs(nr.distance(small, x)) > 1e-9
    np.testing.assert_array_equal(small(x)[clear], large(x)[clear])


@pytest.mark.parametrize("D", [1, 2, 3, 20])
def test_distance_is_that_of_the_foot(D):
    rng = np.random.default_rng(D)
    neuron = Neuron(rng.standard_normal(D), rng.standard_normal())
    x = rng.standard_normal((50, D))
    d = nr.distance(neuron, x)
    foot = x - d[:, None] * neuron.weights / np.linalg.norm(neuron.weights)
    np.testing.assert_allclose(neuron.sum(foot), 0, atol=1e-12)
    step, *_ = np.linalg.lstsq(neuron.weights[None], -neuron.sum(x)[None])
    np.testing.assert_allclose(abs(d), np.linalg.norm(step, axis=0), rtol=1e-10)


def test_one_input_switches_at_minus_b_over_w():
    neuron = Neuron(np.array([-4.0]), 3.0)
    np.testing.assert_array_equal(neuron(np.array([[0.75 - 1e-9], [0.75 + 1e-9]])), [1, 0])


def test_bad_neurons_are_refused():
    with pytest.raises(ValueError, match="one weight for each"):
        Neuron(np.ones((2, 2)))
    with pytest.raises(ValueError, match="no hyperplane"):
        nr.distance(Neuron(np.zeros(2), 1.0), np.ones(2))


# Learning


def test_signed_examples():
    a = nr.signed([[1, 2], [3, 4]], [1, -1])
    np.testing.assert_array_equal(a, [[1, 2, 1], [-3, -4, -1]])
    assert np.issubdtype(a.dtype, np.integer)


def test_a_vector_stands_for_its_neuron():
    w = np.array([1.0, -2.0, 0.5])
    x = np.random.default_rng(0).standard_normal((9, 2))
    np.testing.assert_array_equal(nr.from_vector(w)(x), (nr.signed(x, np.ones(9)) @ w > 0))


@pytest.mark.parametrize("labels", [[0, 1], [1, 2], [1], [[1, 1]]])
def test_bad_labels_are_refused(labels):
    with pytest.raises(ValueError, match="label"):
        nr.signed(np.ones((2, 3)), labels)


@st.composite
def separable(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    gap = draw(st.floats(0.03, 0.5))
    a, w = nr.separable_examples(draw(st.integers(1, 40)), draw(st.integers(1, 8)), gap, rng)
    return a, w, gap, rng


@given(separable())
def test_the_margin_is_built_in(drawn):
    a, w, gap, _ = drawn
    assert np.linalg.norm(w) == pytest.approx(1)
    assert nr.margin(a, w) >= gap * (1 - 1e-9)
    assert set(np.unique(a[:, -1])) <= {-1.0, 1.0}


@given(separable())
def test_the_bound_is_never_exceeded_in_any_order(drawn):
    a, w, _, rng = drawn
    R, gamma, bound = nr.radius(a), nr.margin(a, w), nr.novikoff_bound(a, w)
    for order in (None, rng, rng):
        learnt = np.zeros(a.shape[1])
        m = 0
        for m, (i, after) in enumerate(nr.perceptron(a, order), start=1):
            assert learnt @ a[i] <= 0
            np.testing.assert_array_equal(after, learnt + a[i])
            learnt = after
            assert m * gamma <= w @ learnt + 1e-9 <= np.linalg.norm(learnt) + 2e-9 <= math.sqrt(m) * R + 3e-9
        assert 1 <= m <= bound
        assert np.all(a @ learnt > 0)


@given(separable())
def test_a_teacher_who_chooses_the_worst_cannot_exceed_it_either(drawn):
    a, w, _, _ = drawn
    learnt, mistakes = np.zeros(a.shape[1]), 0
    while np.any(a @ learnt <= 0):
        wrong = np.flatnonzero(a @ learnt <= 0)
        learnt = learnt + a[wrong[np.argmin(a[wrong] @ w)]]
        mistakes += 1
        assert mistakes <= nr.novikoff_bound(a, w)


@pytest.mark.parametrize("m", [1, 2, 9, 40])
def test_orthogonal_examples_attain_the_bound(m):
    assert sum(1 for _ in nr.perceptron(np.eye(m))) == m
    assert nr.novikoff_bound(np.eye(m), np.ones(m)) == pytest.approx(m)


def test_the_order_changes_the_mistakes_and_the_seed_repeats_them():
    a, _ = nr.separable_examples(24, 2, 0.1, np.random.default_rng(1))
    counts = [[i for i, _ in nr.perceptron(a, np.random.default_rng(seed))] for seed in (0, 1, 0)]
    assert counts[0] == counts[2] != counts[1]


def test_no_bound_from_weights_that_do_not_separate():
    a = nr.signed([[1.0], [2.0]], [1, -1])
    with pytest.raises(ValueError, match="wrong side"):
        nr.novikoff_bound(a, np.array([1.0, 0.0]))


def test_learning_without_a_line_goes_on_until_it_is_stopped():
    xor = exact(np.array([0, 1, 1, 0]), nr.corners(2))
    course = list(islice(nr.perceptron(xor), 4000))
    assert len(course) == 4000
    assert [i for i, _ in course[:8]] == [0, 1, 2, 3] * 2
    assert not np.any(course[3][1])


# What one neuron can compute


def test_corners_and_tables():
    np.testing.assert_array_equal(nr.corners(2), [[0, 0], [0, 1], [1, 0], [1, 1]])
    tables = nr.truth_tables(3)
    assert tables.shape == (256, 8)
    assert len({tuple(table) for table in tables.tolist()}) == 256
    for n in (0, 5):
        with pytest.raises(ValueError, match="from 1 to 4"):
            nr.truth_tables(n)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_every_function_is_decided_and_every_proof_holds(n):
    corners, separable_ones = nr.corners(n), 0
    for table in nr.truth_tables(n):
        a = exact(table, corners)
        verdict = nr.decide(a)
        assert verdict.holds(a)
        if verdict.separable:
            np.testing.assert_array_equal(nr.from_vector(verdict.proof)(corners), table)
        else:
            assert sum(int(c) * row for c, row in zip(verdict.proof, a.astype(object), strict=True)).tolist() == [0] * (
                n + 1
            )
        separable_ones += verdict.separable
    assert separable_ones == THRESHOLD_FUNCTIONS[n]


def test_of_two_inputs_xor_and_its_opposite_are_missing():
    corners = nr.corners(2)
    missing = [t.tolist() for t in nr.truth_tables(2) if not nr.decide(exact(t, corners)).separable]
    assert missing == [[0, 1, 1, 0], [1, 0, 0, 1]]
    np.testing.assert_array_equal(nr.decide(exact(np.array([0, 1, 1, 0]), corners)).proof, [1, 1, 1, 1])


def test_a_wrong_proof_does_not_hold():
    corners = nr.corners(2)
    xor, both = (exact(np.array(t), corners) for t in ([0, 1, 1, 0], [0, 0, 0, 1]))
    assert not Verdict(True, np.array([1, 1, -1])).holds(xor)
    assert not Verdict(False, np.zeros(4, int)).holds(xor)
    assert not Verdict(False, np.array([1, 1, 1, 2])).holds(xor)
    assert not Verdict(False, np.array([-1, -1, -1, -1])).holds(xor)
    assert not Verdict(False, np.array([1, 1, 1, 1])).holds(both)
    assert Verdict(True, np.array([2, 2, -3])).holds(both)


@given(arrays.arrays(np.int64, st.tuples(st.integers(1, 8), st.integers(1, 3)), elements=st.integers(-3, 3)), st.data())
def test_any_examples_in_whole_numbers_are_decided(x, draw):
    labels = np.array(draw.draw(st.lists(st.sampled_from([-1, 1]), min_size=len(x), max_size=len(x))))
    a = nr.signed(x, labels)
    assert nr.decide(a).holds(a)


def test_rounded_numbers_prove_nothing():
    with pytest.raises(TypeError, match="whole numbers"):
        nr.decide(np.ones((2, 2)))
    with pytest.raises(TypeError, match="whole numbers"):
        nr.dichotomies(np.ones((2, 2)))


@pytest.mark.parametrize(("P", "N", "count"), [(4, 3, 14), (8, 4, 128), (10, 5, 512), (20, 10, 524288), (1, 7, 2)])
def test_cover(P, N, count):
    assert nr.cover(P, N) == count


@given(st.integers(1, 30), st.integers(2, 30))
def test_cover_obeys_its_recursion(P, N):
    assert nr.cover(P + 1, N) == nr.cover(P, N) + nr.cover(P, N - 1)
    assert nr.cover(2 * N, N) == 2 ** (2 * N - 1)


@pytest.mark.parametrize("n", range(1, 5))
def test_threshold_functions_are_counted_without_trying(n):
    assert nr.dichotomies(with_one(nr.corners(n))) == THRESHOLD_FUNCTIONS[n]


def test_one_corner_moved_out_of_six_planes_gains_two_cuts_each():
    corners = nr.corners(3)
    planes = [f for f in combinations(range(8), 4) if round(np.linalg.det(with_one(corners[list(f)]))) == 0]
    assert len(planes) == 12
    moved = 1000 * corners
    moved[-1] += [7, 11, 13]
    assert nr.dichotomies(with_one(moved)) == 104 + 2 * 6


@given(arrays.arrays(np.int64, st.tuples(st.integers(1, 6), st.integers(1, 2)), elements=st.integers(-2, 2)))
def test_the_count_agrees_with_trying_every_labelling(x):
    x = np.unique(x, axis=0)  # the same point with two labels is no cut
    tried = sum(nr.decide(nr.signed(x, np.array(labels))).separable for labels in product([-1, 1], repeat=len(x)))
    assert nr.dichotomies(with_one(x)) == tried


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_points_in_general_position_have_covers_count(P, N, seed):
    # Random whole numbers this large are in general position but for a chance of one in a million million.
    points = np.random.default_rng(seed).integers(-(10**15), 10**15, (P, N))
    assert nr.dichotomies(points) == nr.cover(P, N)


def test_the_origin_is_on_no_side():
    with pytest.raises(ValueError, match="origin"):
        nr.dichotomies([[0, 0], [1, 2]])


@pytest.mark.parametrize("table", nr.truth_tables(2).tolist())
def test_two_layers_compute_every_function(table):
    corners = nr.corners(2)
    finders = [Neuron(2 * p - 1, 0.5 - p.sum()) for p in corners[np.array(table) == 1]]
    h = np.array([finder(corners) for finder in finders]).reshape(len(finders), 4).T
    np.testing.assert_array_equal(Neuron(np.ones(len(finders)), -0.5)(h), table)
