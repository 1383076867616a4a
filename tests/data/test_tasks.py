"""The tasks against closed forms: the variance of a sum, the entropy of a copy, and a regular expression for Reber."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurrence import data
from recurrence.data import lengths, tasks

seeds = st.integers(0, 2**32 - 1)

# The language of the grammar, solved by hand for the state after the first X or P that leads on.
REBER = re.compile(r"B(?:(?:TS*X|PT*VP)(?:XT*VP)*(?:XT*VV|S)|PT*VV)E")
EMBEDDED = re.compile(rf"B(?P<around>[TP]){REBER.pattern}(?P=around)E")


def rng(seed=0):
    return np.random.default_rng(seed)


# Adding


@given(seeds, st.integers(2, 60))
def test_a_target_is_the_sum_of_the_marked_numbers(seed, steps):
    inputs, targets = tasks.adding(5, steps, rng(seed))
    assert inputs.shape == (5, steps, 2) and targets.shape == (5, 1)
    assert inputs.dtype == targets.dtype == np.float32
    for sequence, target in zip(inputs, targets, strict=True):
        first, second = np.flatnonzero(sequence[:, 1])
        assert first < steps // 2 <= second
        assert sequence[first, 1] == sequence[second, 1] == 1
        assert target[0] == sequence[first, 0] + sequence[second, 0]


def test_who_always_answers_one_errs_by_a_sixth():
    count = 100_000
    inputs, targets = tasks.adding(count, 10, rng())
    assert inputs.min() >= 0 and inputs[..., 0].max() < 1
    # The squared error of one answer has a variance of 7/180: its mean lies within four standard errors.
    assert np.mean((targets - 1) ** 2) == pytest.approx(1 / 6, abs=4 * math.sqrt(7 / 180 / count))
    marks = inputs[..., 1].mean(axis=0)
    np.testing.assert_allclose(marks, 1 / 5, atol=4 * math.sqrt(0.2 * 0.8 / count))


def test_one_step_is_too_few_for_two_marks():
    with pytest.raises(ValueError, match="cannot be marked among 1; give at least 2 steps"):
        tasks.adding(1, 1, rng())


# Copying


@given(seeds, st.integers(1, 40), st.integers(1, 12))
def test_what_is_asked_for_is_what_was_shown(seed, delay, memory):
    inputs, targets = tasks.copying(4, delay, rng(seed), memory=memory)
    assert inputs.shape == targets.shape == (4, delay + 2 * memory)
    assert inputs.dtype == targets.dtype == np.int64
    np.testing.assert_array_equal(targets[:, -memory:], inputs[:, :memory])
    assert inputs[:, :memory].max() < tasks.BLANK
    assert (targets[:, :-memory] == tasks.BLANK).all()
    # From the last symbol shown to the first one asked for there are as many steps as the delay has.
    assert (np.flatnonzero(inputs[0] == tasks.RECALL) == memory + delay - 1).all()
    assert (inputs == tasks.RECALL).sum() == 4
    rest = np.delete(inputs[:, memory:], delay - 1, axis=1)
    assert (rest == tasks.BLANK).all()


@pytest.mark.parametrize(("delay", "nats"), [(100, 0.17329), (200, 0.09452), (300, 0.06498), (500, 0.03999)])
def test_the_baseline_is_the_published_one(delay, nats):
    assert tasks.copying_baseline(delay) == pytest.approx(nats, abs=5e-6)


def test_the_baseline_is_the_entropy_of_symbols_drawn_alike():
    delay, memory = 20, 10
    _, targets = tasks.copying(5000, delay, rng(), memory=memory)
    share = np.bincount(targets[:, -memory:].ravel(), minlength=8) / (5000 * memory)
    np.testing.assert_allclose(share, 1 / 8, atol=4 * math.sqrt(7 / 64 / 50_000))
    entropy = -np.sum(share * np.log(share)) * memory / targets.shape[1]
    assert entropy == pytest.approx(tasks.copying_baseline(delay, memory), rel=1e-3)


def test_without_a_delay_there_is_no_call():
    with pytest.raises(ValueError, match="A delay of 0 leaves no step"):
        tasks.copying(1, 0, rng())


# Reber


def test_every_string_is_legal_and_as_long_as_expected():
    generator, count = rng(), 4000
    plain = [tasks.reber(generator) for _ in range(count)]
    embedded = [tasks.embedded_reber(generator) for _ in range(count)]
    assert all(REBER.fullmatch(string) for string in plain)
    assert all(EMBEDDED.fullmatch(string) for string in embedded)
    for strings, shortest, mean in ((plain, 5, 8), (embedded, 9, 12)):
        sizes = np.array([len(string) for string in strings])
        assert sizes.min() == shortest
        assert sizes.mean() == pytest.approx(mean, abs=4 * sizes.std() / math.sqrt(count))
    assert np.mean([string[1] == "T" for string in embedded]) == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(count))


def test_every_way_through_the_grammar_is_taken():
    generator, taken = rng(), set()
    for _ in range(300):
        state = 0
        for symbol in tasks.reber(generator):
            taken.add((state, symbol))
            state = tasks.REBER_GRAMMAR[state][symbol]
    assert taken == {(state, symbol) for state, choices in enumerate(tasks.REBER_GRAMMAR) for symbol in choices}


@given(seeds)
def test_the_choices_are_those_that_lead_to_legal_strings(seed):
    string = tasks.embedded_reber(rng(seed))
    # Every ending that may be needed: from any place in the grammar one of these leads home.
    ends = ["", "E", "TE", "PE"] + [
        f"{inner}{around}E"
        for around in "TP"
        for inner in ("E", "SE", "VE", "VVE", "XSE", "XVVE", "TVVE", "PSE", "TXSE", "PVVE", "BTXSE", "BPVVE", "TBTXSE")
    ]
    choices = tasks.reber_choices(string)
    assert len(choices) == len(string) - 1
    for place, may_follow in enumerate(choices):
        begun = string[: place + 1]
        legal = {s for s in "BTSXPVE" if any(EMBEDDED.fullmatch(begun + s + end) for end in ends)}
        assert set(may_follow) == legal


@pytest.mark.parametrize(
    "string",
    ["", "BE", "BTXSE", "BTBTXSEPE", "BTBTXSET", "BXBTXSEXE", "BTBTXXETE", "BTBTXSETEE", "bTBTXSETE", "BTBTXTE"],
)
def test_other_strings_are_refused(string):
    with pytest.raises(ValueError, match="is no string of the embedded Reber grammar; take one from"):
        tasks.reber_choices(string)


def test_strings_become_arrays():
    inputs, targets = tasks.reber_arrays(["BTBTXSETE", "BPBTSXSEPE"])
    assert inputs.shape == targets.shape == (2, 9, 7) and inputs.dtype == targets.dtype == np.float32
    assert lengths(inputs).tolist() == lengths(targets).tolist() == [8, 9]
    symbols = np.array(list(tasks.REBER.symbols))
    assert "".join(symbols[inputs[0, :8].argmax(-1)]) == "BTBTXSET"
    assert ["".join(symbols[row > 0]) for row in targets[0]] == ["TP", "B", "TP", "SX", "SX", "E", "T", "E", ""]
    assert (inputs.sum(axis=-1)[1] == 1).all()


# As data sets


@pytest.mark.parametrize(
    ("name", "train", "test"), [("adding", 10000, 1000), ("copy", 10000, 1000), ("reber", 256, 256)]
)
def test_both_parts_are_drawn_from_one_generator(name, train, test):
    loaded, again = data.load(name, rng=rng()), data.load(name, rng=rng())
    assert len(loaded.train[0]) == len(loaded.train[1]) == train
    assert len(loaded.test[0]) == len(loaded.test[1]) == test
    np.testing.assert_array_equal(loaded.test[0], again.test[0])
    assert not np.array_equal(loaded.test[0][:1, :5], loaded.train[0][:1, :5]) or name == "reber"
    if loaded.symbols and name == "copy":
        assert loaded.train[0].max() == len(loaded.symbols) - 1
