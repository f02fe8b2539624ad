"""`--under-jit` runs the eager tests with every derivative compiled; see `under_jit.py`."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_addoption(parser):
    parser.addoption("--under-jit", action="store_true", help="compile every derivative that the tests take")


def pytest_configure(config):
    if config.getoption("--under-jit"):
        import under_jit

        under_jit.install()


def pytest_collection_modifyitems(config, items):
    if config.getoption("--under-jit"):
        import under_jit

        is_whole = not config.getoption("keyword") and not any("::" in argument for argument in config.args)
        stale = under_jit.stale(items) if is_whole else []
        if stale:
            raise pytest.UsageError(f"{under_jit.LIST.name}: no test is called {stale}")
        items[:], left = under_jit.keep(items)
        config.hook.pytest_deselected(items=left)
