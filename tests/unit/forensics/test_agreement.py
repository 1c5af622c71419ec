"""Kernel and tools must agree on what they pass to each other; one wrong offset is named."""

from __future__ import annotations

import msgspec
import pytest

from builder.errors import UsageError, VerificationError
from builder.forensics import agreement
from builder.forensics.agreement import LayoutReport
from builder.forensics.copies import HeaderCopy, LayoutCheck

KERNEL = """\
/* SPDX */
#ifndef _X_H
#define _X_H
#include <linux/types.h>
#define X_BASE (64+1024+64)  /* base */
#define X_SET_ADD (X_BASE+2)
#define X_SET_DEL \\
\t(X_BASE+3)
#define X_NAME "x"
#define X_MAX X_SET_DEL
#define X_CALL(a) ((a) + 1)
#define NAME_LENGTH 16
enum { X_CMD_NONE = 0, X_CMD_ONE, X_CMD_TWO, __X_CMD_MAX };
struct x_stats { __u32 conns; __u64 bytes; };
struct x_service {
\t__u16 protocol;
\t__be32 addr;
\t__be16 port;
\tchar name[NAME_LENGTH];
\tunsigned int flags;
\tstruct x_stats stats;
\tunion nf_inet_addr laddr;
};
struct x_list { unsigned int count; struct x_service table[]; };
#ifdef __KERNEL__
struct x_inner { struct list_head list; spinlock_t lock; };
static inline int x_use(struct x_service *s) { struct x_stats a; return a.conns; }
#endif
extern struct x_service *x_first;
#endif
"""
TOOL = KERNEL.replace("__u16", "u_int16_t").replace("struct x_service ", "struct x_service_kern ")
CHECK = LayoutCheck(
    structures=("x_service", "x_l*"),
    numbers=("X_*", "!*_MAX"),
    copies=(
        HeaderCopy("kernel", "x.h"),
        HeaderCopy("tool", "lib/x.h", names={"x_service": "x_service_kern"}),
    ),
)


def compare(tool: str, kernel: str = KERNEL, check: LayoutCheck = CHECK) -> LayoutReport:
    return agreement.compare(check, [kernel, tool])


def test_copies_that_differ_in_words_only_agree() -> None:
    report = compare(TOOL.replace("\n", "\r\n").replace("addr;\n", "addr; // v4\n"))
    assert report.failure() is None
    assert report.copies[0].structures == ("x_service", "x_list")
    # X_BASE, X_SET_ADD, X_SET_DEL and three commands; no string, no maximum.
    assert report.copies[0].numbers == 6
    assert report.lines() == (
        "layout: tool lib/x.h: 2 structures and 6 numbers compared with kernel x.h: they agree",
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("16\n", "20\n", "field flags: offset 28, 4 bytes in kernel, offset 32, 4 bytes in tool"),
        (
            "__be16 port",
            "__be32 port",
            "field port: offset 8, 2 bytes in kernel, offset 8, 4 bytes",
        ),
        (
            "__u64 bytes",
            "__u32 bytes",
            "field stats.bytes: offset 40, 8 bytes in kernel, offset 36",
        ),
        ("\tunion nf", "\tint more; union nf", "field more: missing in kernel, offset 48, 4 bytes"),
        (
            "\tunsigned int flags;\n",
            "",
            "field flags: offset 28, 4 bytes in kernel, missing in tool",
        ),
        ("X_BASE+3", "X_BASE+4", "X_SET_DEL: 1155 in kernel, 1156 in tool"),
        ("X_CMD_ONE,", "X_CMD_NEW, X_CMD_ONE,", "X_CMD_ONE: 1 in kernel, 2 in tool"),
        ("unsigned int count;", "unsigned short count;", "struct x_list, field count: offset 0"),
    ],
)
def test_one_difference_is_named_with_both_places(old: str, new: str, words: str) -> None:
    assert old in TOOL
    report = compare(TOOL.replace(old, new, 1))
    with pytest.raises(VerificationError) as caught:
        report.require()
    assert words in caught.value.cause
    assert "kernel and tool disagree on" in caught.value.what
    assert words in "\n".join(report.lines())


def test_swapped_fields_of_one_size_disagree() -> None:
    swapped = TOOL.replace("\t__u16", "").replace("addr;", "xx;").replace("flags;", "addr;")
    report = compare(swapped.replace("xx;", "flags;"))
    fields = {one.field for one in report.copies[0].disagreements}
    assert {"addr", "flags"} <= fields


def test_another_name_for_a_field_in_its_place_is_no_disagreement() -> None:
    report = compare(TOOL.replace("addr;", "__addr_v4;", 1))
    assert report.failure() is None
    assert report.copies[0].renamed == ("struct x_service, field addr is __addr_v4 here",)


def test_what_a_copy_lacks_or_has_alone_is_told() -> None:
    tool = TOOL.replace("X_CMD_TWO", "X_CMD_OTHER").replace("struct x_list", "struct x_else")
    report = compare(tool)
    assert report.failure() is None
    assert report.copies[0].missing == ("x_list",)
    assert report.copies[0].alone == ("X_CMD_OTHER",)


def test_conditions_follow_the_defines_of_each_copy() -> None:
    tool = TOOL.replace(
        "__be16 port;", "__be16 port;\n#if WIDE >= 2 && !defined(OLD)\nint w;\n#endif"
    )
    assert compare(tool).failure() is None
    wide = msgspec.structs.replace(CHECK.copies[1], defines={"WIDE": "2"})
    check = msgspec.structs.replace(CHECK, copies=(CHECK.copies[0], wide))
    assert compare(tool, check=check).failure() is not None


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        (TOOL.replace("__be16 port", "port_t port"), "port_t"),
        (TOOL.replace("__be16 port", "struct gone port"), "struct gone is not defined"),
        ("#if LINUX_VERSION_CODE >= KERNEL_VERSION(2,6,32)\n#endif\n", "line 1: #if LINUX"),
        ("\n#pragma pack(1)\n" + TOOL, "line 2: #pragma pack(1)"),
    ],
)
def test_what_cannot_be_read_is_no_agreement(tool: str, words: str) -> None:
    with pytest.raises(VerificationError, match=r"lib/x\.h cannot be read") as caught:
        compare(tool)
    assert words in caught.value.cause


def test_a_check_that_names_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="has no structure x_gone"):
        compare(TOOL, check=msgspec.structs.replace(CHECK, structures=("x_gone",)))
    with pytest.raises(UsageError, match="nothing in tool"):
        compare("struct other { int a; };")
