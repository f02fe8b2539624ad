"""SciPy for traced values: `from wengert.scipy import special`.

A function of SciPy that passes traced arrays on is SciPy's own object here.
"""

from wengert.scipy import special

__all__ = ["special"]
