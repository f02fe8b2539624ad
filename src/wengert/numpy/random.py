"""Random numbers whose parameters have derivatives: each draw is a fixed noise moved and stretched by them.

The stream of numbers is NumPy's: the same seed gives the same draws, traced or not.  The derivative is that of
the draw at fixed noise (reparameterisation), so the mean of gradients is the gradient of the mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.api import stop_gradient
from wengert.core.primitive import Primitive
from wengert.core.trace import Tracer, bind, lowest
from wengert.errors import UnsupportedFunctionError
from wengert.primitives.align import as_operand, contains_tracer
from wengert.primitives.gamma_draw import moved_draw
from wengert.primitives.index import replace
from wengert.primitives.ordering import by_member
from wengert.primitives.pattern import no_pattern


def __getattr__(name: str) -> Any:
    return getattr(np.random, name)


def default_rng(seed: Any = None) -> Generator:
    """A `Generator` with NumPy's default bit stream, or around the one given."""
    return seed if isinstance(seed, Generator) else Generator(np.random.default_rng(seed))


def _size(size: Any, *parameters: Any) -> Any:
    """The shape of the noise: the size asked for, or what the parameters broadcast to."""
    shape = np.broadcast_shapes(*[np.shape(as_operand(p)) for p in parameters])
    return shape if size is None and shape else size


class Generator:
    """`numpy.random.Generator` whose draws have derivatives in their traced parameters.

    Example:
        >>> import numpy as np, wengert as wg
        >>> import wengert.numpy as wnp
        >>> loss = lambda scale: np.mean(wnp.random.default_rng(0).normal(0.0, scale, 1000) ** 2)
        >>> bool(wg.grad(loss)(2.0) == 2 * loss(2.0) / 2.0)
        True
    """

    def __init__(self, bit_generator: Any) -> None:
        is_generator = isinstance(bit_generator, np.random.Generator)
        self._plain = bit_generator if is_generator else np.random.Generator(bit_generator)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)

    def _draw(
        self, name: str, formula: Callable[..., Any], noise: Callable[..., Any], parameters: Any, size: Any
    ) -> Any:
        if not contains_tracer(list(parameters)):
            return getattr(self._plain, name)(*parameters, size=size)
        values = [as_operand(p) for p in parameters]
        return formula(noise(size=_size(size, *values)), *values)

    # --- location and scale ---------------------------------------------------------------------------------------

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """`loc + scale z`."""
        return self._draw("normal", lambda z, m, s: m + s * z, self._plain.standard_normal, (loc, scale), size)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """`low + (high - low) u`."""
        return self._draw("uniform", lambda u, a, b: a + (b - a) * u, self._plain.random, (low, high), size)

    def exponential(self, scale: Any = 1.0, size: Any = None) -> Any:
        """`scale e`."""
        return self._draw("exponential", lambda e, s: s * e, self._plain.standard_exponential, (scale,), size)

    def laplace(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """`loc + scale z`."""
        return self._draw("laplace", lambda z, m, s: m + s * z, self._plain.laplace, (loc, scale), size)

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """`loc + scale z`."""
        return self._draw("gumbel", lambda z, m, s: m + s * z, self._plain.gumbel, (loc, scale), size)

    def logistic(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """`loc + scale z`."""
        return self._draw("logistic", lambda z, m, s: m + s * z, self._plain.logistic, (loc, scale), size)

    def lognormal(self, mean: Any = 0.0, sigma: Any = 1.0, size: Any = None) -> Any:
        """`exp(mean + sigma z)`."""
        noise = self._plain.standard_normal
        return self._draw("lognormal", lambda z, m, s: np.exp(m + s * z), noise, (mean, sigma), size)

    def rayleigh(self, scale: Any = 1.0, size: Any = None) -> Any:
        """`scale z`."""
        return self._draw("rayleigh", lambda z, s: s * z, self._plain.rayleigh, (scale,), size)

    # --- shapes by inversion ----------------------------------------------------------------------------------------

    def weibull(self, a: Any, size: Any = None) -> Any:
        """`e^(1/a)` for an exponential `e`."""
        return self._draw("weibull", lambda e, a: np.power(e, 1 / a), self._plain.standard_exponential, (a,), size)

    def pareto(self, a: Any, size: Any = None) -> Any:
        """`exp(e / a) - 1`."""
        return self._draw("pareto", lambda e, a: np.expm1(e / a), self._plain.standard_exponential, (a,), size)

    def power(self, a: Any, size: Any = None) -> Any:
        """`(1 - exp(-e))^(1/a)`."""
        noise = self._plain.standard_exponential
        return self._draw("power", lambda e, a: np.power(-np.expm1(-e), 1 / a), noise, (a,), size)

    def triangular(self, left: Any, mode: Any, right: Any, size: Any = None) -> Any:
        """The inverse of the distribution function at a uniform `u`."""
        return self._draw("triangular", _triangular, self._plain.random, (left, mode, right), size)

    # --- shapes without an inverse: a draw stays at its place in the distribution ----------------------------------

    def standard_gamma(self, shape: Any, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """`z` with `P(shape, z) = u` at fixed `u`."""
        if not contains_tracer([shape, out]):
            return self._plain.standard_gamma(shape, size, dtype, out)
        shape = as_operand(shape)
        shape = shape if size is None else np.broadcast_to(shape, size)
        drawn_at = stop_gradient(shape)
        result = moved_draw(shape, bind(self._gammas(dtype), [drawn_at]), drawn_at)
        return result if out is None else replace(out, result)

    def _gammas(self, dtype: Any) -> Primitive:
        """The draws at given shapes; every member of a batch draws from the same state, as it would alone."""
        before = self._plain.bit_generator.state

        def evaluate(shape: Any) -> Any:
            self._plain.bit_generator.state = before
            return self._plain.standard_gamma(shape, dtype=dtype)

        card = Primitive(
            "standard_gamma", evaluate, family="discrete", push=None, pull=None,
            batch=by_member(lambda: card, slice(0, 1)), pattern=no_pattern, register=False,
        )  # fmt: skip
        return card

    def gamma(self, shape: Any, scale: Any = 1.0, size: Any = None) -> Any:
        """`scale z` for a standard gamma `z`."""
        if not contains_tracer([shape, scale]):
            return self._plain.gamma(shape, scale, size)
        shape, scale = as_operand(shape), as_operand(scale)
        return scale * self.standard_gamma(shape, _size(size, shape, scale))

    def chisquare(self, df: Any, size: Any = None) -> Any:
        """`2 z` for a standard gamma `z` of shape `df / 2`."""
        if not contains_tracer([df]):
            return self._plain.chisquare(df, size)
        return 2.0 * self.standard_gamma(as_operand(df) / 2.0, size)

    def f(self, dfnum: Any, dfden: Any, size: Any = None) -> Any:
        """The ratio of two chi-square draws, each over its degrees of freedom."""
        if not contains_tracer([dfnum, dfden]):
            return self._plain.f(dfnum, dfden, size)
        above, below = self._pairs_of_gammas(as_operand(dfnum) / 2.0, as_operand(dfden) / 2.0, size)
        return (2.0 * above * dfden) / (2.0 * below * dfnum)

    def beta(self, a: Any, b: Any, size: Any = None) -> Any:
        """`x / (x + y)` for standard gammas of shapes `a` and `b`, one of which exceeds 1."""
        if not contains_tracer([a, b]):
            return self._plain.beta(a, b, size)
        if np.any((lowest(as_operand(a)) <= 1) & (lowest(as_operand(b)) <= 1)):
            raise UnsupportedFunctionError.of_function(self._plain.beta)  # NumPy draws these by rejection
        x, y = self._pairs_of_gammas(a, b, size)
        return x / (x + y)

    def _pairs_of_gammas(self, a: Any, b: Any, size: Any) -> tuple[Any, Any]:
        """Standard gammas of two shapes, drawn in turn."""
        a, b = as_operand(a), as_operand(b)
        shape = _size(size, a, b)
        shape = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        both = np.stack([np.broadcast_to(a, shape), np.broadcast_to(b, shape)], axis=-1)
        draws = self.standard_gamma(both)
        return draws[..., 0], draws[..., 1]

    def dirichlet(self, alpha: Any, size: Any = None) -> Any:
        """Standard gammas of shapes `alpha`, over their sum."""
        if not contains_tracer([alpha]):
            return self._plain.dirichlet(alpha, size)
        alpha = as_operand(alpha)
        if np.max(lowest(alpha)) < 0.1:
            raise UnsupportedFunctionError.of_function(self._plain.dirichlet)  # NumPy draws these by breaking sticks
        outer = () if size is None else (size,) if isinstance(size, int) else tuple(size)
        draws = self.standard_gamma(np.broadcast_to(alpha, (*outer, alpha.shape[0])))
        return draws * (1.0 / np.sum(draws, axis=-1, keepdims=True))

    # --- vectors ---------------------------------------------------------------------------------------------------

    def multivariate_normal(
        self,
        mean: Any,
        cov: Any,
        size: Any = None,
        check_valid: Any = "warn",
        tol: float = 1e-8,
        *,
        method: str = "svd",
    ) -> Any:
        """`mean + F z` with `F Fᵀ = cov`, by NumPy's factor.

        Where eigenvalues of `cov` coincide, that factor has no derivative, but the distribution has one:
        `F = F₀ chol(F₀⁻¹ cov F₀⁻ᵀ)` with `F₀` held fixed is `F₀` in value, and smooth.
        """
        if not contains_tracer([mean, cov]):
            return self._plain.multivariate_normal(mean, cov, size, check_valid, tol, method=method)
        mean, cov = as_operand(mean), as_operand(cov)
        n = mean.shape[0]
        outer = () if size is None else (size,) if isinstance(size, int) else tuple(size)
        noise = self._plain.standard_normal((*outer, n)).reshape(-1, n)
        smooth = method == "cholesky" or _is_separated(np.linalg.eigvalsh(lowest(cov)))
        factor = _factor(cov if smooth or not isinstance(cov, Tracer) else stop_gradient(cov), method)
        if not smooth and isinstance(cov, Tracer):
            whitened = np.linalg.solve(factor, np.transpose(np.linalg.solve(factor, cov)))
            factor = np.matmul(factor, np.linalg.cholesky((whitened + np.transpose(whitened)) / 2))
        return np.reshape(mean + np.matmul(noise, np.transpose(factor)), (*outer, n))

    # --- order ----------------------------------------------------------------------------------------------------------

    def permutation(self, x: Any, axis: int = 0) -> Any:
        """`x` with its slices in random order."""
        if not isinstance(x, Tracer):
            return self._plain.permutation(x, axis)
        if len(x.shape) == 1:
            return x[self._plain.permutation(x.shape[0])]
        return _taken(x, self._plain.permutation(_positions(x), axis))

    def permuted(self, x: Any, *, axis: int | None = None, out: Any = None) -> Any:
        """`x` with its entries in random order along an axis, each line for itself."""
        if not isinstance(x, Tracer):
            return self._plain.permuted(x, axis=axis, out=out)
        result = _taken(x, self._plain.permuted(_positions(x), axis=axis))
        return result if out is None else replace(out, result)

    def shuffle(self, x: Any, axis: int = 0) -> None:
        """Put the slices of `x` in random order, in place."""
        if not isinstance(x, Tracer):
            self._plain.shuffle(x, axis)
            return
        order = _positions(x)
        self._plain.shuffle(order, axis)
        replace(x, _taken(x, order))

    def choice(
        self, a: Any, size: Any = None, replace: bool = True, p: Any = None, axis: int = 0, shuffle: bool = True
    ) -> Any:
        """Random slices of `a`."""
        if isinstance(p, Tracer):
            p = lowest(stop_gradient(p))  # which one is drawn has no derivative
        if not isinstance(a, Tracer):
            return self._plain.choice(a, size, replace, p, axis, shuffle)
        return np.take(a, self._plain.choice(a.shape[axis], size, replace, p, 0, shuffle), axis)


def _positions(x: Any) -> Any:
    return np.arange(x.size).reshape(x.shape)


def _taken(x: Any, positions: Any) -> Any:
    return np.take(x, positions)


def _factor(cov: Any, method: str) -> Any:
    if method == "cholesky":
        return np.linalg.cholesky(cov)
    if method == "svd":
        u, s, _ = np.linalg.svd(cov)
        return u * np.sqrt(s)
    values, vectors = np.linalg.eigh(cov)
    return vectors * np.sqrt(values)


def _is_separated(values: Any) -> bool:
    """Whether eigenvalues, in order along the last axis, are far enough apart for their vectors to be smooth."""
    return bool(np.all(np.diff(values, axis=-1) > 1e-6 * values[..., -1:]))


def _triangular(u: Any, left: Any, mode: Any, right: Any) -> Any:
    base = right - left
    rising = left + np.sqrt(u * (mode - left) * base)
    falling = right - np.sqrt((1.0 - u) * (right - mode) * base)
    return np.where(np.less_equal(u, (mode - left) / base), rising, falling)
