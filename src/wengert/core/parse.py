"""Reading the text form of a graph back; the grammar stands in `wengert.core.graph`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

from wengert.core.graph import Atom, Const, Graph, Node, Var
from wengert.core.primitive import REGISTRY, Primitive
from wengert.core.text import NAME
from wengert.core.types import ArrayType
from wengert.errors import GraphError

_HEAD = re.compile(r"graph\((?P<inputs>.*)\)\s*\{")
_CONST = re.compile(r"const\s+(?P<var>\S+)\s*=\s*(?P<literal>.*)")
_NODE = re.compile(r"(?P<left>[^=]*?)\s*=\s*(?P<words>[^{#]*)(?P<rest>.*)")
_VAR = re.compile(rf"\s*(?P<name>{NAME}):(?P<type>[^\s\[]+\[[\d,\s]*\])\s*")
_WORD = re.compile(rf"\s*(?P<name>{NAME})\s*")
_PIECE = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[{}]|[^'\"{}]+")
_INNER = re.compile(r"=(graph\((?:[^{}'\"]|'[^']*'|\"[^\"]*\")*\)\s*\{)")
_NUMBERS = {"nan": float("nan"), "inf": float("inf")}


def parse(text: str, primitives: Mapping[str, Primitive] = REGISTRY) -> Graph:
    """The graph that `text` describes; raises `GraphError` naming the line that is not well formed.

    >>> graph = parse('''graph(x:float64[]) {
    ...   y:float64[] = sin x
    ...   return y
    ... }''')
    >>> graph(0.0)
    (np.float64(0.0),)
    """
    return _Parser(text, primitives).graph()


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines; those of an inner program go with the node that owns it."""
    first, parts, depth = 0, "", 0
    for n, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        first, parts = (n, line.strip()) if not parts else (first, f"{parts}\n{line.strip()}")
        depth += _depth(line) if depth or _INNER.search(line) else 0
        if depth <= 0:
            yield first, parts
            parts, depth = "", 0
    if parts:
        yield first, parts


def _depth(line: str) -> int:
    """How many more braces a line opens than it closes, outside of texts and comments."""
    pieces = [piece[0] for piece in _PIECE.finditer(line.partition("  # ")[0])]
    return pieces.count("{") - pieces.count("}")


class _Parser:
    def __init__(self, text: str, primitives: Mapping[str, Primitive]) -> None:
        self.lines = list(_statements(text))
        self.primitives = primitives
        self.graphs: dict[str, Graph] = {}  # inner programs, by the names that stand for them in a node
        self.atoms: dict[str, Atom] = {}
        self.line: tuple[int, str] = (0, "")

    def graph(self) -> Graph:
        lines = iter(self.lines)
        self.line = next(lines, (0, ""))
        head = _HEAD.fullmatch(self.line[1])
        if head is None:
            self.fail("a graph begins with `graph(x:float64[3], ...) {`")
        inputs = self.variables(head["inputs"])
        nodes: list[Node] = []
        for self.line in lines:
            text = self.line[1]
            constant = _CONST.fullmatch(text)
            if constant is not None:
                self.constant(constant["var"], constant["literal"])
            elif text == "return" or text.startswith("return "):
                outputs = tuple(self.atom(name) for name in self.words(text.removeprefix("return")))
                self.line = next(lines, (0, ""))
                if self.line[1] != "}" or next(lines, None) is not None:
                    self.fail("a graph ends with `}` after its `return`")
                return Graph(inputs, tuple(nodes), outputs)
            else:
                nodes.append(self.node(text))
        self.fail("a graph ends with `return y` and `}`")

    def node(self, text: str) -> Node:
        match = _NODE.fullmatch(self.without_graphs(text))
        if match is None:
            self.fail("a node is written `y:float64[3] = primitive x {param=literal}`")
        name, *operands = self.words(match["words"]) or [""]
        if name not in self.primitives:
            self.fail(f"no primitive is named {name!r}")
        atoms = tuple(map(self.atom, operands))
        params, location = self.params(match["rest"])
        return Node(self.primitives[name], atoms, params, self.variables(match["left"]), location)

    def without_graphs(self, text: str) -> str:
        """A node with a name in the place of each inner program, which is read on its own."""
        while (head := _INNER.search(text)) is not None:
            depth = 0
            for piece in _PIECE.finditer(text, head.start(1)):
                depth += {"{": 1, "}": -1}.get(piece[0], 0)
                if piece[0] == "}" and depth == 0:
                    break
            else:
                self.fail("`graph(...) {` without its `}`")
            name = f"graph_{len(self.graphs)}"
            self.graphs[name] = parse(text[head.start(1) : piece.end()], self.primitives)
            text = text[: head.start(1)] + name + text[piece.end() :]
        return text

    def params(self, rest: str) -> tuple[dict[str, Any], str]:
        """`{axis=(-1,)}  # model.py:3` as the params and the location."""
        inside, depth, end = "", 0, 0
        while rest.startswith("{"):
            piece = _PIECE.match(rest, end)
            if piece is None:
                self.fail("`{` without its `}`")
            depth += {"{": 1, "}": -1}.get(piece[0], 0)
            end = piece.end()
            if depth == 0:
                inside, rest = rest[1 : end - 1], rest[end:]
        rest = rest.strip()
        if rest and not rest.startswith("#"):
            self.fail(f"what is {rest!r}?  After the params may stand `# location`")
        call = self.expression(f"params({inside})")
        if not isinstance(call, ast.Call) or call.args:
            self.fail("params are written `{name=literal, ...}`")
        return {str(word.arg): self.literal(word.value) for word in call.keywords}, rest[1:].strip()

    def constant(self, variable: str, literal: str) -> None:
        match = _VAR.fullmatch(variable)
        if match is None:
            self.fail("a constant is written `const _0:float64[] = 2.0`")
        self.define(match["name"], Const(self.literal(self.expression(literal)), self.type(match["type"])))

    def variables(self, text: str) -> tuple[Var, ...]:
        found: list[Var] = []
        end = 0
        while end < len(text):
            match = _VAR.match(text, end)
            if match is None or match.end() < len(text) and text[match.end()] != ",":
                self.fail("variables are written `x:float64[3,4], y:float32[]`")
            var = Var(self.type(match["type"]), match["name"])
            self.define(match["name"], var)
            found.append(var)
            end = match.end() + 1
        return tuple(found)

    def words(self, text: str) -> list[str]:
        found, end = [], 0
        while end < len(text):
            match = _WORD.match(text, end)
            if match is None:
                self.fail(f"{text[end:].strip()!r} is not a name")
            found.append(match["name"])
            end = match.end()
        return found

    def define(self, name: str, atom: Atom) -> None:
        if name in self.atoms:
            self.fail(f"`{name}` is assigned twice")
        self.atoms[name] = atom

    def atom(self, name: str) -> Atom:
        if name not in self.atoms:
            self.fail(f"`{name}` is used before it is defined")
        return self.atoms[name]

    def type(self, text: str) -> ArrayType:
        try:
            return ArrayType.parse(text)
        except (ValueError, TypeError) as error:
            self.fail(str(error))

    def expression(self, text: str) -> ast.expr:
        try:
            return ast.parse(text, mode="eval").body
        except SyntaxError:
            self.fail(f"{text!r} is not a literal")

    def literal(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name) if name in _NUMBERS:
                return _NUMBERS[name]
            case ast.Name(id=name) if name in self.graphs:
                return self.graphs[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.literal(operand)
            case ast.Tuple(elts=parts):
                return tuple(map(self.literal, parts))
            case ast.List(elts=parts):
                return list(map(self.literal, parts))
            case ast.Dict(keys=keys, values=values):
                return {self.literal(k): self.literal(v) for k, v in zip(keys, values, strict=True) if k is not None}
            case ast.Call(func=ast.Name(id=name), args=parts):
                return self.call(name, parts)
        self.fail(f"{ast.unparse(node)!r} is not a literal")

    def call(self, name: str, parts: list[ast.expr]) -> Any:
        if name == "array" and [ast.unparse(part) for part in parts] == ["..."]:
            self.fail("the values of a large array are left out here; `graph.text()` writes them in full")
        if name == "array" and len(parts) in {2, 3}:
            array = np.array(self.literal(parts[0]), self.dtype(parts[1]))
            return array.reshape(self.literal(parts[2])) if len(parts) == 3 else array
        if name == "slice":
            return slice(*map(self.literal, parts))
        if name == "complex":
            return complex(*map(self.literal, parts))
        if name in {"dtype", "type"} and len(parts) == 1:
            dtype = self.dtype(parts[0])
            return dtype if name == "dtype" else dtype.type
        if len(parts) == 1:
            return np.array(self.literal(parts[0]), self.dtype(ast.Name(name)))[()]
        self.fail(f"`{name}` makes no literal")

    def dtype(self, node: ast.expr) -> np.dtype[Any]:
        try:
            return np.dtype(str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node))
        except TypeError:
            self.fail(f"`{ast.unparse(node)}` is no dtype")

    def fail(self, why: str) -> NoReturn:
        number, text = self.line
        raise GraphError.of_line(number, text, why)
