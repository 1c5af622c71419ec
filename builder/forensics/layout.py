"""The layout of C structures on x86_64, computed without a compiler.

Rules: System V ABI, AMD64 supplement, section 3.1.2 (scalars, aggregates, bit-fields); GCC
manual, 6.40, for ``packed`` and ``aligned``.  tests/unit/forensics compares it with gcc.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pycparser import c_ast, c_parser

from builder.forensics import attributes
from builder.forensics.ctypes_known import SCALARS
from builder.forensics.cvalue import Values, parse_expression

POINTER = 8
SIGNS = ("signed", "unsigned", "const", "volatile")


@dataclass(frozen=True)
class FieldPlace:
    """A field: ``name`` starts with those of the enclosing structures (``stats.conns``).

    ``offset`` and ``size`` in bytes; for a bit-field ``bit`` counts from the start of the
    structure and ``width`` is in bits, otherwise both are 0.  An array of structures has its
    element's fields as ``table[].field``, with their offsets in the first element.
    """

    name: str
    offset: int
    size: int
    bit: int = 0
    width: int = 0


@dataclass(frozen=True)
class Shape:
    """A type: ``size`` and ``align`` in bytes.  ``places``: a structure's fields.

    A named union is one field, because its use does not affect the layout.
    """

    size: int
    align: int
    places: tuple[FieldPlace, ...] = ()
    is_union: bool = False


class Layouts:
    """The shapes of the types that ``text`` (preprocessed) defines.

    Raises ValueError if the text cannot be read; pycparser's ParseError may be its cause.
    """

    def __init__(self, text: str) -> None:
        try:
            tree = c_parser.CParser().parse(attributes.translate(text))
        except c_parser.ParseError as error:
            raise ValueError(str(error)) from error
        self._tagged: dict[str, c_ast.Struct | c_ast.Union] = {}
        self._typedefs: dict[str, c_ast.Node] = {}
        self._shapes: dict[str, Shape] = {}
        self.values = Values(self._size_of)
        self._collect(tree)

    def _collect(self, node: c_ast.Node) -> None:
        if isinstance(node, c_ast.Typedef):
            self._typedefs[node.name] = node.type
        elif isinstance(node, c_ast.Struct | c_ast.Union) and node.decls is not None:
            self._tagged[_key(node)] = node
        elif isinstance(node, c_ast.Enum):
            self.values.take(node)
        for _, child in node.children():
            self._collect(child)

    def shape(self, key: str) -> Shape:
        """The shape of ``struct x``, ``union x`` or a typedef's name; ValueError if unknown."""
        if key not in self._shapes:
            node = self._tagged.get(key) or self._typedefs.get(key)
            if node is None:
                raise ValueError(f"{key} is not defined")
            self._shapes[key] = self._of(node)
        return self._shapes[key]

    def _size_of(self, node: c_ast.Node) -> int:
        return self._of(node).size

    def _of(self, node: c_ast.Node) -> Shape:
        shape: Shape | None = None
        match node:
            case c_ast.Decl() | c_ast.TypeDecl() | c_ast.Typename():
                shape = self._of(node.type)
            case c_ast.PtrDecl():
                shape = Shape(POINTER, POINTER)
            case c_ast.Enum():
                shape = Shape(4, 4)
            case c_ast.ArrayDecl():
                element = self._of(node.type)
                count = 0 if node.dim is None else self.values.of(node.dim)
                shape = Shape(element.size * count, element.align)
            case c_ast.Struct() | c_ast.Union():
                shape = self.shape(_key(node)) if node.decls is None else self._lay(node)
            case c_ast.IdentifierType():
                shape = self._named(node.names)
        if shape is None:
            raise ValueError(f"a field of a kind that has no size: {type(node).__name__}")
        return shape

    def _named(self, names: list[str]) -> Shape:
        if len(names) == 1 and names[0] in self._typedefs:
            return self.shape(names[0])
        words = sorted(word for word in names if word not in SIGNS)
        if len(words) > 1 and "int" in words:
            words.remove("int")
        size = SCALARS.get(tuple(words) or ("int",))
        if size is None:
            raise ValueError(f"type {' '.join(names)} is not known")
        return Shape(size, size)

    def _lay(self, node: c_ast.Struct | c_ast.Union) -> Shape:
        pragmas = [one.string.split() for one in node.decls if isinstance(one, c_ast.Pragma)]
        packed = [attributes.PACKED] in pragmas
        frame = _Frame(isinstance(node, c_ast.Union), packed)
        lone = False
        for declaration in node.decls:
            if isinstance(declaration, c_ast.Pragma):
                lone = declaration.string == attributes.MEMBER_PACKED
            elif isinstance(declaration, c_ast.Decl):
                self._place(frame, declaration, packed or lone)
                lone = False
        for words in pragmas:
            if words[0] == attributes.ALIGNED:
                frame.align = max(frame.align, self._number(" ".join(words[1:])))
        return frame.close()

    def _number(self, text: str) -> int:
        return self.values.of(parse_expression(text))

    def _place(self, frame: _Frame, declaration: c_ast.Decl, packed: bool) -> None:
        shape = self._of(declaration.type)
        wanted = [self.values.of(one.alignment) for one in declaration.align or []]
        align = max([1 if packed else shape.align, *wanted])
        if declaration.bitsize is not None:
            width = self.values.of(declaration.bitsize)
            frame.add_bits(declaration.name or "", shape.size, align, width, packed)
            return
        offset = frame.add(shape.size, align)
        frame.places += self._fields(declaration, shape, offset)

    def _fields(self, declaration: c_ast.Decl, shape: Shape, offset: int) -> Iterator[FieldPlace]:
        name = declaration.name
        if name is None:
            yield from _moved("", shape.places, offset)
        elif shape.places and not shape.is_union:
            yield from _moved(f"{name}.", shape.places, offset)
        else:
            yield FieldPlace(name, offset, shape.size)
            element = _element(declaration.type)
            if element is not None:
                inner = self._of(element)
                # The size of one element: two tables of length 0 may still differ.
                yield FieldPlace(f"{name}[]", offset, inner.size)
                if not inner.is_union:
                    yield from _moved(f"{name}[].", inner.places, offset)


@dataclass
class _Frame:
    """A structure or union while its fields are put into it; ``bits``: how far it is filled."""

    is_union: bool
    packed: bool
    bits: int = 0
    largest: int = 0
    align: int = 1
    places: list[FieldPlace] = field(default_factory=list)

    def add(self, size: int, align: int) -> int:
        """Put a field in; returns its offset."""
        self.align = max(self.align, align)
        start = 0 if self.is_union else _up(self.bits, align * 8)
        self._fill(start + size * 8)
        return start // 8

    def add_bits(self, name: str, size: int, align: int, width: int, packed: bool) -> None:
        """Put a bit-field in, which may not cross a unit of its type unless packed."""
        unit = size * 8
        start = 0 if self.is_union else self.bits
        if width == 0:
            self._fill(_up(start, unit))
            return
        if not packed and start // unit != (start + width - 1) // unit:
            start = _up(start, unit)
        if name:
            self.align = max(self.align, align)
            self.places.append(FieldPlace(name, start // 8, size, start, width))
        self._fill(start + width)

    def _fill(self, end: int) -> None:
        self.bits = end
        self.largest = max(self.largest, end)

    def close(self) -> Shape:
        size = _up(self.largest, self.align * 8) // 8
        return Shape(size, self.align, tuple(self.places), self.is_union)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _moved(prefix: str, places: tuple[FieldPlace, ...], by: int) -> Iterator[FieldPlace]:
    for place in places:
        bit = place.bit + by * 8 if place.width else 0
        yield FieldPlace(prefix + place.name, place.offset + by, place.size, bit, place.width)


def _element(node: c_ast.Node) -> c_ast.Node | None:
    """The element of an array of structures or unions; else None."""
    inner = node
    while isinstance(inner, c_ast.ArrayDecl):
        inner = inner.type
    is_made = isinstance(inner, c_ast.TypeDecl) and isinstance(
        inner.type, c_ast.Struct | c_ast.Union | c_ast.IdentifierType
    )
    return inner if inner is not node and is_made else None


def _key(node: c_ast.Struct | c_ast.Union) -> str:
    return f"{'union' if isinstance(node, c_ast.Union) else 'struct'} {node.name}"
