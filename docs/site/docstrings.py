"""Docstrings of this project as Griffe reads them: `Example:` is its section `Examples:`, and one source is one paragraph."""

from __future__ import annotations

import re
from typing import Any

import griffe


class Sections(griffe.Extension):
    """Rename the headings of sections while docstrings are collected."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Once for every module, class, function and attribute."""
        if obj.docstring is not None:
            text = re.sub(r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"^Source: ", "*Source:* ", text, flags=re.MULTILINE)
