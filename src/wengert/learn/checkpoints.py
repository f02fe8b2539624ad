"""Checkpoints that survive anything: written aside, forced to the disk, then renamed.

A checkpoint is a folder with `arrays.safetensors` (numbers under readable names, which other programs can load) and `run.json`
(where the run is, and a digest of the arrays).  It gets its name in one step, when both files are whole on the disk, and
old ones are renamed away before they are deleted.  So at every moment what has a checkpoint's name is one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from typing import Any

import numpy as np

from wengert import _optional
from wengert.learn import mistakes

_ARRAYS, _RUN = "arrays.safetensors", "run.json"
_ASIDE = ".aside-"  # a name that no checkpoint has
Arrays = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """What was saved: arrays by name, and where the run was."""

    path: str
    arrays: Arrays
    run: dict[str, Any]


def name_of(step: int, epoch: int) -> str:
    """The name of the checkpoint after so many steps and whole epochs; names sort as the run went."""
    return f"step-{step:09d}-epoch-{epoch:06d}"


def save(folder: str, step: int, epoch: int, arrays: Arrays, run: dict[str, Any], keep: int) -> str:
    """Write a checkpoint, then delete all but the latest `keep`; its path."""
    final = os.path.join(folder, name_of(step, epoch))
    if not os.path.isdir(final):
        os.makedirs(folder, exist_ok=True)
        aside = os.path.join(folder, f"{_ASIDE}{os.getpid()}-{step}-{epoch}")
        shutil.rmtree(aside, ignore_errors=True)
        os.mkdir(aside)
        _write(aside, arrays, run)
        os.rename(aside, final)
        _force(folder)
    for name in names(folder)[:-keep]:
        _remove(folder, name)
    return final


def _write(folder: str, arrays: Arrays, run: dict[str, Any]) -> None:
    """Both files, on the disk when this returns."""
    library = _optional.load("safetensors.numpy", "checkpoints", "learn")
    complex_kinds = {name: x.dtype.str for name, x in arrays.items() if x.dtype.kind == "c"}
    plain = {name: _as_real(x) if name in complex_kinds else np.asarray(x, order="C") for name, x in arrays.items()}
    path = os.path.join(folder, _ARRAYS)
    library.save_file(plain, path)
    _force(path)
    text = json.dumps({**run, "complex": complex_kinds, "sha256": _digest(path)}, indent=1)
    with open(os.path.join(folder, _RUN), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    _force(folder)


def _as_real(x: Any) -> Any:
    """Complex numbers as pairs: a last axis of two."""
    x = np.asarray(x, order="C")
    return x.view(x.real.dtype).reshape(*x.shape, 2) if x.ndim else np.stack([x.real, x.imag])


def _force(path: str) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(folder: str, name: str) -> None:
    """Take the name away first: what is half deleted must not look like a checkpoint."""
    gone = os.path.join(folder, f"{_ASIDE}old-{name}")
    with contextlib.suppress(FileNotFoundError):
        os.rename(os.path.join(folder, name), gone)
    shutil.rmtree(gone, ignore_errors=True)


def names(folder: str) -> list[str]:
    """The checkpoints in a folder, oldest first."""
    if not os.path.isdir(folder):
        return []
    return sorted(name for name in os.listdir(folder) if name.startswith("step-"))


def sweep(folder: str) -> None:
    """Delete what an interrupted save or deletion has left aside."""
    if os.path.isdir(folder):
        for name in os.listdir(folder):
            if name.startswith(_ASIDE):
                shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def read(path: str) -> Checkpoint:
    """A checkpoint, or the latest whole one in a folder of them.

    Its `arrays` are a dict of arrays: `model.layers[0].weight` for the model, `state...` for the optimiser.

    Raises:
        TrainingError: there is none, or none is whole.

    Example:
        >>> import numpy as np, tempfile, wengert as wg
        >>> model, data = {"w": np.ones(2)}, np.ones((4, 2))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = wg.fit(model, lambda m, x: np.mean((x @ m["w"]) ** 2), data, batch_size=2, epochs=1, checkpoint=folder)
        ...     saved = wg.learn.read(folder)
        >>> saved.run["step"], saved.arrays["model['w']"].shape
        (2, (2,))
    """
    if os.path.isfile(os.path.join(path, _RUN)):
        found = [path]
    else:
        found = [os.path.join(path, name) for name in reversed(names(path))]
    for each in found:
        checkpoint = _read_whole(each)
        if checkpoint is not None:
            return checkpoint
    raise mistakes.no_checkpoint(path, len(found))


def _read_whole(path: str) -> Checkpoint | None:
    """The checkpoint, if it is what was written: disks fail, and people edit."""
    try:
        with open(os.path.join(path, _RUN), encoding="utf-8") as file:
            run = json.load(file)
        arrays_path = os.path.join(path, _ARRAYS)
        if _digest(arrays_path) != run["sha256"]:
            return None
    except (OSError, ValueError, KeyError):
        return None
    arrays = dict(_optional.load("safetensors.numpy", "checkpoints", "learn").load_file(arrays_path))
    for name, kind in run["complex"].items():
        arrays[name] = arrays[name].view(kind)[..., 0]
    return Checkpoint(path, arrays, run)
