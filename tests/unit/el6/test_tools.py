"""The tools of el6: their specs are what both rpms read, and their scripts do as they say."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.el6 import world
from tests.support.el6.tools import KERNEL, SPECS, TOOLS, Tree, needs_rpm, rendered, run, tree

__all__ = ["tree"]  # fixtures
LINKINGS = ("static", "dynamic")
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
# Those of the experiment of 2012, word for word.
SWITCHES = (
    "--disable-ripd --disable-ripngd --disable-bgpd --disable-watchquagga --disable-doc "
    "--enable-user=root --enable-vty-group=root --enable-group=root --enable-zebra "
    "--localstatedir=/var/run/quagga"
)


def parsed(folder: Path, name: str, linking: str, *options: str) -> str:
    path = folder / f"{name}.spec"
    path.write_text(rendered(name, linking))
    ended = run("rpmspec", *options, "--parse", path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout


@needs_rpm
@pytest.mark.parametrize("linking", LINKINGS)
@pytest.mark.parametrize("name", TOOLS)
def test_a_tools_spec_is_one_that_rpm_reads(name: str, linking: str, tmp_path: Path) -> None:
    text = parsed(tmp_path, name, linking, "--define", "needs /needs")
    for macro in ("%{_unitdir}", "%{needs}", "%{_initddir}"):
        assert macro not in text
    # The builder's host runs another kernel; rpm 4.8 knows neither of the rest.
    for word in ("uname -r", "Recommends:", "Suggests:", "zstd"):
        assert word not in text
    assert ("-static" in text) == (linking == "static" and name != "lvs-director")


@needs_rpm
def test_quagga_is_configured_as_the_document_says(tmp_path: Path) -> None:
    words = parsed(tmp_path, "quagga", "dynamic").replace("\\\n", " ").split()
    assert SWITCHES in " ".join(words)


@needs_rpm
def test_a_lone_rebuild_takes_the_kernel_and_the_library_that_are_installed(tmp_path: Path) -> None:
    alone = parsed(tmp_path, "keepalived", "dynamic", "--define", "rhel 6", "--target", "x86_64")
    assert f"set -- /usr/src/kernels/{KERNEL}.x86_64\n" in alone
    assert f"BuildRequires:  kernel-devel = {KERNEL}\n" in alone
    beside = parsed(tmp_path, "keepalived", "dynamic", "--define", "needs /n", "--define", "rhel 6")
    assert "set -- /n/kernel/usr/src/kernels/*\n" in beside
    assert "kernel-devel" not in beside
    alone = parsed(tmp_path, "ipvsadm", "dynamic", "--define", "rhel 6")
    assert "[ ! -f /usr/lib64/keepalived/libipvs/libipvs.a ]" in alone
    assert "BuildRequires:  keepalived-libipvs-devel = 1:1.2.2-1.lvs\n" in alone


@needs_rpm
@pytest.mark.parametrize("name", ["keepalived", "ipvsadm", "quagga"])
def test_prep_takes_the_tool_out_of_the_tarball_in_the_tarball(name: str, tree: Tree) -> None:
    ended = tree.build("-bp", name)
    assert ended.returncode == 0, ended.stderr
    # rpm 4.20 has one more folder between the two.
    (made,) = (tree.top / "BUILD").rglob(f"{name}-{TOOLS[name]}")
    assert (made / "README").read_text() == "README of the small world\n"


@needs_rpm
def test_keepalived_without_ipvs_is_a_failure(tree: Tree) -> None:
    ended = tree.build("-bc", "keepalived", "dynamic")
    assert ended.returncode != 0
    assert "error: no headers of the kernel built for this director" in ended.stderr
    tree.headers()
    path = tree.top / "x/tools/keepalived/configure"
    tarball = tree.top / "SOURCES" / world.TARBALL
    # Headers are there, but configure does not take to them.
    text = "#!/bin/sh\necho \"IPVS_SUPPORT='_WITHOUT_LVS_'\" >config.log\n"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    inner = tree.top / "x/l/lvs-tools.tar.gz"
    inner.parent.mkdir()
    subprocess.run(["tar", "-czf", inner, "-C", path.parents[2], "tools"], check=True)
    subprocess.run(["tar", "-czf", tarball, "-C", inner.parents[1], "l"], check=True)
    ended = tree.build("-bc", "keepalived", "dynamic")
    assert ended.returncode != 0
    assert "error: keepalived would be built without IPVS_SUPPORT='_WITH_LVS_'" in ended.stderr
    assert "IPVS_SUPPORT='_WITHOUT_LVS_'" in ended.stderr


@needs_rpm
def test_ipvsadm_without_keepaliveds_library_is_a_failure(tree: Tree) -> None:
    ended = tree.build("-bc", "ipvsadm", "dynamic")
    assert ended.returncode != 0
    assert "keepalived is built first" in ended.stderr


def scripts() -> list[Path]:
    files = [path for name in TOOLS for path in (SPECS / name).iterdir()]
    return sorted(path for path in files if path.read_text().startswith("#!"))


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_are_any_shells(shell: str) -> None:
    words = ["busybox", "sh"] if shell == "busybox" else [shell]
    assert len(scripts()) == 5
    for path in scripts():
        assert run(*words, "-n", path).returncode == 0, path


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_scripts_pass_shellcheck() -> None:
    ended = run("shellcheck", *scripts())
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    "path", [p for p in scripts() if p.suffix == ".init"], ids=lambda p: p.name
)
def test_init_scripts_have_what_chkconfig_reads(path: Path) -> None:
    text = path.read_text()
    assert "\n# chkconfig: " in text
    assert "\n# description: " in text
    header = text.partition("### BEGIN INIT INFO\n")[2].partition("### END INIT INFO\n")[0]
    for word in (
        "Provides",
        "Required-Start",
        "Default-Start",
        "Default-Stop",
        "Short-Description",
    ):
        assert f"# {word}:" in header


def headers() -> dict[str, tuple[int, int, set[str]]]:
    """By service: its place at the start and at the end, and what it comes behind."""
    found = {}
    daemons = {"zebra": (15, 85, ""), "ospfd": (16, 84, " zebra"), "ospf6d": (16, 84, " zebra")}
    texts = [p.read_text() for p in scripts() if p.suffix == ".init" and p.name != "daemon.init"]
    for name, (start, stop, needs) in daemons.items():
        text = (SPECS / "quagga/daemon.init").read_text().replace("@DAEMON@", name)
        text = text.replace("@START@", str(start)).replace("@STOP@", str(stop))
        texts.append(text.replace("@NEEDS@", needs))
    for text in texts:
        fields = dict(re.findall(r"^# ([\w-]+): *(.*)$", text, re.MULTILINE))
        start, stop = fields["chkconfig"].split()[1:]
        behind = set((fields["Required-Start"] + " " + fields.get("Should-Start", "")).split())
        found[fields["Provides"]] = (int(start), int(stop), behind)
    return found


def test_a_service_starts_behind_what_it_needs_and_stops_before_it() -> None:
    """chkconfig orders by number, then by name; the network of EL6 is S10 and K90."""
    known = headers() | {"$network": (10, 90, set())}
    assert {"zebra", "ospfd", "ospf6d", "keepalived", "ipvsadm", "lvs-director"} < set(known)
    for name, (start, stop, behind) in headers().items():
        assert "$network" in behind, name
        for other in behind & set(known):
            assert start > known[other][0], f"{name} behind {other}"
            assert stop < known[other][1], f"{name} before {other}"
    assert "zebra" in known["ospfd"][2]


@needs_rpm
def test_the_package_gives_each_daemon_its_place(tmp_path: Path) -> None:
    made = parsed(tmp_path, "quagga", "dynamic")
    shell = made.partition("for name in zebra ospfd ospf6d; do\n")[2].partition("install ")[0]
    origin = SPECS / "quagga/daemon.init"
    shell = re.sub(r"\S+/daemon\.init >", f"{origin} >", shell)
    script = f"cd {tmp_path}; for name in zebra ospfd ospf6d; do\n{shell}\ndone"
    ended = run("sh", "-c", script)
    assert ended.returncode == 0, ended.stderr
    for name, (start, stop, _) in headers().items():
        if (path := tmp_path / f"{name}.init").exists():
            text = path.read_text()
            assert f"# chkconfig: - {start} {stop}\n" in text
            assert "@" not in text
            assert ("$syslog zebra\n" in text) == (name != "zebra")
    assert len(list(tmp_path.glob("*.init"))) == 3


@pytest.mark.parametrize(
    ("daemon", "kept", "expected"),
    [
        ("keepalived", "", "-D"),
        ("keepalived", 'KEEPALIVED_OPTIONS="-D -d"\n', "-D -d"),
        ("keepalived", "options=-P\n", "-P"),
        ("keepalived", 'KEEPALIVED_OPTIONS="-D"\noptions=\n', ""),
        ("zebra", "", "--vty_addr 127.0.0.1"),
        ("zebra", 'ZEBRA_OPTS="-A ::1"\nOSPFD_OPTS=-x\n', "--vty_addr 127.0.0.1 -A ::1"),
        ("ospfd", 'options=-u\nOSPFD_OPTS="-A ::1"\n', "-u -A ::1"),
        ("ospf6d", 'Q=/x\nOSPF6D_OPTS="-f $Q"\n', "--vty_addr 127.0.0.1 -f /x"),
    ],
)
def test_options_of_a_file_that_was_kept_are_honoured(
    daemon: str, kept: str, expected: str, tmp_path: Path
) -> None:
    own = "keepalived" if daemon == "keepalived" else "quagga"
    origin = SPECS / ("keepalived/keepalived.init" if own == "keepalived" else "quagga/daemon.init")
    script = init_script(tmp_path, origin, daemon)
    program = tmp_path / "usr/sbin" / daemon
    program.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/told\n')
    program.chmod(0o755)
    config = tmp_path / "etc" / own / f"{daemon}.conf"
    config.parent.mkdir(exist_ok=True)
    config.write_text("")
    (tmp_path / "etc/sysconfig" / own).write_text(kept)
    assert run("sh", script, "start").returncode == 0
    told = (tmp_path / "told").read_text().split()
    fixed = 2 if own == "keepalived" else 5  # -f FILE; -d -f FILE -i FILE
    assert " ".join(told[fixed:]) == expected


def init_script(folder: Path, origin: Path, daemon: str) -> Path:
    """The init script of a daemon that lives below ``folder``, like everything it touches."""
    text = origin.read_text().replace("@DAEMON@", daemon)
    for place in ("/usr/sbin", "/var", "/etc"):
        text = text.replace(f"{place}/", f"{folder}{place}/")
    script = folder / "script"
    script.write_text(text)
    for place in ("usr/sbin", "var/run/quagga", "var/lock/subsys", "etc/sysconfig", "etc/quagga"):
        (folder / place).mkdir(parents=True)
    return script


@pytest.mark.parametrize("daemon", ["keepalived", "zebra"])
def test_a_daemon_is_known_as_running_after_its_upgrade(daemon: str, tmp_path: Path) -> None:
    origin = SPECS / ("quagga/daemon.init" if daemon == "zebra" else "keepalived/keepalived.init")
    script = init_script(tmp_path, origin, daemon)
    run_folder = tmp_path / ("var/run/quagga" if daemon == "zebra" else "var/run")
    program = tmp_path / "usr/sbin" / daemon
    shutil.copy(shutil.which("sleep") or "", program)
    assert run("sh", script, "status").returncode == 3
    with subprocess.Popen([program, "60"]) as process:
        (run_folder / f"{daemon}.pid").write_text(f"{process.pid}\n")
        assert run("sh", script, "status").returncode == 0
        newer = program.with_suffix(".new")
        shutil.copy(program, newer)
        newer.replace(program)
        assert run("sh", script, "status").returncode == 0
        # Another program that has got the number of one that ended is not the daemon.
        (run_folder / f"{daemon}.pid").write_text(f"{os.getpid()}\n")
        assert run("sh", script, "status").returncode == 3
        (run_folder / f"{daemon}.pid").write_text(f"{process.pid}\n")
        reaper = subprocess.Popen(["sh", script, "stop"], stdout=subprocess.DEVNULL)
        assert process.wait(timeout=20) == -signal.SIGTERM
        assert reaper.wait(timeout=20) == 0
    assert run("sh", script, "status").returncode == 3


def ipvs_script(folder: Path, body: str) -> Path:
    """ipvsadm's; ``body``: of an ipvsadm that writes to ``told`` how it is called."""
    script = init_script(folder, SPECS / "ipvsadm/ipvsadm.init", "")
    program = folder / "ipvsadm"
    program.write_text(f'#!/bin/sh\necho "$@" >>{folder}/told\n{body}\n')
    program.chmod(0o755)
    script.write_text(script.read_text().replace("=/sbin/ipvsadm", f"={program}"))
    return script


def test_the_saved_table_takes_the_place_of_the_one_that_is_there(tmp_path: Path) -> None:
    """In one call, which changes nothing for a file with an error."""
    script = ipvs_script(tmp_path, "exit 0")
    assert run("sh", script, "start").returncode == 6
    assert not (tmp_path / "told").exists(), "the table is cleared, but there is nothing to restore"
    rules = tmp_path / "etc/sysconfig/ipvsadm"
    rules.write_text("# a comment\n")
    assert run("sh", script, "start").returncode == 0
    assert (tmp_path / "told").read_text() == f"-R --replace {rules}\n"
    (tmp_path / "second").mkdir()
    refusing = ipvs_script(tmp_path / "second", "exit 2")
    shutil.copy(rules, tmp_path / "second/etc/sysconfig/ipvsadm")
    assert run("sh", refusing, "start").returncode == 1
    assert not (tmp_path / "second/var/lock/subsys/ipvsadm").exists()


@pytest.mark.parametrize("failing", ["-S", "-R"])
def test_a_table_that_would_not_be_loaded_is_not_saved(failing: str, tmp_path: Path) -> None:
    script = ipvs_script(tmp_path, f'[ "$1" != -S ] || echo new; [ "$1" != {failing} ]')
    rules = tmp_path / "etc/sysconfig/ipvsadm"
    rules.write_text("old\n")
    ended = run("sh", script, "save")
    assert ended.returncode == 1
    assert ended.stderr == f"ipvsadm: not saved, {rules} is as it was\n"
    assert rules.read_text() == "old\n"
    assert [path.name for path in rules.parent.iterdir()] == ["ipvsadm"]


# Busybox takes its own modprobe and sysctl.
@pytest.mark.parametrize("shell", [shell for shell in SHELLS if shell != "busybox"])
def test_a_sites_later_settings_win_when_the_director_is_set_up(shell: str, tmp_path: Path) -> None:
    script = init_script(tmp_path, SPECS / "lvs-director/lvs-director.init", "")
    told = tmp_path / "told"
    for name, body in {"modprobe": "", "ethtool": "", "sysctl": f'echo "$4" >>{told}'}.items():
        program = tmp_path / "usr/sbin" / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    folder = tmp_path / "etc/sysctl.d"
    folder.mkdir()
    for name in ("10-first", "80-lvs-director", "90-local"):
        (folder / f"{name}.conf").touch()
    ended = run(shell, script, "start", PATH=f"{tmp_path}/usr/sbin:/usr/bin:/bin")
    assert ended.returncode == 0, ended.stderr
    found = [Path(line).name for line in told.read_text().splitlines()]
    assert found == ["80-lvs-director.conf", "90-local.conf"]
