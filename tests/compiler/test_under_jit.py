"""A part of the eager suite with every derivative compiled; `tests/under_jit.py` says how to run all of it."""

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
PART = ("transforms/test_vectorize.py", "transforms/test_custom.py", "transforms/test_checkpoint.py")
WHOLE = ("laws", "core", "primitives", "transforms", "numpy", "scipy", "pains", "examples")


def run(*arguments):
    command = [sys.executable, "-m", "pytest", "--under-jit", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False, timeout=600)


def test_a_part_of_the_suite():
    done = run(*[f"tests/{name}" for name in PART])
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


def test_the_list_names_tests_that_exist():
    done = run("--collect-only", *[f"tests/{name}" for name in WHOLE])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
