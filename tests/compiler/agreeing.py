"""When a compiled result is the eager one: same containers, types, dtypes and shapes, and the same numbers to rounding."""

import numpy as np

from wengert import trees


def agree(found, wanted, rtol=1e-12, atol=1e-12):
    """Assert that two results agree."""
    left, structure = trees.flatten(found)
    right, expected = trees.flatten(wanted)
    assert structure == expected
    for a, b in zip(left, right, strict=True):
        assert type(a) is type(b), (type(a), type(b))
        if not isinstance(b, np.ndarray | np.generic | float | complex):
            assert a == b
            continue
        a, b = np.asarray(a), np.asarray(b)
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        if b.dtype.kind in "fc":
            loose = {2: 1e-3, 4: 1e-6, 8: 1e-6}.get(b.dtype.itemsize if b.dtype.char in "efF" else 0, rtol)
            np.testing.assert_allclose(a, b, rtol=max(rtol, loose), atol=max(atol, loose))
        else:
            np.testing.assert_array_equal(a, b)
