"""Guests of a few bytes: each a disk whose boot sector misbehaves in one way."""

from __future__ import annotations

from builder.vm.probe import sector_of

SERIAL_PORT = 0x3F8
PANIC_PORT = 0x505
DEBUG_EXIT = 0xF4
HALT = b"\xfa\xf4\xeb\xfd"  # cli; hlt; jmp to hlt


def out(port: int, value: int) -> bytes:
    """Code: mov dx, port; mov al, value; out dx, al."""
    return b"\xba" + port.to_bytes(2, "little") + bytes((0xB0, value, 0xEE))


def leaves_with(number: int) -> bytes:
    """A guest that leaves through isa-debug-exit."""
    return sector_of(out(DEBUG_EXIT, number) + HALT)


def says(text: bytes, then: bytes = HALT) -> bytes:
    """A guest that writes ``text`` on the serial console (a loop over the bytes behind it)."""
    # mov si, text; next: lodsb; test al, al; jz end; mov dx, port; out dx, al; jmp next; end:
    loop = b"\xac\x84\xc0\x74\x06\xba\xf8\x03\xee\xeb\xf5"
    head = b"\x31\xc0\x8e\xd8\xfc"  # xor ax, ax; mov ds, ax; cld
    address = 0x7C00 + len(head) + 3 + len(loop) + len(then)
    return sector_of(head + b"\xbe" + address.to_bytes(2, "little") + loop + then + text + b"\0")


def reports_panic() -> bytes:
    """A guest that tells the pvpanic device of a panic (QEMU docs/specs/pvpanic)."""
    return sector_of(out(PANIC_PORT, 1) + HALT)


def prints_panic() -> bytes:
    """A kernel without a pvpanic driver: the console alone tells."""
    return says(b"Kernel panic - not syncing: VFS: Unable to mount root fs\r\n")


def resets() -> bytes:
    """A triple fault: an empty interrupt table and a breakpoint."""
    # lidt [table] with a zero limit; int3
    return sector_of(b"\x31\xc0\x8e\xd8\x0f\x01\x1e\x09\x7c" + bytes(6) + b"\xcc")


def powers_off() -> bytes:
    """A guest that switches itself off through APM's BIOS calls."""
    # connect (5301h), set version 1.2 (530eh), all devices off (5307h)
    return sector_of(
        bytes.fromhex("b80153 31db cd15 b80e53 31db b90201 cd15 b80753 bb0100 b90300 cd15")
        + out(0x604, 0)
        # q35 has no APM: ACPI's PM1a control, SLP_EN with type 5's value (base 0x600 by SeaBIOS)
        + b"\xba\x04\x06\xb8\x00\x20\xef"
        + HALT
    )


def hangs() -> bytes:
    """A guest that burns its time without a word."""
    return sector_of(b"\xeb\xfe")


def chatters() -> bytes:
    """A guest that writes on the console for ever: never silent, never done."""
    return sector_of(b"\xba\xf8\x03\xb0\x2e\xee\xeb\xfd")
