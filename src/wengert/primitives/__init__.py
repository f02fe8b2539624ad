"""What a program is made of: five families, and one file of cards per topic.

Importing this room registers every card and every NumPy function that a traced array answers to.
"""

from wengert.primitives import (
    arithmetic,
    contraction,
    creation,
    exponential,
    index,
    joining,
    padding,
    placing,
    products,
    rearranging,
    shaping,
    solving,
    spectral,
    structure,
    trigonometric,
)

__all__ = [
    "arithmetic",
    "contraction",
    "creation",
    "exponential",
    "index",
    "joining",
    "padding",
    "placing",
    "products",
    "rearranging",
    "shaping",
    "solving",
    "spectral",
    "structure",
    "trigonometric",
]
