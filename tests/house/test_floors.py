"""The house has floors: imports go strictly down or stay in their own room, and never run in a ring."""

import ast
import importlib.util
import sys
from pathlib import Path

PACKAGE = Path(importlib.util.find_spec("wengert").origin).parent

# room -> floor.  A module or package directly under `wengert` belongs to the room of its own name,
# apart from the ground and the command line, whose modules share one room each.
FLOORS = {
    "ground": 0,
    "core": 1,
    "primitives": 2,
    "transforms": 3, "compiler": 3,
    "api": 4,
    "numpy": 5, "scipy": 5, "viz": 5, "testing": 5, "tensor": 5,
    "front": 5.5,  # wengert/__init__.py: gathers the public names for users and for floor 6
    "nn": 6, "optim": 6, "learn": 6, "command": 6,
}  # fmt: skip
SHARED = {
    "errors": "ground", "_advice": "ground", "trees": "ground", "_optional": "ground", "_source": "ground", "version": "ground", "_version": "ground",
    "jitted": "api", "control": "api", "programs": "api", "stages": "api", "cli": "command", "demo": "command", "__main__": "command",
}  # fmt: skip


def module_files(package):
    """Every module of a package: its dotted name -> its file."""
    files = {}
    for path in sorted(package.rglob("*.py")):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


def room(module):
    _, _, rest = module.partition(".")
    top = rest.partition(".")[0]
    return SHARED.get(top, top) if top else "front"


def targets(node, module, path, known):
    """The modules that one import statement names; `from a import b` is `a.b` where that is a module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        parts = module.split(".")
        keep = len(parts) - node.level + (path.name == "__init__.py")
        base = ".".join([*parts[:keep], *([node.module] if node.module else [])])
    return [full if (full := f"{base}.{alias.name}") in known else base for alias in node.names]


def imports(package):
    """Every import: (module, line, target, is it inside a function)."""
    known = module_files(package)
    found = []

    def walk(node, module, path, inside):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.extend((module, node.lineno, target, inside) for target in targets(node, module, path, known))
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            walk(child, module, path, inside)

    for module, path in known.items():
        walk(ast.parse(path.read_text(encoding="utf-8")), module, path, inside=False)
    return found


def is_ours(target, package):
    return target == package.name or target.startswith(package.name + ".")


def climbing(package):
    """Imports that go up, or into another room of the same floor."""
    for module, line, target, _ in imports(package):
        here, there = room(module), room(target)
        if is_ours(target, package) and here != there and here in FLOORS and there in FLOORS:
            if FLOORS[there] >= FLOORS[here]:
                yield f"{module}:{line} (floor {FLOORS[here]}) imports {target} (floor {FLOORS[there]})"


def hidden(package):
    """Imports inside a function, of anything but the standard library."""
    for module, line, target, inside in imports(package):
        if inside and target.partition(".")[0] not in sys.stdlib_module_names:
            yield f"{module}:{line} imports {target} inside a function"


def rings(package):
    """Strongly connected sets of two or more modules, and modules that import themselves."""
    known = module_files(package)
    graph = {module: set() for module in known}
    for module, _, target, _ in imports(package):
        if target in known:
            graph[module].add(target)

    def reach(start):
        seen, todo = set(), [*graph[start]]
        while todo:
            module = todo.pop()
            if module not in seen:
                seen.add(module)
                todo.extend(graph[module])
        return seen

    reached = {module: reach(module) for module in graph}
    components = {
        tuple(sorted(other for other in reached[module] if module in reached[other]))
        for module in graph
        if module in reached[module]
    }
    return sorted(components)


def test_every_room_has_a_floor():
    homeless = sorted({module for module in module_files(PACKAGE) if room(module) not in FLOORS})
    assert not homeless, f"give these a floor in FLOORS: {homeless}"


def test_every_import_of_ours_exists():
    known = module_files(PACKAGE)
    missing = [f"{m}:{line} {t}" for m, line, t, _ in imports(PACKAGE) if is_ours(t, PACKAGE) and t not in known]
    assert not missing, "\n".join(missing)


def test_imports_go_down_or_stay_in_their_room():
    found = list(climbing(PACKAGE))
    assert not found, "\n".join(found)


def test_no_import_inside_a_function():
    found = list(hidden(PACKAGE))
    assert not found, "optional packages go through wengert._optional:\n" + "\n".join(found)


def test_no_ring_among_modules():
    found = rings(PACKAGE)
    assert not found, "\n".join(" <-> ".join(ring) for ring in found)


def test_the_instruments_see_faults(tmp_path):
    """A small house with one fault of each kind, each of which must be found."""
    sources = {
        "__init__.py": "from wengert import api\n",
        "api.py": "from . import transforms\n",
        "core/__init__.py": "",
        "core/a.py": "from wengert.core import b\nfrom ..api import grad\n",
        "core/b.py": "import wengert.core.c\n",
        "core/c.py": "from . import a\n",
        "transforms/__init__.py": "from wengert import compiler, trees\n",
        "compiler/__init__.py": "def f():\n    import os\n    import numpy\n    from wengert import trees\n",
        "trees.py": "",
    }
    package = tmp_path / "wengert"
    for name, text in sources.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text, encoding="utf-8")
    assert list(climbing(package)) == [
        "wengert.core.a:2 (floor 1) imports wengert.api (floor 4)",
        "wengert.transforms:1 (floor 3) imports wengert.compiler (floor 3)",
    ]
    assert list(hidden(package)) == [
        "wengert.compiler:3 imports numpy inside a function",
        "wengert.compiler:4 imports wengert.trees inside a function",
    ]
    assert rings(package) == [("wengert.core.a", "wengert.core.b", "wengert.core.c")]
