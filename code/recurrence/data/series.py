"""Two generated series that reservoirs are measured with: a chaotic one to continue, and a filter to imitate."""

import numpy as np

from recurrence.data.dataset import Card, Dataset, one_step_ahead
from recurrence.tree import Array

MACKEY_GLASS = Card(
    name="mackey_glass",
    description="the chaotic Mackey–Glass series with delay 17",
    licence="generated",
    source="M. C. Mackey and L. Glass (1977), Oscillation and chaos in physiological control systems, Science 197; "
    "discretised as in H. Jaeger (2001), The echo state approach, GMD report 148, section 6",
    generated=True,
)

NARMA10, NARMA30 = (
    Card(
        name=f"narma{order}",
        description=f"a non-linear filter that looks {order} steps back",
        licence="generated",
        source=source,
        generated=True,
    )
    for order, source in (
        (10, "A. F. Atiya and A. G. Parlos (2000), New results on recurrent network training, IEEE TNN 11"),
        (30, "B. Schrauwen and others (2008), Improving reservoirs using intrinsic plasticity, Neurocomputing 71"),
    )
)

TRAIN, TEST = 3000, 1000
"""Steps of the series that :func:`recurrence.data.load` gives."""

COEFFICIENTS = {10: (0.3, 0.05, 1.5, 0.1), 30: (0.2, 0.04, 1.5, 0.001)}
"""a, b, c and d of the NARMA system of each order."""

RUNAWAY = 10.0
"""An output of a NARMA system that has left its range, about 0 to 1, for good."""


def mackey_glass(
    steps: int, rng: np.random.Generator, *, tau: float = 17.0, dt: float = 0.1, every: int = 10, discard: int = 1000
) -> Array:
    """Generate the Mackey–Glass series: production that depends on a delayed value, and decay.

    dy/dt = 0.2 y(t − τ) / (1 + y(t − τ)¹⁰) − 0.1 y(t)

    in Euler steps, y[n + 1] = y[n] + dt (0.2 y[n − τ/dt] / (1 + y[n − τ/dt]¹⁰) − 0.1 y[n]), of which one in ``every``
    is kept. It rests at 1 for short delays, oscillates beyond τ = arccos(−1/4) / √0.15 ≈ 4.71, and is chaotic at 17.

    Parameters
    ----------
    steps
        T, how many values are wanted.
    rng
        Draws the values before the start, independently and uniformly from [1.1, 1.3).
    tau
        τ, the delay, a multiple of ``dt``.
    dt
        Length of an Euler step.
    every
        How many Euler steps there are between two values.
    discard
        Values that are thrown away before the first one, so that the start is forgotten.

    Returns
    -------
    Array
        ``(T, 1)`` float64. At τ = 17 the values lie between 0.41 and 1.33, around 0.93 with a variance of 0.051.

    Raises
    ------
    ValueError
        If the delay is not a positive multiple of ``dt``.

    References
    ----------
    Jaeger (2001), GMD report 148, section 6: dt = 0.1 and every tenth value.
    """
    lag = round(tau / dt)
    if lag < 1 or abs(lag * dt - tau) > 1e-9 * tau:
        raise ValueError(
            f"The delay tau = {tau} must be a positive multiple of the step dt = {dt}; change one of them."
        )
    y: list[float] = rng.uniform(1.1, 1.3, lag + 1).tolist()
    for n in range(lag, lag + every * (discard + steps)):
        delayed = y[n - lag]
        y.append(y[n] + dt * (0.2 * delayed / (1 + delayed**10) - 0.1 * y[n]))
    kept = y[lag + every :: every]
    return np.array(kept[discard:])[:, None]


def narma(steps: int, rng: np.random.Generator, *, order: int = 10, discard: int = 200) -> tuple[Array, Array]:
    """Generate a NARMA system: a filter whose output depends on products of the past.

    y[n] = a y[n − 1] + b y[n − 1] Σ_{i=1..k} y[n − i] + c u[n − k + 1] u[n] + d

    with inputs u drawn uniformly from [0, 0.5), k = 10: a, b, c, d = 0.3, 0.05, 1.5, 0.1, and
    k = 30: a, b, c, d = 0.2, 0.04, 1.5, 0.001.

    Parameters
    ----------
    steps
        T, how many steps are wanted.
    rng
        Draws the inputs.
    order
        k, 10 or 30.
    discard
        Steps that are thrown away before the first one, so that the start from y = 0 is forgotten.

    Returns
    -------
    u, y
        Inputs and outputs, ``(T, 1)`` float64. Our y[n], which answers the input u[n], is y(n + 1) in the papers.
        The system of order 10 runs away to infinity once in a long while; then everything is drawn anew.

    Raises
    ------
    ValueError
        If the order is another.

    References
    ----------
    Atiya and Parlos (2000) for k = 10; Schrauwen, Wardermann, Verstraeten, Steil and Stroobandt (2008) for k = 30.
    """
    if order not in COEFFICIENTS:
        raise ValueError(f"There is no NARMA system of order {order} here; take 10 or 30.")
    k = order
    a, b, c, d = COEFFICIENTS[k]
    while True:
        u = rng.uniform(0, 0.5, k + discard + steps)
        y = np.zeros(k + discard + steps)
        for n in range(k, len(y)):
            y[n] = a * y[n - 1] + b * y[n - 1] * y[n - k : n].sum() + c * u[n - k + 1] * u[n] + d
            if y[n] > RUNAWAY:
                break
        else:
            return u[k + discard :, None], y[k + discard :, None]


def load_mackey_glass(rng: np.random.Generator) -> Dataset:
    """Generate the series with delay 17, 3,000 values to learn from and the next 1,000 for testing, one step ahead."""
    series = mackey_glass(TRAIN + TEST + 1, rng)
    return MACKEY_GLASS.dataset(*one_step_ahead(series, TRAIN))


def load_narma10(rng: np.random.Generator) -> Dataset:
    """Generate input and output of order 10: 3,000 steps to learn from and the next 1,000 for testing."""
    return _narma(NARMA10, 10, rng)


def load_narma30(rng: np.random.Generator) -> Dataset:
    """Generate input and output of order 30: 3,000 steps to learn from and the next 1,000 for testing."""
    return _narma(NARMA30, 30, rng)


def _narma(card: Card, order: int, rng: np.random.Generator) -> Dataset:
    u, y = narma(TRAIN + TEST, rng, order=order)
    return card.dataset((u[:TRAIN], y[:TRAIN]), (u[TRAIN:], y[TRAIN:]))
