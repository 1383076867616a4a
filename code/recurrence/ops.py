"""What networks are made of beside matrices: activations, softmax, cross-entropy, layer norm, the tanh recurrence.

All work on plain arrays and on recorded variables, along the last axis, and nothing in them overflows on the
way to a finite result. ``NAME_definition`` is the same function in plain NumPy: what is fused must equal it in
value and gradient, and where a gradient is differentiated once more, it takes its place.
"""

import math
from typing import Any

import numpy as np

from recurrence.tape import gradient, primitive
from recurrence.tree import Array


@gradient(lambda dy, y, x: dy * (x > 0))
def relu(x: Array) -> Any:
    """The larger of x and 0, with slope 0 at 0."""
    return np.maximum(x, 0)


@gradient(lambda dy, y, x, slope=0.01: dy * np.where(x > 0, 1, slope), None)
def leaky_relu(x: Array, slope: float = 0.01) -> Any:
    """Keep x where it is positive, and a small share of it elsewhere; the share is the slope at 0, too."""
    return np.where(x > 0, x, slope * x)


@gradient(lambda dy, y, x: dy * np.exp(np.minimum(x, 0)))
def elu(x: Array) -> Any:
    """Keep x where it is positive, and give e^x − 1 elsewhere (Clevert, Unterthiner and Hochreiter 2016)."""
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
"""λ and α of :func:`selu`: with them, and no others, normal numbers keep mean 0 and variance 1."""


@gradient(lambda dy, y, x: dy * SELU_SCALE * np.where(x > 0, 1, SELU_ALPHA * np.exp(np.minimum(x, 0))))
def selu(x: Array) -> Any:
    """Give λ x where x is positive, and λ α (e^x − 1) elsewhere (Klambauer et al. 2017)."""
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


@gradient(lambda dy, y, x: dy * y * (1 - y))
def sigmoid(x: Array) -> Any:
    """1 / (1 + e^(−x)), to full relative precision."""
    e = np.exp(-np.absolute(x))
    return np.where(x >= 0, 1, e) / (1 + e)


@gradient(lambda dy, y, x: dy * sigmoid(x))
def softplus(x: Array) -> Any:
    """ln(1 + e^x), whose slope is the sigmoid."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.absolute(x)))


def silu(x: Array) -> Any:
    """Swish: x sigmoid(x)."""
    return x * sigmoid(x)


def gelu(x: Array) -> Any:
    """About x Φ(x), Φ the normal distribution function (Hendrycks and Gimpel 2016, the form with tanh)."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@gradient(lambda dy, y, x: y * (dy - np.sum(y * dy, axis=-1, keepdims=True)))
def softmax(x: Array) -> Any:
    """e^x / Σ e^x."""
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


@gradient(lambda dy, y, x: dy - np.exp(y) * np.sum(dy, axis=-1, keepdims=True))
def log_softmax(x: Array) -> Any:
    """The logarithm of softmax: x − ln Σ e^x."""
    x = x - np.max(x, axis=-1, keepdims=True)
    return x - np.log(np.sum(np.exp(x), axis=-1, keepdims=True))


@gradient(lambda dy, y, x: dy[..., None] * softmax(x))
def logsumexp(x: Array) -> Any:
    """The smooth maximum ln Σ e^x; −∞ where all x are."""
    top = np.max(x, axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return np.log(np.sum(np.exp(x - top), axis=-1)) + top[..., 0]


def cross_entropy_definition(logits: Array, labels: Array) -> Any:
    return -np.mean(np.take_along_axis(log_softmax(logits), labels[..., None], axis=-1))


@primitive(definition=cross_entropy_definition)
def cross_entropy(logits: Array, labels: Array) -> Any:
    """−ln softmax(logits)[label], the mean over all labels: logits ``(..., K)``, labels ``(...)`` in 0 … K − 1."""
    rows = logits.reshape(-1, logits.shape[-1])
    picked = np.arange(len(rows)), labels.reshape(-1)
    rows = rows - rows.max(axis=-1, keepdims=True)
    e = np.exp(rows)
    total = e.sum(axis=-1, keepdims=True)

    def pull(dy: Any) -> tuple[Any, None]:
        """The gradient: dlogits = (softmax − one-hot label) dy / number of labels."""
        dlogits = e / total
        dlogits[picked] -= 1
        dlogits *= dy / len(rows)
        return dlogits.reshape(logits.shape), None

    return np.mean(np.log(total[:, 0]) - rows[picked]), pull


def sigmoid_cross_entropy(logits: Array, targets: Array) -> Any:
    """Average −y* ln σ(u) − (1 − y*) ln(1 − σ(u)) over all logits u; targets y* from 0 to 1, of the same shape."""
    return np.mean(softplus(logits) - targets * logits)


def layer_norm_definition(x: Array, gain: Array, bias: Array, eps: float = 1e-5) -> Any:
    return gain * (x - np.mean(x, -1, keepdims=True)) / np.sqrt(np.var(x, -1, keepdims=True) + eps) + bias


@primitive(definition=layer_norm_definition)
def layer_norm(x: Array, gain: Array, bias: Array, eps: float = 1e-5) -> Any:
    """Centre and scale x ``(..., D)``: gain n + bias, n = (x − mean) / √(variance + ε) (Ba et al. 2016)."""
    n = x - x.mean(axis=-1, keepdims=True)
    scale = 1 / np.sqrt(np.mean(n * n, axis=-1, keepdims=True) + eps)
    n *= scale

    def pull(dy: Any) -> tuple[Any, Any, Any]:
        """The gradient: dx = (dn − mean(dn) − n mean(n dn)) / √(variance + ε), dn = gain dy."""
        dn = gain * dy
        dx = dn - dn.mean(axis=-1, keepdims=True)
        dx -= n * np.mean(n * dn, axis=-1, keepdims=True)
        dx *= scale
        return dx, n * dy, dy

    return gain * n + bias, pull


def tanh_scan_definition(u: Array, W: Array, h0: Array) -> Any:
    hs = [h0]
    for n in range(u.shape[-2]):
        hs.append(np.tanh(u[..., n, :] + hs[n] @ W))
    return np.stack(hs, axis=-2)[..., 1:, :]


@primitive(definition=tanh_scan_definition)
def tanh_scan(u: Array, W: Array, h0: Array) -> Any:
    """h[n] = tanh(u[n] + h[n − 1] W): u and all states h ``(..., T, N)``, W ``(N, N)``, h0 ``(..., N)``."""
    T, N = u.shape[-2:]
    batch = np.broadcast_shapes(u.shape[:-2], h0.shape[:-1])
    # Time comes first, so that each step works on one block of memory.
    hs = np.empty((T + 1, *batch, N), np.result_type(u, W, h0))
    hs[0], hs[1:] = h0, np.moveaxis(np.broadcast_to(u, (*batch, T, N)), -2, 0)
    carry = np.empty_like(hs[0])
    for n in range(1, T + 1):
        hs[n] += np.matmul(hs[n - 1], W, out=carry)
        np.tanh(hs[n], out=hs[n])

    def pull(dhs: Any) -> tuple[Any, Any, Any]:
        """The gradient: du[n] = (1 − h[n]²) (dh[n] + du[n + 1] Wᵀ), dW = Σ h[n − 1]ᵀ du[n], dh0 = du[0] Wᵀ."""
        slope = 1 - hs[1:] * hs[1:]
        du, Wt, carry = np.moveaxis(dhs, -2, 0).copy(), W.T.copy(), np.zeros_like(hs[0])
        for n in reversed(range(T)):
            du[n] += carry
            du[n] *= slope[n]
            np.matmul(du[n], Wt, out=carry)
        return np.moveaxis(du, 0, -2), hs[:-1].reshape(-1, N).T @ du.reshape(-1, N), carry

    return np.moveaxis(hs[1:], 0, -2), pull
