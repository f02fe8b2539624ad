"""Structured control flow: loops and branches that are part of the program, whoever is watching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wengert.errors import ArgumentError
from wengert.transforms import constructs, unrolled
from wengert.transforms.watch import is_expanded

Function = Callable[..., Any]


def scan(
    f: Function,
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    *,
    checkpoint: int | str | bool | None = None,
) -> tuple[Any, Any]:
    """`s_{k+1}, y_k = f(s_k, x_k)`: a state carried along sequences.

    The same as this loop, recorded once, differentiated as one operation, and compiled by `jit` to a native loop::

        ys = []
        for x in xs:
            state, y = f(state, x)
            ys.append(y)
        return state, np.stack(ys)

    Args:
        f: a function of a state and an entry of each sequence that returns a pair: the new state, and what it puts out.  It is called
            with traced values to be recorded, so it must not look at them; it may reach other arrays, traced or not.
        init: the state before the first step, in any containers.  It keeps its shapes and dtypes; a Python number takes the dtype
            that the loop makes of it.
        xs: arrays in any containers, of shape `[n, ...]`; or `None`.
        length: `n`, where there are no sequences.
        reverse: whether the last entries come first; results stand where their entries stand.
        checkpoint: what the way back keeps instead of all that it needs: `True` or `1` the state before every step, `k` every k-th state,
            `"recursive"` a number of states that grows with the logarithm of `n`.  The rest is computed again.

    Returns:
        The final state, and the results of all steps, stacked along a first axis.

    Raises:
        ControlFlowError: the state changes its type, the function looks at a value, or the lengths do not agree.

    Example:
        >>> import numpy as np, wengert as wg
        >>> total, sums = wg.scan(lambda s, x: (s + x, s + x), 0.0, np.array([1.0, 2.0, 3.0]))
        >>> total, sums
        (np.float64(6.0), array([1., 3., 6.]))
        >>> wg.grad(lambda x: wg.scan(lambda s, x: (s * x, None), 1.0, x)[0])(np.array([2.0, 3.0, 5.0]))
        array([15., 10.,  6.])

    Source: G. E. Blelloch, Prefix sums and their applications (1990), for the name; A. Griewank and A. Walther, Evaluating
    Derivatives (SIAM, 2008), chapter 12, for the schedules.
    """
    _check("scan", f)
    return (unrolled if is_expanded.get() else constructs).scan(f, init, xs, length, reverse, checkpoint)


def while_loop(test: Function, f: Function, init: Any, *, checkpoint: int | str | bool | None = None) -> Any:
    """The first of `s, f(s), f(f(s)), ...` for which `test` is false.

    The number of steps may depend on values, and under `vmap` differ between members.  Reverse mode goes there a second time, with a
    stack of states that grows, and comes back; derivatives of any order do.  They are those of the steps taken: where `test` fails at
    once, the result is `init`, with the derivative of `init`.

    Args:
        test: a function of the state that returns one truth value.
        f: a function from a state to the next one; see `scan` for what it may do.
        init: the state to begin with, in any containers.
        checkpoint: which states are kept for the way back; see `scan`.

    Returns:
        The state for which `test` fails, `init` itself if it fails at once.

    Raises:
        ControlFlowError: the state changes its type, or a function looks at a value.

    Example:
        >>> import numpy as np, wengert as wg
        >>> def root(a):
        ...     return wg.while_loop(lambda x: np.abs(x * x - a) > 1e-12, lambda x: 0.5 * (x + a / x), a)
        >>> print(*np.round(wg.value_and_grad(root)(4.0), 6))
        2.0 0.25
        >>> wg.vmap(wg.grad(root))(np.array([0.25, 4.0, 100.0])).round(6)
        array([1.  , 0.25, 0.05])

    Source: A. Griewank and A. Walther, Evaluating Derivatives (SIAM, 2008), chapter 12.
    """
    _check("while_loop", test)
    _check("while_loop", f)
    return (unrolled if is_expanded.get() else constructs).while_loop(test, f, init, checkpoint)


def fori_loop(lower: Any, upper: Any, f: Function, init: Any, *, checkpoint: int | str | bool | None = None) -> Any:
    """`for k in range(lower, upper): s = f(k, s)`.

    Args:
        lower: the first count.
        upper: the count to stop before; either bound may be traced.
        f: a function of a count and a state that returns the next state; see `scan` for what it may do.
        init: the state to begin with, in any containers.
        checkpoint: which states are kept for the way back; see `scan`.

    Returns:
        The state after the last step.

    Raises:
        ControlFlowError: the state changes its type, or the function looks at a value.

    Example:
        >>> import wengert as wg
        >>> wg.fori_loop(1, 6, lambda k, x: x * k, 1.0)
        np.float64(120.0)
        >>> wg.grad(lambda x: wg.fori_loop(0, 3, lambda k, s: s * x, 1.0))(2.0)
        np.float64(12.0)

    Source: A. Griewank and A. Walther, Evaluating Derivatives (SIAM, 2008), chapter 3.
    """
    _check("fori_loop", f)
    return (unrolled if is_expanded.get() else constructs).fori_loop(lower, upper, f, init, checkpoint)


def cond(predicate: Any, true: Function, false: Function, *operands: Any) -> Any:
    """`true(*operands)` if the predicate holds, `false(*operands)` otherwise.

    One of them runs, and the other one contributes nothing to any derivative.  Under `vmap`, where members differ in their predicates,
    both run, and each member has its own results.

    Args:
        predicate: one truth value, which may depend on traced values.
        true: a function of the operands; both are recorded, whichever is taken, and must not look at values.
        false: another one, whose results have the same containers and shapes; their dtypes are promoted as in `np.where`.
        operands: arguments of both, in any containers.

    Returns:
        The results of the branch taken.

    Raises:
        ControlFlowError: the branches return different containers or shapes, or look at a value.

    Example:
        >>> import numpy as np, wengert as wg
        >>> f = lambda x: wg.cond(x > 0, np.sqrt, lambda x: 0.0 * x, x)
        >>> wg.grad(f)(4.0), wg.grad(f)(-4.0)
        (np.float64(0.25), np.float64(0.0))

    Source: A. Griewank and A. Walther, Evaluating Derivatives (SIAM, 2008), chapter 14.
    """
    _check("cond", true)
    _check("cond", false)
    return (unrolled if is_expanded.get() else constructs).cond(predicate, true, false, operands)


def _check(name: str, function: Any) -> None:
    if not callable(function):
        raise ArgumentError.of_function(name, function)
