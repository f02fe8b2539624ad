"""Hand tracking: how far measured points are from a posed hand, and the Jacobian with respect to pose and surface coordinates."""

from __future__ import annotations

import numpy as np
from evals.function import Function

import wengert as wg

FIXED = 3  # columns of the pose parameters before those of the bones: rotation, scale, translation


def pose_of(theta, n_bones):
    """The 3 angles of every bone: five fingers of four bones each follow the wrist, with one or two angles free."""
    columns = [theta[0:3], np.ones(3), theta[3:6]]
    angles = [np.zeros(3)] * n_bones
    for finger in range(5):
        free = theta[6 + 4 * finger : 10 + 4 * finger]
        first = 2 + 4 * finger
        angles[first] = np.stack([free[0], free[1], 0.0])
        angles[first + 1] = np.stack([free[2], 0.0, 0.0])
        angles[first + 2] = np.stack([free[3], 0.0, 0.0])
    return np.stack([*columns, *angles])


def rotation_by_angles(xzy):
    """One rotation about each axis, x first."""
    (cx, cz, cy), (sx, sz, sy) = np.cos(xzy), np.sin(xzy)
    return np.array(
        [
            [cy * cz, -cx * sz + sx * sy * cz, sx * sz + cx * sy * cz],
            [cy * sz, cx * cz + sx * sy * sz, -sx * cz + cx * sy * sz],
            [-sy, sx * cy, cx * cy],
        ],
        like=xzy,
    )


def rotation_about(axis):
    """Rodrigues' formula as a matrix."""
    angle = np.sqrt(np.sum(axis**2))
    if angle < 1e-4:
        return np.eye(3)
    unit = axis / angle
    x, y, z = unit
    s, c = np.sin(angle), np.cos(angle)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]], like=axis)
    return c * np.eye(3) + s * cross + (1.0 - c) * np.outer(unit, unit)


def vertices(theta, model, parents, is_mirrored):
    """The posed vertices, [n, 3]."""
    pose = pose_of(theta, len(parents))
    absolute = []
    for bone, parent in enumerate(parents):
        turn = np.zeros((4, 4), like=theta)
        turn[:3, :3] = rotation_by_angles(pose[FIXED + bone])
        turn[3, 3] = 1.0
        relative = model["base_relatives"][bone] @ turn
        absolute.append(relative if parent == -1 else absolute[parent] @ relative)
    transforms = np.stack(absolute) @ model["inverse_base_absolutes"]
    blend = model["weights"][:, :, None] * model["base_positions"][:, None, :]
    positions = blend.reshape(len(blend), -1) @ transforms[:, :3].transpose(0, 2, 1).reshape(-1, 3)
    if is_mirrored:
        positions = positions * np.array([-1.0, 1.0, 1.0])
    return positions @ (rotation_about(pose[0]) * pose[1]).T + pose[2]


def errors(theta, us, hand, points):
    """Measured less posed points, [m, 3]; `us` are coordinates on the triangles, where points lie between vertices."""
    model, parents, is_mirrored, corners = hand
    posed = vertices(theta, model, parents, is_mirrored)[corners]
    if us is None:
        return points - posed
    weights = np.stack([us[:, 0], us[:, 1], 1.0 - us[:, 0] - us[:, 1]], axis=1)
    return points - np.sum(weights[:, :, None] * posed, axis=1)


def jacobian(theta, us, hand, points):
    """With respect to the two coordinates of a point itself, where it has them, and to the pose: [3 m, 2 + 26] or [3 m, 26].

    A point moves with its own coordinates only, so one direction for all points does for each of the two.
    """
    if us is None:
        return wg.jacobian(errors)(theta, us, hand, points).reshape(-1, len(theta))
    n, n_own = len(theta), 2
    directions = np.eye(n_own + n)
    own = np.broadcast_to(directions[:, None, :n_own], (n_own + n, *us.shape))
    pushed = wg.vmap(lambda dt, du: wg.jvp(lambda t, u: errors(t, u, hand, points), (theta, us), (dt, du))[1])
    return pushed(directions[:, n_own:], own).reshape(n_own + n, -1).T


def prepare(data):
    hand, measured = data["data"]["model"], data["data"]
    names = ("base_relatives", "inverse_base_absolutes", "base_positions", "weights")
    model = {name: np.array(hand[name]) for name in names}
    which = np.array(measured["correspondences"], dtype=int)
    us = np.array(data["us"]).reshape(-1, 2) if data["us"] else None
    corners = np.array(hand["triangles"], dtype=int)[which] if data["us"] else which
    return np.array(data["theta"]), us, (model, tuple(hand["parents"]), hand["is_mirrored"], corners), np.array(measured["points"])


FUNCTIONS = {
    "objective": Function(prepare, wg.jit(errors), lambda e: e.ravel().tolist()),
    "jacobian": Function(prepare, wg.jit(jacobian)),
}
