"""The card of the identity through which no derivative flows."""

from __future__ import annotations

from wengert.primitives.families import discrete

stop = discrete("stop_gradient", lambda x: x, formula="a", code="a", laws=lambda make: [((make(3),), {})], is_held=True)
