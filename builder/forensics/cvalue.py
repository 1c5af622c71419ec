"""Values of C's integer constant expressions (C11, 6.6), as far as headers need them."""

from __future__ import annotations

import operator
from collections.abc import Callable

from pycparser import c_ast, c_parser

SizeOf = Callable[[c_ast.Node], int]
_BINARY: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "<<": operator.lshift,
    ">>": operator.rshift,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "/": lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),
    "%": lambda a, b: a - b * (abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)),
    "&&": lambda a, b: bool(a) and bool(b),
    "||": lambda a, b: bool(a) or bool(b),
}
_UNARY: dict[str, Callable[[int], int]] = {
    "+": operator.pos,
    "-": operator.neg,
    "~": operator.invert,
    "!": operator.not_,
}


def _no_size(node: c_ast.Node) -> int:
    raise ValueError("sizeof has no meaning here")


def parse_expression(text: str) -> c_ast.Node:
    """The expression ``text``; ValueError if it is not an expression."""
    try:
        tree = c_parser.CParser().parse(f"int value = ({text});")
    except c_parser.ParseError as error:
        raise ValueError(str(error)) from error
    declaration = tree.ext[0]
    if len(tree.ext) != 1 or not isinstance(declaration, c_ast.Decl) or declaration.init is None:
        raise ValueError(f"no expression: {text}")
    return declaration.init


def evaluate(text: str) -> int:
    """The value of an expression without names; ValueError if it has none."""
    return Values(_no_size).of(parse_expression(text))


class Values:
    """Known enumerators, and the values of expressions with them."""

    def __init__(self, size_of: SizeOf) -> None:
        self._size_of = size_of
        self.names: dict[str, int] = {}

    def take(self, node: c_ast.Enum) -> None:
        """Number the constants of an enumeration (C11, 6.7.2.2)."""
        following = 0
        for constant in node.values.enumerators if node.values is not None else ():
            value = following if constant.value is None else self.of(constant.value)
            self.names[constant.name] = value
            following = value + 1

    def of(self, node: c_ast.Node) -> int:
        """The value of an expression; ValueError if it is not a known integer."""
        value: int | None = None
        match node:
            case c_ast.Constant():
                value = _constant(node.value)
            case c_ast.ID():
                value = self.names.get(node.name)
            case c_ast.UnaryOp(op="sizeof"):
                value = self._size_of(node.expr)
            case _:
                value = self._operation(node)
        if value is None:
            raise ValueError(f"not a known integer: {getattr(node, 'name', type(node).__name__)}")
        return value

    def _operation(self, node: c_ast.Node) -> int | None:
        match node:
            case c_ast.UnaryOp() if node.op in _UNARY:
                return int(_UNARY[node.op](self.of(node.expr)))
            case c_ast.BinaryOp() if node.op in _BINARY:
                return self._binary(node)
            case c_ast.TernaryOp():
                return self.of(node.iftrue if self.of(node.cond) else node.iffalse)
            case c_ast.Cast():
                return self.of(node.expr)
        return None

    def _binary(self, node: c_ast.BinaryOp) -> int:
        try:
            return int(_BINARY[node.op](self.of(node.left), self.of(node.right)))
        except ArithmeticError as error:
            raise ValueError(str(error)) from error


def _constant(text: str) -> int:
    if text.startswith("'"):
        body = text[1:-1].encode("latin-1", "replace").decode("unicode_escape")
        return ord(body) if len(body) == 1 else _refuse(text)
    digits = text.rstrip("uUlL")
    try:
        octal = len(digits) > 1 and digits.isdigit() and digits.startswith("0")
        return int(digits, 8 if octal else 0)
    except ValueError:
        return _refuse(text)


def _refuse(text: str) -> int:
    raise ValueError(f"not an integer: {text}")
