"""Run the tests: makes `.venv`, installs the package and the test tools, and calls pytest."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "tools"))

from environment import ROOT, run

if __name__ == "__main__":
    arguments = sys.argv[1:] or ["-q", "-n", "2"]
    sys.exit(run("test", "-m", "pytest", *arguments, cwd=ROOT))  # pytest reads `testpaths` in the root alone
