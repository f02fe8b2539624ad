"""Bundle adjustment: a 2 by 15 block of the Jacobian for every observation, in ADBench's sizes."""

from __future__ import annotations

import by_hand
import numpy as np
from peers import Case, has, jax_step, read_with, tensors, torch_names

import wengert as wg

SIZES = {"ba1": (49, 7_776, 31_843), "ba3": (161, 48_126, 182_072)}


def objective(camera, point, weight, feature):
    """The weighted error of one observation; a camera is rotation, centre, focal length, principal point, distortion."""
    axis, centre, focal = camera[:3], camera[3:6], camera[6]
    x = rotate(axis, point - centre)
    flat = x[:2] / x[2]
    square = np.sum(flat**2)
    distorted = flat * (1.0 + camera[9] * square + camera[10] * square**2)
    return weight * (distorted * focal + camera[7:9] - feature)


def rotate(axis, x):
    """Rodrigues' formula."""
    angle = np.sqrt(np.sum(axis**2))
    unit = axis / angle
    cosine = np.cos(angle)
    return x * cosine + np.cross(unit, x) * np.sin(angle) + unit * (np.sum(unit * x) * (1.0 - cosine))


def data(n_cameras, n_points, n):
    rng = np.random.default_rng(0)
    cameras = rng.random((n_cameras, 11)) + 0.1
    points = rng.random((n_points, 3)) + np.array([0.0, 0.0, 5.0])
    which = rng.integers(n_cameras, size=n), rng.integers(n_points, size=n)
    return cameras, points, rng.random(n), rng.random((n, 2)), *which


def all_blocks(block):
    """The blocks of all observations, by a block's vectorised Jacobian."""
    return lambda cameras, points, weights, features, c, p: block(cameras[c], points[p], weights, features)


def by_jax(f):
    import jax

    return all_blocks(jax.vmap(jax.jacobian(f, (0, 1, 2))))


def by_torch(arguments, *, compiled):
    torch = torch_names().torch
    blocks = all_blocks(torch.func.vmap(torch.func.jacrev(read_with(objective, torch_names()), (0, 1, 2))))
    placed = tensors(arguments)
    function = torch.compile(blocks, dynamic=False) if compiled else blocks
    return lambda: function(*placed)


def cases(scale=1.0):
    for name, size in SIZES.items():
        arguments = data(*size)
        ours = wg.jit(all_blocks(wg.vmap(wg.jacobian(objective, argnums=(0, 1, 2)))))
        steps = {"wengert": lambda ours=ours, a=arguments: ours(*a)}
        if has("jax"):
            steps["jax"] = jax_step(by_jax, objective, arguments)
        if has("torch"):
            steps["torch"] = by_torch(arguments, compiled=False)
            steps["torch.compile"] = by_torch(arguments, compiled=True)
        if by_hand.has_compiler():
            steps["C++ by hand"] = by_hand.bundle(*arguments)
        yield Case(f"bundle adjustment Jacobian, {name} ({size[2]:,} observations)", steps, seconds=4 * scale)
