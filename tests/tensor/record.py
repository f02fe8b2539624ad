"""Record what PyTorch gives for every program: `python tests/tensor/record.py`, by a Python that has torch 2.13."""

import json
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


def main():
    """Run all programs on PyTorch, and write their results down."""
    import tensor_programs as programs
    import tensor_stories as stories  # noqa: F401  (enters its programs into the table)
    import torch

    warnings.simplefilter("ignore")
    found = {}
    for name, source in programs.PROGRAMS.items():
        try:
            found[name] = programs.run(source, torch)
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {error}")
    lines = [f"{json.dumps(name)}: {json.dumps(values)}" for name, values in found.items()]
    text = "{\n" + ",\n".join([f'"torch": {json.dumps(torch.__version__)}', *lines]) + "\n}\n"
    (HERE / "recorded" / "torch.json").write_text(text, encoding="utf-8")
    print(len(found), "programs")


if __name__ == "__main__":
    main()
