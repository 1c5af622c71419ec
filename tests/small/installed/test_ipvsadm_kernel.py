"""What the kernel refuses in the middle of a file leaves the table as it was.

A stock kernel of Debian's, booted once; FULLNAT's own part is in the smoke test.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.installed import stock_kernel
from tests.support.installed.ipvsadm import compile_in, prepare

pytestmark = [pytest.mark.guest, pytest.mark.registry, pytest.mark.timeout(900)]
SCRIPT = Path(__file__).with_name("ipvsadm_refusals.sh")


@pytest.fixture(scope="module")
def told(pipeline_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each check of the script said."""
    # Without the checks of memory, which a guest without KVM is too slow for.
    plain = compile_in(prepare(tmp_path_factory.mktemp("plain"), pipeline_cache))
    folder = tmp_path_factory.mktemp("guest")
    root = stock_kernel.kernel(folder, pipeline_cache)
    said = stock_kernel.boot(root, plain.path, SCRIPT.read_text(), folder)
    parts = re.split(r"^== (\w+)\n", said, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_all_that_a_table_has_is_saved(told: dict[str, str]) -> None:
    assert told["save"].splitlines() == [
        "status 0",
        "--set 1000 130 310",
        "-A -t 192.0.2.1:80 -s rr -p 300 -M 255.255.255.0",
        # In the order of addresses, which differences of an int are not.
        "-a -t 192.0.2.1:80 -r 10.0.0.9:8080 -m -w 2 -x 100 -y 50",
        "-a -t 192.0.2.1:80 -r 100.0.0.9:8080 -m -w 1",
        "-a -t 192.0.2.1:80 -r 192.0.2.9:8080 -m -w 0",
        "-A -u 192.0.2.1:53 -s wlc -o",
        "-A -t [fd00::1]:80 -s wlc -p 20 -M 64",
        "-a -t [fd00::1]:80 -r [fd00::2]:80 -m -w 1",
        "-a -t [fd00::1]:80 -r [fd00::3]:80 -i -w 1 -x 3 --tun-type gue --tun-port 6080 --tun-csum",
        "-A -f 4294967295 -s sh -b sh-port,flag-3",
        "-a -f 4294967295 -r 10.0.0.7:0 -g -w 1 -x 7",
        "-A -f 4294967295 -6 -s sh -b flag-3",
        "-a -f 4294967295 -6 -r [fd00::5]:0 -m -w 1",
        "master sync daemon (mcast=dummy0, syncid=3, maxlen=1472, group=224.0.0.81,"
        " port=8900, ttl=2)",
    ]


def test_what_was_saved_makes_the_same_table(told: dict[str, str]) -> None:
    assert told["again"].splitlines() == ["same", "same", "status 0", "same"]


def test_a_refusal_in_mid_file_puts_the_table_back(told: dict[str, str]) -> None:
    edit = "`-e -t 192.0.2.1:80 -r 10.0.0.9:8080 -m -w 9': Service not defined"
    unknown = "`-A -t 192.0.2.1:81 -s nosuch': Scheduler or persistence engine not found"
    gone = "`-D -t 192.0.2.99:80': No such service"
    refusals = [
        ("bad", 10, unknown),
        ("/tmp/bad", 10, unknown),
        ("bad", 2, edit),
        ("cleared", 15, gone),
        ("twice", 1, "`-A -t 192.0.2.1:80': Service already exists"),
    ]
    wanted = [
        line
        for name, number, words in refusals
        for line in (
            f"ipvsadm: {name}:{number}: {words}",
            f"ipvsadm: {name}: the table is as it was before",
            "status 1",
            "same",
        )
    ]
    assert told["refused"].splitlines() == wanted


def test_an_error_of_syntax_changes_nothing(told: dict[str, str]) -> None:
    words = [
        "ipvsadm: broken:2: `10.0': illegal real server address[:port] specified",
        "ipvsadm: broken: 1 error, nothing was changed",
        "status 2",
        "same",
    ]
    assert told["syntax"].splitlines() == [*words, *words, "status 0", "same"]


def test_fullnat_is_refused_where_the_kernel_has_none(told: dict[str, str]) -> None:
    alone = ["FULLNAT not supported by kernel", "status 1"]
    whole = [
        "ipvsadm: fullnat:2: `-a -t 192.0.2.7:80 -r 10.0.0.2 -b': "
        "FULLNAT not supported by kernel; nothing was changed",
        "status 1",
    ]
    assert told["fullnat"].splitlines() == [*alone * 3, *whole * 2, "same"]


def test_daemons_and_servers_are_put_back_in_an_order_that_is_allowed(told: dict[str, str]) -> None:
    assert told["mixed"].splitlines() == [
        "ipvsadm: mixed:3: `-D -t 192.0.2.99:80': No such service",
        "ipvsadm: mixed: the table is as it was before",
        "status 1",
        "same",
    ]


def test_a_signal_does_not_leave_half_a_table(told: dict[str, str]) -> None:
    assert told["killed"].splitlines() == [
        "ipvsadm: many:301: `-A -t 10.3.0.1:80': Service already exists",
        "ipvsadm: many: the table is as it was before",
        "status 1",
        "same",
    ]


def test_a_full_disk_is_told(told: dict[str, str]) -> None:
    assert told["full"].splitlines() == ["cannot write: No space left on device", "status 1"]
