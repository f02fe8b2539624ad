"""The errors of wengert, each a page of the manual.

::

    WengertError
    ├── DerivativeError
    │   ├── LostDerivativeError (TypeError)      a traced value would become a plain number or array
    │   ├── AssignmentError (TypeError)          a traced value written where it cannot be kept
    │   ├── UnsupportedFunctionError (TypeError) a function that has no derivative here
    │   ├── NotScalarError (TypeError)           grad of a function whose output is not a scalar
    │   ├── NotDifferentiableError (TypeError)   an input that is not floating point
    │   ├── DisconnectedError (ValueError)       the output does not depend on the input
    │   ├── DegenerateError (ValueError)         a derivative that does not exist at this point
    │   ├── HolomorphicError (ValueError)        a complex derivative that does not exist
    │   └── LeakError (RuntimeError)             a traced value used after its transformation ended
    ├── BatchError (ValueError)                  axes and sizes given to vmap do not fit
    ├── TreeError (TypeError, ValueError)        containers whose structures should agree and do not
    ├── RuleError (ValueError)                   a custom rule that is inconsistent
    └── GraphError (ValueError)                  a graph, or the text of one, that is not well formed
    DisconnectedWarning (UserWarning)            the same as DisconnectedError, when it is not raised

Every message has four parts: what happened; where in the user's code; why; what to write instead.
"""

from __future__ import annotations

import linecache
import os
import sys
from types import FrameType
from typing import Any, Self

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_FOREIGN = (f"{os.sep}numpy{os.sep}", f"{os.sep}scipy{os.sep}", f"{os.sep}optree{os.sep}", "<__array_function__")


def _is_user_code(filename: str) -> bool:
    return not filename.startswith(_PACKAGE) and not any(part in filename for part in _FOREIGN)


def user_frame() -> FrameType | None:
    """The nearest frame that is neither ours nor an array library's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not _is_user_code(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def caller_frame() -> tuple[str, int]:
    """File and line of the nearest frame that is neither ours nor an array library's."""
    frame = user_frame()
    return ("<unknown>", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def caller_location() -> str:
    """`model.py:31` for the user's line that is running."""
    filename, line = caller_frame()
    return f"{os.path.basename(filename)}:{line}"


def describe(value: Any) -> str:
    """`float64[3,4]` for anything with a shape and a dtype, else the name of its class."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or dtype is None:
        return type(value).__name__
    return f"{dtype}[{','.join(map(str, shape))}]"


def page(what: str, why: str, write: str, anchor: str) -> str:
    """The four parts of a message, with the user's line found on the stack."""
    filename, line = caller_frame()
    source = linecache.getline(filename, line).strip()
    where = f"  {os.path.basename(filename)}:{line}" + (f"   {source}" if source else "")
    why_lines = "\n".join(f"  {part}" for part in why.splitlines())
    write_lines = "\n          ".join(write.splitlines())
    return f"{what}\n\n{where}\n{why_lines}\n\n  Write   {write_lines}\n  Read    docs/errors.md#{anchor}"


class WengertError(Exception):
    """The root of all errors of this package."""


class DerivativeError(WengertError):
    """Something about a derivative."""


class LostDerivativeError(DerivativeError, TypeError):
    """A traced value was about to become a plain number or array, and its derivative would have been lost."""

    @classmethod
    def of_conversion(cls, what: str, value: Any) -> Self:
        return cls(
            page(
                f"{what} on a traced value of type {describe(value)} would lose its derivative.",
                "A plain number or array cannot carry a derivative, so the gradient would silently be wrong.",
                "np functions (np.sin instead of math.sin), x.astype(...) instead of float(x), np.stack([...])\n"
                "instead of np.array([...]); or wg.stop_gradient(x) where no derivative is wanted",
                "lost-derivative",
            )
        )


class AssignmentError(DerivativeError, TypeError):
    """A traced value was written into a place that cannot keep it."""


class UnsupportedFunctionError(DerivativeError, TypeError):
    """A NumPy function that has no meaning for traced values here."""

    @classmethod
    def of_function(cls, function: Any) -> Self:
        name = getattr(function, "__name__", str(function))
        module = getattr(function, "__module__", "numpy")
        return cls(
            page(
                f"{module}.{name} has no derivative in wengert.",
                "No rule is known for this function, and running it on plain values would lose the derivative.",
                f"the same thing with other NumPy functions; wg.custom_rule around {name} with a rule of yours;\n"
                f"or {name}(wg.stop_gradient(x)) where no derivative is wanted",
                "unsupported-function",
            )
        )


class NotScalarError(DerivativeError, TypeError):
    """The gradient of a function whose output is not one real number."""


class NotDifferentiableError(DerivativeError, TypeError):
    """An input whose dtype has no derivative, such as an integer."""


class DisconnectedError(DerivativeError, ValueError):
    """The output does not depend on the input."""


class DisconnectedWarning(UserWarning):
    """The output does not depend on the input, so the gradient is zero."""


class DegenerateError(DerivativeError, ValueError):
    """A derivative that does not exist at this point, such as that of an eigenvector in a degenerate cluster."""


class HolomorphicError(DerivativeError, ValueError):
    """A complex derivative of a function that is not holomorphic."""


class LeakError(DerivativeError, RuntimeError):
    """A traced value was used after the transformation that traced it had ended."""

    @classmethod
    def of_primitive(cls, name: str) -> Self:
        return cls(
            page(
                f"a traced value was used by `{name}` after its transformation had ended.",
                "It was kept outside the differentiated function (in a global, an attribute or a closure).",
                "return the value from the function (has_aux=True returns extra values as plain arrays)",
                "leak",
            )
        )


class BatchError(WengertError, ValueError):
    """Axes or sizes given to vmap do not fit."""


class TreeError(WengertError, TypeError, ValueError):
    """Two containers that should have the same structure do not."""


class RuleError(WengertError, ValueError):
    """A custom rule that is inconsistent with itself or with its function."""


class GraphError(WengertError, ValueError):
    """A graph that is not well formed."""
