"""``patch --check`` tells what patches do beside fitting, and fails where no build may go on."""

from __future__ import annotations

import json

import pytest

from tests.world import PATCH, PROFILE, SOURCE, World

SMALL = ("--profile", "small")
HEADER = "struct x_user {\n\tint one;\n\tint two;\n};\n"
TABLES = """
[component.tool.kabi]
file = "list"

[[layout]]
structures = ["x_user"]
copies = [{ component = "tool", file = "include/x.h" }, { component = "tool", file = "user/x.h" }]
"""
MORE = """\
--- a/Kconfig
+++ b/Kconfig
@@ -1,2 +1,3 @@
 config X
 \tbool "x"
+\tdefault y
--- a/include/x.h
+++ b/include/x.h
@@ -1,4 +1,4 @@
 struct x_user {
-\tint one;
+\tlong one;
 \tint two;
 };
"""


@pytest.fixture
def patched(small: World) -> World:
    (small.project / "specs/small/profile.toml").write_text(
        PROFILE.replace("\n[source.tool]", f"{TABLES}\n[source.tool]")
    )
    small.write_source(
        {
            **SOURCE,
            "Kconfig": 'config X\n\tbool "x"\n',
            "include/x.h": HEADER,
            "user/x.h": HEADER.replace("int one", "long one"),
            "x.c": "#include <x.h>\nint x(struct x_user *u) { return 0; }\nEXPORT_SYMBOL(x);\n",
            "list": "0x1\tx\tvmlinux\tEXPORT_SYMBOL\n",
        }
    )
    small.write_patches(say_two=PATCH, widen=MORE)
    return small


def test_symbols_exports_and_layouts_are_told(patched: World) -> None:
    ended = patched.run("patch", "--check", *SMALL)
    assert ended.status == 0, ended.errors
    assert "  Kconfig: X (Kconfig) changed: default none -> y" in ended.output
    assert "layout: tool user/x.h: 1 structures and 0 numbers compared" in ended.output
    assert "they agree" in ended.output


def test_a_disagreement_fails_and_names_the_field(patched: World) -> None:
    patched.write_patches(say_two=PATCH, widen=MORE.replace("\tlong one;", "\tshort one;"))
    ended = patched.run("patch", "--check", "--json", *SMALL)
    assert ended.status == 4
    assert "field one: offset 0, 2 bytes in tool, offset 0, 8 bytes in tool" in ended.errors
    found = json.loads(ended.output)
    assert found["components"]["tool"]["kconfig"]["changes"][0]["after"]["defaults"] == ["y"]
    assert found["components"]["tool"]["kabi"]["changed"] == ["struct x_user"]
    assert found["layouts"][0]["copies"][0]["disagreements"][1]["field"] == "one"


def test_a_list_that_the_source_lacks_is_named(patched: World) -> None:
    profile = patched.project / "specs/small/profile.toml"
    profile.write_text(profile.read_text().replace('file = "list"', 'file = "gone"'))
    ended = patched.run("patch", "--check", *SMALL)
    assert ended.status == 4
    assert "that lacks gone" in ended.errors


def test_a_check_of_an_unknown_component_is_refused(patched: World) -> None:
    profile = patched.project / "specs/small/profile.toml"
    text = profile.read_text().replace('"tool", file = "user', '"other", file = "user')
    profile.write_text(text)
    ended = patched.run("patch", "--check", *SMALL)
    assert ended.status == 2
    assert "'other', which is not a component" in ended.errors
    (line,) = (number for number, one in enumerate(text.split("\n"), 1) if '"other"' in one)
    assert f"profile.toml:{line} " in ended.errors
