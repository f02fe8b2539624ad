"""Derivatives written by hand in C++ (`native/`), compiled here with g++: what a careful programmer gets on one core.

-O3 for this processor, fused multiply-adds and vector calls of glibc's libm; no -ffast-math.  Results are made anew in each call, as
everybody's are.
"""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from timing import Step

NATIVE = Path(__file__).with_name("native")
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC", "-std=c++17")
FOLDER = tempfile.TemporaryDirectory(prefix="by-hand-")


def has_compiler() -> bool:
    """Whether there is a g++."""
    return shutil.which("g++") is not None


@functools.cache
def library(name: str) -> Any:
    """The compiled file of a name."""
    path = Path(FOLDER.name) / f"{name}.so"
    subprocess.run(["g++", *FLAGS, str(NATIVE / f"{name}.cpp"), "-o", str(path)], check=True)
    return ctypes.CDLL(str(path))


def pointers(*arrays: np.ndarray) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(array.ctypes.data) for array in arrays]


def chain(x: np.ndarray) -> Step:
    """Value and gradient of the elementwise chain."""
    function = getattr(library("chain"), f"chain_{x.dtype.name}")

    def step() -> Any:
        value, gradient = np.empty((), x.dtype), np.empty_like(x)
        function(*pointers(x, value, gradient), ctypes.c_long(x.size))
        return value, gradient

    return step


def bundle(cameras: Any, points: Any, weights: Any, features: Any, c: Any, p: Any) -> Step:
    """The blocks of all observations."""
    function, n = library("bundle").bundle, weights.size

    def step() -> Any:
        blocks = np.empty((n, 2, 11)), np.empty((n, 2, 3)), np.empty((n, 2))
        function(*pointers(cameras, points, weights, features, c, p, *blocks), ctypes.c_long(n))
        return blocks

    return step


def gmm(alphas: Any, means: Any, icf: Any, x: Any, gamma: float, m: float) -> Step:
    """The gradient with respect to weights, means and factors."""
    function, (n, d), k = library("gmm").gmm, x.shape, alphas.size

    def step() -> Any:
        gradients = np.empty_like(alphas), np.empty_like(means), np.empty_like(icf)
        sizes = ctypes.c_long(n), ctypes.c_long(d), ctypes.c_long(k)
        function(*pointers(alphas, means, icf, x, *gradients), *sizes, ctypes.c_double(gamma), ctypes.c_double(m))
        return gradients

    return step
