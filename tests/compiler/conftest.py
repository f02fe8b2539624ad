"""Helpers of these tests are modules beside them."""

import sys
from pathlib import Path

import pytest

from wengert.compiler.runtime.library import library

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def runtime():
    """The runtime is there before the first call, so that tests see what every call sees but the first ones of a process."""
    return library()
