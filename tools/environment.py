"""Make the project's own virtual environment, with Python's standard library alone, and run a command in it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def clean_environment() -> dict[str, str]:
    """The environment without traces of another virtual environment."""
    dropped = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}
    return {key: value for key, value in os.environ.items() if key not in dropped}


def ensure(extra: str) -> Path:
    """The environment's Python, made and filled with the package and one extra where that is not done yet."""
    if sys.version_info < (3, 11):
        sys.exit(f"wengert needs Python 3.11 or later, and this is {sys.version.split()[0]}")
    stamp = VENV / f"installed-{extra}"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return PYTHON
    if not PYTHON.exists() or not any(VENV.glob("installed-*")):  # absent, or left half made: this repairs it in place
        print(f"making {VENV}", flush=True)
        venv.create(VENV, with_pip=True, symlinks=os.name != "nt")
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", f"{ROOT}[{extra}]"]
    if subprocess.run(command, env=clean_environment(), check=False).returncode != 0:
        sys.exit("installing failed: the first run needs the network, to fetch NumPy and the other packages")
    stamp.write_text(wanted)
    return PYTHON


def run(extra: str, *command: str, cwd: Path | None = None) -> int:
    """Run `python *command` in the environment, in the folder `cwd` or the caller's; returns its exit status."""
    python = ensure(extra)
    return subprocess.run([str(python), *command], env=clean_environment(), cwd=cwd, check=False).returncode
