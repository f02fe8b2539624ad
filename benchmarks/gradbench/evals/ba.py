"""Bundle adjustment: errors of projected points, and their sparse Jacobian with respect to cameras, points and weights."""

from __future__ import annotations

import numpy as np
from evals.function import Function

import wengert as wg


def projection_error(camera, point, weight, feature):
    """The error of one observation; a camera is rotation, centre, focal length, principal point, distortion."""
    x = rotate(camera[:3], point - camera[3:6])
    flat = x[:2] / x[2]
    square = np.sum(flat**2)
    distorted = flat * (1.0 + camera[9] * square + camera[10] * square**2)
    return weight * (distorted * camera[6] + camera[7:9] - feature)


def rotate(axis, x):
    """Rodrigues' formula; its first order where there is next to no rotation."""
    square = np.sum(axis**2)
    angle = np.sqrt(square)
    unit = axis / angle
    cosine = np.cos(angle)
    turned = x * cosine + np.cross(unit, x) * np.sin(angle) + unit * (np.sum(unit * x) * (1.0 - cosine))
    return np.where(square > 0.0, turned, x + np.cross(axis, x))


def weight_error(weight):
    return 1.0 - weight**2


def objective(cameras, points, weights, features, of_camera, of_point):
    errors = wg.vmap(projection_error)(cameras[of_camera], points[of_point], weights, features)
    return errors.ravel(), weight_error(weights)


def jacobian(cameras, points, weights, features, of_camera, of_point):
    """Rows in compressed form: where each begins, its columns, its values."""
    block = wg.vmap(wg.jacobian(projection_error, argnums=(0, 1, 2)))
    by_camera, by_point, by_weight = block(cameras[of_camera], points[of_point], weights, features)
    values = np.concatenate([by_camera, by_point, by_weight[:, :, None]], axis=2)
    slopes = wg.vmap(wg.grad(weight_error))(weights)
    rows, columns = structure(len(cameras), len(points), of_camera, of_point)
    return rows, columns, np.concatenate([values.ravel(), slopes])


def structure(n_cameras, n_points, of_camera, of_point):
    """Where rows begin, and the columns of all entries."""
    n = len(of_camera)
    first_point, first_weight = 11 * n_cameras, 11 * n_cameras + 3 * n_points
    weights = first_weight + np.arange(n)
    parts = (11 * of_camera[:, None] + np.arange(11), first_point + 3 * of_point[:, None] + np.arange(3), weights[:, None])
    one = np.concatenate(parts, axis=1)
    columns = np.concatenate([np.stack([one, one], axis=1).ravel(), weights])
    rows = np.concatenate([15 * np.arange(2 * n + 1), 30 * n + 1 + np.arange(n)])
    return rows, columns


def prepare(data):
    n, m, p = data["n"], data["m"], data["p"]
    cameras, points = np.tile(data["cam"], (n, 1)), np.tile(data["x"], (m, 1))
    which = np.arange(p)
    return cameras, points, np.full(p, data["w"]), np.tile(data["feat"], (p, 1)), which % n, which % m


def errors(result):
    projections, weights = result
    return {
        "reproj_error": {"elements": projections[:2].tolist(), "repeated": len(weights)},
        "w_err": {"element": float(weights[0]), "repeated": len(weights)},
    }


def sample(result):
    """The first thirty entries of each part, and the last."""
    rows, columns, values = ([*part[:30].tolist(), part[-1].item()] for part in result)
    return {"rows": rows, "cols": columns, "vals": values}


FUNCTIONS = {"objective": Function(prepare, wg.jit(objective), errors), "jacobian": Function(prepare, wg.jit(jacobian), sample)}
