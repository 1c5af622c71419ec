"""What the kernels of profile lts are hardened with beyond the compiler's mitigations."""

from __future__ import annotations

HARDENED = {
    "CONFIG_STRICT_DEVMEM": "y",
    "CONFIG_IO_STRICT_DEVMEM": "y",
    "CONFIG_RANDOMIZE_KSTACK_OFFSET": "y",
    "CONFIG_RANDOMIZE_KSTACK_OFFSET_DEFAULT": "y",
    "CONFIG_INIT_ON_ALLOC_DEFAULT_ON": "y",
    "CONFIG_BUG_ON_DATA_CORRUPTION": "y",
    "CONFIG_SCHED_STACK_END_CHECK": "y",
    "CONFIG_SHUFFLE_PAGE_ALLOCATOR": "y",
    "CONFIG_DEFAULT_MMAP_MIN_ADDR": "65536",
    "CONFIG_SCHED_CORE": "y",
    "CONFIG_SECURITY_YAMA": "y",
    "CONFIG_FORTIFY_SOURCE": "y",
    "CONFIG_HARDENED_USERCOPY": "y",
    "CONFIG_STACKPROTECTOR_STRONG": "y",
    "CONFIG_STRICT_KERNEL_RWX": "y",
    "CONFIG_STRICT_MODULE_RWX": "y",
    "CONFIG_RANDOMIZE_BASE": "y",
    "CONFIG_SLAB_FREELIST_HARDENED": "y",
    "CONFIG_BPF_UNPRIV_DEFAULT_OFF": "y",
    "CONFIG_SECURITY_DMESG_RESTRICT": "y",
}


def weak(values: dict[str, str]) -> list[str]:
    """Every symbol that ``values`` (symbol to value, of a ``.config``) has otherwise."""
    found = [
        f"{symbol}={values.get(symbol, 'n')}"
        for symbol, wanted in HARDENED.items()
        if values.get(symbol, "n") != wanted
    ]
    # Yama runs only if it is named in the list of modules, too (security/security.c).
    if "yama" not in values.get("CONFIG_LSM", "").strip('"').split(","):
        found.append(f"CONFIG_LSM={values.get('CONFIG_LSM', 'n')}")
    return found
