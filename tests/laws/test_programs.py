"""Random NumPy programs, statement by statement: whatever they do, wengert agrees with NumPy.

A program is Python text of 3 to 25 statements over a pool of arrays of many shapes, dtypes and layouts in memory.  It is
grown: a statement is drawn from the templates below and kept where plain NumPy runs it without a warning.  Then the
program must have NumPy's values and dtypes, derivatives that are limits of differences of plain NumPy, agree with itself
in every mode, order and nesting, and leave the caller's arrays alone.

    python tests/laws/test_programs.py 10000 [first seed]     # a longer hunt, which prints every failure in full
"""

import copy
import re
import sys
import warnings

import numpy as np
import pytest

import wengert as wg
from wengert.core.check import check
from wengert.core.parse import parse
from wengert.errors import AssignmentError, BatchError, LostDerivativeError, UnsupportedFunctionError

SHAPES = [(), (1,), (2,), (3,), (3,), (0,), (2, 3), (3, 1), (1, 3), (3, 3), (3, 3), (2, 1, 3), (2, 3, 3), (0, 3)]
DTYPES = ["float64", "float64", "float64", "complex128", "float32"]
LAYOUTS = ["C", "C", "F", "reversed", "gaps"]
REFUSALS = (AssignmentError, LostDerivativeError, UnsupportedFunctionError)  # with advice; the templates avoid most of them

# a b c: any arrays; r s: real ones; m: a mask; i: integers; {x}: a number; {ax}: an axis or none; {k}: an axis;
# {n}: a small integer; {at}: a basic index; {pick}: any index; {f} {g}: functions; {keep}: keepdims
TEMPLATES = """
    new = a + b
    new = a - b
    new = a * b
    new = a * {x}
    new = {x} - a
    new = {x} / (3 + a)
    new = a / (2 + b * b)
    new = (2 + np.abs(a)) ** b
    new = a ** 2
    new = a ** 3
    new = -a
    new = +a
    new = abs(a)
    new = r % 1.5
    new = r // 0.7
    new, new2 = divmod(r, 0.9)
    new = {f}(a)
    new = {g}(r)
    new = {f}(a, out=np.zeros_like(a))
    new = {f}(a, where=m, out=a.copy())
    new = np.add(a, b, where=m, out=np.ones_like(a + b))
    new = {bin}(r, s)
    new = np.multiply.outer(a, b)
    new = np.add.reduce(a, axis={k}, keepdims={keep})
    new = np.multiply.reduce(a, axis={k})
    new = np.add.accumulate(a, axis={k})
    new = np.add.reduceat(a, [0, 1], axis={k})
    new = np.maximum.reduce(r, axis={k}, initial=-9.0)
    np.add.at(a, i, b)
    np.multiply.at(a, i, 1.5)
    new = np.sum(a, axis={ax}, keepdims={keep})
    new = a.sum({ax})
    new = np.sum(a, axis={ax}, where=m, initial={x})
    new = a.mean(axis={ax}, keepdims={keep})
    new = np.prod(a, axis={ax}, keepdims={keep})
    new = np.var(a, axis={ax}, ddof=0, keepdims={keep})
    new = np.std(a, axis={ax})
    new = np.max(r, axis={ax}, keepdims={keep})
    new = r.min({ax})
    new = np.ptp(r, axis={ax})
    new = np.median(r, axis={ax}, keepdims={keep})
    new = np.quantile(r, 0.3, axis={ax}, keepdims={keep})
    new = np.percentile(r, [20, 70], axis={ax})
    new = np.average(a, axis={k}, weights=1 + np.abs(b))
    new = np.cumsum(a, axis={ax})
    new = np.cumprod(a, {k})
    new = np.diff(a, axis={k})
    new = np.gradient(r, axis={k})
    new = np.trapezoid(r, axis={k})
    new = np.ediff1d(a)
    new = np.nansum(a, axis={ax})
    new = np.nanmean(r, axis={ax})
    new = np.linalg.norm(a, axis={k})
    new = np.linalg.norm(a)
    new = np.linalg.norm(a, ord={norm}, axis={k})
    new = a[{at}]
    new = a[{at}][{at}]
    new = a[{pick}]
    new = a[m]
    new = a[r > {x}]
    new = a[i]
    new = np.take(a, i, axis={k}, mode="wrap")
    new = np.take_along_axis(r, np.argsort(r, axis={k}), axis={k})
    new = np.compress([True, False, True], a, axis={k})
    new = np.where(m, a, b)
    new = np.where(r > {x}, r, {x} * s)
    new = np.select([r > 0.5, r > -0.5], [r, r * 2], default={x})
    new = np.choose(i, [a, b, a * b], mode="clip")
    new = np.clip(r, -0.4, s + 1)
    new = r.clip(max=0.3)
    a[{at}] = {x}
    a[{at}] = b
    a[{at}] = b[{at}]
    a[{at}] *= 1.5
    a[{at}] += b
    a[{at}][...] = a[{at}]
    a[{pick}] = b
    a[{pick}] -= {x}
    a[m] = {x}
    a[m] += {x}
    a[m] = b[m] * 2
    a[i] = b
    a += b
    a -= {x}
    a *= b
    a /= 2.5
    r **= 2
    r[r > {x}] = 0.25
    a.T[{at}] = b
    a.ravel()[:2] = {x}
    a.flat[1] = b.flat[0]
    a.real[...] = s
    a.imag += 0.5
    np.copyto(a, b * 1, where=m)
    np.put(a, [0, 1], b)
    np.putmask(a, m, b)
    np.place(a, m, b)
    np.fill_diagonal(a, b.flat[0])
    a[...].fill({x})
    r.sort()
    r.sort(axis={k})
    np.sin(a, out=a)
    np.add(a, b, out=a)
    np.multiply(a, b, out=a, where=m)
    np.cumsum(a, axis={k}, out=a)
    new = a
    new = a.copy()
    new = np.array(a.tolist()) if False else a * 1
    new = a.reshape(-1)
    new = np.reshape(a, (-1, {n}))
    new = np.reshape(a, (3, -1), order="F")
    new = a.T
    new = np.transpose(a)
    new = a.swapaxes(0, {k})
    new = np.moveaxis(a, {k}, 0)
    new = np.rollaxis(a, {k})
    new = a[None]
    new = a[..., None]
    new = np.expand_dims(a, {k})
    new = np.squeeze(a)
    new = a.ravel(order="F")
    new = a.flatten()
    new = np.broadcast_to(a, (2, *a.shape))
    new, new2 = np.broadcast_arrays(a, b)
    new = np.atleast_2d(a)
    new = np.atleast_3d(a)
    new = np.repeat(a, {n}, axis={ax})
    new = np.tile(a, {n})
    new = np.tile(a, (2, 1))
    new = np.flip(a, {ax})
    new = a[::-1]
    new = np.fliplr(a)
    new = np.rot90(a)
    new = np.roll(a, {n}, axis={ax})
    new = np.pad(a, 1)
    new = np.pad(a, 1, mode="{pad}")
    new = np.pad(a, 1, constant_values={x})
    new = np.tril(a)
    new = np.triu(a, 1)
    new = np.diag(a)
    new = np.diagonal(a)
    new = np.trace(a)
    new = np.resize(a, (2, 3))
    new = np.delete(a, 0, axis={k})
    new = np.insert(a, 1, {x}, axis={k})
    new = np.append(a, b)
    new = np.append(a, a, axis={k})
    new = np.concatenate([a, b], axis={ax})
    new = np.concatenate([a, a, b], axis={k})
    new = np.stack([a, b], axis={k})
    new = np.stack([a, a * 2])
    new = np.vstack([a, b])
    new = np.hstack([a, b])
    new = np.dstack([a, b])
    new = np.column_stack([a, b])
    new = np.block([[a, b], [b, a]])
    new, new2 = np.split(a, [1], axis={k})
    new, *new2 = np.array_split(a, 2, axis={k}); new2 = new2[0]
    new, new2, *_ = np.unstack(a)
    new = np.sort(r, axis={ax})
    new = np.sort(a, axis={k})
    new = np.partition(r, 1, axis={k})
    new = r[np.argsort(r.ravel()) % len(r)]
    new = np.flatnonzero(r > 0).sum() * a
    new = a[np.argmax(r) % len(a)]
    new = np.unique(r)
    new = np.interp(r, [-2.0, -0.3, 0.4, 2.0], [0.0, 1.0, 0.5, 2.0])
    new = np.interp({x}, np.sort(r), r)
    new = np.convolve(a, b, mode="{conv}")
    new = np.correlate(a, b)
    new = np.polyval(a, b)
    new = np.histogram(r, bins=3)[0] * 0.5
    new = np.cov(a)
    new = np.corrcoef(a)
    new = np.dot(a, b)
    new = a @ b
    new = np.matmul(a, b)
    new = np.vdot(a, b)
    new = np.inner(a, b)
    new = np.outer(a, b)
    new = np.kron(a, b)
    new = np.cross(a, b)
    new = np.tensordot(a, b, axes={n})
    new = np.einsum("i,i->i", a, b)
    new = np.einsum("ij,j->i", a, b)
    new = np.einsum("...i,...i->...", a, b)
    new = np.einsum("ij,ij->", a, b)
    new = np.einsum("...ij->...ji", a)
    new = np.einsum("ii->i", a + np.ones((3, 3))) * 1
    new = np.einsum("ij,jk,k", a, a, b)
    new = np.linalg.inv(a + 5 * np.eye(3))
    new = np.linalg.solve(a + 5 * np.eye(3), b)
    new = np.linalg.det(a)
    new = np.linalg.slogdet(a + 5 * np.eye(3))[1]
    new = np.linalg.cholesky(a @ np.conj(np.swapaxes(a, -1, -2)) + 2 * np.eye(3))
    new = np.linalg.eigvalsh(a @ np.conj(np.swapaxes(a, -1, -2)) + np.diag([1.0, 5.0, 9.0]))
    new = np.linalg.svd(a + np.diag([1.0, 5.0, 9.0]), compute_uv=False)
    new = np.linalg.pinv(a + 5 * np.eye(3))
    new = np.linalg.matrix_power(a, {n})
    new, new2 = np.linalg.qr(a + 5 * np.eye(3))
    new = np.linalg.multi_dot([a, b, a])
    new = np.fft.fft(a, axis={k})
    new = np.fft.ifft(a, n={n})
    new = np.fft.rfft(r, axis={k})
    new = np.fft.irfft(a)
    new = np.fft.fft2(a)
    new = np.fft.fftshift(a)
    new = np.real(a)
    new = np.imag(a)
    new = np.conj(a)
    new = a.real * 2
    new = np.angle(a + 3)
    new = np.abs(a) + 1j * s
    new = np.sinc(r)
    new = np.nan_to_num(a)
    new = np.lib.stride_tricks.sliding_window_view(a, 2, axis={k})
    new = np.apply_along_axis(np.sum, {k}, a)
    new = np.vectorize(float)(np.sign(1.0)) * a
    new = np.zeros_like(a); new[{at}] = a[{at}]; new += {x}
    new = np.zeros_like(a, shape=(2, 3)); new[1] = b
    new = np.empty_like(a); new[...] = b
    new = np.full_like(a, {x})
    new = a.astype(np.complex128)
    new = np.ones(3) * a; new[0] = {x}
    new = a * i
    new = a * m
    new = (r > s) * a
    new = a[np.newaxis, {at}]
    new = sum([a, b, 2 * a])
    new = sum(a)
    new = max(r.ravel(), default={x})
    new = sorted(r.ravel())[0]
    new = [t * 2 for t in a][-1]
    new = {{"p": a, "q": (b, {x})}}["q"][0] * 2
    new = round(r, 1) + r
    first, *rest = a; new = first * 2
    new = next(iter(a))
    for t in a: t *= 2
    for t in range(3): a *= 0.5; a += b * t
    for t, u in zip(a, b): t[...] = u
    for t in np.nditer(np.zeros(2)): a = a + b * 0.5
    new = a if np.sum(r) > {x} else a * 2
    if np.all(r < 1): a += {x}
    while np.max(np.abs(a)) > 1: a = a / 2
    new = a.item(0) * 2 + a[0].item()
    new = wg.stop_gradient(a) * b
    new = wg.checkpoint(lambda u, v: np.sin(u) * v)(a, b)
    new = wg.grad(lambda u: np.sum(np.sin(u) * s))(r)
    new = wg.grad(lambda u: np.sum(np.real(u * np.conj(u) * r)))(a)
    new = wg.jvp(lambda u: np.tanh(u) * b, (r,), (r * 2,))[1]
    new = wg.vmap(lambda u: np.sin(u) * s)(r)
    new = wg.vmap(np.multiply, (0, None))(a, b)
    new = wg.vmap(wg.grad(lambda u: np.sum(u**3)))(r)
    new = wg.jacobian(lambda u: np.cumsum(np.sin(u)))(r)
    new = wg.hvp(lambda u: np.sum(u**3) * np.sum(u), r, r)
    new = wg.hessian(lambda u: np.prod(np.sin(u)))(r)
    new = wg.vjp(lambda u: u * b, a)[1](a * b)[0]
    new = wg.linearize(np.sin, r)[1](r)
    new = RULE(r)
"""
CHOICES = {
    "x": [0.5, -0.7, 1.25, 2, 0, -1],
    "ax": [None, 0, -1, 1, (0, 1), ()],
    "k": [0, -1, 1, -2],
    "n": [0, 1, 2, 3],
    "f": ["np.sin", "np.cos", "np.exp", "np.tanh", "np.square", "np.negative", "np.conjugate", "np.expm1", "np.sinh", "np.positive"],
    "g": ["np.arctan", "np.cbrt", "np.abs", "np.floor", "np.sign", "np.exp2", "np.degrees", "np.fabs", "np.rint", "np.log1p"],
    "bin": ["np.maximum", "np.minimum", "np.fmax", "np.hypot", "np.arctan2", "np.logaddexp", "np.copysign", "np.heaviside", "np.fmod", "np.true_divide"],
    "keep": [True, False],
    "norm": [1, 2, 3, "np.inf"],
    "pad": ["edge", "reflect", "wrap", "symmetric", "mean", "maximum", "linear_ramp"],
    "conv": ["full", "same", "valid"],
    "at": ["0", "-1", "1:", "::-1", "...", "::2", ":, 0", "0, ...", "..., 0", ":1", "None", ":, None", "..., ::-1", "()", "1:, ::-1", "0:0"],
    "pick": ["[0, 1]", "[0, 0]", "[True, False, True]", "..., [0, -1]", "[[0], [1]], [0, 2]", "[1, 0], ..., 0", "i", "i, 0", ":, [2, 0]", "m", "i % 2, ..., i % 3", "[]"],
}  # fmt: skip


@wg.custom_rule
def RULE(x):
    return np.tanh(x)


@RULE.forward
def _rule(primals, tangents):
    (x,), (dx,) = primals, tangents
    return RULE(x), dx / np.cosh(x) ** 2


STATEMENTS = [line.strip() for line in TEMPLATES.strip().splitlines()]
HEADER = "def program({inputs}, *, m={m}, i={i}):\n"


def arranged(x, layout):
    """The same array in another layout in memory, in memory of its own."""
    if layout == "F" or not x.ndim:
        return np.array(x, order="F")
    if layout == "reversed":
        turned = (slice(None, None, -1),) * x.ndim
        return np.array(x[turned])[turned]
    if layout == "gaps":
        return np.repeat(x[..., None], 2, -1)[..., 0]
    return np.array(x)


class Program:
    """Text that is a function of its inputs; `make()` builds the inputs anew, since a program may write into them."""

    def __init__(self, seed, n_statements=None):
        self.rng = np.random.default_rng(seed)
        self.seed = seed
        self.kinds = []
        for _ in range(self.rng.integers(2, 5)):
            self.kinds.append(tuple(pool[self.rng.integers(len(pool))] for pool in (SHAPES, DTYPES, LAYOUTS)))
        self.names = [f"v{k}" for k in range(len(self.kinds))]
        size = self.rng.integers(1, 4)
        self.mask = (self.rng.random(size) < 0.6).tolist() if self.rng.random() < 0.7 else True
        self.whole = self.rng.integers(-1, 2, self.rng.integers(1, 4)).tolist()
        self.lines = []
        self.grow(n_statements or int(self.rng.integers(3, 26)))

    def values(self, scale=1.0):
        rng = np.random.default_rng(self.seed)
        found = []
        for shape, dtype, _ in self.kinds:
            x = rng.uniform(0.2, 1.2, shape) * rng.choice([-1, 1], shape)
            z = rng.uniform(0.1, 0.6, shape)
            found.append(np.asarray(x + 1j * z if dtype == "complex128" else x, dtype) * np.asarray(scale, dtype))
        return found

    def make(self, values=None):
        return [arranged(x, layout) for x, (_, _, layout) in zip(values or self.values(), self.kinds, strict=True)]

    def text(self, lines=None):
        inputs = ", ".join(f"v{k}" for k in range(len(self.kinds)))
        body = "".join(f"    {line}\n" for line in (self.lines if lines is None else lines))
        head = HEADER.format(inputs=inputs, m=f"np.array({self.mask})", i=f"np.array({self.whole})")
        return head + body + f"    return {', '.join(self.names)},\n"

    def compile(self, lines=None):
        space = {"np": np, "wg": wg, "RULE": RULE}
        exec(compile(self.text(lines), f"<program {self.seed}>", "exec"), space)  # noqa: S102
        return space["program"]

    def runs(self, lines):
        """The outputs where plain NumPy runs the program without a warning, of moderate size and value."""
        try:
            found = self.compile(lines)(*self.make())
        except Exception:  # anything that NumPy, or a warning, raises: not a program
            return None
        for y in found:
            if not isinstance(y, (np.ndarray, np.generic)) or y.dtype.kind not in "fc" or y.size > 60 or y.ndim > 4:
                return None
            if not np.all(np.isfinite(y)) or np.max(np.abs(y), initial=0) > 30:
                return None
        return found

    def grow(self, n):
        found = self.runs([])
        for _ in range(60 * n):
            if len(self.lines) == n:
                return
            pool = dict(zip(self.names, found, strict=True))
            statement, new = self.draw(pool)
            before = list(self.names)
            self.names += [name for name in new if name not in self.names]
            lines = [*self.lines, statement]
            grown = self.runs(lines)
            if grown is None:
                self.names = before
            else:
                self.lines, found = lines, grown

    def draw(self, pool):
        rng = self.rng
        template = STATEMENTS[rng.integers(len(STATEMENTS))]
        text = template
        while (hole := re.search(r"(?<!\{)\{(\w+)\}(?!\})", text)) is not None:
            options = CHOICES[hole[1]]
            text = text[: hole.start()] + str(options[rng.integers(len(options))]) + text[hole.end() :]
        text = text.replace("{{", "{").replace("}}", "}")
        every = list(pool)
        real = [name for name in every if pool[name].dtype.kind == "f"] or every
        fresh = [f"v{len(self.names)}", f"v{len(self.names) + 1}"]
        chosen = {name: every[rng.integers(len(every))] for name in "abc"}
        chosen |= {name: real[rng.integers(len(real))] for name in "rs"}
        chosen |= {"new": fresh[0], "new2": fresh[1]}
        used = [chosen[name] for name in ("new", "new2") if re.search(rf"\b{name}\b", text)]
        return re.sub(r"(?<![\w.\"])(new2|new|[abcrs])(?![\w\"(])", lambda hit: chosen[hit[1]], text), used


# --- the checks -------------------------------------------------------------------------------------------------


def like(rng, x):
    d = rng.uniform(-1, 1, x.shape) + (1j * rng.uniform(-1, 1, x.shape) if x.dtype.kind == "c" else 0)
    return np.asarray(d, x.dtype)


def inner(us, vs):
    return sum((np.sum(np.real(np.conjugate(u) * v)) for u, v in zip(us, vs, strict=True)), start=0.0)


def same(found, wanted, what, rtol=1e-12, atol=1e-12, types=True):
    assert len(found) == len(wanted), what
    for k, (y, z) in enumerate(zip(found, wanted, strict=True)):
        if types:
            assert (type(y), y.dtype, y.shape) == (type(z), z.dtype, z.shape), f"{what} {k}: {type(y), y.dtype, y.shape}, and {type(z), z.dtype, z.shape} is right"
        scale = 1 + np.max(np.abs(z), initial=0)
        np.testing.assert_allclose(y, z, rtol=rtol, atol=atol * scale, err_msg=f"{what} {k}")


def differences(f, make, xs, dxs, h):
    """Central differences extrapolated twice, and how far they are from those of half the step and one-sided ones."""
    moved = {t: f(*make([np.asarray(x + t * h * dx, x.dtype) for x, dx in zip(xs, dxs, strict=True)])) for t in (-4, -2, -1, -.5, 0, .5, 1, 2, 4)}
    out = []
    for parts in zip(*moved.values(), strict=True):
        y = dict(zip(moved, parts, strict=True))
        if len({p.shape for p in parts}) > 1:
            out.append((None, np.inf))
            continue
        d = {t: (y[t] - y[-t]) / (2 * t * h) for t in (.5, 1, 2, 4)}
        def table(t):
            once = [(4 * d[u] - d[2 * u]) / 3 for u in (t, 2 * t)]
            return (16 * once[0] - once[1]) / 15
        a, b = table(.5), table(1)
        bend = np.max(np.abs(y[.5] + y[-.5] - 2 * y[0]) / h, initial=0)  # not small at a kink
        out.append((a, max(float(np.max(np.abs(a - b), initial=0)), 1e-4 * float(bend > 0.05) )))
    return out


STATS = {}


def count(what):
    STATS[what] = STATS.get(what, 0) + 1


def check_program(p):
    f, rng = p.compile(), np.random.default_rng(p.seed + 1)
    plain = f(*p.make())
    xs = p.make()
    kept = copy.deepcopy(xs)
    n = tuple(range(len(xs)))
    single = any(a.dtype.char in "fF" for a in [*xs, *plain])
    tol = 2e-4 if single else 1e-9
    dxs, cts = [like(rng, x) for x in xs], tuple(like(rng, y) for y in plain)
    eps = 1e-5 if single else 1e-12

    ys, pull = wg.vjp(f, *xs)
    types = not re.search(r"wg\.|fill\(", p.text())  # their results are arrays without axes where the inputs are
    same(ys, plain, "value of vjp", eps, eps, types)
    pulled = pull(cts)
    for x, ct in zip(xs, pulled, strict=True):
        assert (ct.dtype, ct.shape) == (x.dtype, x.shape), f"gradient {ct.dtype}{ct.shape} of {x.dtype}{x.shape}"
    same(pull(cts), pulled, "pull again", 0, 0)
    same(wg.vjp(f, *xs)[1](cts), pulled, "vjp again", 0, 0)
    ys, dys = wg.jvp(f, xs, dxs)
    same(ys, plain, "value of jvp", eps, eps, types)
    for y, dy in zip(plain, dys, strict=True):
        assert (dy.dtype, dy.shape) == (y.dtype, y.shape), f"tangent {dy.dtype}{dy.shape} of {y.dtype}{y.shape}"
    size = 1 + sum(np.sum(np.abs(ct * dy)) for ct, dy in zip(cts, dys, strict=True)) + sum(np.sum(np.abs(ct * dx)) for ct, dx in zip(pulled, dxs, strict=True))
    left, right = inner(cts, dys), inner(pulled, dxs)
    assert abs(left - right) <= tol * size, f"forward {left} and reverse {right}"
    smooth = True
    if not single:
        for k, (dy, (slope, doubt)) in enumerate(zip(dys, differences(f, p.make, xs, dxs, 1e-3), strict=True)):
            if "stop_gradient" in p.text() or doubt > 1e-6 * (1 + np.max(np.abs(slope), initial=0) if slope is not None else 1):
                count("doubtful differences")
                smooth = False
                continue
            count("differences")
            same([dy], [slope], f"derivative of output {k}", 1e-6, 1e-6, types=False)
    for x, old in zip(xs, kept, strict=True):
        np.testing.assert_array_equal(x, old, "the caller's array has changed")

    y, J = wg.linearize(f, *xs)
    same(y, plain, "value of linearize", eps, eps, types)
    same(J(tuple(dxs) if len(xs) > 1 else dxs[0]), dys, "linearize", tol, tol)
    same(wg.vjp(wg.checkpoint(f), *xs)[1](cts), pulled, "checkpoint", tol, tol)
    check_second(f, p, xs, dxs, cts, n, tol, smooth and not single)
    check_batch(f, p, xs, rng, tol)
    check_dense(f, xs, dxs, n, tol, dys)
    check_graph(f, p, xs, plain, eps)
    for x, old in zip(xs, kept, strict=True):
        np.testing.assert_array_equal(x, old, "the caller's array has changed")


def check_second(f, p, xs, dxs, cts, n, tol, smooth):
    def loss(*at):
        ys = f(*at)
        return inner(cts, ys) + sum((np.sum(np.abs(y) ** 2) for y in ys), start=0.0) / 2

    gradient = wg.grad(loss, n, on_disconnected="zero")
    first, found = wg.jvp(gradient, xs, dxs)
    tol = tol * 100
    same(gradient(*xs), first, "gradient", tol, tol, types=False)
    turned = wg.grad(lambda *at: inner(gradient(*at), dxs), n, on_disconnected="zero")(*xs)
    bend = wg.jvp(lambda *at: wg.jvp(loss, at, dxs)[1], xs, dxs)[1]
    mixed = wg.grad(lambda *at: wg.jvp(loss, at, dxs)[1], n, on_disconnected="zero")(*xs)
    scale = 1 + max((float(np.max(np.abs(a), initial=0)) for a in found), default=0)
    for what, other in (("reverse over reverse", turned), ("reverse over forward", mixed)):
        for a, b in zip(other, found, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            np.testing.assert_allclose(a, b, tol, tol * scale, err_msg=what)
    np.testing.assert_allclose(bend, inner(found, dxs), tol, tol * scale * 30, err_msg="forward over forward")
    if smooth:
        for a, (slope, doubt) in zip(found, differences(lambda *at: gradient(*at), p.make, xs, dxs, 1e-3), strict=True):
            if slope is None or doubt > 1e-5 * scale:
                count("doubtful second differences")
                continue
            count("second differences")
            np.testing.assert_allclose(a, slope, 1e-5, 1e-5 * scale, err_msg="forward over reverse")


def check_batch(f, p, xs, rng, tol):
    def loss(*at):
        return sum((np.sum(np.sin(np.real(y)) + np.cos(np.imag(y))) for y in f(*at)), start=0.0)

    n = tuple(range(len(xs)))
    members = [p.make([np.asarray(x * (1 - 1e-3 * k), x.dtype) for x in xs]) for k in range(3)]
    gradient = wg.grad(loss, n, on_disconnected="zero")
    chosen = rng.random(len(xs)) < 0.7
    chosen[rng.integers(len(xs))] = True
    axes = tuple(0 if c else None for c in chosen)
    stacks = [np.stack([m[k] for m in members]) if c else members[0][k] for k, c in enumerate(chosen)]
    rows = [[s[j] if c else s for s, c in zip(stacks, chosen, strict=True)] for j in range(3)]
    for what, function in (("vmap", f), ("vmap of grad", gradient), ("vmap of jvp", lambda *at: wg.jvp(f, at, [x * 0.5 for x in members[0]])[1])):
        try:
            found = wg.vmap(function, axes)(*stacks)
        except BatchError:
            count("refused batches")
            return
        try:
            rows_found = [function(*[np.copy(x) if c and x.ndim else arranged(x, layout) if not c else x for x, c, (_, _, layout) in zip(row, chosen, p.kinds, strict=True)]) for row in rows]
        except (TypeError, AttributeError):  # the members of a vector are numbers, which nobody can write into
            return
        loop = list(zip(*rows_found, strict=True))
        if any(len({z.shape for z in part}) > 1 for part in loop):
            return
        same(found, [np.stack(part) for part in loop], what, tol, tol, types=False)
        for y, part in zip(found, loop, strict=True):
            assert y.dtype == part[0].dtype, f"{what}: {y.dtype}, and {part[0].dtype} is right"
        count(what)


def check_dense(f, xs, dxs, n, tol, dys):
    """Jacobians in both modes, and the pattern."""
    real = [k for k in n if xs[k].dtype.kind == "f"]
    if len(real) < len(n):
        return
    def flat(*at):
        ys = f(*at)
        return np.concatenate([np.ravel(y) for y in ys])  # one vector
    if any(dy.dtype.kind == "c" for dy in dys):
        return
    forward = wg.jacobian(flat, n, mode="forward", chunk_size=4)(*xs)
    reverse = wg.jacobian(flat, n, mode="reverse")(*xs)
    same(forward, reverse, "jacobian", 100 * tol, 100 * tol)
    for k, (J, pattern) in enumerate(zip(forward, wg.sparsity(flat, n)(*xs), strict=True)):
        J = J.reshape(J.shape[0], xs[k].size)
        outside = ~np.asarray(pattern.toarray(), bool)
        assert not np.any(J[outside]), f"the pattern of input {k} does not cover the Jacobian"
    count("jacobians")


def check_graph(f, p, xs, plain, eps):
    graph = wg.trace(f)(*xs)
    check(graph)
    if not re.search(r"= (custom_|checkpoint)", str(graph)):  # these hold Python functions
        again = parse(str(graph))
        assert str(again) == str(graph), "text of the parsed graph"
        graph = again
    same(graph(*p.make()), plain, "parsed graph", eps, eps, types=False)


def fails(p, lines=None):
    """What is wrong with the program, or `None`."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        q = copy.copy(p)
        if lines is not None:
            q.lines = lines
            if q.runs(lines) is None:
                return None
        try:
            check_program(q)
        except REFUSALS as error:
            count("refused")
            return ("refused", error) if lines is None else None
        except Exception as error:  # noqa: BLE001  every failure is reported
            return (type(error).__name__, error)
    return None


def minimised(p, kind):
    """The fewest statements, and outputs, that still fail in the same way."""
    q = copy.copy(p)
    going = True
    while going:
        going = False
        for k in reversed(range(len(q.lines))):
            shorter = q.lines[:k] + q.lines[k + 1 :]
            found = fails(q, shorter)
            if found is not None and found[0] == kind:
                q.lines, going = shorter, True
        for k in reversed(range(len(q.names))):
            fewer = copy.copy(q)
            fewer.names = q.names[:k] + q.names[k + 1 :]
            found = fails(fewer, fewer.lines) if fewer.names else None
            if found is not None and found[0] == kind:
                q, going = fewer, True
    return q


def hunt(n, first=0):
    """Many programs; every failure is minimised and printed."""
    warnings.simplefilter("error")
    used, bad = {}, 0
    for seed in range(first, first + n):
        p = Program(seed)
        for line in p.lines:
            used[len(line)] = used.get(len(line), 0) + 1
        found = fails(p)
        if found is None:
            continue
        if found[0] == "refused":
            print(f"REFUSED {seed}: {str(found[1]).splitlines()[0]}", flush=True)
            continue
        bad += 1
        q = minimised(p, found[0])
        error = fails(q, q.lines) or found
        print(f"=== seed {seed}: {error[0]}: {str(error[1])[:900]}\n{q.kinds}\n{q.text()}", flush=True)
    print(f"{n} programs from seed {first}, {bad} failures; {STATS}", flush=True)


@pytest.mark.parametrize("block", range(10))
def test_random_programs(block):
    for seed in range(12 * block, 12 * block + 12):
        p = Program(seed)
        found = fails(p)
        if found is not None and found[0] != "refused":
            raise AssertionError(f"{found[0]}: {found[1]}\n{p.text()}") from found[1]


if __name__ == "__main__":
    hunt(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
