"""What has changed since the stages of a run were settled."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from builder.pipeline.digest import Input
from builder.pipeline.meanwhile import changed
from tests.support.remote.machines import IMAGE, KERNEL, Machine


def test_stages_with_other_inputs_are_named_with_these(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    done = machine.run(None)
    assert list(changed(machine.stages(), done)) == []
    machine.value = "2"
    assert list(changed(machine.stages(), done)) == [f"{KERNEL} (value)", f"{IMAGE} (value)"]
    assert list(changed(machine.stages(), machine.run(None))) == []


def test_a_file_that_has_gone_is_a_change(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    done = machine.run(None)

    def gone() -> tuple[Input, ...]:
        raise FileNotFoundError(2, "No such file or directory", "specs/x.spec.j2")

    stages = machine.stages()
    stages[IMAGE] = replace(stages[IMAGE], inputs=gone)
    (line,) = changed(stages, done)
    assert line.startswith(f"{IMAGE} (")
    assert "specs/x.spec.j2" in line
