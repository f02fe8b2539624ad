"""The functions that users call: derivatives of plain NumPy programs, in every mode and order."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal

import numpy as np

from wengert import trees
from wengert.core.pattern import Pattern
from wengert.errors import ArgumentError, HolomorphicError, page
from wengert.primitives.stop import stop
from wengert.transforms.checkpoint import checkpointed
from wengert.transforms.custom import CustomRule, checking
from wengert.transforms.diagnose import anomalies, diagnosed
from wengert.transforms.differentiate import gradient, pullback, pushforward
from wengert.transforms.findings import Diagnosis, Finding
from wengert.transforms.jacobian import jacobian_of, wirtinger_of
from wengert.transforms.linearize import Linearization, snapshot
from wengert.transforms.operator import LinearMap
from wengert.transforms.record_graph import name_of, trace
from wengert.transforms.selection import ArgNums, Selection
from wengert.transforms.sparse import pattern_blocks, sparse_jacobian_of
from wengert.transforms.vectorize import vectorized

OnDisconnected = Literal["warn", "raise", "zero"]
Function = Callable[..., Any]
_POLICIES = ("warn", "raise", "zero")

__all__ = [
    "Diagnosis", "Finding", "LinearMap", "anomaly", "check_rules", "checkpoint", "custom_rule", "diagnose", "get_threads", "grad", "hessian", "hvp", "jacobian", "jit", "jvp", "linearize",
    "register_container", "set_threads", "sparsity", "stop_gradient", "trace", "value_and_grad", "vjp", "vmap", "wirtinger",
]  # fmt: skip


def _check_call(name: str, f: Any, on_disconnected: str = "warn") -> None:
    """What can be said before the transformed function is called."""
    if not callable(f):
        raise ArgumentError.of_function(name, f)
    if on_disconnected not in _POLICIES:
        raise ArgumentError.of_choice("on_disconnected", on_disconnected, _POLICIES)


def grad(
    f: Function,
    argnums: ArgNums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    on_disconnected: OnDisconnected = "warn",
) -> Function:
    """`∇f`: the vector of partial derivatives of a scalar function, by one reverse walk.

    For a real loss of complex `z = x + iy` it is `∂L/∂x + i ∂L/∂y`, the direction of steepest ascent.

    Args:
        f: a function of NumPy arrays, or containers of them, that returns a real scalar.
        argnums: which arguments to differentiate, by position or name; a sequence gives a tuple of gradients.
        has_aux: `f` returns `(output, aux)`; the result is `(gradient, aux)`.
        holomorphic: `f` is complex-differentiable; the result is the complex derivative `f'(z)`.
        on_disconnected: what to do when the output does not depend on an input: `"warn"` and return zeros,
            `"raise"` `DisconnectedError`, or return `"zero"` quietly.

    Returns:
        A function with the arguments of `f`; its gradients have the shape, dtype and container of the inputs.

    Raises:
        NotScalarError: the output is not one number.
        NotDifferentiableError: an input is not floating or complex.
        HolomorphicError: the output is complex (real) without (with) `holomorphic`.

    Example:
        >>> import numpy as np, wengert as wg
        >>> wg.grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
        array([2., 4.])

    Source: R. E. Wengert, A simple automatic derivative evaluation program, CACM 7 (1964); S. Linnainmaa (1970).
    """
    _check_call("grad", f, on_disconnected)

    @functools.wraps(f)
    def gradient_function(*args: Any, **kwargs: Any) -> Any:
        _, aux, result = gradient(
            f, argnums, args, kwargs, has_aux=has_aux, holomorphic=holomorphic, on_disconnected=on_disconnected
        )
        if holomorphic and checking.get():
            _check_cauchy_riemann(f, argnums, args, kwargs, has_aux)
        return (result, aux) if has_aux else result

    return _compiled_like(f, gradient_function)


def value_and_grad(
    f: Function,
    argnums: ArgNums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    on_disconnected: OnDisconnected = "warn",
) -> Function:
    """`(f, ∇f)` in one pass; see `grad`.  With `has_aux` the value is `(output, aux)`.

    Example:
        >>> import numpy as np, wengert as wg
        >>> wg.value_and_grad(np.sin)(0.0)
        (np.float64(0.0), np.float64(1.0))
    """
    _check_call("value_and_grad", f, on_disconnected)

    @functools.wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        value, aux, result = gradient(
            f, argnums, args, kwargs, has_aux=has_aux, holomorphic=holomorphic, on_disconnected=on_disconnected
        )
        if holomorphic and checking.get():
            _check_cauchy_riemann(f, argnums, args, kwargs, has_aux)
        return ((value, aux) if has_aux else value), result

    return _compiled_like(f, value_and_gradient)


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> Any:
    """`(x, dx) ↦ (f(x), J dx)`: the derivative along one direction, by one forward walk.

    Args:
        f: a function of arrays or containers, returning any container.
        primals: the arguments, a tuple or list.
        tangents: a tuple or list of the same structure.
        has_aux: `f` returns `(output, aux)`; the result is `(y, dy, aux)`.

    Raises:
        TreeError: tangents and primals differ in structure or shape.

    Example:
        >>> import numpy as np, wengert as wg
        >>> wg.jvp(np.sin, (0.0,), (2.0,))
        (np.float64(0.0), np.float64(2.0))
    """
    _check_call("jvp", f)
    for name, values in (("primals", primals), ("tangents", tangents)):
        if not isinstance(values, (tuple, list)):
            raise ArgumentError.of_bare(name, values)
    y, dy, aux = pushforward(f, tuple(primals), tuple(tangents), has_aux)
    return (y, dy, aux) if has_aux else (y, dy)


def vjp(f: Function, *primals: Any, has_aux: bool = False) -> Any:
    """`x ↦ (f(x), ct ↦ Jᴴ ct)`: the value and the pullback, which takes a cotangent of the output to one per primal.

    Example:
        >>> import numpy as np, wengert as wg
        >>> y, pull = wg.vjp(lambda x: x**2, np.array([1.0, 3.0]))
        >>> pull(np.array([1.0, 1.0]))
        (array([2., 6.]),)
    """
    _check_call("vjp", f)
    y, pull, aux = pullback(f, primals, has_aux)
    return (y, pull, aux) if has_aux else (y, pull)


def linearize(f: Function, *primals: Any, has_aux: bool = False) -> Any:
    """`x ↦ (f(x), J)` with `J` as a linear operator: `J(dx)`, `J @ v`, `J.T`, `J.H`, `J.toarray()`, `J.graph`.

    With one primal `J` takes a tangent like it; with several, a tuple.  With `has_aux` the result is `(y, J, aux)`.

    Example:
        >>> import numpy as np, wengert as wg
        >>> y, J = wg.linearize(np.sin, np.array([0.0, np.pi]))
        >>> J @ np.array([1.0, 1.0])
        array([ 1., -1.])
        >>> print(J.graph)  # doctest: +ELLIPSIS
        graph(dx[0]:float64[2]) {
          const _0:float64[2] = array([1.0, -1.0], float64)
          f:float64[2] = scale _0 dx[0]  # ...
          return f
        }
    """
    _check_call("linearize", f)
    argnums: ArgNums = 0 if len(primals) == 1 else tuple(range(len(primals)))
    selection = Selection(f, argnums, primals, {}, has_aux, "linearize", constants=True)
    selection.primals = list(map(snapshot, selection.primals))  # the caller may write into them later
    linear = Linearization(selection.flat, selection.primals, selection.label)
    y = trees.unflatten(selection.out_structure, list(map(snapshot, linear.values)))
    if has_aux:
        return y, LinearMap(linear, selection), trees.map_leaves(snapshot, selection.strip_aux(linear.record.strip))
    return y, LinearMap(linear, selection)


def jacobian(
    f: Function,
    argnums: ArgNums = 0,
    has_aux: bool = False,
    mode: Literal["forward", "reverse"] | None = None,
    chunk_size: int | None = None,
    sparse: bool | Pattern = False,
) -> Function:
    """`J[i, j] = ∂f_i/∂x_j`: all partial derivatives, of shape `output.shape + input.shape`.

    Args:
        f: a function of arrays or containers, returning any container.
        argnums: which arguments; as in `grad`.
        has_aux: `f` returns `(output, aux)`; the result is `(J, aux)`.
        mode: `"forward"` costs one pass for each input element, `"reverse"` one for each output element; left out,
            the cheaper one is taken.
        chunk_size: how many passes are batched together; left out, so many that about 32 MiB are held.
        sparse: `True` finds the pattern, colours it and returns `scipy.sparse.csr_array`s of shape `(output.size,
            input.size)`, in as many passes as there are colours.  A `Pattern` from `wg.sparsity` saves finding it.

    Returns:
        A function whose result has the structure of the output of `f`, each leaf with that of the inputs.

    Example:
        >>> import numpy as np, wengert as wg
        >>> wg.jacobian(lambda x: np.array([2.0, 3.0]) * x)(np.ones(2))
        array([[2., 0.],
               [0., 3.]])
        >>> wg.jacobian(np.diff, sparse=True)(np.arange(1000.0)).shape  # two passes, 1,998 numbers
        (999, 1000)

    Source: A. R. Curtis, M. J. D. Powell and J. K. Reid, On the estimation of sparse Jacobian matrices (1974).
    """
    _check_call("jacobian", f)
    if chunk_size is not None and (not isinstance(chunk_size, int) or chunk_size < 1):
        raise ArgumentError.of_setting("chunk_size", chunk_size, "a number of passes, at least 1", 16)

    @functools.wraps(f)
    def jacobian_function(*args: Any, **kwargs: Any) -> Any:
        selection = Selection(f, argnums, args, kwargs, has_aux, "jacobian")
        if sparse is False:
            result, linear = jacobian_of(selection, mode, chunk_size)
        else:
            known = sparse if isinstance(sparse, Pattern) else None
            result, linear = sparse_jacobian_of(selection, mode, chunk_size, known)
        return (result, selection.strip_aux(linear.record.strip)) if has_aux else result

    return _compiled_like(f, jacobian_function) if sparse is False else jacobian_function


def hessian(
    f: Function,
    argnums: ArgNums = 0,
    has_aux: bool = False,
    chunk_size: int | None = None,
    sparse: bool | Pattern = False,
) -> Function:
    """`H[i, j] = ∂²f/∂x_i∂x_j`, forward over reverse; a container of containers for containers.

    With `has_aux`, `f` returns `(output, aux)` and the result is `(H, aux)`.  `sparse` is that of `jacobian`: the
    symmetry is used, and a Hessian that is an arrow takes two passes, whatever its size.

    Example:
        >>> import numpy as np, wengert as wg
        >>> wg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
        array([[4., 2.],
               [2., 0.]])
        >>> wg.hessian(lambda x: np.sum(x[1:] * x[:-1] ** 2), sparse=True)(np.ones(1000)).nnz
        2997

    Source: A. H. Gebremedhin, F. Manne and A. Pothen, What color is your Jacobian? (SIAM Review 47, 2005).
    """
    _check_call("hessian", f)
    if sparse is not False:
        return _sparse_hessian(f, argnums, has_aux, chunk_size, sparse if isinstance(sparse, Pattern) else None)
    inner = jacobian(f, argnums, has_aux, mode="reverse")
    return jacobian(inner, argnums, has_aux, mode="forward", chunk_size=chunk_size)


def _sparse_hessian(f: Function, argnums: ArgNums, has_aux: bool, chunk: int | None, known: Pattern | None) -> Function:
    gradient_function = grad(f, argnums, has_aux, on_disconnected="zero")

    @functools.wraps(f)
    def hessian_function(*args: Any, **kwargs: Any) -> Any:
        selection = Selection(gradient_function, argnums, args, kwargs, has_aux, "hessian")
        result, linear = sparse_jacobian_of(selection, None, chunk, known, is_symmetric=True)
        return (result, selection.strip_aux(linear.record.strip)) if has_aux else result

    return hessian_function


def sparsity(f: Function, argnums: ArgNums = 0) -> Function:
    """`P[i, j]`: whether output `i` may depend on input `j`, found from one run of `f`, as a `Pattern`.

    It is that of the path that Python's control flow takes, and otherwise does not depend on the values; functions that
    pick by value (`max`, `sort`) depend on all that they pick from.  `wg.sparsity(wg.grad(f))` is that of the Hessian.

    Returns:
        A function whose result has the structure of the output of `f`, each leaf with that of the inputs.

    Example:
        >>> import numpy as np, wengert as wg
        >>> print(wg.sparsity(np.diff)(np.zeros(4)))
        Pattern of shape (3, 4), 6 entries
        ■ ■ · ·
        · ■ ■ ·
        · · ■ ■
    """
    _check_call("sparsity", f)

    @functools.wraps(f)
    def pattern_function(*args: Any, **kwargs: Any) -> Any:
        return pattern_blocks(Selection(f, argnums, args, kwargs, False, "sparsity"))

    return pattern_function


def hvp(f: Function, primals: Any, tangents: Any) -> Any:
    """`(x, v) ↦ H v` without forming the Hessian: one forward pass over one reverse walk.

    `primals` and `tangents` are tuples of arguments and directions, and the result a tuple; a single argument
    may also be given bare, and then so is the result.  A list, a dict or a named tuple is one argument.

    Example:
        >>> import numpy as np, wengert as wg
        >>> wg.hvp(lambda x: np.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 0.0]))
        array([6., 0.])
    """
    _check_call("hvp", f)
    if type(primals) is not tuple:
        return hvp(f, (primals,), (tangents,))[0]
    gradients = grad(f, argnums=tuple(range(len(primals))), on_disconnected="zero")
    return jvp(gradients, primals, tangents)[1]


def vmap(f: Function, in_axes: Any = 0, out_axes: Any = 0) -> Function:
    """`F(X)[k] = f(X[k])`: a function of one member applied to a whole batch at once.

    Args:
        f: a function of arrays or containers.
        in_axes: the batch axis of every argument, or a tuple with one for each, `None` for an argument that all
            members share; containers of axes reach into containers.
        out_axes: where the batch axis goes in the outputs.

    Raises:
        BatchError: axes or lengths do not fit, or the function asks a batch for one truth value.

    Example:
        >>> import numpy as np, wengert as wg
        >>> wg.vmap(np.dot, in_axes=(0, None))(np.eye(2), np.array([3.0, 4.0]))
        array([3., 4.])
    """
    _check_call("vmap", f)
    return _compiled_like(f, vectorized(f, in_axes, out_axes))


def jit(
    f: Function | None = None, static_argnums: int | Sequence[int] = (), static_argnames: str | Sequence[str] = (), *, cache: bool = True
) -> Any:
    """`f` as native code: the same function, recorded once for each signature, optimised and compiled.

    It goes around any program and any derivative, and any derivative around it: `jit(grad(f))`, `grad(jit(f))`.
    Arrays and floating-point numbers are inputs; integers, truth values and all else belong to the signature, and so do
    shapes and dtypes.  Python's control flow works: a call that takes another branch compiles that path, too.

    Args:
        f: any function that `grad` would take; left out, `jit` is a decorator with arguments.
        static_argnums: positions of arguments that belong to the signature as a whole; they must be hashable.
        static_argnames: names of such arguments.
        cache: whether compiled programs are kept in the user's cache folder, so that another process need not compile them.

    Example:
        >>> import numpy as np, wengert as wg
        >>> slope = wg.jit(wg.grad(lambda x: np.sum(np.sin(x))))
        >>> slope(np.zeros(2))
        array([1., 1.])
    """
    if f is None:
        return functools.partial(jit, static_argnums=static_argnums, static_argnames=static_argnames, cache=cache)
    _check_call("jit", f)
    compiled = importlib.import_module("wengert.jitted").Jitted  # the compiler loads when it is first used
    return compiled(f, static_argnums, static_argnames, cache=cache)


def set_threads(n: int | None = None) -> None:
    """Let compiled programs use `n` threads, or as many as there are processors; results have the same bits with any number.

    Example:
        >>> import wengert as wg
        >>> wg.set_threads(2)
        >>> wg.get_threads()
        2
        >>> wg.set_threads()
    """
    importlib.import_module("wengert.compiler.runtime.threads").set_threads(n)


def get_threads() -> int:
    """How many threads compiled programs may use; see `set_threads`.

    Example:
        >>> import wengert as wg
        >>> wg.get_threads() >= 1
        True
    """
    return int(importlib.import_module("wengert.compiler.runtime.threads").get_threads())


def _compiled_like(f: Function, transformed: Function) -> Function:
    """A transformation of a jitted function is one compiled program, too: `grad(jit(f))`."""
    jit_as_well = getattr(type(f), "jit_as_well", None)
    return transformed if jit_as_well is None else jit_as_well(f, transformed)  # type: ignore[no-any-return]


def checkpoint(f: Function) -> Function:
    """The same function, computed again on the reverse walk instead of keeping its inner values.

    Memory for time: `grad` keeps only the inputs of `f`.  Values, and derivatives of every order and mode, are
    unaffected.

    Example:
        >>> import numpy as np, wengert as wg
        >>> wg.grad(wg.checkpoint(lambda x: np.sin(np.sin(x))))(0.0)
        np.float64(1.0)

    Source: A. Griewank and A. Walther, Evaluating Derivatives (SIAM, 2008), chapter 12.
    """
    _check_call("checkpoint", f)
    return checkpointed(f)


def stop_gradient(x: Any) -> Any:
    """`x`, through which no derivative flows, in any mode or order; `x` may be a container.

    Example:
        >>> import wengert as wg
        >>> wg.grad(lambda x: x * wg.stop_gradient(x))(3.0)
        np.float64(3.0)
    """
    return trees.map_leaves(lambda leaf: stop(leaf) if hasattr(leaf, "dtype") else leaf, x)


def custom_rule(f: Function | None = None, *, forward: Function | None = None, reverse: Function | None = None) -> Any:
    """A function whose derivative you state: forward, reverse or both; the missing one is derived.

    `forward(primals, tangents)` returns `(y, dy)`; `reverse(*primals)` returns `(y, pullback)`, where
    `pullback(ct)` returns a tuple with one cotangent for each argument.  A rule written in NumPy functions can be
    differentiated again.  Within `check_rules()` each call compares the rule with the body of `f`.

    Example:
        >>> import numpy as np, wengert as wg
        >>> @wg.custom_rule
        ... def log1pexp(x):
        ...     return np.logaddexp(0.0, x)
        >>> @log1pexp.forward
        ... def rule(primals, tangents):
        ...     (x,), (dx,) = primals, tangents
        ...     return log1pexp(x), dx / (1 + np.exp(-x))
        >>> wg.grad(log1pexp)(0.0)
        np.float64(0.5)
    """
    if f is None:
        return functools.partial(custom_rule, forward=forward, reverse=reverse)
    _check_call("custom_rule", f)
    return CustomRule(f, forward, reverse)


def check_rules() -> AbstractContextManager[None]:
    """Within this context custom rules are compared with their bodies, and `holomorphic=True` with Cauchy-Riemann.

    Raises `RuleError` or `HolomorphicError` where they disagree.  For tests: it costs a few evaluations for each call.
    """
    return _checked()


@contextmanager
def _checked() -> Any:
    token = checking.set(True)
    try:
        yield
    finally:
        checking.reset(token)


def diagnose(f: Function, argnums: ArgNums = 0) -> Function:
    """What went wrong in `f`, and in its gradient: the operations that made a NaN, an infinity or an exact zero, or cut a dependence.

    The function runs once, watched, then the walk back; jitted functions and loops are looked into.  A function that takes
    derivatives itself (a step of training, `wg.grad(loss)`, also under `jit`) is told about those; of any other one it is the gradient
    of the sum of its outputs.  What `np.where` did not choose is innocent.

    Args:
        f: any function that `grad` or `jit` would take.
        argnums: which arguments the gradient is of; as in `grad`.

    Returns:
        A function with the arguments of `f` that returns a `Diagnosis`: `findings`, of which those of NaN and infinity are `bad`.  It
        prints itself, and is false where nothing was found.  Each `Finding` has `kind`, `where`, `primitive`, `formula`, `location`,
        `line`, `index`, `operands`, `result`, `inputs` and `step`.

    Example:
        >>> import numpy as np, wengert as wg
        >>> def loss(w):
        ...     return np.sum(np.sqrt(w["a"])) + np.argmax(w["b"])
        >>> report = wg.diagnose(loss)({"a": np.array([4.0, 0.0]), "b": np.ones(2)})
        >>> [(finding.kind, finding.primitive, finding.inputs) for finding in report.findings]
        [('infinity', 'sqrt', ("w['a']",)), ('disconnected', 'argmax', ("w['b']",))]

    Source: A. Griewank and A. Walther, Evaluating Derivatives (SIAM, 2008), chapter 3, for the two walks.
    """
    _check_call("diagnose", f)

    @functools.wraps(f)
    def diagnosing(*args: Any, **kwargs: Any) -> Diagnosis:
        return diagnosed(f, argnums, args, kwargs)

    return diagnosing


def anomaly() -> AbstractContextManager[None]:
    """Within this context a NaN or an infinity in a value or a gradient is an error, at the operation that made it.

    It looks at what `grad`, `value_and_grad`, `vjp`, `jvp` and `jacobian` give, at the gradients of tensors (`Tensor.backward`), and at
    the results of jitted functions; where one is not finite, `AnomalyError` names the first operation to blame, its line and its values.  A NaN that never arrives is none.

    Example:
        >>> import numpy as np, wengert as wg
        >>> with wg.anomaly():
        ...     wg.grad(lambda x: np.sum(np.sqrt(x)))(np.array([4.0, 0.0]))
        Traceback (most recent call last):
        wengert.errors.AnomalyError: infinity in the gradient, by sqrt. ...
    """
    return anomalies()


def wirtinger(f: Function, argnums: ArgNums = 0) -> Function:
    """`(∂f/∂z, ∂f/∂z̄)` with `∂/∂z = (∂/∂x - i ∂/∂y)/2` and `∂/∂z̄ = (∂/∂x + i ∂/∂y)/2`, for `z = x + iy`.

    Each is a container like that of `jacobian`, with blocks of shape `output.shape + z.shape`; real inputs are taken
    as complex ones.  For a real loss the gradient is `2 ∂L/∂z̄`.

    Example:
        >>> import numpy as np, wengert as wg
        >>> wg.wirtinger(lambda z: z * np.conj(z))(1 + 2j)
        (np.complex128(1-2j), np.complex128(1+2j))

    Source: W. Wirtinger, Math. Ann. 97 (1927); K. Kreutz-Delgado, The complex gradient operator (2009).
    """
    _check_call("wirtinger", f)

    @functools.wraps(f)
    def pair(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        return wirtinger_of(Selection(f, argnums, args, kwargs, has_aux=False, name="wirtinger"))

    return _compiled_like(f, pair)


def _check_cauchy_riemann(f: Function, argnums: ArgNums, args: Sequence[Any], kwargs: dict[str, Any], has_aux: bool) -> None:
    by_z, by_conjugate = wirtinger_of(Selection(f, argnums, args, kwargs, has_aux, "grad"))
    for a, b in zip(trees.flatten(by_z)[0], trees.flatten(by_conjugate)[0], strict=True):
        if not np.allclose(b, 0, atol=1e-8 * (1 + np.max(np.abs(a), initial=0))):
            raise HolomorphicError(
                page(
                    "holomorphic=True, but the function is not complex-differentiable here.",
                    f"The Cauchy-Riemann equations fail: ∂f/∂z̄ = {b}, which should be 0.",
                    f"wg.wirtinger({name_of(f)})   # both derivatives\n"
                f"wg.grad({name_of(f)})   # steepest ascent, of a real loss",
                    "holomorphic",
                )
            )


def register_container(
    kind: type, flatten: Callable[[Any], tuple[Any, Any]], unflatten: Callable[[Any, Any], Any]
) -> None:
    """Make a class a container of arrays: `flatten(x) -> (children, metadata)`, `unflatten(metadata, children) -> x`.

    Tuples, lists, dicts, named tuples and dataclasses are containers already.
    """
    trees.register(kind, flatten, unflatten)
