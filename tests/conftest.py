"""`--under-jit` runs the eager tests with every derivative compiled; see `under_jit.py`."""

import sys
from pathlib import Path

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

        items[:], left = under_jit.keep(items)
        config.hook.pytest_deselected(items=left)
