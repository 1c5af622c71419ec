"""What goes wrong in a build ends in its exit code and three lines, and costs only itself."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.world import PATCH, SOURCE, SPEC, World

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]
BUILD = ("build", "--profile", "small", "--only", "tool")


def test_a_tool_is_built_patched_and_then_left_alone(small: World) -> None:
    small.write_source({**SOURCE, "ID": str(time.time_ns())})
    first = small.run(*BUILD)
    assert first.status == 0, first.errors
    assert "prep:tool: 1 patch applies cleanly: 1 file, 1 hunk" in first.errors
    rpm = max(small.rpms(), key=lambda path: path.stat().st_mtime)
    payload = subprocess.run(
        ["sh", "-c", f"rpm2cpio {rpm} | cpio -i --quiet --to-stdout ./usr/bin/tool"],
        capture_output=True,
        check=True,
    ).stdout
    assert b"two" in payload
    assert b"one\0" not in payload
    begun = time.monotonic()
    second = small.run(*BUILD)
    took = time.monotonic() - begun
    assert second.status == 0
    assert "started" not in second.errors
    assert took < 12, f"nothing had changed, and it took {took:.1f} s"
    assert small.leavings() == []


def test_a_compiler_error_is_quoted_and_its_container_can_be_named(small: World) -> None:
    small.write_source({**SOURCE, "tool.c": "int main(void) { return broken; }\n"})
    small.write_patches()
    ended = small.run(*BUILD)
    assert ended.status == 6
    assert re.search("error: .broken. undeclared", ended.errors)
    assert "shell: invoke shell build:tool" in ended.errors
    assert "Traceback" not in ended.errors


def test_a_spec_that_packs_a_file_that_is_not_there_is_refused(small: World) -> None:
    small.write_spec(SPEC.replace("/usr/bin/tool\n\n%changelog", "/usr/bin/other\n\n%changelog"))
    ended = small.run(*BUILD)
    assert ended.status == 6
    assert "/usr/bin/other" in ended.errors


def test_a_spec_that_makes_no_rpm_that_the_profile_names_is_refused(small: World) -> None:
    small.write_spec(SPEC.replace("{{ component.name }}", "other-name"))
    ended = small.run(*BUILD)
    assert ended.status == 6
    assert "Traceback" not in ended.errors


def test_a_patch_that_no_longer_fits_names_its_hunk(small: World) -> None:
    small.write_patches(say_two=PATCH.replace('puts("one")', 'puts("eleven")'))
    ended = small.run(*BUILD)
    assert ended.status == 5
    assert "say_two.patch" in ended.errors
    assert "eleven" in ended.errors


def test_a_fixed_cause_goes_on_from_the_last_finished_stage(small: World) -> None:
    small.write_spec(SPEC.replace("make %", "false; make %"))
    assert small.run(*BUILD).status == 6
    small.write_spec(SPEC)
    ended = small.run(*BUILD)
    assert ended.status == 0, ended.errors
    assert "unpack:tool: started" not in ended.errors


def test_changed_source_bytes_are_refused(small: World) -> None:
    assert small.run("fetch", "--profile", "small").status == 0
    lock = small.project / "specs" / "small" / "sources.lock"
    pinned = lock.read_text()
    small.write_source({**SOURCE, "README": "changed\n"})
    lock.write_text(pinned.replace('sha256 = "', 'sha256 = "0000', 1)[: len(pinned)])
    ended = small.run(*BUILD)
    assert ended.status in {2, 4}
    assert "Traceback" not in ended.errors


def test_an_unpinned_source_is_refused_when_locked(small: World) -> None:
    small.write_source({**SOURCE, "NEWS": str(time.time())})
    ended = small.run(*BUILD, "--locked")
    assert ended.status == 4
    assert "sources.lock" in ended.errors


def test_unknown_names_are_refused_with_what_there_is(small: World) -> None:
    for words, known in (
        (("build", "--profile", "none"), "profiles: small"),
        ((*BUILD, "--flavour", "none"), "flavours: vm"),
        ((*BUILD, "--base", "none"), "debian12"),
        (("build", "--profile", "small", "--only", "none"), "components: tool"),
        (("explain", "none", "--profile", "small"), "stages: "),
        (("shell", "build:none"), "no failed container"),
    ):
        ended = small.run(*words)
        assert ended.status == 2, words
        assert known in ended.errors + ended.output


def test_explain_names_the_changed_patch(small: World) -> None:
    assert small.run(*BUILD).status == 0
    patch = small.project / "patches" / "small" / "tool" / "say_two.patch"
    patch.write_text(PATCH.replace("say two", "say two, again"))
    ended = small.run("explain", "build:tool", "--profile", "small")
    assert ended.status == 0, ended.errors
    assert "unpack:tool: nothing has changed" in ended.output
    assert "prep:tool: would run" in ended.output
    assert "patch:tool/say_two.patch: " in ended.output


def test_a_log_is_kept_for_every_failure(small: World) -> None:
    small.write_spec(SPEC.replace("make %", "echo told in the log; false; make %"))
    ended = small.run(*BUILD)
    (named,) = [line for line in ended.errors.splitlines() if line.startswith("log:")]
    assert "told in the log" in Path(named.removeprefix("log:").strip()).read_text()


def test_a_failed_container_is_entered_and_kept_while_somebody_is_in_it(small: World) -> None:
    small.write_spec(SPEC.replace("make %", "touch made-before; false; make %"))
    assert small.run(*BUILD).status == 6
    wrong = small.run("shell", "build:tol")
    assert "did you mean 'build:tool'?" in wrong.errors
    shell = subprocess.Popen(
        small.command("shell", "build:tool"),
        cwd=small.project,
        env=small.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write("echo in$((1))side\n")
    shell.stdin.flush()
    assert any("in1side" in line for line in shell.stdout)
    assert small.run("fetch", "--profile", "small").status == 0
    assert len(list(small.cache.glob("scratch/small/*/build-tool"))) == 1
    shell.communicate("exit 3\n", timeout=60)
    assert shell.returncode == 3
    assert small.run("fetch", "--profile", "small").status == 0
    assert small.leavings() == []


def test_files_that_only_their_owner_may_read_are_built_from(small: World) -> None:
    """As in a checkout under umask 077: the container's user is another one."""
    extra = small.project / "specs/small/tool/extra.conf"
    extra.parent.mkdir()
    extra.write_text("for the package\n")
    spec = SPEC.replace("{{ sources[0] }}", "{{ sources[0] }}\nSource1: {{ sources[1] }}")
    small.write_spec(spec.replace("\nmake %", "\ncat %{SOURCE0} %{SOURCE1} > /dev/null\nmake %"))
    for folder in ("specs", "patches"):
        for path in (small.project / folder).rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
    ended = small.run(*BUILD)
    assert ended.status == 0, ended.errors
