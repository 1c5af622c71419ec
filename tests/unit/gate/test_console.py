"""What the gate makes of a guest's console: every report counts, boot's own lines do not."""

from __future__ import annotations

import pytest

from tests.support.gate import console

QUIET = """\
Core dump limits :
[    0.000000] KernelAddressSanitizer initialized
[    0.310000] ODEBUG: selftest passed
[    1.000000] IPVS: Connection hash table configured (size=256, memory=4Kbytes)
[    1.100000] gate: begin one
[    1.200000] gate: said ok one
[    1.300000] gate: end one
[    1.400000] gate: begin two
[    1.500000] gate: said seed 7
[    1.600000] gate: said ok two
[    1.700000] gate: end two
[    2.700000] gate: tainted 0
[    2.700000] gate: lockdep debug_locks: 1
[    2.700000] gate: over
reboot: Power down
"""
NOISE = """\
=============================
WARNING: suspicious RCU usage
6.1.192 #1 Not tainted
-----------------------------
lib/maple_tree.c:860 suspicious rcu_dereference_check() usage!

other info that might help us debug this:


rcu_scheduler_active = 2, debug_locks = 1
no locks held by init/18.

stack backtrace:
CPU: 0 PID: 18 Comm: init Not tainted 6.1.192 #1
Stack:
 60207990 60855a60 897cbca8 00000002
Call Trace:
 [<606e74fb>] ? mas_find+0xeb/0x120
 [<6003209f>] ? force_flush_all+0xef/0x1a0
 [<6002bd6e>] ? fork_handler+0x5e/0x150

"""
# Beginnings as 6.1 prints them (mm/kasan/report.c, kernel/locking/lockdep.c and others).
REPORTS = (
    "BUG: KASAN: use-after-free in ip_vs_conn_put+0x1d/0x40 [ip_vs]",
    "BUG: KASAN: slab-out-of-bounds in ip_vs_fnat_out+0x1d/0x40 [ip_vs]",
    "BUG: sleeping function called from invalid context at mm/slab.h:256",
    "BUG: unable to handle kernel paging request at 0000000000000008",
    "BUG ip_vs_conn (Tainted: G    B): Objects remaining in ip_vs_conn on __kmem_cache_shutdown()",
    "WARNING: possible circular locking dependency detected",
    "WARNING: possible recursive locking detected",
    "WARNING: inconsistent lock state",
    "WARNING: suspicious RCU usage",
    "WARNING: held lock freed!",
    "WARNING: bad unlock balance detected!",
    "WARNING: CPU: 0 PID: 31 at net/netfilter/ipvs/ip_vs_conn.c:900 ip_vs_conn_new+0x1/0x2",
    "ODEBUG: free active (active state 0) object type: timer_list hint: ip_vs_conn_expire+0x0/0x1",
    "refcount_t: underflow; use-after-free.",
    "list_del corruption. prev->next should be 1, but was 2.",
    "unregister_netdevice: waiting for to-server to become free. Usage count = 2",
    "ref_tracker: leaked reference.",
    "INFO: trying to register non-static key.",
    "INFO: task rmmod:120 blocked for more than 120 seconds.",
    "rcu: INFO: rcu_sched self-detected stall on CPU",
    "Kernel panic - not syncing: Kernel mode fault at addr 0x0, ip 0x6",
)


def at(place: str, line: str) -> console.Heard:
    """The quiet console with a line before another."""
    assert place in QUIET
    return console.read(QUIET.replace(place, f"[    1.550000] {line}\n{place}"))


def test_a_quiet_console_passes_all_cases() -> None:
    heard = console.read(QUIET)
    assert [(one.name, one.why) for one in heard.outcomes] == [("one", ""), ("two", "")]
    assert heard.outcome("two").lines == ("seed 7", "ok two")
    assert (heard.reports, heard.fault) == ((), "")


@pytest.mark.parametrize("line", REPORTS)
def test_a_report_fails_the_case_in_which_it_came(line: str) -> None:
    heard = at("[    1.600000] gate: said ok two", line)
    assert len(heard.reports) == 1 and line in heard.reports[0]
    assert heard.outcome("one").passed
    assert heard.outcome("two").why == f"the kernel reports: {line}"


def test_umls_own_noise_is_no_report() -> None:
    assert console.read(NOISE * 2 + QUIET).reports == ()
    assert at("[    1.600000] gate: said ok two", NOISE).outcome("two").passed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("suspicious RCU usage", "possible recursive locking detected"),
        ("lib/maple_tree.c:860", "net/netfilter/ipvs/ip_vs_fullnat.c:110"),
        ("force_flush_all+", "ip_vs_in_hook+"),
        # In the next report's trace, not in its own.
        (" [<6003209f>] ? force_flush_all+0xef/0x1a0\n", ""),
    ],
)
def test_what_only_resembles_the_noise_is_a_report(old: str, new: str) -> None:
    assert old in NOISE
    heard = console.read(NOISE.replace(old, new) + NOISE + QUIET)
    assert len(heard.reports) == 1


def test_a_report_between_cases_or_after_them_is_not_lost() -> None:
    for place in ("[    1.400000] gate: begin two", "[    2.700000] gate: over"):
        assert at(place, REPORTS[0]).reports


def test_what_a_case_says_is_no_report() -> None:
    text = QUIET.replace("said seed 7", "said WARNING: this is a case's own word")
    assert console.read(text).reports == ()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("said ok two", "said not ok two: no answer", "not ok two: no answer"),
        ("said ok two", "said ok", "it did not say `ok`"),
        ("gate: end two", "gate: nothing", "the guest ended in it"),
    ],
)
def test_a_case_that_does_not_pass_says_why(old: str, new: str, why: str) -> None:
    assert why in console.read(QUIET.replace(old, new)).outcome("two").why


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("gate: over", "", "did not come to its end"),
        ("debug_locks: 1", "debug_locks: 0", "lockdep has switched itself off"),
        ("tainted 0", "tainted 512", "tainted: 512"),
    ],
)
def test_a_guest_that_cannot_vouch_for_itself_is_at_fault(old: str, new: str, fault: str) -> None:
    assert fault in console.read(QUIET.replace(old, new)).fault


def test_a_case_that_was_never_begun_says_what_the_guest_came_to() -> None:
    ended = QUIET.partition("[    1.400000]")[0]
    assert "did not come to its end" in console.read(ended).outcome("two").why
