"""The smallest unit of a program.  A primitive states one derivative fact; its family derives every reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wengert.core.array import FRONT
from wengert.core.pattern import Pattern
from wengert.core.trace import bind

Params = Mapping[str, Any]
REGISTRY: dict[str, Primitive] = {}
VARIOUS = -1  # `n_outputs` of a primitive whose params say how many results it has


class Primitive:
    """A named operation with the readings of its derivative fact.

    The local derivative of `y = eval(*xs)` is a linear map.  The readings of that map are

    * `push(dxs, y, xs, params) -> dy`          forward; an inactive tangent is `None`
    * `pull(ct, slots, y, xs, params) -> cts`   reverse: the adjoint, one cotangent for each slot asked for
    * `batch(xs, is_batched, params) -> y`      one more leading axis on the operands that have it
    * `pattern(slot, y, xs, params) -> Pattern`      which of the outputs may depend on which of the inputs

    Families build these (see `wengert.primitives.families`); a card never writes them itself.
    """

    __slots__ = (
        "accumulate",
        "align",
        "augment",
        "batch",
        "blank",
        "code",
        "domain",
        "eval",
        "family",
        "formula",
        "is_discrete",
        "is_held",
        "is_shaped",
        "kept",
        "laws",
        "n_outputs",
        "name",
        "numpy",
        "pattern",
        "pull",
        "push",
        "slopes",
        "sources",
        "spelled",
        "step",
        "types",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        evaluate: Callable[..., Any],
        *,
        family: str,
        push: Callable[[Sequence[Any], Any, Sequence[Any], Params], Any] | None,
        pull: Callable[[Any, Sequence[int], Any, Sequence[Any], Params], Any] | None,
        batch: Callable[[Sequence[Any], Sequence[bool], Params], Any],
        pattern: Callable[[int, Any, Sequence[Any], Params], Pattern],
        align: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None = None,
        n_outputs: int | None = None,
        formula: str = "",
        code: str = "",
        domain: Any = None,
        laws: Any = None,
        numpy: tuple[Any, ...] = (),
        slopes: tuple[Any, ...] = (),
        is_held: bool = False,
        register: bool = True,
    ) -> None:
        if register and name in REGISTRY:
            msg = f"there are two cards named {name!r}"
            raise ValueError(msg)
        self.name = name
        self.eval = evaluate
        self.family = family
        self.push = push
        self.pull = pull
        self.batch = batch
        self.pattern = pattern
        self.align = align
        self.n_outputs = n_outputs  # None: one array; a number: a tuple of so many; `VARIOUS`: the params say how many
        self.formula = formula  # the operands are a, b, c, d in order, and {name} stands for a param
        self.code = code  # the value for single numbers, as the compiler reads it; empty: it is left to `eval`
        self.domain = domain
        self.laws = laws
        self.numpy = numpy
        self.slopes = slopes
        self.is_discrete = push is None
        self.is_shaped = False  # whether it takes any values: the types of its results follow from those of its operands
        self.is_held = is_held  # discrete by decree: its value moves, and is treated as a constant
        # `(xs, params, y) -> (xs, params, y)`, with less in it: what the walk back needs of an operation
        self.kept: Callable[[Sequence[Any], Params, Any], tuple[Any, Params, Any]] | None = None
        # `(slots, xs, params) -> (params to run with, params to keep, number of results)`: run so as to give, behind the
        # results proper, what the walk back needs
        self.augment: Callable[[Sequence[int], Sequence[Any], Params], tuple[Params, Params, int | None]] | None = None
        # `(types of the operands, params) -> types of the results`, where running on examples is no way to find them
        self.types: Callable[[Sequence[Any], Params], tuple[Any, ...]] | None = None
        # `(operands, params) -> an array as `eval` would make it, its content undefined`, or `None` where only `eval` can tell: what a
        # large result looks like is known without computing it
        self.blank: Callable[[Sequence[Any], Params], Any] | None = None
        # add the adjoint of `ct` into an array in place, where the adjoint touches few of its entries
        self.accumulate: Callable[[Any, Any, Sequence[Any], Params], None] | None = None
        # `(shape, params) -> places`: for each entry of the result the place of the one that it copies, counted from 1; 0 for a zero
        self.sources: Callable[[tuple[int, ...], Params], Any] | None = None
        # the same value in terms of other primitives, for the compiler where there is no code; `NotImplemented` where it is left to `eval`
        self.spelled: Callable[..., Any] | None = None
        # of what goes along an axis in order, `params -> (code, code, axis)`: of the first entry by the operands `b`, `c`, and of
        # every other one by the entry `a` before it, too; `None` where there is no code
        self.step: Callable[[Params], tuple[str, str, int] | None] | None = None
        if register:
            REGISTRY[name] = self
        FRONT.update(dict.fromkeys(numpy, self))

    def __call__(self, *operands: Any, **params: Any) -> Any:
        """Apply to arrays or traced arrays, after the family has made shapes and dtypes agree."""
        if self.align is not None:
            operands = self.align(operands)
        return bind(self, operands, params)

    def spell(self, in_others: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate what this primitive is in terms of others: `in_others(*operands, **params)`, whatever the values."""
        self.spelled = in_others
        return in_others

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> tuple[Callable[[str], Primitive], tuple[str]]:
        return primitive_named, (self.name,)


def primitive_named(name: str) -> Primitive:
    """The registered primitive of that name; raises `KeyError` for a name that no card has."""
    return REGISTRY[name]
