"""Types that headers use from other headers: their sizes on x86_64, and three structures.

Sources: System V ABI, AMD64 supplement, figure 3.1; include/uapi/asm-generic/int-ll64.h,
include/uapi/linux/types.h, in.h, in6.h and netfilter.h of Linux; <stdint.h>, <sys/types.h>.
"""

from __future__ import annotations

SCALARS: dict[tuple[str, ...], int] = {
    ("_Bool",): 1,
    ("char",): 1,
    ("short",): 2,
    ("int",): 4,
    ("long",): 8,
    ("long", "long"): 8,
    ("float",): 4,
    ("double",): 8,
    ("double", "long"): 16,
}
"""Size and alignment in bytes; by sorted words, no sign, no ``int`` beside other words."""

_ROOTS = {1: "char", 2: "short", 4: "int", 8: "long long"}
_UNSIGNED = {
    1: "__u8 u8 u_int8_t uint8_t u_char __uint8_t",
    2: "__u16 u16 u_int16_t uint16_t u_short __uint16_t __be16 __le16 __sum16 sa_family_t"
    " __kernel_sa_family_t in_port_t",
    4: "__u32 u32 u_int32_t uint32_t u_int uint __uint32_t __be32 __le32 __wsum in_addr_t"
    " socklen_t uid_t gid_t",
    8: "__u64 u64 u_int64_t uint64_t __uint64_t __be64 __le64 __aligned_u64 __aligned_be64"
    " size_t u_long uintptr_t",
}
_SIGNED = {
    1: "__s8 s8 int8_t",
    2: "__s16 s16 int16_t",
    4: "__s32 s32 int32_t pid_t",
    8: "__s64 s64 int64_t ssize_t time_t off_t intptr_t",
}

TYPEDEFS: dict[str, str] = {
    name: f"{sign}{_ROOTS[size]}"
    for sign, table in (("unsigned ", _UNSIGNED), ("signed ", _SIGNED))
    for size, names in table.items()
    for name in names.split()
} | {"bool": "_Bool"}

STRUCTURES: dict[str, str] = {
    "struct in_addr": "struct in_addr { unsigned int s_addr; };",
    "struct in6_addr": "struct in6_addr { union { unsigned char u6_addr8[16];"
    " unsigned short u6_addr16[8]; unsigned int u6_addr32[4]; } in6_u; };",
    "union nf_inet_addr": "union nf_inet_addr { unsigned int all[4]; unsigned int ip;"
    " unsigned int ip6[4]; struct in_addr in; struct in6_addr in6; };",
}
"""By key (builder/forensics/ctext.py), each after those it uses."""
