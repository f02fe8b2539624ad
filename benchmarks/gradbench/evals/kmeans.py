"""Clusters: the squared distance of each point to its nearest centre, and Newton's step for the centres.

The Hessian is diagonal, so its product with a vector of ones holds all of it.
"""

from __future__ import annotations

import numpy as np
from evals.function import Function

import wengert as wg


def cost(points, centres):
    nearest = np.argmin(np.sum((points[:, None, :] - centres) ** 2, axis=-1), axis=1)
    return np.sum((points - centres[nearest]) ** 2)


def direction(points, centres):
    slope, curvature = wg.jvp(lambda c: wg.grad(cost, 1)(points, c), (centres,), (np.ones_like(centres),))
    return slope / curvature


def prepare(data):
    return np.array(data["points"]), np.array(data["centroids"])


FUNCTIONS = {"cost": Function(prepare, wg.jit(cost)), "dir": Function(prepare, wg.jit(direction))}
