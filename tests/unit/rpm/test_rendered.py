"""A kept digest is that of the spec as it would be rendered now, or it is not used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from builder.digest import Digest, of_text
from builder.errors import UsageError
from builder.rpm import rendered, spec
from builder.rpm.rendered import RenderedSpecs
from tests.unit.rpm.test_tree_and_spec import CONTEXT
from tests.world import ROOT

CODE = of_text("code")
TEMPLATE = "{{ component.version }} {% include '_more.j2' ignore missing %} {{ patches[0] }}"


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "tool.spec.j2").write_text(TEMPLATE)
    return folder


def kept(specs: Path, context: spec.SpecContext = CONTEXT, code: Digest = CODE) -> Digest:
    """The digest by what earlier runs have kept, and kept for the next one."""
    known = RenderedSpecs(specs.parent / "specs.json")
    found = known.digest(specs, context, code)
    known.keep()
    return found


def now(specs: Path, context: spec.SpecContext = CONTEXT) -> Digest:
    return of_text(spec.render(specs, context))


def test_what_changes_a_spec_changes_its_digest(specs: Path) -> None:
    found = [kept(specs)]
    assert found == [now(specs)] == [kept(specs)]
    for change in (
        lambda: (specs / "_more.j2").write_text("more"),
        lambda: (specs / "_more.j2").write_text("other"),
        (specs / "_more.j2").unlink,
        lambda: (specs / "tool.spec.j2").write_text("{{ flavour }}"),
    ):
        change()
        found.append(kept(specs))
        assert found[-1] == now(specs) == kept(specs)
    assert len(set(found)) == len(found) - 1  # without _more.j2 it is as at first
    other = replace(CONTEXT, flavour="director")
    assert kept(specs, other) == now(specs, other) != found[-1]


def test_other_code_and_another_jinja_render_again(
    specs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(specs)
    times: list[str] = []

    def counted(*given: object) -> str:
        times.append("rendered")
        return "spec"

    monkeypatch.setattr(spec, "render", counted)
    kept(specs)
    assert times == []
    kept(specs, code=of_text("other"))
    assert len(times) == 1
    monkeypatch.setattr(rendered, "_jinja", lambda: "another")
    kept(specs)
    assert len(times) == 2


@pytest.mark.parametrize("text", ["", "{", '{"a": {"templates": {}, "sha256": "x"}}', "[]"])
def test_a_file_that_cannot_be_read_counts_for_nothing(specs: Path, text: str) -> None:
    (specs.parent / "specs.json").write_text(text)
    assert kept(specs) == now(specs)


def test_a_template_that_became_wrong_is_refused(specs: Path) -> None:
    kept(specs)
    (specs / "tool.spec.j2").write_text("{% if %}")
    with pytest.raises(UsageError, match="is not a template"):
        kept(specs)


def test_the_file_does_not_grow_without_end(specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendered, "MOST", 3)
    for number in range(9):
        kept(specs, replace(CONTEXT, flavour=f"f{number}"))
    assert (specs.parent / "specs.json").read_text().count('"sha256"') == 3


def test_the_stages_load_no_jinja() -> None:
    look = "import sys, builder.stages.catalogue; print('jinja2' in sys.modules)"
    run = [sys.executable, "-c", look]
    ended = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
