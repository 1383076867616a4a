"""The engine beside PyTorch on the CPU: the same work forward and backward, one thread each.

PyTorch is no dependency of the package; these pairs are there where it can be imported:

    PYTHONPATH=code OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 python benchmarks/run.py engine
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from recurrence import ops, time
from recurrence.neurons.leaky_integration import LeakyIntegrator
from recurrence.nn import MLP
from recurrence.optim import sgd
from recurrence.tape import grad, value_and_grad

Work = Callable[[], np.ndarray]
T, B, H = 100, 32, 64
LR = 1e-3
CLOSE = 1e-4  # single precision, and sums in another order


def pairs() -> Iterator[tuple[str, Work, Work, float]]:
    try:
        import torch
    except ImportError:
        print("engine: PyTorch cannot be imported here, so nothing is measured beside it.", file=sys.stderr)
        return
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    mlp = MLP.init((784, 128, 10), rng)
    digits, labels = rng.random((64, 784), np.float32), rng.integers(0, 10, 64)
    for name, theirs in mlp_beside(torch, mlp, digits, labels):
        yield f"engine MLP step 784-128-10 batch 64 / torch, {name}", mlp_step(mlp, digits, labels), theirs, CLOSE
    u, weights = rng.standard_normal((2, B, T, H), np.float32)
    W = rng.standard_normal((H, H), np.float32) / np.float32(np.sqrt(H))
    start, leak = np.zeros((B, H), np.float32), np.linspace(0.05, 0.5, H, dtype=np.float32)
    size = f"T={T} B={B} H={H}"
    for name, theirs in tanh_beside(torch, u, W, start, weights):
        yield f"engine tanh_scan {size} / torch, {name}", tanh_ours(u, W, start, weights), theirs, CLOSE
    for name, theirs in leaky_beside(torch, leak, u, start, weights):
        yield f"engine leaky scan {size} / torch, {name}", leaky_ours(leak, u, start, weights), theirs, CLOSE


# One step of training: loss, gradient, update.


def mlp_step(model: MLP, digits: np.ndarray, labels: np.ndarray) -> Work:
    optimiser = sgd(LR)
    state = optimiser.start(model)
    differentiated = value_and_grad(lambda model: ops.cross_entropy(model(digits), labels))

    def step() -> np.ndarray:
        nonlocal model, state
        _, grads = differentiated(model)
        model, state = optimiser.update(model, grads, state)
        return model.layers[0].W

    return step


def mlp_beside(torch: Any, model: MLP, digits: np.ndarray, labels: np.ndarray) -> Iterator[tuple[str, Work]]:
    inputs, targets = torch.tensor(digits), torch.tensor(labels)

    def copy() -> Any:
        net = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
        with torch.no_grad():
            for theirs, ours in zip((net[0], net[2]), model.layers, strict=True):
                theirs.weight.copy_(torch.tensor(ours.W.T))
                theirs.bias.copy_(torch.tensor(ours.b))
        return net

    def with_optimiser(fused: bool | None) -> Work:
        net = copy()
        optimiser = torch.optim.SGD(net.parameters(), lr=LR, fused=fused)

        def step() -> np.ndarray:
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(net(inputs), targets).backward()
            optimiser.step()
            return net[0].weight.detach().numpy().T

        return step

    def by_hand() -> Work:
        net = copy()
        parameters = list(net.parameters())

        def step() -> np.ndarray:
            loss = torch.nn.functional.cross_entropy(net(inputs), targets)
            grads = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for w, g in zip(parameters, grads, strict=True):
                    w.sub_(g, alpha=LR)
            return net[0].weight.detach().numpy().T

        return step

    yield "optim.SGD", with_optimiser(None)
    yield "optim.SGD fused", with_optimiser(True)
    yield "update by hand", by_hand()


# Scans: gradients of a weighted sum of all outputs with respect to input, weights and start.


def joined(grads: Any) -> np.ndarray:
    """Show one number of each gradient: enough to compare, nothing to pay for."""
    return np.array([g.reshape(-1)[-1] for g in grads])


def tanh_ours(u: np.ndarray, W: np.ndarray, start: np.ndarray, weights: np.ndarray) -> Work:
    differentiated = grad(lambda leaves: np.sum(ops.tanh_scan(*leaves) * weights))
    return lambda: joined(differentiated((u, W, start)))


def tanh_beside(
    torch: Any, u: np.ndarray, W: np.ndarray, start: np.ndarray, weights: np.ndarray
) -> Iterator[tuple[str, Work]]:
    inputs, matrix, h0 = (torch.tensor(x, requires_grad=True) for x in (u, W, start))
    factors = torch.tensor(weights)

    def loop() -> np.ndarray:
        h, hs = h0, []
        for step in inputs.unbind(1):
            h = torch.tanh(step + h @ matrix)
            hs.append(h)
        return gradients(torch.stack(hs, 1))

    # The module multiplies its input by a matrix first, which the scan does not: the loop is the fairer comparison.
    rnn = torch.nn.RNN(H, H, bias=False, batch_first=True)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.eye(H))
        rnn.weight_hh_l0.copy_(matrix.T)

    def module() -> np.ndarray:
        hs = rnn(inputs, h0[None])[0]
        grads = torch.autograd.grad(torch.sum(hs * factors), (inputs, rnn.weight_hh_l0, h0))
        return joined([g.numpy() for g in grads])

    def gradients(hs: Any) -> np.ndarray:
        grads = torch.autograd.grad(torch.sum(hs * factors), (inputs, matrix, h0))
        return joined([g.numpy() for g in grads])

    yield "loop", loop
    yield "nn.RNN", module


def leaky_ours(leak: np.ndarray, u: np.ndarray, start: np.ndarray, weights: np.ndarray) -> Work:
    def total(leaves: Any) -> Any:
        cell, xs, start = leaves
        return np.sum(time.scan(cell, start, xs)[1] * weights)

    differentiated = grad(total)

    def work() -> np.ndarray:
        cell, xs, y = differentiated((LeakyIntegrator(leak), u, start))
        return joined((xs, cell.leak, y))

    return work


def leaky_beside(
    torch: Any, leak: np.ndarray, u: np.ndarray, start: np.ndarray, weights: np.ndarray
) -> Iterator[tuple[str, Work]]:
    inputs, leaks, y0 = (torch.tensor(x, requires_grad=True) for x in (u, leak, start))
    factors = torch.tensor(weights)

    def work_of(loop: Any) -> Work:
        def work() -> np.ndarray:
            ys = loop(y0, inputs, leaks)
            grads = torch.autograd.grad(torch.sum(ys * factors), (inputs, leaks, y0))
            return joined([g.numpy() for g in grads])

        return work

    def loop(y: Any, xs: Any, leak: Any) -> Any:
        ys = []
        for x in xs.unbind(1):
            y = torch.lerp(y, x, leak)
            ys.append(y)
        return torch.stack(ys, 1)

    yield "loop of lerp", work_of(loop)
