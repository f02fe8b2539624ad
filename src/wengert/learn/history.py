"""What happened during training: the loss of each step, and a row of figures for each epoch."""

from __future__ import annotations

import html
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert import _optional

Row = dict[str, float]


class History:
    """Losses and figures; `history["val_loss"]` is a column, `history.rows` are the epochs, `history.losses` the steps."""

    def __init__(self, losses: Sequence[float] = (), rows: Sequence[Row] = ()) -> None:
        self._losses = array("d", losses)
        self.rows = [dict(row) for row in rows]

    @property
    def losses(self) -> np.ndarray[Any, Any]:
        """The loss of every step, as it was before the step: float64 of shape `(steps,)`."""
        return np.array(self._losses)

    @property
    def columns(self) -> list[str]:
        """The names of the figures, in order."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def __getitem__(self, name: str) -> list[float]:
        """One figure for each epoch; NaN where it was not measured."""
        if name not in self.columns:
            raise KeyError(name)
        return [row.get(name, float("nan")) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"History of {len(self.rows)} epochs, {len(self._losses)} steps:\n{self.table(last=10)}"

    def table(self, last: int | None = None) -> str:
        """The rows as text; the latest ones, if so many are wanted."""
        rows = self.rows if last is None else self.rows[-last:]
        cells = [self.columns, *[[_shown(row.get(name)) for name in self.columns] for row in rows]]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(f"{cell:>{n}}" for cell, n in zip(line, widths, strict=True)) for line in cells]
        return "\n".join(lines)

    def plot(self, path: str | None = None) -> Any:
        """Loss curves as a figure of Matplotlib, written to `path` if one is given."""
        figure = _optional.load("matplotlib.figure", "loss curves", "viz").Figure(
            figsize=(6.4, 3.8), layout="constrained"
        )
        others = [name for name in self.columns if _is_measure(name)]
        axes, *more = np.atleast_1d(figure.subplots(1 + bool(others), 1, sharex=True))
        axes.plot(
            np.arange(1, len(self._losses) + 1), self._losses, linewidth=0.5, alpha=0.4, color="#0072b2", label="step"
        )
        for name, colour in (("loss", "#0072b2"), ("val_loss", "#d55e00")):
            if name in self.columns:
                axes.plot(self["step"], self[name], color=colour, marker=".", label=name)
        if np.all(self.losses > 0):
            axes.set_yscale("log")
        axes.set(ylabel="loss")
        for panel in more:
            for name in others:
                panel.plot(self["step"], self[name], marker=".", label=name)
        for panel in (axes, *more):
            panel.legend(frameon=False)
            panel.spines[["top", "right"]].set_visible(False)
        figure.axes[-1].set(xlabel="step")
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{_shown(row.get(name))}</td>" for name in self.columns) + "</tr>"
            for row in self.rows[-20:]
        )
        return f"{self._curve()}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _curve(self, width: int = 480, height: int = 120) -> str:
        """The losses of the epochs as a small picture that needs no library."""
        lines = []
        names = [name for name in ("loss", "val_loss") if name in self.columns]
        values = np.array([self[name] for name in names]).reshape(len(names), -1)
        finite = values[np.isfinite(values)]
        if values.shape[-1] < 2 or not finite.size or np.ptp(finite) == 0:
            return ""
        x = np.linspace(2, width - 2, values.shape[1])
        for name, row, colour in zip(names, values, ("#0072b2", "#d55e00"), strict=False):
            y = height - 4 - (row - finite.min()) / np.ptp(finite) * (height - 8)
            points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True) if np.isfinite(b))
            lines.append(
                f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{points}"><title>{name}</title></polyline>'
            )
        return (
            f'<svg width="{width}" height="{height}" role="img" aria-label="loss of each epoch">{"".join(lines)}</svg>'
        )


def _is_measure(name: str) -> bool:
    return name not in ("epoch", "step", "loss", "val_loss", "rate", "seconds")


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.4g}"
