"""Build the documentation site: `python docs/build.py [folder]` writes build/site/index.html, and needs no network.

`--serve` shows it at http://127.0.0.1:8000 instead, and follows changes.  Every warning is an error.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> int:
    """Run MkDocs in the root of the repository."""
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}
    command = [sys.executable, "-m", "mkdocs"]
    if "--serve" in arguments:
        command += ["serve", "--strict"]
    else:
        command += ["build", "--strict", "--quiet", "--site-dir", str(Path(arguments[0] if arguments else ROOT / "build" / "site").resolve())]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if done.returncode == 0 and "--serve" not in arguments:
        print(f"written: {command[-1]}/index.html")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
