"""Three generated tasks that ask what a recurrent network can keep in mind: adding, copying, and the Reber grammar."""

import math

import numpy as np

from recurrence.data.dataset import Card, Dataset, Pair, pad
from recurrence.tree import Array

ADDING = Card(
    name="adding",
    description="the sum of two marked numbers among 50",
    licence="generated",
    source="S. Hochreiter and J. Schmidhuber (1997), Long short-term memory, Neural Comput. 9, in the form of "
    "M. Arjovsky, A. Shah and Y. Bengio (2016), Unitary evolution recurrent neural networks",
    generated=True,
)

COPY = Card(
    name="copy",
    description="ten symbols to be repeated after 30 steps",
    licence="generated",
    source="S. Hochreiter and J. Schmidhuber (1997), Long short-term memory, Neural Comput. 9, in the form of "
    "M. Arjovsky, A. Shah and Y. Bengio (2016), Unitary evolution recurrent neural networks",
    symbols="abcdefgh_:",
    generated=True,
)

REBER = Card(
    name="reber",
    description="strings of the embedded Reber grammar",
    licence="generated",
    source="A. S. Reber (1967), Implicit learning of artificial grammars; embedded as in S. Hochreiter and "
    "J. Schmidhuber (1997), Long short-term memory, Neural Comput. 9",
    symbols="BTSXPVE",
    generated=True,
)

EXAMPLES = {"adding": (10000, 1000), "copy": (10000, 1000), "reber": (256, 256)}
"""How many examples :func:`recurrence.data.load` gives for learning and for testing."""

BLANK, RECALL = 8, 9
"""The symbols of the copy task that are not to be remembered: nothing, and the call to repeat."""

REBER_GRAMMAR: tuple[dict[str, int], ...] = (
    {"B": 1},
    {"T": 2, "P": 3},
    {"S": 2, "X": 4},
    {"T": 3, "V": 5},
    {"X": 3, "S": 6},
    {"P": 4, "V": 6},
    {"E": 7},
    {},
)
"""From each state, the symbols that may come next and the state that each of them leads to."""


def adding(count: int, steps: int, rng: np.random.Generator) -> Pair:
    """Generate the adding problem: of many numbers, two are marked, and their sum is asked for at the end.

    Each number is drawn uniformly from [0, 1); the first mark stands in the first half of the sequence, the second in
    the second half. Who always answers 1 has a mean squared error of 1/6, the variance of the sum: that must be beaten.

    Parameters
    ----------
    count
        n, how many sequences are wanted.
    steps
        T, how long each is; at least 2.
    rng
        Draws numbers and marks.

    Returns
    -------
    inputs, targets
        ``(n, T, 2)`` float32, at each step a number and its mark, 0 or 1; and ``(n, 1)`` float32, the sums.

    Raises
    ------
    ValueError
        If there are too few steps for two marks.

    References
    ----------
    Arjovsky, Shah and Bengio (2016); Hochreiter and Schmidhuber (1997), experiment 4, with other ranges.
    """
    if steps < 2:
        raise ValueError(f"Two numbers cannot be marked among {steps}; give at least 2 steps.")
    inputs = np.zeros((count, steps, 2), np.float32)
    inputs[..., 0] = rng.random((count, steps), np.float32)
    inputs[np.arange(count), rng.integers(0, steps // 2, count), 1] = 1
    inputs[np.arange(count), rng.integers(steps // 2, steps, count), 1] = 1
    return inputs, (inputs[..., 0] * inputs[..., 1]).sum(axis=1)[:, None]


def copying(count: int, delay: int, rng: np.random.Generator, *, memory: int = 10) -> Pair:
    """Generate the copy task: symbols to remember, a long pause, and then the call to repeat them.

    With m symbols and a delay of T steps the input is m symbols out of 8, T − 1 blanks, the call, and m blanks; the
    target is T + m blanks and then the m symbols. Who remembers nothing does best to answer blank, and then with one of
    the 8 symbols at random: see :func:`copying_baseline`.

    Parameters
    ----------
    count
        n, how many sequences are wanted.
    delay
        T, at least 1.
    rng
        Draws the symbols, uniformly.
    memory
        m, how many symbols there are to remember.

    Returns
    -------
    inputs, targets
        ``(n, T + 2 m)`` int64: 0 to 7 the symbols, 8 the blank, 9 the call.

    Raises
    ------
    ValueError
        If there is no step for the call.

    References
    ----------
    Arjovsky, Shah and Bengio (2016), where T + 20 is the length of a sequence.
    """
    if delay < 1:
        raise ValueError(f"A delay of {delay} leaves no step for the call to repeat; give at least 1.")
    inputs = np.full((count, delay + 2 * memory), BLANK, np.int64)
    targets = inputs.copy()
    symbols = rng.integers(0, 8, (count, memory))
    inputs[:, :memory] = symbols
    inputs[:, memory + delay - 1] = RECALL
    targets[:, delay + memory :] = symbols
    return inputs, targets


def copying_baseline(delay: int, memory: int = 10) -> float:
    """Return the cross-entropy of the best answers without any memory, in nats a step: m ln 8 / (T + 2 m)."""
    return memory * math.log(8) / (delay + 2 * memory)


def reber(rng: np.random.Generator) -> str:
    """Generate a string of Reber's grammar: a walk through its states, in which every choice is a fair one.

    Its length is 5 at least and 8 on average.
    """
    state, symbols = 0, ""
    while choices := tuple(REBER_GRAMMAR[state]):
        symbol = choices[rng.integers(len(choices))]
        state, symbols = REBER_GRAMMAR[state][symbol], symbols + symbol
    return symbols


def embedded_reber(rng: np.random.Generator) -> str:
    """Generate a string of the embedded grammar: B, then T or P, a string of Reber's grammar, the same T or P again, E.

    To know the last symbol but one, the second must be remembered. Its length is 9 at least and 12 on average.
    """
    around = "TP"[rng.integers(2)]
    return f"B{around}{reber(rng)}{around}E"


def reber_choices(string: str) -> list[str]:
    """List, for each symbol of an embedded string but the last, all symbols that may follow it there.

    Raises
    ------
    ValueError
        If the string does not belong to the grammar.
    """
    around, inner = string[1:2], string[2:-2]
    choices, state = ["TP", "B"], 0
    for symbol in inner:
        state = REBER_GRAMMAR[state].get(symbol, -1)
        if state < 0:
            break
        choices.append("".join(REBER_GRAMMAR[state]) or around)
    if state != len(REBER_GRAMMAR) - 1 or around not in ("T", "P") or string != f"B{around}{inner}{around}E":
        raise ValueError(f"{string!r} is no string of the embedded Reber grammar; take one from embedded_reber.")
    return [*choices, "E"]


def reber_arrays(strings: list[str]) -> Pair:
    """Turn embedded strings into arrays: at each step one symbol goes in, and all that may follow are to be named.

    Returns
    -------
    inputs, targets
        ``(n, T, 7)`` float32, where T is one less than the longest string has symbols. An input has a 1 at the place of
        its symbol in BTSXPVE, a target at the places of all symbols that may follow. Shorter strings are closed by rows
        of zeros, which :func:`recurrence.data.lengths` counts out.
    """
    steps = max(len(string) for string in strings) - 1
    inputs = pad([_places(string[:-1]) for string in strings], steps)
    targets = pad([_places(reber_choices(string)) for string in strings], steps)
    return inputs, targets


def _places(symbols: str | list[str]) -> Array:
    return np.array([[symbol in step for symbol in REBER.symbols] for step in symbols], np.float32)


def load_adding(rng: np.random.Generator) -> Dataset:
    """Generate the adding problem over 50 steps: 10,000 sequences to learn from, 1,000 for testing."""
    train, test = EXAMPLES["adding"]
    return ADDING.dataset(adding(train, 50, rng), adding(test, 50, rng))


def load_copy(rng: np.random.Generator) -> Dataset:
    """Generate the copy task with a delay of 30 steps: 10,000 sequences to learn from, 1,000 for testing."""
    train, test = EXAMPLES["copy"]
    return COPY.dataset(copying(train, 30, rng), copying(test, 30, rng))


def load_reber(rng: np.random.Generator) -> Dataset:
    """Generate 256 embedded strings to learn from and 256 for testing, as :func:`reber_arrays` gives them."""
    train, test = EXAMPLES["reber"]
    return REBER.dataset(*(reber_arrays([embedded_reber(rng) for _ in range(count)]) for count in (train, test)))
