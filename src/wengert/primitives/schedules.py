"""Which states of a loop are kept for the way back: every one, every k-th, or those of a tree.

| schedule      | keeps                                          | runs the body                            |
|---------------|------------------------------------------------|------------------------------------------|
| every step    | the state before every step                    | once more                                |
| every k steps | every k-th state, and k states of one stretch  | twice more                               |
| recursive     | `BRANCHES` states on each level of a tree       | once more for each level, and once more  |

On the last, memory grows with the logarithm of the number of steps.

Source: A. Griewank, Achieving logarithmic growth of temporal and spatial complexity in reverse automatic differentiation (1992).
"""

from __future__ import annotations

BRANCHES = 64  # states on each level of the tree
Schedule = int | str | None  # every so many steps, "recursive", or every step


def stride_of(schedule: Schedule, n: int) -> int:
    """How many of `n` steps lie between two states that are kept."""
    if schedule != "recursive":
        return schedule if isinstance(schedule, int) else 1
    stride = 1
    while stride * BRANCHES < n:
        stride *= BRANCHES
    return stride


def within(schedule: Schedule) -> Schedule:
    """The schedule of the steps between two states that are kept."""
    return schedule if schedule == "recursive" else 1


def account(n: int, schedule: Schedule) -> tuple[int, int]:
    """How many states are held at one time on the way back through `n` steps, and how many steps are taken ahead."""
    stride = stride_of(schedule, n)
    final = (n - 1) // stride
    if stride == 1:
        return final + 3, final
    inner = within(schedule)
    (held, whole), (_, rest) = account(stride, inner), account(n - final * stride, inner)
    return final + 3 + held, final * (stride + whole) + rest
