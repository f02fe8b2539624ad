"""Run the main job: makes `.venv`, installs the package, and calls `python -m wengert demo`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "tools"))

from environment import run

if __name__ == "__main__":
    sys.exit(run("demo", "-m", "wengert", "demo", *sys.argv[1:]))
