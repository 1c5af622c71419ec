"""Reads a guest's console: what every case said, and what the kernel reports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Whatever begins a report of the kernel: lib/bug.c, mm/kasan/report.c, kernel/locking/lockdep.c,
# lib/debugobjects.c, kernel/rcu/, mm/slub.c, lib/refcount.c, kernel/hung_task.c, net/core/dev.c.
REPORT = re.compile(
    r"BUG\b|WARNING\b|KASAN|ODEBUG|suspicious RCU|Oops|Kernel panic|INFO: |refcount_t"
    r"|possible (?:recursive|circular|irq lock inversion)|inconsistent lock state|bad unlock"
    r"|held lock freed|lock held when|invalid wait context|unregister_netdevice: waiting"
    r"|ref_tracker|general protection|segfault|Bad page|list_(?:add|del) corruption|self-detected"
    r"|Segfault with no mm|detected stalls|slab-use-after-free|double-free|Call Trace"
)
# Which of these are no report: lines that boot brings.
HARMLESS = re.compile(r"KernelAddressSanitizer initialized|ODEBUG: selftest passed")
# UML walks a process's map without its lock when it forks (arch/um/kernel/tlb.c).  The same words
# from anywhere else are a report.
NOISE = ("WARNING: suspicious RCU usage", "lib/maple_tree.c:", "force_flush_all+")
NOISE_LINES = 60
STAMP = re.compile(r"^\[ *\d+\.\d+\] ?")
OURS = re.compile(r"gate: (begin|end|said|tainted|lockdep debug_locks:|over) ?(.*)$")
CONTEXT = 40


@dataclass(frozen=True)
class Outcome:
    """A case's end.  ``why``: what is wrong, empty if nothing; ``lines``: what it said."""

    name: str
    lines: tuple[str, ...]
    why: str

    @property
    def passed(self) -> bool:
        return not self.why


@dataclass(frozen=True)
class Heard:
    """What a console came to.  ``reports``: of the kernel, each with the lines behind it.

    ``fault``: what is wrong with the guest as a whole, empty if nothing is.
    """

    outcomes: tuple[Outcome, ...]
    reports: tuple[str, ...]
    fault: str

    def outcome(self, name: str) -> Outcome:
        found = [one for one in self.outcomes if one.name == name]
        return found[0] if found else Outcome(name, (), f"was not run: {self.fault}")


def read(text: str) -> Heard:
    """Judge a whole console.

    A case passes if it says ``ok NAME`` and nothing that begins with ``not ok``, ends within its
    time, and the kernel reports nothing meanwhile.
    """
    lines = [STAMP.sub("", line) for line in text.replace("\r", "").splitlines()]
    _silence(lines)
    places = [number for number, line in enumerate(lines) if is_report(line)]
    return Heard(
        tuple(_outcomes(lines, places)),
        tuple(_reports(lines, places)),
        _fault(lines),
    )


def is_report(line: str) -> bool:
    return bool(REPORT.search(line)) and not OURS.search(line) and not HARMLESS.search(line)


def _silence(lines: list[str]) -> None:
    """Take the first line from what is UML's own noise, and from nothing else."""
    first, place, function = NOISE
    for number, line in enumerate(lines):
        if line != first:
            continue
        trace = lines[number : number + NOISE_LINES]
        # A report ends with the empty line behind its trace.
        start = next((i for i, one in enumerate(trace) if one.startswith("Call Trace")), 0)
        end = next((i for i, one in enumerate(trace) if i > start and not one.strip()), None)
        own = trace[3:4] and trace[3].startswith(place)
        if own and any(function in one for one in trace[start:end]):
            lines[number] = ""
            lines[number + start] = ""


def _fault(lines: list[str]) -> str:
    """What is wrong with the guest as a whole; empty if nothing is.

    A kernel that has switched lockdep off, or is tainted, has seen what may not be in the
    console any more.
    """
    said = {found[1]: found[2] for line in lines if (found := OURS.search(line))}
    if "over" not in said:
        return "the guest did not come to its end"
    if said.get("lockdep debug_locks:", "").strip() != "1":
        return "lockdep has switched itself off"
    tainted = int(said.get("tainted", "-1"))
    # Modules out of the tree (4096) are those that a test has planted a fault in.
    return f"the kernel is tainted: {tainted}" if tainted & ~4096 else ""


def _outcomes(lines: list[str], places: list[int]) -> Iterator[Outcome]:
    name, begun, said = "", 0, list[str]()
    for number, line in enumerate(lines):
        found = OURS.search(line)
        if not found:
            continue
        if found[1] == "begin":
            name, begun, said = found[2], number, []
        elif found[1] == "said":
            said.append(found[2])
        elif found[1] == "end":
            inside = [lines[place] for place in places if begun < place < number]
            yield Outcome(name, tuple(said), _why(name, said, inside))
            name = ""
    if name:
        yield Outcome(name, tuple(said), "the guest ended in it")


def _why(name: str, said: list[str], reported: list[str]) -> str:
    if reported:
        return f"the kernel reports: {reported[0]}"
    wrong = [line for line in said if line.startswith("not ok")]
    if wrong:
        return wrong[0]
    if f"ok {name}" not in said:
        return "it did not say `ok` within its time: " + " | ".join(said[-5:])
    return ""


def _reports(lines: list[str], places: list[int]) -> Iterator[str]:
    last = -CONTEXT
    for place in places:
        if place - last < CONTEXT:
            continue
        last = place
        yield "\n".join(lines[max(place - 1, 0) : place + CONTEXT])
