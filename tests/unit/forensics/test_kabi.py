"""Symbols of a kABI list that a series touches are told, each with how sure that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import UsageError
from builder.forensics import ctext, kabi, view
from builder.forensics.kabi import Certainty, KabiReport

TREE = {
    "include/net/core.h": """\
/* struct core_old { int x; }; */
#define CORE_NAME 16
struct core {
	int a;
	char name[CORE_NAME];
#ifndef __GENKSYMS__
	int hidden;
#endif
};
struct scheduler { struct core *core; int (*run)(struct core *core); };
typedef struct { struct scheduler *first; } chain_t;
extern int register_scheduler(struct scheduler *one) __attribute__((warn_unused_result));
int use_chain(chain_t *chain);
extern int (*core_hook)(struct core *one);
extern const int core_limit;
static inline int inline_user(struct core *one) { return only_called(one); }
""",
    "include/linux/far.h": """\
struct core;
struct far { struct core *core; };
int far_seen(struct far *far);
int far_unseen(struct far *far);
int only_called(void *p);
int plain(int x);
""",
    "net/core.c": """\
#include <net/core.h>
int register_scheduler(struct scheduler *one) { return plain(1); }
EXPORT_SYMBOL(register_scheduler);
EXPORT_SYMBOL_GPL(use_chain);
EXPORT_SYMBOL(core_hook);
const int core_limit = 3;
EXPORT_SYMBOL(core_limit);
EXPORT_SYMBOL(going);
""",
    "kernel/seen.c": "#include <linux/far.h>\n#include <net/core.h>\nEXPORT_SYMBOL(far_seen);\n",
    "kernel/unseen.c": '#include "../include/linux/far.h"\nEXPORT_SYMBOL(far_unseen);\n'
    "EXPORT_SYMBOL(only_called);\nEXPORT_SYMBOL(plain);\n",
}
SYMBOLS = (
    *("register_scheduler", "use_chain", "core_hook", "core_limit", "going"),
    *("far_seen", "far_unseen", "only_called", "plain"),
)


def compare(tmp_path: Path, changes: dict[str, tuple[str, str]]) -> KabiReport:
    tree, patched = tmp_path / "tree", tmp_path / "patched"
    for name, text in TREE.items():
        old, new = changes.get(name, ("", ""))
        assert old in text
        for root, content in ((tree, text), (patched, text.replace(old, new))):
            if root == tree or old != new:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(content)
    (tmp_path / "list").write_text(
        "".join(f"0xabc\t{s}\tvmlinux\tEXPORT_SYMBOL\n" for s in SYMBOLS)
    )
    touched = frozenset(changes)
    return kabi.compare(
        view.TreeView(tree),
        view.TreeView(tree, patched, touched),
        touched,
        kabi.read_list(tmp_path / "list"),
        "x86",
    )


def told(report: KabiReport) -> dict[str, tuple[Certainty, tuple[str, ...]]]:
    return {touch.symbol: (touch.certainty, touch.chain) for touch in report.touches}


def test_a_changed_struct_reaches_signatures_through_pointers_and_typedefs(tmp_path: Path) -> None:
    report = compare(tmp_path, {"include/net/core.h": ("int a;", "int a, b;")})
    assert report.changed == ("struct core",)
    scheduler = ("struct scheduler", "struct core")
    assert told(report) == {
        "register_scheduler": (Certainty.SIGNATURE, scheduler),
        "use_chain": (Certainty.SIGNATURE, ("chain_t", *scheduler)),
        "core_hook": (Certainty.SIGNATURE, ("struct core",)),
        "far_seen": (Certainty.SIGNATURE, ("struct far", "struct core")),
    }
    # far_unseen's file knows no definition of struct core, so genksyms cannot spell it out.
    assert report.unseen == 1
    assert report.lines()[0] == (
        "kABI: 4 of 9 listed symbols: its signature uses a changed type, so its CRC will change"
    )
    assert (
        "kABI:   register_scheduler (net/core.c): uses struct scheduler, which has struct core"
        in report.lines()
    )


def test_a_constant_in_a_struct_is_part_of_it(tmp_path: Path) -> None:
    report = compare(tmp_path, {"include/net/core.h": ("CORE_NAME 16", "CORE_NAME 32")})
    assert report.changed == ("struct core",)


@pytest.mark.parametrize(
    ("old", "new"),
    [("int hidden;", "int hidden, more;"), ("int a;", "int   a; /* the first */")],
)
def test_what_genksyms_does_not_see_changes_nothing(tmp_path: Path, old: str, new: str) -> None:
    report = compare(tmp_path, {"include/net/core.h": (old, new)})
    assert (report.changed, report.touches) == ((), ())
    assert report.lines() == ("kABI: none of 9 listed symbols is touched",)


def test_a_body_is_no_declaration(tmp_path: Path) -> None:
    report = compare(tmp_path, {"net/core.c": ("return plain(1)", "return plain(2)")})
    assert {touch.certainty for touch in report.touches} == {Certainty.EXPORTER}
    assert "plain" not in told(report)


def test_changed_declarations_and_lost_exports_are_told(tmp_path: Path) -> None:
    report = compare(
        tmp_path,
        {
            "include/net/core.h": ("extern const int core_limit", "extern int core_limit"),
            "net/core.c": ("EXPORT_SYMBOL(going);", ""),
        },
    )
    assert told(report)["core_limit"] == (Certainty.DECLARATION, ())
    assert told(report)["going"] == (Certainty.REMOVED, ())
    assert report.touches[0].certainty is Certainty.REMOVED


def test_a_list_that_is_none_is_refused_by_line(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("0x1\ta\tvmlinux\tEXPORT_SYMBOL\n\nnonsense\n")
    with pytest.raises(UsageError, match="list:3"):
        kabi.read_list(tmp_path / "list")


def test_conditionals_about_other_things_stay_for_genksyms() -> None:
    hidden = "#ifndef __GENKSYMS__\ntwo\n#ifdef B\nthree\n#endif\n#else\nfour\n#endif\n"
    text = f"#ifdef A\none\n{hidden}#endif\n"
    assert ctext.for_genksyms(text) == "#ifdef A\none\nfour\n#endif\n"
