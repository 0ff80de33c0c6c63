"""How a synthetic table comes about: five kinds of worlds, each giving features and the raw material of classes.

Every function takes a generator and sizes and returns features ``(R, F)`` float64 and scores ``(R,)`` or ``(R, C)``
from which :func:`tools.pretrain.prior.classes_from` makes classes. Nothing here is taken from any data set.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Rng = np.random.Generator
World = tuple[np.ndarray, np.ndarray]

ACTIVATIONS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    np.tanh,
    lambda a: np.maximum(a, 0),
    lambda a: a,
    np.sin,
    np.abs,
    lambda a: np.exp(-a * a),
    lambda a: (a > 0).astype(a.dtype),
    lambda a: np.clip(a, -2, 2) ** 2,
    lambda a: np.where(a > 0, a, 0.1 * a),
)


def standardised(a: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and deviation 1 (constant ones stay 0)."""
    return (a - a.mean(0)) / (a.std(0) + 1e-6)


def structural_world(g: Rng, R: int, F: int, C: int) -> World:
    """A random layered causal graph with noisy sparse mechanisms; features and class are any of its nodes."""
    heads = C if C > 2 and g.random() < 0.4 else 1
    nodes = _causal_nodes(g, R, F + heads)
    everything = np.concatenate(nodes, 1)
    source = nodes[-1] if g.random() < 0.6 else everything
    if heads == 1:
        score = source[:, int(g.integers(source.shape[1]))]
        keep = np.flatnonzero(np.abs(everything - score[:, None]).sum(0) > 1e-9)
    else:
        causes = g.choice(source.shape[1], min(source.shape[1], int(g.integers(2, 9))), replace=False)
        score = standardised(source[:, causes]) @ g.standard_normal((len(causes), C)) + g.normal(0, 0.3, C)
        keep = np.arange(everything.shape[1])
    return everything[:, _some(g, keep, F)], score


def tree_world(g: Rng, R: int, F: int, C: int) -> World:
    """Features of a causal graph, or independent ones; the class is a sum of a few random trees of them."""
    x = np.concatenate(_causal_nodes(g, R, F), 1) if g.random() < 0.7 else g.standard_normal((R, F))
    x = x[:, _some(g, np.arange(x.shape[1]), F)]
    heads = C if C > 2 and g.random() < 0.4 else 1
    score = np.zeros((R, heads))
    for _ in range(int(g.integers(1, 6))):
        depth = int(g.integers(1, 5))
        asked = g.integers(0, F, depth)
        threshold = x[g.integers(0, R, depth), asked]
        leaf = ((x[:, asked] > threshold) << np.arange(depth)).sum(1)
        score += g.standard_normal((2**depth, heads))[leaf]
    return x, score if heads > 1 else score[:, 0]


def prototype_world(g: Rng, R: int, F: int, C: int) -> World:
    """The class comes first: each has one or a few prototypes in a latent space, seen through a random mixing."""
    k = min(1 + int(g.geometric(0.15)), 24)
    modes = 1 if g.random() < 0.6 else int(g.integers(2, 4))
    centre = g.standard_normal((C, modes, k)) * np.exp(g.normal(0.0, 0.7)) * np.sqrt(4.0 / (k + 2))
    y = g.choice(C, R, p=class_shares(g, C))
    spread = np.exp(g.normal(0, 0.3, (C, k) if g.random() < 0.5 else (1, k)))
    z = centre[y, g.integers(0, modes, R)] + g.standard_normal((R, k)) * spread[y % len(spread)]
    mixing = g.standard_normal((k, F)) * (g.random((k, F)) > g.uniform(0, 0.8)) / np.sqrt(k)
    x = z @ mixing + g.normal(0, 0.5, F)
    if g.random() < 0.4:
        x = ACTIVATIONS[g.integers(len(ACTIVATIONS))](x)
    x = x + g.standard_normal((R, F)) * g.choice([0.05, 0.3, 1.0])
    return x, np.eye(C)[y]


def graded_world(g: Rng, R: int, F: int, C: int) -> World:
    """Clinical tables: correlated features, a few with moderate additive effects, and much that is not measured."""
    k = int(g.integers(1, 8))
    x = g.standard_normal((R, k)) @ g.standard_normal((k, F)) * g.uniform(0, 1) / np.sqrt(k) + g.standard_normal((R, F))
    active = g.choice(F, min(F, 1 + int(g.geometric(0.2))), replace=False)
    effect = np.zeros((F, C))
    effect[active] = g.standard_normal((len(active), C)) * g.gamma(2.0, 0.5, (len(active), 1))
    z = standardised(x) @ effect
    if g.random() < 0.3 and len(active) > 1:
        z = z + np.prod(standardised(x[:, active[:2]]), 1, keepdims=True) * g.standard_normal(C)
    z = z / max(1e-6, z.std()) * np.exp(g.normal(0.3, 0.6)) + np.log(class_shares(g, C) + 1e-3)
    y = (z + g.gumbel(size=z.shape)).argmax(1)  # a draw from the softmax: classes overlap as they do in life
    return x, np.eye(C)[y]


def expression_world(g: Rng, R: int, F: int, C: int, n_train: int) -> World:
    """Expression data after feature selection: correlated modules of genes, few of them informative.

    Many more genes than ``F`` are drawn and the ``F`` with the largest F statistic *in the training rows* are kept, so
    that the network learns how much of such an association is luck.
    """
    p = min(8 * F + int(g.integers(50, 600)), 200_000 // R + 2 * F)
    n_modules = int(g.integers(3, 40))
    informative = g.random(n_modules) < g.uniform(0.02, 0.4)
    y = g.choice(C, R, p=class_shares(g, C))
    activity = g.standard_normal((R, n_modules))
    activity += (g.standard_normal((C, n_modules)) * np.exp(g.normal(0, 0.5)) * informative)[y]
    module = g.integers(0, n_modules, p)
    loading = g.normal(0.7, 0.3, p) * (g.random(p) < g.uniform(0.3, 1.0))
    x = activity[:, module] * loading + g.standard_normal((R, p)) * g.uniform(0.3, 1.0, p)
    if g.random() < 0.4:  # two batches
        x += (g.random((R, 1)) < 0.5) * g.standard_normal(p) * g.uniform(0, 0.6)
    if g.random() < 0.4:  # counts, as logarithms
        x = np.log2(1 + np.floor(np.exp2(np.clip(x + g.uniform(-2, 6, p), -10, 14))))
    kept = np.argsort(-_anova(x[:n_train], y[:n_train], C))[:F] if g.random() < 0.8 else g.choice(p, F, replace=False)
    return x[:, kept], np.eye(C)[y]


def class_shares(g: Rng, C: int) -> np.ndarray:
    """How frequent the classes are, from balanced to very uneven: ``(C,)``, sum 1."""
    return g.dirichlet(np.full(C, g.choice([1.0, 3.0, 30.0])))


def _causal_nodes(g: Rng, R: int, need: int) -> list[np.ndarray]:
    """Values of all nodes of a random layered graph, layer by layer: together at least ``need`` columns."""
    layers, roots = int(g.integers(1, 5)), min(2 + int(g.geometric(0.25)), 16)
    width = max(int(np.ceil((need + 2) / layers)), int(g.integers(4, 24)))
    h = _roots(g, R, roots)
    act, mixed = ACTIVATIONS[g.integers(len(ACTIVATIONS))], g.random() < 0.5
    drop, noise = g.uniform(0, 0.8), float(g.choice([0.0, 0.01, 0.05, 0.2, 0.5]))
    scale = np.exp(g.normal(0.2, 0.6))
    nodes = [h]
    for _ in range(layers):
        if mixed:
            act = ACTIVATIONS[g.integers(len(ACTIVATIONS))]
        weight = g.standard_normal((h.shape[1], width)) * (g.random((h.shape[1], width)) > drop)
        a = h @ weight * scale / np.sqrt(max(1.0, h.shape[1] * (1 - drop))) + g.normal(0, 0.7, width)
        h = standardised(act(a)) + noise * g.standard_normal((R, width))
        nodes.append(h)
    return nodes


def _roots(g: Rng, R: int, k: int) -> np.ndarray:
    """First causes: normal, uniform, heavy-tailed or partly discrete."""
    kind = g.random()
    h = g.random((R, k)) * 2 - 1 if kind < 0.2 else g.standard_normal((R, k))
    if 0.2 <= kind < 0.35:
        h = np.sign(h) * np.abs(h) ** g.uniform(1, 2.5)
    elif 0.35 <= kind < 0.5:
        discrete, levels = np.flatnonzero(g.random(k) < 0.5), g.integers(2, 6, k)
        h[:, discrete] = np.floor(g.random((R, len(discrete))) * levels[discrete]) - levels[discrete] / 2
    return h * np.abs(g.normal(1, 0.5, k)) + g.normal(0, 1, k) * (g.random() < 0.5)


def _some(g: Rng, keep: np.ndarray, F: int) -> np.ndarray:
    """``F`` of these columns: neighbours, or any; with repeats when there are too few."""
    if len(keep) <= F:
        return g.choice(keep, F, replace=True)
    if g.random() < 0.3:
        start = int(g.integers(0, len(keep) - F + 1))
        return keep[start : start + F]
    return g.choice(keep, F, replace=False)


def _anova(x: np.ndarray, y: np.ndarray, C: int) -> np.ndarray:
    """F statistic up to a constant factor: ``(n, p)``, ``(n,)`` -> ``(p,)``."""
    one_hot = np.eye(C)[y].T
    count = np.maximum(one_hot.sum(1, keepdims=True), 1e-9)
    x = x - x.mean(0)
    between = ((one_hot @ x) ** 2 / count).sum(0)
    return between / np.maximum((x**2).sum(0) - between, 1e-9)
