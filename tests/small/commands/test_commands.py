"""The commands that need no engine do what they say, on a project of their own."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from tests import world
from tests.world import PATCH, World

SMALL = ("--profile", "small")


def test_fetch_names_the_digest_and_pins_it(small: World) -> None:
    ended = small.run("fetch", *SMALL)
    assert ended.status == 0, ended.errors
    lock = (small.project / "specs" / "small" / "sources.lock").read_text()
    digest = ended.output.split()[1]
    assert len(digest) == 64
    assert digest in lock


def test_patch_check_reports_every_hunk_and_changes_nothing(small: World) -> None:
    ended = small.run("patch", "--check", *SMALL)
    assert ended.status == 0, ended.errors
    assert "say_two.patch: 1 file, 1 hunk: 1 clean" in ended.output
    assert small.artifacts() == []


def test_patch_check_reports_a_rejected_hunk_and_fails(small: World) -> None:
    small.write_patches(say_two=PATCH.replace('puts("one")', 'puts("eleven")'))
    ended = small.run("patch", "--check", *SMALL)
    assert ended.status == 5
    assert "rejected" in ended.output
    assert "say_two.patch" in ended.errors


def test_patch_speaks_json(small: World) -> None:
    ended = small.run("patch", "--check", "--json", *SMALL)
    report = json.loads(ended.output)
    assert report["components"]["tool"]["patches"][0]["name"] == "say_two.patch"


CONTROL = "\x1b]0;evil\x07\x9b31m\u202e"


def test_a_patch_moves_no_terminal(small: World) -> None:
    """Patches come out of downloaded tarballs, too."""
    small.write_patches(say_two=PATCH.replace('puts("one")', f'puts("{CONTROL}")'))
    for words in ((), ("--json",)):
        ended = small.run("patch", "--check", *words, *SMALL)
        assert ended.status == 5, ended.errors
        assert all(one.isprintable() or one in "\n\t" for one in ended.output + ended.errors)
    text = json.loads(ended.output)["components"]["tool"]["patches"][0]["files"][0]["hunks"][0][
        "text"
    ]
    assert CONTROL in text


def test_a_name_in_the_cache_moves_no_terminal(small: World, tmp_path: Path) -> None:
    small.cache = tmp_path / "cache"
    assert small.run("fetch", *SMALL).status == 0
    (small.cache / "blobs" / CONTROL).touch()
    ended = small.run("verify")
    assert ended.status == 4
    assert r"blobs/\x1b]0;evil\x07\x9b31m\u202e" in ended.output
    assert all(one.isprintable() or one in "\n\t" for one in ended.output + ended.errors)


def test_tree_lays_out_what_rpmbuild_needs(small: World) -> None:
    ended = small.run("tree", *SMALL)
    assert ended.status == 0, ended.errors
    home = small.project / "artifacts" / "small" / "tree" / "tool"
    top = home / "rpmbuild"
    assert (home / ".rpmmacros").read_text().startswith("%_topdir")
    assert (top / "SPECS" / "tool.spec").read_text().startswith("%global")
    assert {path.name for path in (top / "SOURCES").iterdir()} == {
        "tool-1.0.tar.gz",
        "say_two.patch",
    }
    assert f"HOME={home} rpmbuild -ba" in ended.output


def modes(folder: Path) -> dict[str, int]:
    """Permissions by name, whatever the keys of finished stages are."""
    key = re.compile("[0-9a-f]{20}")
    return {
        key.sub("KEY", str(path.relative_to(folder))): path.lstat().st_mode
        for path in folder.rglob("*")
    }


def test_the_caller_s_umask_changes_no_permission(tmp_path: Path) -> None:
    """Containers read as a user of their own what is made here."""
    made = []
    for umask in ("022", "077", "000"):
        own = world.make(tmp_path / umask / "project", tmp_path / umask / "cache")
        words = shlex.join(own.command("tree", *SMALL))
        ended = own.run_words("sh", "-c", f"umask {umask}; exec {words}")
        assert ended.status == 0, ended.errors
        made.append(modes(own.cache / "stages") | modes(own.project / "artifacts"))
    assert made[0] == made[1] == made[2]
    assert len(made[0]) > 20


def test_doctor_speaks_json_and_tells_a_missing_source(small: World) -> None:
    good = json.loads(small.run("doctor", "--json", *SMALL).output)
    assert set(good) == {"version", "summary", "findings"}
    assert all({"name", "status", "value"} <= set(finding) for finding in good["findings"])
    assert "profile small in base debian12" in good["summary"]
    wrong = small.run("doctor", "--base", "none", *SMALL)
    assert (wrong.status, "debian12" in wrong.errors) == (2, True)
    (small.project / "tool-1.0.tar.gz").unlink()
    ended = small.run("doctor", *SMALL)
    assert ended.status == 7
    assert "source tool" in ended.output


def test_report_without_a_build_names_the_command_to_run(small: World) -> None:
    ended = small.run("report", *SMALL)
    assert ended.status == 2
    assert "invoke build --profile small" in ended.errors


def test_clean_removes_the_artifacts_of_the_profile(small: World) -> None:
    small.run("tree", *SMALL)
    ended = small.run("clean", *SMALL)
    assert ended.status == 0, ended.errors
    assert not (small.project / "artifacts" / "small").exists()


def test_explain_says_what_would_run(small: World) -> None:
    ended = small.run("explain", "prep:tool", *SMALL)
    assert ended.status == 0, ended.errors
    assert "fetch:tool: would run" in ended.output
