"""Offsets and sizes are those that gcc gives for x86_64."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from builder.forensics.cvalue import evaluate
from builder.forensics.layout import Layouts

GCC = shutil.which("gcc")
SCALARS = ("char", "short", "int", "unsigned", "long", "long long", "_Bool", "double", "void *")
BIT_TYPES = {"unsigned char": 8, "unsigned short": 16, "unsigned": 32, "unsigned long": 64}


def offsets(text: str, key: str) -> tuple[int, dict[str, int]]:
    shape = Layouts(text).shape(key)
    return shape.size, {place.name: place.offset for place in shape.places if not place.width}


def test_padding_arrays_unions_and_nesting() -> None:
    size, found = offsets(
        """
        enum kind { NONE, LAST = 4 };
        typedef unsigned char name_t[LAST * 4];
        union address { unsigned all[4]; unsigned char one; };
        struct inner { char c; long l; };
        struct outer {
            char c; struct inner in; union address addr; name_t name; enum kind kind;
            struct { short s; }; void (*call)(int); struct inner table[2]; struct inner tail[];
        };
        """,
        "struct outer",
    )
    assert size == 104
    assert found["in.l"] == 16
    assert (found["addr"], found["name"], found["kind"], found["s"]) == (24, 40, 56, 60)
    assert (found["call"], found["table[].l"], found["tail"]) == (64, 80, 104)


@pytest.mark.parametrize(
    ("text", "size", "b"),
    [
        ("struct s { char a; int b; } __attribute__((packed));", 5, 1),
        ("struct __attribute__((__packed__)) s { char a; int b; };", 5, 1),
        ("struct s { char a; int b; } __packed;", 5, 1),
        ("struct s { char a; int b; } __attribute__((packed)) __attribute__((aligned(4)));", 8, 1),
        ("struct s { char a; int b __attribute__((aligned(16))); };", 32, 16),
        ("struct s { char a; int b __attribute__((packed)); char c; };", 6, 1),
        ("struct s { char a; int b; } __attribute__((aligned(2 * 8), unused));", 16, 4),
        ("struct s { struct { char x; long y; } __attribute__((packed)) a; int b; };", 16, 12),
    ],
)
def test_attributes_move_fields(text: str, size: int, b: int) -> None:
    made, found = offsets(text, "struct s")
    assert (made, found["b"]) == (size, b)


@pytest.mark.parametrize("text", ["struct s { unknown_t a; };", "struct s { struct t a; };", "}"])
def test_what_cannot_be_known_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Layouts(text).shape("struct s")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("(64+1024+64)", 1152), ("1 << 4 | 0x3", 19), ("010", 8), ("'a'", 97), ("0xffUL", 255)],
        *[("-7 / 2", -3), ("-7 % 2", -1), ("!3 || 2 > 1", 1), ("1 ? 2 : 3", 2), ("~0", -1)],
    ],
)
def test_constant_expressions(text: str, value: int) -> None:
    assert evaluate(text) == value


@pytest.mark.parametrize("text", ["name", "", "1 / 0", "f(1)", "1); int x = (2", '"text"'])
def test_what_is_no_constant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        evaluate(text)


def members(depth: int) -> st.SearchStrategy[str]:
    plain = st.builds(
        lambda kind, count: f"{kind} @{count};",
        st.sampled_from(SCALARS),
        st.sampled_from(["", "", "[1]", "[3]", "[2][5]"]),
    )
    bits = st.sampled_from(sorted(BIT_TYPES)).flatmap(
        lambda kind: st.integers(0, BIT_TYPES[kind]).map(
            lambda width: f"{kind} {'@' if width else ''} : {width};"
        )
    )
    aligned = st.builds("{} @ __attribute__((aligned({})));".format, *_aligned())
    if not depth:
        return st.one_of(plain, bits, aligned)
    nested = st.builds(
        "{} {{ {} }} {} {};".format,
        st.sampled_from(["struct", "union"]),
        st.lists(members(depth - 1), min_size=1, max_size=3).map(" ".join),
        st.sampled_from(["", "", "__attribute__((packed))"]),
        st.sampled_from(["@", "@[2]", ""]),
    )
    return st.one_of(plain, bits, aligned, nested)


def _aligned() -> tuple[st.SearchStrategy[str], st.SearchStrategy[int]]:
    return st.sampled_from(SCALARS[:4]), st.sampled_from([2, 8, 16])


def named(text: str) -> str:
    """Number the fields, which are marked by ``@``."""
    pieces = text.split("@")
    return pieces[0] + "".join(f" f{number}{piece}" for number, piece in enumerate(pieces[1:]))


def ask_gcc(definitions: list[str], fields: list[list[str]]) -> list[list[int]]:
    """sizeof, and offsetof of each field, per structure, from one compilation."""
    rows = [
        f"unsigned long a{n}[] = {{ sizeof(struct s{n})"
        + "".join(f", __builtin_offsetof(struct s{n}, {field})" for field in names)
        + " };"
        for n, names in enumerate(fields)
    ]
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "x.c"
        source.write_text("\n".join([*definitions, *rows]))
        done = subprocess.run(
            [str(GCC), "-m64", "-w", "-S", "-o", "-", str(source)], capture_output=True, check=True
        )
    found: dict[str, list[int]] = {}
    label = ""
    for line in done.stdout.decode().splitlines():
        if line.endswith(":"):
            label = line[:-1]
        elif line.split()[:1] == [".quad"]:
            found.setdefault(label, []).append(int(line.split()[1]))
        elif line.split()[:1] == [".zero"]:
            found.setdefault(label, []).extend([0] * (int(line.split()[1]) // 8))
    return [found[f"a{n}"] for n in range(len(fields))]


@pytest.mark.skipif(GCC is None, reason="gcc is the judge")
# The failing structure is named, so there is nothing to shrink.
@settings(max_examples=4, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    st.lists(
        st.tuples(
            st.lists(members(2), min_size=1, max_size=6).map(" ".join),
            st.sampled_from(["", "", "", "__attribute__((packed))", "__attribute__((aligned(8)))"]),
        ),
        min_size=20,
        max_size=40,
    )
)
def test_any_structure_is_laid_out_as_gcc_does(made: list[tuple[str, str]]) -> None:
    texts = [f"struct s{n} {{ {named(body)} }} {end};" for n, (body, end) in enumerate(made)]
    layouts = Layouts("\n".join(texts))
    ours: list[list[int]] = []
    fields: list[list[str]] = []
    for number in range(len(texts)):
        shape = layouts.shape(f"struct s{number}")
        plain = [place for place in shape.places if not place.width and "[]" not in place.name]
        fields.append([place.name for place in plain])
        ours.append([shape.size, *(place.offset for place in plain)])
    theirs = ask_gcc(texts, fields)
    for text, mine, real, names in zip(texts, ours, theirs, fields, strict=True):
        assert mine == real, f"{text} {names}"
