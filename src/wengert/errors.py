"""The errors of wengert, each a page of the manual.

::

    WengertError
    ├── DerivativeError
    │   ├── LostDerivativeError (TypeError)      a traced value would become a plain number or array
    │   ├── AssignmentError (TypeError)          a traced value written where it cannot be kept
    │   ├── UnsupportedFunctionError (TypeError) a function that has no derivative here
    │   ├── NotScalarError (TypeError)           grad of a function whose output is not one number
    │   ├── NotDifferentiableError (TypeError)   an input that is not floating point
    │   ├── DisconnectedError (ValueError)       the output does not depend on the input
    │   ├── DegenerateError (ValueError)         a derivative that does not exist at this point
    │   ├── HolomorphicError (ValueError)        a complex derivative that does not exist
    │   ├── LeakError (RuntimeError)             a traced value used after its transformation ended
    │   └── BackwardError (RuntimeError)         a step with tensors that cannot be taken
    ├── ArgumentError (TypeError, ValueError)    a transformation that was called in the wrong way
    ├── ShapeError (ValueError)                  shapes that cannot be broadcast against each other
    ├── BatchError (ValueError)                  axes and sizes given to vmap do not fit
    ├── TreeError (TypeError, ValueError)        containers whose structures should agree and do not
    ├── RuleError (ValueError)                   a custom rule that is inconsistent
    ├── CheckError (AssertionError)              `wengert.testing` found a derivative that is wrong
    ├── ControlFlowError (TypeError, ValueError) the body of a loop, or a branch, that cannot be one
    ├── GraphError (ValueError)                  a graph, or the text of one, that is not well formed
    ├── CompileError (RuntimeError)              a function that one compiled program cannot stand for
    ├── TrainingError (ValueError)               `fit` was given something that cannot be trained with
    ├── DivergedError (ArithmeticError)          a loss became infinite or NaN while training
    └── AnomalyError (ArithmeticError)           a NaN or an infinity, found by `wengert.anomaly`
    DisconnectedWarning (UserWarning)            the same as DisconnectedError, when it is not raised
    UnrolledWarning (UserWarning)                a loop of Python's has made a compiled program large

Every message has four parts: what happened; where in the user's code; why; what to write instead.
The docstring of each class is its page, and `docs/errors.md` is made of them by `python docs/generate/errors.py`.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from wengert._advice import (
    assignment_advice,
    broadcast_advice,
    conversion_advice,
    fitting_advice,
    output_advice,
    truth_advice,
    written_target,
)
from wengert._source import Place, is_raised_by_user


def describe(value: Any) -> str:
    """`float64[3,4]` for anything with a shape and a dtype, else the name of its class."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or dtype is None:
        return type(value).__name__
    return f"{dtype}[{','.join(map(str, shape))}]"


def page(what: str, why: str, write: str, anchor: str, place: Place | None = None, note: str = "") -> str:
    """The four parts of a message; the place is the user's line that is running, if no other is given."""
    where = (place or Place()).shown(note)
    why_lines = "\n".join(f"  {part}" for part in why.splitlines())
    write_lines = "\n          ".join(write.splitlines())
    return f"{what}\n\n{where}\n{why_lines}\n\n  Write   {write_lines}\n  Read    docs/errors.md#{anchor}"


def origin_note(value: Any, place: Place) -> str:
    """`traced: float64[3], from `weights` (input `weights` of grad)`."""
    names = " and ".join(f"`{name}`" for name in place.names(value)[:3])
    origins = _origins(value)
    note = f"traced: {describe(value)}" + (f", from {names}" if names else "")
    return note + (f" ({', '.join(origins[:3])})" if origins else "")


def _origins(value: Any) -> list[str]:
    """The inputs of a transformation that a traced value depends on, as far as some trace of its levels knows."""
    while hasattr(value, "watcher"):
        found: list[str] = value.watcher.origins(value)
        if found:
            return found
        value = value.value
    return []


def _is_batch(value: Any) -> bool:
    """Whether a traced value stands for many, along an axis that the program does not see."""
    shape = value.shape
    while hasattr(value, "watcher"):
        value = value.value
    return tuple(value.shape) != tuple(shape)


class WengertError(Exception):
    """The root of all errors of this package.

    `except wengert.errors.WengertError` catches every message of this manual.  Mistakes that NumPy reports too keep
    NumPy's exception types beside it: a `ShapeError` is also a `ValueError`.  Exceptions raised by your own function
    pass through every transformation unchanged.
    """


class DerivativeError(WengertError):
    """Something about a derivative: it would be lost, it does not exist, or nobody knows it."""


class LostDerivativeError(DerivativeError, TypeError):
    """A traced value was about to become a plain number or array.

    While `grad` runs your function, its inputs are traced arrays: they look like NumPy arrays, and remember what was
    done with them.  `float(x)`, `math.sin(x)`, `np.array([x[0], x[1]])` and most compiled libraries ask for plain
    numbers instead.  A plain number has no memory: the gradient would come out too small or zero, without a word.

    >>> import math, numpy as np, wengert as wg
    >>> wg.grad(lambda x: math.sin(x))(0.0)
    Traceback (most recent call last):
    wengert.errors.LostDerivativeError: math.sin takes plain numbers only, and its argument is traced. ...

    Write the NumPy function, which follows traced values:

    >>> wg.grad(lambda x: np.sin(x))(0.0)
    np.float64(1.0)

    | instead of | write |
    |---|---|
    | `float(x)` | `x` |
    | `math.exp(x)` | `np.exp(x)` |
    | `np.array([x[0], x[1]])` | `np.stack([x[0], x[1]])`, or `wengert.numpy.array` |
    | `np.vectorize(f)(x)` | `wengert.numpy.vectorize(f)(x)`, or `wg.vmap(f)(x)` |
    | `table[x]` | `np.interp(x, np.arange(len(table)), table)` |
    | `scipy.linalg.norm(x)` | `np.linalg.norm(x)` |
    | `"%.3f" % x` | `f"{x:.3f}"` |
    | a compiled function | `wg.custom_rule` around it, with its derivative |

    Where no derivative is wanted, say so: `float(wg.stop_gradient(x))` is a plain number.

    >>> wg.grad(lambda x: x * math.sin(wg.stop_gradient(x)))(0.5) == math.sin(0.5)
    np.True_
    """

    @classmethod
    def of_conversion(cls, wanted: str, value: Any) -> DerivativeError:
        """The error for a traced value that is asked to become plain; it may be a special one of its kind.

        `wanted` is float, int, complex, index, array, or pickle.
        """
        if value.watcher.is_closed:
            return LeakError.of_use("turned into plain numbers")
        place = Place()
        traced = next(iter(place.names(value)), "x")
        note = origin_note(value, place)
        target = written_target(place)
        if target is not None or place.is_store:
            return AssignmentError(page(*assignment_advice(place, target, traced), "assignment", place, note))
        if place.call and any(keyword.arg == "out" for keyword in place.call.keywords):
            return AssignmentError(page(*output_advice(place, "f"), "assignment", place, note))
        advice = conversion_advice(wanted, place, traced, is_batch=_is_batch(value))
        return cls(page(*advice, "lost-derivative", place, note))


class AssignmentError(DerivativeError, TypeError):
    """A traced value was written into a plain array.

    An array made by `np.zeros(9)` holds numbers.  Writing a traced value into it, by `table[2:5] = w`, `table += w` or
    `out=table`, would keep the number and lose the derivative.

    >>> import numpy as np, wengert as wg
    >>> def loss(w):
    ...     table = np.zeros(9)
    ...     table[2:5] = w
    ...     return np.sum(table**2)
    >>> wg.grad(loss)(np.ones(3))
    Traceback (most recent call last):
    wengert.errors.AssignmentError: cannot write a traced value into a NumPy array. ...

    Write `np.zeros_like(w, shape=9)`: like `w`, it is traced, and then assignment works as in NumPy.

    >>> def loss(w):
    ...     table = np.zeros_like(w, shape=9)
    ...     table[2:5] = w
    ...     return np.sum(table**2)
    >>> wg.grad(loss)(np.ones(3))
    array([2., 2., 2.])

    Where the array is not zero to begin with, add such an array to it first; instead of `table += w` write
    `table = table + w`.
    """

    @classmethod
    def of_output(cls, function: str, value: Any) -> AssignmentError:
        """The error for `table += value`, or `function(value, out=table)`, with a plain `table`."""
        place = Place()
        target = written_target(place)
        if target is not None:
            advice = assignment_advice(place, target, next(iter(place.names(value)), "x"))
        else:
            advice = output_advice(place, function)
        return cls(page(*advice, "assignment", place, origin_note(value, place)))


class UnsupportedFunctionError(DerivativeError, TypeError):
    """A NumPy function that has no derivative here.

    Some functions of NumPy have no rule, because nobody has written it yet or because there is none.  They are never
    run on the bare numbers behind your back.

    >>> import numpy as np, wengert as wg
    >>> wg.grad(lambda x: np.packbits(x))(np.ones(2))
    Traceback (most recent call last):
    wengert.errors.UnsupportedFunctionError: numpy.packbits has no derivative in wengert. ...

    Write the same thing in other NumPy functions, or state the derivative yourself:

    >>> @wg.custom_rule
    ... def cube(x):
    ...     return x**3      # any code at all, it sees plain arrays
    >>> @cube.forward
    ... def rule(primals, tangents):
    ...     (x,), (dx,) = primals, tangents
    ...     return cube(x), 3 * x**2 * dx
    >>> wg.grad(cube)(2.0)
    np.float64(12.0)
    """

    @classmethod
    def of_function(cls, function: Any) -> UnsupportedFunctionError:
        """The error for a NumPy function without a rule."""
        name = getattr(function, "__name__", str(function))
        module = getattr(function, "__module__", None) or "numpy"
        rooms = [sys.modules.get(room) for room in ("scipy.special", "scipy.special._ufuncs")]
        if any(getattr(room, name, None) is function for room in rooms):  # ufuncs do not say where they are from
            module, name = "scipy.special", {"_riemann_zeta": "zeta"}.get(name, name.lstrip("_"))
        if name.endswith("(vectorized)"):
            return cls(
                page(
                    "a function made by np.frompyfunc has no derivative in wengert.",
                    "NumPy would call it with plain numbers, and the derivative would be lost.",
                    "wnp.frompyfunc(f, 1, 1)   # import wengert.numpy as wnp",
                    "unsupported-function",
                )
            )
        return cls(
            page(
                f"{module}.{name} has no derivative in wengert.",
                "No rule is known for this function, and running it on plain values would lose the derivative.",
                f"the same thing in other NumPy functions\n"
                f"@wg.custom_rule   # around a function that calls {name}, with the derivative that you state\n"
                f"wg.stop_gradient(x)   # as its argument, where no derivative is wanted",
                "unsupported-function",
            )
        )


class NotScalarError(DerivativeError, TypeError):
    """The gradient of a function whose output is not one number.

    The gradient collects the partial derivatives of a single real number.

    >>> import numpy as np, wengert as wg
    >>> wg.grad(lambda x: x**2)(np.array([1.0, 2.0]))
    Traceback (most recent call last):
    wengert.errors.NotScalarError: grad needs one number as output, and ...

    Write a sum or a mean where a total is meant, and `jacobian` where all outputs matter:

    >>> wg.grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    array([2., 4.])
    >>> wg.jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])

    A function that returns `None` has usually forgotten its `return`; one that returns a loss and something else wants
    `has_aux=True`.
    """

    @classmethod
    def of_output(cls, function: str, name: str, out: Any) -> NotScalarError:
        """The error for `grad` of the function at this place and of this name, which returned `out`."""
        every = f"wg.jacobian({name})   # for the derivatives of all outputs"
        why = "The gradient is the vector of partial derivatives of one number."
        if out is None:
            returned, why = "None", "A function that ends without a `return` statement returns None."
            write = "return loss   # the number, on the last line of the function"
        elif isinstance(out, tuple):
            returned = f"({', '.join(map(describe, out))})"
            write = f"wg.grad({name}, has_aux=True)   # where it returns (number, anything else)\n{every}"
        elif getattr(out, "dtype", None) is not None and out.dtype.kind in "fciub":
            returned = describe(out)
            write = f"return np.sum(y)   # or np.mean(y), where y is what it returns now\n{every}"
        else:
            returned = "a text" if getattr(out, "dtype", None) is not None else f"a {describe(out)}"
            write = "return loss   # one number; numbers in a container must be added up"
        return cls(page(f"grad needs one number as output, and {function} returned {returned}.", why, write, "not-scalar"))


class NotDifferentiableError(DerivativeError, TypeError):
    """An input that is not floating point, so that it cannot change by an infinitesimal amount.

    >>> import numpy as np, wengert as wg
    >>> wg.grad(lambda x: x**2)(3)
    Traceback (most recent call last):
    wengert.errors.NotDifferentiableError: argument x has type int64[], and ...

    Write a floating-point number or array; inside a container, every leaf must be one.

    >>> wg.grad(lambda x: x**2)(3.0)
    np.float64(6.0)

    An argument that is a setting (a number of steps, a name, `None`) is left out of `argnums`.
    """

    @classmethod
    def of_input(cls, name: str, value: Any) -> NotDifferentiableError:
        """The error for an input of this name that cannot be differentiated with respect to."""
        plain_name = name.removeprefix("argument ")
        kind = getattr(getattr(value, "dtype", None), "kind", "")
        why = "Text and other objects cannot change by an infinitesimal amount."
        write = "argnums=1   # or another argument, by position or name: this one is a setting"
        if kind in ("i", "u", "b"):
            why = "Integers and truth values cannot change by an infinitesimal amount."
            write = f"{plain_name}.astype(float)   # before the call"
            if getattr(value, "shape", None) == ():
                write = f"{float(value)!r}   # instead of {value!s}"
            if "." in plain_name:  # an attribute: of a module, as a rule
                write = "wg.nn.grad(f)   # or wg.nn.value_and_grad(f): of a model's parameters alone, which this is not"
        elif value is None:
            why = "There is no array in it, so there is nothing to differentiate with respect to."
        elif kind == "O":
            why = "An array of Python objects holds no numbers that NumPy knows of."
            write = f"{plain_name}.astype(float)   # before the call"
        elif kind in ("M", "m"):
            why = "Dates are counted in whole units of time."
            write = f"({plain_name} - start) / np.timedelta64(1, 's')   # before the call"
        elif not plain_name.isidentifier():
            write = "def f(params, settings): ...   # settings in an argument of their own, which argnums leaves out"
        elif kind == "" and not isinstance(value, (str, bytes)):
            why = f"The class {describe(value)} is not known as a container of arrays."
            write = f"wg.register_container({describe(value)}, flatten, unflatten)   # or make it a dataclass"
        found = "is None" if value is None else f"has type {describe(value)}"
        what = f"{name} {found}, and only floating-point or complex values have derivatives."
        return cls(page(what, why, write, "not-differentiable"))

    @classmethod
    def of_objects(cls, value: Any) -> NotDifferentiableError:
        """The error for Python objects (a fraction, `None`) that meet a traced value in an operation."""
        kind = type(value.item() if value.size == 1 else value.flat[0]).__name__ if value.size else "object"
        what = f"a traced value meets Python objects (here of type {kind}), with which NumPy computes one by one."
        why = "What their own operators do with a number is not known, so no derivative can follow it."
        return cls(page(what, why, "float(other)   # or other.astype(float), before the operation", "not-differentiable"))

    @classmethod
    def of_subclass(cls, name: str, value: Any) -> NotDifferentiableError:
        """The error for a matrix, a masked array or another array class with a meaning of its own."""
        what = f"{name} is a {type(value).__name__}, whose operators have a meaning of their own."
        why = "Traced values are plain arrays: the meaning of * or of masked entries would be lost without a word."
        write = (
            "np.asarray(x)   # for a matrix, with @ for its products\n"
            "np.where(mask, 0.0, x.data)   # for a masked array, or the mask as an argument of its own"
        )
        return cls(page(what, why, write, "not-differentiable"))


class DisconnectedError(DerivativeError, ValueError):
    """The output does not depend on the input at all.

    A gradient of zeros because two effects cancel is news; one because nothing leads from the input to the output is
    usually a mistake.  `grad` returns zeros and warns (`DisconnectedWarning`); `on_disconnected="raise"` raises
    this error, and `on_disconnected="zero"` is silent.  The message names the place where the dependence ended:
    `argmax`, `round`, a comparison, `astype(int)` and `stop_gradient` have the derivative zero everywhere.

    >>> import numpy as np, wengert as wg
    >>> wg.grad(lambda x: np.floor(x), on_disconnected="raise")(1.5)
    Traceback (most recent call last):
    wengert.errors.DisconnectedError: the output of ... does not depend on x; its gradient is zero. ...

    Write a smooth function in the place of the step, or say that zero is meant:

    >>> wg.grad(lambda x: np.floor(x), on_disconnected="zero")(1.5)
    np.float64(0.0)
    """


class DisconnectedWarning(UserWarning):
    """The output does not depend on the input, so the gradient is zero; see `DisconnectedError`."""


class DegenerateError(DerivativeError, ValueError):
    """A derivative that does not exist at this point, such as that of an eigenvector in a degenerate cluster.

    Where two eigenvalues are equal, their eigenvectors may be turned within the plane that they span, and which pair
    comes back is an accident.  A function of the plane as a whole has a derivative, and wengert gives it; a function
    of one of the vectors has none, and the message names the cluster.

    >>> import numpy as np, wengert as wg
    >>> wg.grad(lambda a: np.linalg.eigh(a)[1][0, 1])(np.eye(2))
    Traceback (most recent call last):
    wengert.errors.DegenerateError: the output depends on ...

    Write a function that does not depend on the choice, such as one of the eigenvalues together, or of the projector
    on the whole cluster:

    >>> wg.grad(lambda a: np.sum(np.linalg.eigvalsh(a) ** 2))(np.eye(2))
    array([[2., 0.],
           [0., 2.]])
    """


class HolomorphicError(DerivativeError, ValueError):
    """A complex derivative of a function that has none.

    `grad` of a real loss of complex numbers is the direction of steepest ascent.  A complex output has a derivative of
    its own only if the function is holomorphic, and `holomorphic=True` asks for it.

    >>> import numpy as np, wengert as wg
    >>> wg.grad(lambda z: z**2)(1 + 1j)
    Traceback (most recent call last):
    wengert.errors.HolomorphicError: grad needs a real output, ...

    Write a real loss, or ask for the complex derivative, or for both of Wirtinger's:

    >>> wg.grad(lambda z: np.abs(z) ** 2)(1 + 1j)
    np.complex128(2+2j)
    >>> wg.grad(lambda z: z**2, holomorphic=True)(1 + 1j)
    np.complex128(2+2j)
    """


class LeakError(DerivativeError, RuntimeError):
    """A traced value was used after the transformation that traced it had ended.

    A traced value lives as long as the call of `grad` that made it.  Kept in a list, a global or an attribute, it
    outlives the call, and no derivative can be recorded for it any more.

    >>> import numpy as np, wengert as wg
    >>> losses = []
    >>> def loss(w):
    ...     value = np.sum(w**2)
    ...     losses.append(value)
    ...     return value
    >>> gradient = wg.grad(loss)(np.ones(2))
    >>> losses[0] + 1
    Traceback (most recent call last):
    wengert.errors.LeakError: a traced value was used by `add` after its transformation had ended. ...

    Write `value_and_grad` for the loss itself, or `has_aux=True` for anything more: what comes back is plain.

    >>> value, gradient = wg.value_and_grad(lambda w: np.sum(w**2))(np.ones(2))
    >>> losses = [value]
    """

    @classmethod
    def of_primitive(cls, name: str) -> LeakError:
        """The error for an operation on a traced value that nobody watches any more."""
        return cls.of_use(f"used by `{name}`")

    @classmethod
    def of_use(cls, use: str) -> LeakError:
        """The error for any use of a traced value that nobody watches any more."""
        return cls(
            page(
                f"a traced value was {use} after its transformation had ended.",
                "It was kept outside the differentiated function (in a global, an attribute or a closure).",
                "value, gradient = wg.value_and_grad(f)(x)   # for the value of f itself\n"
                "gradient, extra = wg.grad(f, has_aux=True)(x)   # where f ends with: return value, extra",
                "leak",
            )
        )


class BackwardError(DerivativeError, RuntimeError):
    """A step of a program of tensors cannot be taken, as in PyTorch.

    `backward` walks once: what the walk needs is let go on the way, so that memory is free for the next step.

    >>> import wengert as wg
    >>> x = wg.tensor([1.0, 2.0], requires_grad=True)
    >>> loss = (x * x).sum()
    >>> loss.backward()
    >>> loss.backward()
    Traceback (most recent call last):
    wengert.errors.BackwardError: backward through the same operations a second time. ...

    Where it is meant, the first walk must keep it all:

    >>> loss = (x * x).sum()
    >>> loss.backward(retain_graph=True)
    >>> loss.backward()

    | instead of | write |
    |---|---|
    | `y.backward()` of many entries | `y.sum().backward()`, or `y.backward(gradient)` |
    | `w -= rate * w.grad` | the same inside `with wg.no_grad():` |
    | `y.grad` of a result | `y.retain_grad()` before `backward` |
    | `grad(y, [x, unused])` | `grad(y, [x, unused], allow_unused=True)` |

    A leaf is a tensor that no operation made.  Where it requires grad, it is what derivatives are taken with respect to, so it
    cannot be written into while operations are recorded.
    """

    @classmethod
    def of_second_walk(cls) -> BackwardError:
        """The error for a walk that needs what an earlier one let go."""
        return cls(
            page(
                "backward through the same operations a second time.",
                "The first walk let go what they kept, so that memory is free for the next step.",
                "loss.backward(retain_graph=True)   # the first time",
                "backward",
            )
        )


class ArgumentError(WengertError, TypeError, ValueError):
    """A transformation that was called in the wrong way.

    A transformation takes a function and returns a function; `argnums` counts the arguments of the call, or names one.

    >>> import numpy as np, wengert as wg
    >>> wg.grad(np.sum(np.ones(3)))
    Traceback (most recent call last):
    wengert.errors.ArgumentError: grad needs a function, and was given float64[]. ...

    Write the function first, and its arguments in a second pair of parentheses:

    >>> wg.grad(np.sum)(np.ones(3))
    array([1., 1., 1.])
    """

    @classmethod
    def of_function(cls, name: str, value: Any) -> ArgumentError:
        """The error for a transformation of something that is not a function."""
        why = "A transformation takes a function and returns a function, which is then called with the arguments."
        write = f"wg.{name}(f)(x)   # not wg.{name}(f(x))"
        if name in ("jvp", "vjp", "hvp", "linearize"):
            why = "It calls the function itself, at the point that is given beside it."
            write = f"wg.{name}(f, ...)   # not wg.{name}(f(x), ...)"
        return cls(
            page(
                f"{name} needs a function, and was given {describe(value)}.",
                why,
                write,
                "argument",
            )
        )


    @classmethod
    def of_bare(cls, name: str, value: Any) -> ArgumentError:
        """The error for primals or tangents that are not in a tuple."""
        return cls(
            page(
                f"{name} is {describe(value)}, and not a tuple.",
                "There is one entry for each argument of the function, and the function may have several.",
                "wg.jvp(f, (x,), (dx,))   # tuples, also for a single argument",
                "argument",
            )
        )

    @classmethod
    def of_setting(cls, name: str, value: Any, wanted: str, example: Any) -> ArgumentError:
        """The error for a setting that is not what is wanted."""
        return cls(page(f"{name} is {value!r}.", f"It is {wanted}.", f"{name}={example!r}", "argument"))

    @classmethod
    def of_choice(cls, name: str, value: Any, choices: Sequence[str]) -> ArgumentError:
        """The error for a setting that is none of its possible values."""
        return cls.of_setting(name, value, f"one of {', '.join(map(repr, choices))}", choices[0])


class ShapeError(WengertError, ValueError):
    """Shapes that cannot be broadcast against each other: NumPy's `ValueError`, with the place.

    >>> import numpy as np, wengert as wg
    >>> wg.grad(lambda x: np.sum(x + np.ones(4)))(np.ones(3))
    Traceback (most recent call last):
    wengert.errors.ShapeError: operands could not be broadcast together with shapes (3,) (4,) ...

    Shapes are compared from the last axis backwards; each pair of lengths must be equal, or one of them 1.  Write an
    axis of length 1 where one operand should be repeated, `x[:, None]`, or take the part that fits.

    >>> wg.grad(lambda x: np.sum(x[:, None] + np.ones(4)))(np.ones(3))
    array([4., 4., 4.])
    """

    @classmethod
    def of_operands(cls, shapes: Any) -> ShapeError:
        """The error for operands of these shapes."""
        place = Place()
        return cls(
            page(
                f"operands could not be broadcast together with shapes {' '.join(map(str, shapes))}",
                "From the last axis backwards, each pair of lengths must be equal, or one of them 1.",
                broadcast_advice(place, list(shapes)),
                "shape",
                place,
            )
        )

    @classmethod
    def of_assignment(cls, shape: Any, target: Any) -> ShapeError:
        """The error for a value of a shape that does not fit into its target."""
        place = Place()
        return cls(
            page(
                f"could not broadcast input array from shape {tuple(shape)} into shape {tuple(target)}",
                "The value is repeated along axes of length 1, and fits nowhere else.",
                fitting_advice(place, tuple(shape), tuple(target)),
                "shape",
                place,
            )
        )


class BatchError(WengertError, ValueError):
    """Axes or sizes given to `vmap` do not fit, or a batch was asked for one answer.

    Under `vmap` a function sees one member, while all are computed together.  So Python cannot branch on a value that
    differs between members, and no array may have a shape that does.

    >>> import numpy as np, wengert as wg
    >>> wg.vmap(lambda x: x if x > 0 else -x)(np.array([-1.0, 2.0]))
    Traceback (most recent call last):
    wengert.errors.BatchError: a batch of values of type bool[] was used as one truth value. ...

    Write `np.where`, which takes both branches and keeps the right one of each member; no NaN or infinity of the
    other branch gets into the derivative.

    >>> wg.vmap(lambda x: np.where(x > 0, x, -x))(np.array([-1.0, 2.0]))
    array([1., 2.])
    """

    @classmethod
    def of_truth(cls, value: Any) -> BatchError:
        """The error for a batch of truth values in the place of one."""
        place = Place()
        return cls(page(*truth_advice(place, describe(value)), "batch", place))


class TreeError(WengertError, TypeError, ValueError):
    """Two containers that should have the same structure do not.

    A tangent has the containers, keys and shapes of its primal; a cotangent those of the output.

    >>> import numpy as np, wengert as wg
    >>> wg.jvp(np.sin, (np.ones(3),), (np.ones(2),))
    Traceback (most recent call last):
    wengert.errors.TreeError: a tangent has type float64[2], and its primal float64[3]. ...

    Write them with the same containers, one tangent for each primal:

    >>> y, dy = wg.jvp(np.sin, (np.zeros(3),), (np.ones(3),))
    >>> dy
    array([1., 1., 1.])
    """


class RuleError(WengertError, ValueError):
    """A custom rule that is inconsistent with itself or with its function.

    Within `check_rules()` each call of a function with a `custom_rule` compares the rule with the derivative of the
    function's own body along a random direction.

    >>> import numpy as np, wengert as wg
    >>> @wg.custom_rule
    ... def square(x):
    ...     return x**2
    >>> @square.forward
    ... def rule(primals, tangents):
    ...     (x,), (dx,) = primals, tangents
    ...     return square(x), x * dx          # the factor 2 is missing
    >>> with wg.check_rules():
    ...     square(3.0)
    Traceback (most recent call last):
    wengert.errors.RuleError: the rule of square disagrees with the derivative of its body. ...

    Write `2 * x * dx`.  A pullback returns a tuple with one cotangent for each argument, `None` for an argument
    without a derivative.
    """


class CheckError(WengertError, AssertionError):
    """A derivative that disagrees with differences, or a card that breaks a law.

    `wengert.testing.check_grads` compares the derivatives of a function with differences of its values, and
    `check_card` tries on a primitive of your own the laws that every primitive obeys.

    >>> import numpy as np, wengert as wg
    >>> from wengert.testing import check_grads
    >>> @wg.custom_rule
    ... def square(x):
    ...     return x**2
    >>> @square.forward
    ... def rule(primals, tangents):
    ...     (x,), (dx,) = primals, tangents
    ...     return square(x), x * dx          # the factor 2 is missing
    >>> check_grads(square, (3.0,))
    Traceback (most recent call last):
    wengert.errors.CheckError: the fwd derivative of square with respect to x is ...

    Write the rule so that it is the derivative of the function; where the function has a kink or a jump at the point,
    check at another one.
    """


class GraphError(WengertError, ValueError):
    """A graph, or the text of one, that is not well formed.

    `check(graph)` and `parse(text)` name the node or the line that is wrong.

    >>> import wengert as wg
    >>> from wengert.core.parse import parse
    >>> parse("graph(x:float64[]) { return y }")
    Traceback (most recent call last):
    wengert.errors.GraphError: ...

    Write a graph in which every variable is assigned once, before it is used; the grammar stands in the docstring of
    `wengert.core.graph`.
    """

    @classmethod
    def of_line(cls, number: int, text: str, why: str) -> GraphError:
        """The error for a line of the text of a graph; number 0 is its end."""
        where = f"line {number}" if number else "the end"
        return cls(
            f"{where} of the graph is not well formed: {why}\n\n  {where}   {text}".rstrip()
            + "\n  The grammar of graphs stands in the docstring of wengert.core.graph.\n"
            "\n  Write   graph(x:float64[]) { y:float64[] = sin x; return y }   # one node a line"
            "\n  Read    docs/errors.md#graph"
        )


class ControlFlowError(WengertError, TypeError, ValueError):
    """The body of a loop, or a branch, that cannot be one.

    `wg.scan`, `wg.while_loop`, `wg.fori_loop` and `wg.cond` run a function that is recorded once, whatever the values.  So
    nothing in it may look at a value, and a loop's state keeps its containers, shapes and dtypes from step to step.

    >>> import numpy as np, wengert as wg
    >>> wg.fori_loop(0, 3, lambda k, x: np.append(x, 0.0), np.zeros(2))
    Traceback (most recent call last):
    wengert.errors.ControlFlowError: the state of wg.fori_loop changes from float64[2] to float64[3]. ...

    Write a state of one shape, and choices as `np.where` or `wg.cond`; a Python loop is free to do anything.

    >>> wg.fori_loop(0, 3, lambda k, x: np.where(x > 2, x, x + 1), np.zeros(2))
    array([3., 3.])
    """

    @classmethod
    def of_look(cls, construct: str, value: Any) -> ControlFlowError:
        """The error for a body that asks what a value is."""
        return cls(
            page(
                f"the function given to {construct} looks at a value of type {describe(value)}.",
                "It is recorded once, before there are values, and then holds for all of them.",
                "np.where(x > 0, x, 0.0)   # both sides, and the right one of each entry\n"
                "wg.cond(x > 0, positive, negative, x)   # one of two functions\n"
                "wg.scan(f, init, table)   # the entries of a table, one for each step",
                "control-flow",
            )
        )

    @classmethod
    def of_output(cls, construct: str, value: Any) -> ControlFlowError:
        """The error for a body that returns something else than numbers and arrays."""
        return cls(
            page(
                f"the function given to {construct} returned a {type(value).__name__}.",
                "What goes from step to step, and what comes out, are arrays and numbers, in any containers.",
                "return state, output   # arrays, numbers, None, or containers of them",
                "control-flow",
            )
        )


class UnrolledWarning(UserWarning):
    """A loop of Python's has made a compiled program large.

    Under `wg.jit` a Python `for` or `while` is written out, step by step: a thousand steps of ten operations are ten thousand
    operations to compile, and several times as many with a derivative.  `wg.scan`, `wg.fori_loop` and `wg.while_loop` are one
    operation, however many steps there are, and compile to one native loop.  The warning names the loop; it comes once for each place.

    >>> import numpy as np, warnings, wengert as wg
    >>> def moved(x):
    ...     for _ in range(1000):
    ...         x = x + 0.001 * np.sin(x)
    ...     return x
    >>> with warnings.catch_warnings(action="error"):
    ...     wg.jit(moved)(1.0)
    Traceback (most recent call last):
    wengert.errors.UnrolledWarning: a loop of Python's makes the compiled program moved large: 3,000 operations.
    ...

    Write the loop as one operation:

    >>> def moved(x):
    ...     return wg.fori_loop(0, 1000, lambda _, x: x + 0.001 * np.sin(x), x)
    >>> wg.jit(moved)(1.0).round(3)
    np.float64(1.956)
    """


class CompileError(WengertError, RuntimeError):
    """A function that one compiled program cannot stand for.

    `wg.jit` records what a call computes, and the compiled program computes the same for other values.  So it draws no
    random numbers, binds no names outside, and has a path of its own for each outcome of `if`, `int()` or an index that
    depends on values, up to 32.

    >>> import numpy as np, wengert as wg
    >>> wg.jit(lambda x: x + np.random.normal(size=2))(np.zeros(2))
    Traceback (most recent call last):
    wengert.errors.CompileError: jit(f) draws random numbers. ...

    Write a function of the numbers that it needs, and draw them outside:

    >>> step = wg.jit(lambda x, noise: x + noise)
    >>> step(np.zeros(2), np.array([0.5, 1.0]))
    array([0.5, 1. ])
    """

    @classmethod
    def of_random(cls, name: str) -> CompileError:
        """The error for random numbers drawn inside."""
        return cls(
            page(
                f"jit({name}) draws random numbers.",
                "A compiled program would use the numbers of the call that was recorded again and again.",
                "noise = rng.normal(size=n)   # outside, and then pass it as an argument",
                "compile",
            )
        )

    @classmethod
    def of_questions(cls, name: str) -> CompileError:
        """The error for a C function that would have to choose among paths."""
        return cls(
            page(
                f"{name} asks for the values of its arguments, so one C function cannot stand for it.",
                "Each outcome of `if`, `int()` or an index that depends on values is a program of its own.",
                "np.where(condition, a, b)   # both branches in one program",
                "compile",
            )
        )

    @classmethod
    def of_binding(cls, name: str, what: str) -> CompileError:
        """The error for a name that the function binds anew where others would look it up."""
        return cls(
            page(
                f"jit({name}) assigns to {what}.",
                "A compiled program returns what it computes, and nobody else would see the assignment.",
                "return value, new_state   # and assign outside\nstate[...] = new_state   # writes into the array, which is seen",
                "compile",
            )
        )

    @classmethod
    def of_paths(cls, name: str, n: int) -> CompileError:
        """The error for more different outcomes than can be meant."""
        return cls(
            page(
                f"jit({name}) has compiled {n} paths, and this call takes another.",
                "Each outcome of `if`, `int()` or an index that depends on values is a path of its own.",
                "np.where(condition, a, b)   # both branches in one program, where the outcomes are many\n"
                f"{name}(...)   # without jit, where the control flow is the work",
                "compile",
            )
        )

    @classmethod
    def of_system(cls, system: str, missing: Sequence[str]) -> CompileError:
        """The error for a system whose memory and threads the runtime does not know."""
        return cls(
            page(
                f"wg.jit does not run on {system} yet.",
                f"Its runtime needs functions that this system does not have: {', '.join(missing)}.",
                "f(x)   # without jit: everything else works everywhere",
                "compile",
            )
        )

    @classmethod
    def of_operand(cls, value: Any) -> CompileError:
        """The error for an array that is more than its numbers, or lies elsewhere."""
        return cls(
            page(
                f"jit takes NumPy's own arrays, and was given a {type(value).__name__}.",
                "A compiled program knows the numbers of an array; a mask, a unit or another library's memory would be lost.",
                "np.asarray(x)   # of the plain numbers\nf(x)   # without jit",
                "compile",
            )
        )

    @classmethod
    def of_static(cls, value: Any) -> CompileError:
        """The error for a static argument that cannot be looked up."""
        return cls(
            page(
                f"a static argument of jit must be hashable, and a {type(value).__name__} is not.",
                "It is a part of the signature by which compiled versions are found again.",
                "tuple(value)   # instead of a list\nwg.jit(f)   # without static_argnums, for arrays and containers of arrays",
                "compile",
            )
        )


class TrainingError(WengertError, ValueError):
    """`wg.fit` was given something that cannot be trained with.

    It needs data with rows, of equal numbers in all arrays, a batch that is no larger than the data, a model with
    floating-point arrays, and a loss that returns one real number.  Checkpoints go on only with the run they belong to.

    >>> import numpy as np, wengert as wg
    >>> wg.fit({"w": 1.0}, lambda m, x, y: (m["w"] * x - y) ** 2, (np.ones(8), np.ones(8)), batch_size=4, epochs=1)
    Traceback (most recent call last):
    wengert.errors.TrainingError: fit needs a loss of one number, and the loss returned float64[4]. ...

    Write the mean over the batch:

    >>> result = wg.fit({"w": 1.0}, lambda m, x, y: np.mean((m["w"] * x - y) ** 2), (np.ones(8), np.ones(8)), batch_size=4, epochs=1)
    >>> result.steps
    2
    """


class DivergedError(WengertError, ArithmeticError):
    """The loss became infinite or NaN while `wg.fit` trained.

    Training stops at once, before such a number reaches the model; the latest checkpoint is as it was.  The message names
    the first operation that made such a number out of finite ones, its line and its values; `error.diagnosis` is all that
    `wg.diagnose` found, and `error.result` the result of the steps before.

    >>> import numpy as np, wengert as wg
    >>> wg.fit({"w": 0.5}, lambda m: np.log(m["w"]), None, wg.optim.SGD(lr=1.0), steps=10)
    Traceback (most recent call last):
    wengert.errors.DivergedError: the loss became nan in step 2. ...

    Write a smaller learning rate, or clip the gradient; or a loss that is finite wherever the model may go:

    >>> result = wg.fit({"w": 0.5}, lambda m: np.log(m["w"] ** 2 + 1e-6), None, wg.optim.SGD(lr=0.01), steps=10)
    >>> result.steps
    10
    """

    diagnosis: Any = None
    result: Any = None


class AnomalyError(WengertError, ArithmeticError):
    """A value or a gradient is NaN or infinite, and `with wg.anomaly():` asked to be told.

    The message names the first operation that made such a value of finite ones, with its line and the values that met there.

    >>> import numpy as np, wengert as wg
    >>> loss = lambda x: np.sum(np.sqrt(x))
    >>> with wg.anomaly():
    ...     wg.grad(loss)(np.array([4.0, 0.0]))
    Traceback (most recent call last):
    wengert.errors.AnomalyError: infinity in the gradient, by sqrt. ...

    What `np.where` does not choose contributes nothing, not even an infinite slope:

    >>> wg.grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(np.array([4.0, 0.0]))
    array([0.25, 0.  ])

    | what was found | what to write |
    |---|---|
    | NaN from outside of a domain: `np.log(x)` | `np.where(x > 0, np.log(x), 0.0)` |
    | overflow: `np.log(np.sum(np.exp(x)))` | `np.logaddexp.reduce(x)` |
    | an infinite slope: `np.sqrt(x)` at 0 | `np.sqrt(x + 1e-12)`, or `np.where` as above |
    | `0 / 0`: `x / np.linalg.norm(x)` | `x / np.maximum(np.linalg.norm(x), 1e-12)` |

    `wg.diagnose(loss)(x)` reports the same without an error, and also gradients that are exactly zero, or cut off.
    """


_PAGES = [kind for kind in list(globals().values()) if isinstance(kind, type) and issubclass(kind, (WengertError, UnrolledWarning))]
# where the page of each is: `lost-derivative` is that of `LostDerivativeError`
ANCHORS = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__.removesuffix("Error").removesuffix("Warning")).lower(): kind
    for kind in _PAGES
    if kind not in (WengertError, DerivativeError)
}


def reveal(error: Exception) -> None:
    """Raise the page behind an error, where a library put an error of its own before it.

    NumPy does for `table[0] = traced`; SciPy's solvers do, or call the function once more with our error pending, which Python minds.
    """
    if isinstance(error, WengertError) or is_raised_by_user(error):
        return
    covered: BaseException | None = error
    while covered is not None and not isinstance(covered, WengertError):
        covered = covered.__cause__ or covered.__context__
    if covered is not None:
        raise covered.with_traceback(error.__traceback__) from None


def warn_disconnected(message: str) -> None:
    """Issue a `DisconnectedWarning`."""
    warn_user(message, DisconnectedWarning)


def warn_user(message: str, kind: type[Warning] = UserWarning) -> None:
    """Issue a warning that points to the user's line, however deep below it we are."""
    frame = Place().frame
    if frame is None:
        warnings.warn(message, kind, stacklevel=2)
        return
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    name = frame.f_globals.get("__name__", "<unknown>")
    warnings.warn_explicit(message, kind, frame.f_code.co_filename, frame.f_lineno, name, registry)
