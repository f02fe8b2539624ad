"""A quiet surface: one sorted `__all__`, and an import that loads nothing it does not need."""

import subprocess
import sys
from types import ModuleType

import wengert

LOADED_WHEN_FIRST_USED = ("llvmlite", "scipy", "matplotlib", "rich", "sklearn", "wengert.compiler", "wengert.jitted")


def test_all_is_sorted_and_without_repeats():
    assert list(wengert.__all__) == sorted(set(wengert.__all__))


def test_all_is_the_public_names():
    public = {name for name, value in vars(wengert).items() if name[0] != "_" and not isinstance(value, ModuleType)}
    public |= set(wengert._LATE)
    assert public == set(wengert.__all__)


def test_import_is_light():
    program = f"import sys, wengert; print(*[name for name in {LOADED_WHEN_FIRST_USED!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
