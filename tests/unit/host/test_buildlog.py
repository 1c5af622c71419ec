"""The cause of a failed build is found in its log, however long that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.host import buildlog

NOISE = "  CC      kernel/fork.o\n" * 5000


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("net/x.c:3:1: error: unknown type name 'foo'\n", "unknown type name"),
        ("a.c:1: fatal error: y.h: No such file or directory\n", "fatal error: y.h"),
        ("ld: a.o: undefined reference to `f'\n", "undefined reference"),
        ("config: CONFIG_FOO wanted=y got=n (common.config:12)\n", "CONFIG_FOO wanted=y"),
        (
            "config: CONFIG_A wanted=y got=n (a:1)\nconfig:   (Kconfig) B\n",
            "\nconfig:   (Kconfig) B",
        ),
        ("error: File not found: /buildroot/usr/x\nRPM build errors:\n", "File not found"),
        ("cp: write error: No space left on device\n", "No space left"),
        (
            "make: *** [Makefile:3: all] Error 1\nerror: Bad exit status from /x (%build)\n",
            "Makefile:3",
        ),
        ("/bin/sh: 1: lz4: not found\nmake: *** [Makefile:3: all] Error 127\n", "lz4: not found"),
    ],
)
def test_the_telling_line_is_found(tmp_path: Path, text: str, cause: str) -> None:
    log = tmp_path / "log"
    log.write_text(NOISE + text + NOISE + "make: leaving\n")
    assert cause in buildlog.cause(log)
    assert "fork.o" not in buildlog.cause(log)


def test_without_a_telling_line_the_last_lines_are_given(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\ntwo\n\xff\n", encoding="latin-1")
    assert buildlog.cause(log).splitlines()[:2] == ["one", "two"]


def test_no_log_is_said(tmp_path: Path) -> None:
    assert buildlog.cause(tmp_path / "none") == "it left no log"


def test_a_line_without_an_end_is_told_in_part(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for text in ("x" * 3_000_000, "a.c:1: error: " + "x" * 3_000_000):
        log.write_text(text)
        assert len(buildlog.cause(log)) < 1000
