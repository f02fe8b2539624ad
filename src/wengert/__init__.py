"""wengert: exact derivatives of the NumPy program you already have."""

from wengert import primitives as _primitives

__all__: list[str] = []
__version__ = "0.1.0"
del _primitives
