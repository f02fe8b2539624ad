"""Pain 6: programs that write into arrays, as users of other libraries wrote them; and pain 7: NumPy as it stands."""

import numpy as np
import pytest

import wengert as wg
import wengert.numpy as wnp
from wengert.errors import AssignmentError, LostDerivativeError

RANDOM = np.random.default_rng(0)


def block_of_a_larger_array(a):  # autograd 58
    b = np.zeros_like(a, shape=(4, 4))
    b[:2, :2] = a
    return b * np.arange(16.0).reshape(4, 4)


def results_in_a_loop(p):  # autograd 177
    out = np.zeros_like(p, shape=5)
    for m in range(5):
        out[m] = np.sum(p[m] * p[0])
    return out


def entries_one_by_one(b):  # autograd 375
    c = np.zeros_like(b, shape=2)
    c[0] = b[0] * b[0]
    c[1] = b[1] * b[0] + b[2]
    return c


def blocks_of_diagonals(x):  # autograd 515
    d = np.zeros_like(x, shape=(2, 4))
    d[:2, :2] = np.diag(x)
    d[:2, 2:] = np.diag(x)
    return d @ np.diag([4.0, 6, 6, 3]) @ np.hstack((x, x))


def sparse_entries(v):  # autograd 235
    m = np.zeros_like(v, shape=(10, 10))
    m[5, 7] = v[0]
    m[3, 6] = v[1] ** 2
    return m @ np.arange(10.0)


def columns_by_a_solver(s):  # autograd 556
    m = s.T @ s + np.eye(3)
    x = np.zeros_like(s)
    for z in range(3):
        x[:, z] = np.linalg.solve(m, s[:, z])
    return x


def accumulated_rows(x):
    total = np.zeros_like(x[0])
    for row in x:
        total += row * row[0]
    return total


def swapped_rows(x):
    y = x * 1.0
    y[[0, 1]] = y[[1, 0]]
    y[0], y[2] = y[2] * 2, y[0] * 3
    return y


def repeated_indices(x):
    y = np.zeros_like(x, shape=4)
    np.add.at(y, [0, 1, 1, 3], np.concatenate([x[:3], x[:1] ** 2]))
    y[[2, 2]] = x[:2]  # the last one stays
    return y


def views_of_views(x):
    y = x * 1.0
    v = y[1:]
    w = v[::-1]
    w[0] = x[0] ** 2
    v *= 2.0
    y[0] += w[0]
    return y


def transposed_views(x):
    m = np.zeros_like(x, shape=(2, 3))
    m.T[:, 0] = x
    m.reshape(3, 2)[1, 1] = x[0] * x[1]
    m.ravel()[-1] = x[2] ** 2
    return m


def outputs(x):
    y = np.zeros_like(x)
    np.multiply(x, x, out=y)
    np.add(y, x, out=y)
    np.sin(y, out=y[:])
    return y


def gaussian_elimination(a):
    a = a.copy()
    n = a.shape[0]
    for k in range(n):
        for i in range(k + 1, n):
            a[i, k:] -= a[i, k] / a[k, k] * a[k, k:]
    return np.prod(np.diag(a))


def cholesky_by_hand(a):
    n = a.shape[0]
    l = np.zeros_like(a)
    for i in range(n):
        for j in range(i + 1):
            s = a[i, j] - l[i, :j] @ l[j, :j]
            l[i, j] = np.sqrt(s) if i == j else s / l[j, j]
    return l


def heat_equation(u):
    u = u.copy()
    for _ in range(5):
        u[1:-1] += 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
    return u


def bubble_sort(x):
    x = x.copy()
    for i in range(len(x)):
        for j in range(len(x) - 1 - i):
            if x[j] > x[j + 1]:
                x[j], x[j + 1] = x[j + 1] * 1.0, x[j] * 1.0
    return x * np.arange(len(x))


def clamped_in_place(x):
    y = x**2
    y[y > 1] = 1.0
    y[x < -0.5] *= 3.0
    return y


def broadcast_assignment(x):
    y = np.ones_like(x, shape=(3, 3))
    y[1] = x[0]
    y[:, 2] = x
    y[..., 0] += x[1]
    return y


def overwritten_argument(x):
    x[0] = x[1] * x[2]
    x /= 2.0
    return x**2


def restored(x):
    saved = x[0] * 1.0
    x[0] = 100.0
    y = x * x
    x[0] = saved
    return y + x


PROGRAMS = {
    block_of_a_larger_array: (2, 2), results_in_a_loop: (5, 3), entries_one_by_one: (3,), blocks_of_diagonals: (2,), sparse_entries: (2,),
    columns_by_a_solver: (3, 3), accumulated_rows: (3, 3), swapped_rows: (3, 2), repeated_indices: (3,), views_of_views: (4,),
    transposed_views: (3,), outputs: (4,), gaussian_elimination: (4, 4), cholesky_by_hand: (3, 3), heat_equation: (6,), bubble_sort: (5,),
    clamped_in_place: (6,), broadcast_assignment: (3,), overwritten_argument: (4,), restored: (3,),
}  # fmt: skip


def point_for(program):
    x = RANDOM.standard_normal(PROGRAMS[program])
    return x @ x.T + 2 * np.eye(3) if program is cholesky_by_hand else x


def differences(f, x, h=1e-6):
    """Central differences of plain NumPy, the derivative along every unit vector, of shape `out + x.shape`."""
    columns = []
    for k in range(x.size):
        dx = np.zeros(x.size)
        dx[k] = h
        dx = dx.reshape(x.shape)
        columns.append((f(x + dx) - f(x - dx)) / (2 * h))
    out = np.stack(columns, axis=-1)
    return out.reshape(*out.shape[:-1], *x.shape)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_6_programs_that_write_into_arrays(program):
    x = point_for(program)
    kept = x.copy()
    np.testing.assert_allclose(wg.vjp(program, x)[0], program(x.copy()), rtol=1e-14)
    expected = differences(lambda x: program(x.copy()), x)
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(wg.jacobian(program, mode=mode)(x), expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(wg.jacobian(wg.checkpoint(program), mode="reverse")(x), expected, rtol=1e-6, atol=1e-7)
    loss = lambda x: np.sum(np.sin(program(x)))
    second = differences(lambda x: wg.grad(loss)(x), x)
    np.testing.assert_allclose(wg.hessian(loss)(x), second, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(x, kept)  # the caller's array


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p is not bubble_sort], ids=lambda f: f.__name__)
def test_6_in_a_batch(program):
    x = point_for(program)
    batch = np.stack([x, x + (0.1 * np.eye(3) if program is cholesky_by_hand else 0.1)])
    np.testing.assert_allclose(wg.vmap(program)(batch), np.stack([program(row.copy()) for row in batch]), rtol=1e-12)
    gradient = wg.grad(lambda x: np.sum(program(x) ** 2))
    np.testing.assert_allclose(wg.vmap(gradient)(batch), np.stack([gradient(row) for row in batch]), rtol=1e-10, atol=1e-12)


def test_6_closed_forms():
    np.testing.assert_array_equal(wg.grad(lambda a: np.sum(block_of_a_larger_array(a)))(np.ones((2, 2))), [[0, 1], [4, 5]])
    np.testing.assert_array_equal(wg.jacobian(entries_one_by_one)(np.array([1.0, 2, 2])), [[2, 0, 0], [2, 1, 1]])
    a = RANDOM.standard_normal((4, 4))
    np.testing.assert_allclose(wg.grad(gaussian_elimination)(a), np.linalg.det(a) * np.linalg.inv(a).T, rtol=1e-9)


def test_6_writing_into_a_plain_array_says_what_to_write():
    def loss(w):
        table = np.zeros(4)
        table[1] = w[0]
        return np.sum(table)

    with pytest.raises(AssignmentError, match="zeros_like"):
        wg.grad(loss)(np.ones(2))


def test_7_methods_lists_and_scalars():
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(wg.grad(lambda x: x.dot(x))(x), 2 * x)
    np.testing.assert_allclose(wg.grad(lambda x: x.sum() + x.mean() * 3 + x.T.reshape(3, 1).ravel().max())(x), [2, 2, 3])
    np.testing.assert_allclose(wg.grad(lambda x: sum(v**2 for v in x))(x), 2 * x)
    np.testing.assert_allclose(wg.grad(lambda x: sum([x[0], x[1] * x[2]]))(x), [1, 3, 2])
    np.testing.assert_allclose(wg.grad(lambda x: np.stack([x[0], x[1]]) @ np.ones(2))(x), [1, 1, 0])
    np.testing.assert_allclose(wg.grad(lambda x: np.concatenate([x, [1.0, 2.0]]) @ np.arange(5.0))(x), [0, 1, 2])
    np.testing.assert_allclose(wg.grad(lambda x: x[:2].dot([3.0, 4.0]) + np.stack(list(x)) @ x)(x), 2 * x + [3, 4, 0])
    np.testing.assert_allclose(wg.grad(lambda x: max(x) * min(x))(x), [3, 0, 1])
    np.testing.assert_allclose(wg.grad(lambda x: 2.0 / x[0] + 2 ** x[1] + abs(-x[2]))(x), [-2, 4 * np.log(2), 1])
    np.testing.assert_allclose(wg.grad(lambda w: np.linalg.norm(np.array([3.0, 4.0]) * w))(2.0), 5.0)
    assert wg.grad(lambda x: (x**2 if isinstance(x, wg.Array) else x))(3.0) == 6.0


def test_7_what_numpy_cannot_dispatch_has_advice_and_a_drop_in():
    with pytest.raises(LostDerivativeError, match="array"):
        wg.grad(lambda x: np.sum(np.array([x[0], x[1]])))(np.ones(2))
    np.testing.assert_allclose(wg.grad(lambda x: np.sum(wnp.array([x[0], x[1] * 3])))(np.ones(2)), [1, 3])
    np.testing.assert_allclose(wg.grad(lambda x: np.sum(wnp.array([[x[0], 1.0], [2.0, x[1]]]) @ x))(np.ones(2)), [4, 3])


def test_8_loops_of_unknown_length():
    def newton(a):  # the square root, by as many steps as it takes
        x = a * 1.0
        while abs(x * x - a) > 1e-14 * a:
            x = (x + a / x) / 2
        return x

    np.testing.assert_allclose(wg.grad(newton)(2.0), 0.5 / np.sqrt(2), rtol=1e-12)
    np.testing.assert_allclose(wg.grad(wg.grad(newton))(2.0), -0.25 * 2**-1.5, rtol=1e-8)

    def collatz(x, n):
        while n != 1:
            n, x = (n // 2, x * 0.5) if n % 2 == 0 else (3 * n + 1, 3 * x + 1)
        return x

    assert wg.grad(collatz)(6.0, 6) == 3**2 * 0.5**6


def test_23_shapes_that_depend_on_values():
    x = np.array([3.0, -1.0, 3.0, 2.0])
    np.testing.assert_allclose(wg.grad(lambda x: np.sum(x[x > 0] ** 2))(x), [6, 0, 6, 4])
    np.testing.assert_allclose(wg.grad(lambda x: np.sum(x[np.nonzero(x > 2)] * np.array([1.0, 2.0])))(x), [1, 0, 2, 0])
    np.testing.assert_allclose(wg.grad(lambda x: np.sum(x[np.flatnonzero(x < 0)]))(x), [0, 1, 0, 0])
    np.testing.assert_allclose(wg.grad(lambda x: x[np.argsort(x)] @ np.arange(4.0))(x), [2, 0, 3, 1])
    np.testing.assert_allclose(wg.grad(lambda x: np.sum(x[: int(np.sum(x > 0))]))(x), [1, 1, 1, 0])
