"""What a program is made of: five families, and one file of cards per topic.

Importing this room registers every card and every NumPy function that a traced array answers to.
"""

from wengert.primitives import (
    arithmetic,
    calculus,
    contraction,
    creation,
    exponential,
    factorizations,
    fourier,
    index,
    joining,
    norms,
    padding,
    placing,
    polynomials,
    products,
    rearranging,
    scimath,
    shaping,
    singular,
    solving,
    spectral,
    structure,
    trigonometric,
)

__all__ = [
    "arithmetic",
    "calculus",
    "contraction",
    "creation",
    "exponential",
    "factorizations",
    "fourier",
    "index",
    "joining",
    "norms",
    "padding",
    "placing",
    "polynomials",
    "products",
    "rearranging",
    "scimath",
    "shaping",
    "singular",
    "solving",
    "spectral",
    "structure",
    "trigonometric",
]
