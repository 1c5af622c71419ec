"""The smallest guests: they only prove that a virtual machine comes up at all.

``boot_sector`` needs nothing but the BIOS.  ``tiny_initrd`` is for a real kernel: its init
leaves through isa-debug-exit as soon as the kernel has started it.
"""

from __future__ import annotations

import struct

from builder.vm import initrd
from builder.vm.hardware import AGREED, DEBUG_EXIT_PORT

SECTOR = 512
DISK_SIZE = 1 << 20
"""SeaBIOS does not boot from disks much smaller than this."""

# assembled from probe.S (a test compares them where an assembler is at hand)
_BOOT_CODE = bytes.fromhex(
    "fa31c08ed8660f0116907c0f20c00c010f22c066ea1b7c0000080066b810008ed88ec08ed0bc007c"
    "0000b8010000000fa20fbae11a73320f20e00d000604000f22e031c90f01d083c8030f01d1b80300"
    "000031d20fae2500800000b80300000031d20fae2d00800000baf4000000b02aeef4ebfd8d742600"
    "0000000000000000ffff0000009acf00ffff00000092cf001700787c"
)
_ELF_BASE = 0x400000


def sector_of(code: bytes) -> bytes:
    """A disk whose boot sector is ``code`` (at most 510 bytes)."""
    return code.ljust(SECTOR - 2, b"\0")[: SECTOR - 2] + b"\x55\xaa" + bytes(DISK_SIZE - SECTOR)


def boot_sector() -> bytes:
    """A disk that saves and restores extended processor state, then leaves as agreed."""
    return sector_of(_BOOT_CODE)


def _init() -> bytes:
    """A static ELF program: iopl(3), then the agreed number to the debug port (elf(5))."""
    code = b"\xbf\x03\x00\x00\x00"  # mov edi, 3
    code += b"\xb8\xac\x00\x00\x00\x0f\x05"  # mov eax, 172 (iopl); syscall
    code += b"\xba" + struct.pack("<I", DEBUG_EXIT_PORT)  # mov edx, port
    code += bytes((0xB0, AGREED, 0xEE, 0xEB, 0xFE))  # mov al, number; out dx, al; jmp self
    header_size, segment_size = 64, 56
    start = header_size + segment_size
    total = start + len(code)
    header = b"\x7fELF" + bytes((2, 1, 1)).ljust(12, b"\0")
    header += struct.pack("<HHIQQQI", 2, 62, 1, _ELF_BASE + start, header_size, 0, 0)
    header += struct.pack("<HHHHHH", header_size, segment_size, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _ELF_BASE, _ELF_BASE, total, total, 0x1000)
    return header + segment + code


def tiny_initrd() -> bytes:
    """An uncompressed cpio archive with nothing but that init."""
    return initrd.archive((initrd.InitrdEntry("init", 0o100755, _init()),))
