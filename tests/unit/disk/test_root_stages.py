"""What the containers that fill the guest's root are told, and what their results must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from builder.disk import image, install_proof
from builder.disk.root import RootInputs, root_container
from builder.engine.spec import ContainerSpec, RunContainer
from builder.errors import BuildError

CLEAN = {"packages": "tool-1.0-1.x86_64\n", "verify": "", "leftovers": "", "scriptlets": ""}


@pytest.fixture
def inputs(tmp_path: Path) -> RootInputs:
    return RootInputs(
        image="base:1",
        root=tmp_path / "root.tar",
        repo=tmp_path / "repo",
        guest=(tmp_path / "guest",),
        alone=(tmp_path / "alone",),
        provides=tmp_path / "provides",
        epoch=1795392000,
    )


def container(
    scratch: Path, results: Mapping[str, str], status: int = 0, words: str = ""
) -> RunContainer:
    """A container engine at the edge: leaves ``results`` in the folder that was mounted."""

    def run(spec: ContainerSpec, log: Path, see: Callable[[str], None] | None = None) -> int:
        out = next(mount.source for mount in spec.mounts if mount.target == "/out")
        assert out == scratch / "out"
        for name, text in results.items():
            (out / name).write_text(text)
        log.write_text(words)
        return status

    return run


def test_only_scratch_can_be_written(inputs: RootInputs, tmp_path: Path) -> None:
    spec = root_container(inputs, tmp_path, "prove-install.sh")
    assert {mount.target for mount in spec.mounts if mount.writable} == {"/scratch", "/out"}
    assert spec.argv[:2] == ("fakechroot", "fakeroot")
    assert ("SOURCE_DATE_EPOCH", "1795392000") in spec.env


def test_rpms_of_the_guest_alone_are_not_among_the_repositorys(
    inputs: RootInputs, tmp_path: Path
) -> None:
    spec = root_container(inputs, tmp_path, "make-disk.sh")
    places = {mount.target: mount.source for mount in spec.mounts}
    assert places["/in/alone/0"] == tmp_path / "alone"


def test_every_script_is_there(inputs: RootInputs, tmp_path: Path) -> None:
    for name in ("prove-install.sh", "make-disk.sh", "root.sh"):
        spec = root_container(inputs, tmp_path, name)
        scripts = next(mount.source for mount in spec.mounts if mount.target == "/in/scripts")
        assert (scripts / name).is_file()


def test_a_clean_installation_is_a_proof(inputs: RootInputs, tmp_path: Path) -> None:
    proof = install_proof.prove(
        inputs, scratch=tmp_path, log=tmp_path / "log", run=container(tmp_path, CLEAN)
    )
    assert proof.packages == ("tool-1.0-1.x86_64",)


@pytest.mark.parametrize(
    ("name", "line", "what"),
    [
        ("verify", "S.5....T.  /usr/sbin/tool", "changed"),
        ("leftovers", "> ./usr/lib/tool d 755 root:root", "removal"),
        ("scriptlets", "warning: %post(tool-1.0-1.x86_64) scriptlet failed", "scriptlet"),
    ],
)
def test_a_deviation_is_named(
    inputs: RootInputs, tmp_path: Path, name: str, line: str, what: str
) -> None:
    run = container(tmp_path, {**CLEAN, name: line + "\n"})
    with pytest.raises(BuildError, match=what) as failure:
        install_proof.prove(inputs, scratch=tmp_path, log=tmp_path / "log", run=run)
    assert line in failure.value.cause


def test_an_empty_installation_is_no_proof(inputs: RootInputs, tmp_path: Path) -> None:
    run = container(tmp_path, {**CLEAN, "packages": ""})
    with pytest.raises(BuildError, match="nothing was installed"):
        install_proof.prove(inputs, scratch=tmp_path, log=tmp_path / "log", run=run)


def test_what_the_solver_says_is_the_cause(inputs: RootInputs, tmp_path: Path) -> None:
    words = "Error: \n Problem: nothing provides libnobody.so.1 needed by tool-1.0-1.x86_64\n"
    run = container(tmp_path, CLEAN, status=3, words=words)
    with pytest.raises(BuildError) as failure:
        install_proof.prove(inputs, scratch=tmp_path, log=tmp_path / "log", run=run)
    assert "libnobody.so.1" in failure.value.cause


def test_an_image_is_what_all_its_files_are(inputs: RootInputs, tmp_path: Path) -> None:
    files = dict.fromkeys(image.FILES, "6.1.192-1.lvs\n")
    made = image.make(
        inputs,
        ("lvs-director",),
        scratch=tmp_path,
        log=tmp_path / "log",
        run=container(tmp_path, files),
    )
    assert made.release == "6.1.192-1.lvs"
    assert made.image == tmp_path / "out" / "director.qcow2"


def test_a_missing_result_is_a_failure(inputs: RootInputs, tmp_path: Path) -> None:
    files = {name: "x" for name in image.FILES if name != "initrd.img"}
    with pytest.raises(BuildError, match=r"initrd\.img"):
        image.make(
            inputs,
            ("lvs-director",),
            scratch=tmp_path,
            log=tmp_path / "log",
            run=container(tmp_path, files),
        )


def test_a_failed_script_is_a_failure(inputs: RootInputs, tmp_path: Path) -> None:
    run = container(tmp_path, {}, status=3, words="cp: cannot stat 'x': No such file\n")
    with pytest.raises(BuildError, match="could not be made"):
        image.make(inputs, ("lvs-director",), scratch=tmp_path, log=tmp_path / "log", run=run)
