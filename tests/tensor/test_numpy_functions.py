"""NumPy's functions take tensors: each sample of the coverage table that calls them has the gradient that `wg.grad` finds."""

import ast
import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest

import wengert as wg
import wengert.tensor as torch

SPEC = importlib.util.spec_from_file_location("coverage_table", Path(__file__).resolve().parents[1] / "coverage" / "test_coverage.py")
table = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(table)


def calls_numpy_alone(text):
    """Whether nothing but functions and attributes of `np` is looked up; methods of tensors are PyTorch's."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            while isinstance(node, ast.Attribute):
                node = node.value
            if not (isinstance(node, ast.Name) and node.id == "np"):
                return False
    return "np." in text


ROWS = [
    row for row in table.ROWS
    if row["status"] == "derivative" and "reverse" in row["modes"] and calls_numpy_alone(row["sample"]) and "random" not in row["sample"]
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['group']}.{row['name']}")
def test_function(row):
    sample = table.Sample(row["sample"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        leaves = [torch.tensor(v, requires_grad=True) for v in sample.values]
        loss = sample.number(*leaves)
        found = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        expected = wg.grad(sample.number, argnums=tuple(range(len(leaves))))(*[np.asarray(v) for v in sample.values])
    for g, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(g.numpy(), e, rtol=1e-10, atol=1e-12)


def test_most_of_the_table_is_here():
    assert len(ROWS) > 300
