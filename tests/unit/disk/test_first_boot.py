"""The files of a first-boot disk: what they become, and which are refused, with what words."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest

READER = (
    Path(__file__).parents[3]
    / "dockerfiles/debian12/guest/systemd/files/usr/lib/director/first-boot-read"
)
_DATA = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))).decode()
KEY = f"ssh-ed25519 {_DATA} admin@example.net"
RSA = (
    "ssh-rsa "
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQC723Ba3npV+n3qkPGQiVz0UG+UUwqqqJyuEyGnpxpd1SD7zh0O"
    "r+HEjh6wTr6bDIqTYbmOGCjOc0JWEAwO6WieuS0CBiVKSqK8LCjnZlA4MSgKTCas++InSWtkyHQdT1sS"
    "8zSUdsOVZweSqfPtfsHmDPhWgsdHu5V91paBjZjVsI2GcluUhhcEfGJG0vVHCRwMagzNXLv83W+mpcQV"
    "ZLrIkmbc5tHUf5VK8zOMHQDkzZlb1iXrAPkz5qRqdbhj83ieyG7jnpLNLN6J1ljfsoibhN+H4qEUoZfM"
    "XxQAKewD2C36keH5aypzrZbVrH55POyKPhpSqrcJLuXheWc6Iasz"
    " admin"
)
ECDSA = (
    "ecdsa-sha2-nistp256 "
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBGfVc8zlszNtuswJB+TM6M6ItNK9"
    "HXM125UbA0QDbIKZBe8U8D12YZxGX2w9TnHbK3EhTMsNVQ/vI2Zk2zPzSOU="
    " admin"
)
HASH = "$6$saltsaltsalt$" + "a" * 86
WHOLE = f"""\
# a comment
[Director]
Hostname=lb1.example.net
ConsoleLogin=on
RootPasswordHash={HASH}
SSH=yes
SSHKey={KEY}

[Interface enp0s2]
Address=192.0.2.10/24
Address = 2001:db8::10/64
Gateway=192.0.2.1
Gateway=2001:db8::1
DNS=192.0.2.53

[Interface inner]
MACAddress=52:54:00:AB:CD:EF
DHCP=ipv4
"""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


def read(disk: Path) -> tuple[Path, list[str]]:
    """Where the tree is, and the mistakes."""
    staging = disk.parent / "staging"
    staging.mkdir()
    command: list[str | Path] = ["perl", READER, disk, staging]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == (1 if done.stdout else 0)
    return staging, done.stdout.splitlines()


def taken(disk: Path) -> Path:
    staging, mistakes = read(disk)
    assert mistakes == []
    return staging


def refused(disk: Path) -> str:
    """The only mistake; nothing was written."""
    staging, mistakes = read(disk)
    assert list(staging.iterdir()) == []
    assert len(mistakes) == 1, mistakes
    assert mistakes[0].isascii()
    assert mistakes[0].isprintable()
    return mistakes[0]


def configure(disk: Path, text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    (disk / "director.conf").write_bytes(data)


def test_every_key_becomes_its_file(disk: Path) -> None:
    configure(disk, WHOLE)
    (disk / "keepalived.conf").write_text("global_defs {\n}\n")
    staging = taken(disk)
    root = staging / "root"
    assert (root / "etc/hostname").read_text() == "lb1.example.net\n"
    assert "127.0.1.1 lb1.example.net lb1\n" in (root / "etc/hosts").read_text()
    assert (root / "etc/systemd/network/10-enp0s2.network").read_text() == (
        "[Match]\nName=enp0s2\n\n[Network]\nAddress=192.0.2.10/24\nAddress=2001:db8::10/64\n"
        "Gateway=192.0.2.1\nGateway=2001:db8::1\nDNS=192.0.2.53\n"
    )
    assert (root / "etc/systemd/network/10-inner.network").read_text() == (
        "[Match]\nMACAddress=52:54:00:ab:cd:ef\n\n[Network]\nDHCP=ipv4\n"
    )
    assert (root / "etc/resolv.conf").read_text() == "nameserver 192.0.2.53\n"
    assert (root / "root/.ssh/authorized_keys").read_text() == KEY + "\n"
    assert (root / "etc/keepalived/keepalived.conf").read_text() == "global_defs {\n}\n"
    assert (staging / "password").read_text() == f"root:{HASH}\n"
    assert (staging / "units").read_text().split() == [
        "systemd-networkd.service",
        "ssh.service",
        "keepalived.service",
    ]


def test_secrets_are_the_owners_alone(disk: Path) -> None:
    configure(disk, WHOLE)
    (disk / "keepalived.conf").write_text("vrrp_instance a { }\n")
    staging = taken(disk)
    for name in (
        "password",
        "root/root/.ssh/authorized_keys",
        "root/etc/keepalived/keepalived.conf",
    ):
        assert (staging / name).stat().st_mode & 0o077 == 0, name


def test_nothing_is_switched_on_that_was_not_asked_for(disk: Path) -> None:
    configure(disk, "[Director]\nHostname=lb1\n")
    staging = taken(disk)
    assert {path.name for path in staging.rglob("*") if path.is_file()} == {
        "hostname",
        "hosts",
        "units",
    }
    assert (staging / "units").read_text() == ""


def test_a_file_from_windows_is_read(disk: Path) -> None:
    configure(disk, WHOLE.replace("\n", "\r\n"))
    assert (taken(disk) / "root/etc/hostname").read_text() == "lb1.example.net\n"


def test_what_systems_leave_on_a_disk_is_no_matter(disk: Path) -> None:
    configure(disk, WHOLE)
    for name in ("lost+found", "System Volume Information", ".Trashes"):
        (disk / name).mkdir()
    assert (taken(disk) / "root/etc/hostname").is_file()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[Director]\nHostnam=a\n", "line 2: nobody knows a key 'Hostnam'"),
        ("[Director]\nhostname=a\n", "line 2: nobody knows a key 'hostname'"),
        ("[Direktor]\nHostname=a\n", "line 1: nobody knows a section 'Direktor'"),
        ("Hostname=a\n", "line 1: a key comes before the first section"),
        ("[Director]\nHostname a\n", "line 2: 'Hostname a' is neither a section nor KEY=VALUE"),
        ("[Director]\nHostname=\n", "line 2: Hostname has no value"),
        ("[Director]\nHostname=a\nHostname=b\n", "line 3: Hostname is there twice"),
        ("[Director]\n[Director]\n", "line 2: the section 'Director' is there twice"),
        ("[Director]\nHostname=-a\n", "'-a' is not a host name"),
        ("[Director]\nHostname=a_b\n", "'a_b' is not a host name"),
        ("[Director]\nHostname=a;reboot\n", "'a;reboot' is not a host name"),
        ("[Director]\nHostname=" + "a" * 64 + "\n", "is not a host name"),
        ("[Director]\nHostname=192.0.2.1\n", "is not a host name"),
        ("[Director]\nConsoleLogin=maybe\n", "'maybe' is neither yes nor no"),
        ("[Director]\nConsoleLogin=yes\n", "there is no default password"),
        (f"[Director]\nRootPasswordHash={HASH}\n", "is of no use without ConsoleLogin=yes"),
        ("[Director]\nSSH=yes\n", "needs an SSHKey"),
        (f"[Director]\nSSHKey={KEY}\n", "is of no use without SSH=yes"),
        ("[Interface a/b]\nDHCP=yes\n", "nobody knows a section 'Interface a/b'"),
        ("[Interface ..]\nDHCP=yes\n", "nobody knows a section 'Interface ..'"),
        ("[Interface " + "e" * 16 + "]\nDHCP=yes\n", "nobody knows a section"),
        ("[Interface e]\nAddress=192.0.2.256/24\n", "'192.0.2.256/24' is not an address"),
        ("[Interface e]\nAddress=192.0.2.1\n", "is not an address with a prefix length"),
        ("[Interface e]\nAddress=192.0.2.1/33\n", "is not an address with a prefix length"),
        ("[Interface e]\nAddress=192.0.2.1/024\n", "is not an address with a prefix length"),
        ("[Interface e]\nAddress=192.0.2.1/24/1\n", "is not an address with a prefix length"),
        ("[Interface e]\nAddress=192.0.2/24\n", "is not an address with a prefix length"),
        ("[Interface e]\nAddress=2001:db8::/129\n", "is not an address with a prefix length"),
        ("[Interface e]\nAddress=2001:db8:::1/64\n", "is not an address with a prefix length"),
        ("[Interface e]\nGateway=gw.example.net\n", "is not an IPv4 or IPv6 address"),
        ("[Interface e]\nGateway=192.0.2.1/24\n", "is not an IPv4 or IPv6 address"),
        ("[Interface e]\nGateway=192.0.2.1\nGateway=192.0.2.2\n", "two gateways of one family"),
        (
            "[Interface e]\nAddress=192.0.2.1/24\n[Interface f]\nAddress=192.0.2.1/24\n",
            "the address 192.0.2.1 is there twice",
        ),
        ("[Interface e]\nMACAddress=52:54:00:00:00\n", "is not a MAC address"),
        ("[Interface e]\nDHCP=ipv5\n", "'ipv5' is neither yes nor no"),
        ("[Director]\nHostname=a\\\nb=c\n", "is not a host name"),
    ],
)
def test_a_mistake_is_named_with_its_place(disk: Path, text: str, words: str) -> None:
    configure(disk, text)
    staging, mistakes = read(disk)
    assert list(staging.iterdir()) == []
    assert words in mistakes[0]
    assert mistakes[0].startswith("director.conf")


@pytest.mark.parametrize("key", [KEY, RSA, ECDSA, KEY.rpartition(" ")[0]])
def test_the_keys_that_openssh_makes_are_taken(disk: Path, key: str) -> None:
    configure(disk, f"[Director]\nSSH=yes\nSSHKey={key}\n")
    assert (taken(disk) / "root/root/.ssh/authorized_keys").read_text() == key + "\n"


@pytest.mark.parametrize(
    "key",
    [
        "ssh-ed25519",
        f"ssh-ed25519 {_DATA[:40]}",
        f"ssh-rsa {_DATA} a",
        f"ssh-dss {_DATA} a",
        f'command="reboot" {KEY}',
        f"{KEY}\\n{KEY}",
        f"{KEY}; reboot",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ],
)
def test_a_key_that_is_none_is_refused(disk: Path, key: str) -> None:
    configure(disk, f"[Director]\nSSH=yes\nSSHKey={key}\n")
    assert refused(disk).startswith("director.conf line 3: ")


def test_a_key_that_is_broken_over_lines_is_refused(disk: Path) -> None:
    configure(disk, f"[Director]\nSSH=yes\nSSHKey={KEY[:40]}\n{KEY[40:]}\n")
    staging, mistakes = read(disk)
    assert list(staging.iterdir()) == []
    assert [mistake.split(":")[0] for mistake in mistakes] == [
        "director.conf line 3",
        "director.conf line 4",
    ]


@pytest.mark.parametrize("password", ["secret", "$1$salt$abc", HASH + "x", f"{HASH}:0"])
def test_a_password_that_is_no_hash_is_refused_and_not_shown(disk: Path, password: str) -> None:
    configure(disk, f"[Director]\nConsoleLogin=yes\nRootPasswordHash={password}\n")
    said = refused(disk)
    assert "this is not a hash of crypt(5)" in said
    assert password not in said


def test_all_mistakes_are_told_at_once(disk: Path) -> None:
    configure(disk, "[Director]\nHostname=-\nSSH=perhaps\nFoo=1\n")
    assert len(read(disk)[1]) == 3


@pytest.mark.parametrize("data", [b"\0", b"\xff\xfe[\0", b"a\x1b[2Jb", b"\xe2\x80\xae", b"a\rb"])
def test_bytes_that_are_no_text_are_refused(disk: Path, data: bytes) -> None:
    configure(disk, b"[Director]\nHostname=" + data + b"\n")
    assert "line 2: a byte that is not plain text" in refused(disk)


@pytest.mark.parametrize(
    ("name", "size"), [("director.conf", 64 * 1024), ("keepalived.conf", 1024 * 1024)]
)
def test_a_file_that_is_too_large_is_refused(disk: Path, name: str, size: int) -> None:
    (disk / name).write_bytes(b"#" * (size + 1))
    assert refused(disk) == f"{name}: it has {size + 1} bytes, at most {size} are read"


def test_an_empty_file_is_refused(disk: Path) -> None:
    configure(disk, "\n")
    assert refused(disk) == "director.conf: it is empty"


def test_an_empty_disk_is_refused(disk: Path) -> None:
    assert refused(disk) == "there is neither a director.conf nor a keepalived.conf on the disk"


def test_a_link_is_refused(disk: Path) -> None:
    (disk / "keepalived.conf").symlink_to("/etc/passwd")
    assert refused(disk) == "keepalived.conf: it is a link, not a file"


def test_what_is_no_file_is_refused(disk: Path) -> None:
    os.mkfifo(disk / "keepalived.conf")
    assert refused(disk) == "keepalived.conf: it is not a regular file"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"director.conf~", "director.conf~"),
        (b"a\n\x1b[31mb\\c", "a??[31mb?c"),
        (b"\xff\xfe", "??"),
        (b"$(reboot)", "$(reboot)"),
        (b"-rf", "-rf"),
        (b"x" * 200, "x" * 57 + "..."),
    ],
)
def test_a_name_that_nobody_knows_is_refused(disk: Path, name: bytes, shown: str) -> None:
    configure(disk, WHOLE)
    (disk / os.fsdecode(name)).write_text("")
    assert f"nobody knows a file '{shown}'" in refused(disk)


def test_a_disk_full_of_files_is_refused(disk: Path) -> None:
    for number in range(65):
        (disk / f"file{number}").write_text("")
    assert refused(disk) == "there are 65 files on the disk, at most 64 are read"
