"""The functions that users call."""

from __future__ import annotations
