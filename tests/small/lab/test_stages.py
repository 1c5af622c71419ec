"""A scenario is recorded and judged by stages, and its verdict is that of one image alone."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from builder.commands import explain, lab, produce
from builder.console import Console
from builder.errors import EnvironmentFailure, SmokeError, UsageError, VerificationError
from builder.lab import judging, laboratory
from builder.lab.laboratory import LabTrial
from builder.lab.verdict import load as read_verdict
from builder.place import Place
from builder.report import filenames, publish, record
from builder.report.record import BuildRecord
from builder.stages import catalogue
from builder.stages import lab as stages
from builder.stages.request import Request
from builder.stages.session import Session, open_session
from tests.damage import spoil
from tests.support.lab import finished
from tests.support.lab.wire import Wire
from tests.world import ROOT

VM = lab.LabRequest("lts", ("fullnat",), flavour="vm")


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Flavour vm is built."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    place = finished.place(tmp_path)
    finished.build(place, "vm")
    return place


@pytest.fixture
def site(built: Place, tmp_path: Path) -> Place:
    """Scenario fullnat is recorded on it."""
    recorded = finished.recording(built, "vm", tmp_path / "fullnat")
    finished.build(built, "vm", recorded={"fullnat": recorded})
    return built


def tried(place: Place, request: lab.LabRequest) -> str:
    """What the command says."""
    said = io.StringIO()
    lab.run(request, replace(place, console=Console(said, interactive=False)))
    return said.getvalue()


def made(place: Place) -> BuildRecord:
    return record.decode((place.project.artifacts("lts") / publish.RECORD).read_bytes())


def page(place: Place) -> str:
    return (place.project.artifacts("lts") / filenames.PAGE).read_text()


def test_what_was_recorded_is_judged_without_a_machine(site: Place) -> None:
    said = tried(site, VM)
    assert "record:fullnat: started" not in said
    assert "lab:fullnat: done" in said
    assert "lab fullnat: pass after 44.5 s from power-on" in said
    folder = site.project.artifacts("lts") / "lab" / "fullnat"
    verdict = judging.judge(folder).verdict
    assert verdict == read_verdict(folder / "verdict.json"), "what is published is a recording"
    assert (folder / "report.html").is_file()


def test_it_is_settled_like_any_other_stage(site: Place) -> None:
    tried(site, VM)
    again = tried(site, VM)
    assert "started" not in again
    assert "lab fullnat: nothing has changed" in again
    assert "lab fullnat: pass after 44.5 s" in again
    (*_, told) = explain.explain_request(Request("lts", "vm"), produce.exactly("lab:fullnat"), site)
    assert told == "lab:fullnat: nothing has changed"


def test_the_verdict_names_image_kernel_and_experiment(site: Place) -> None:
    tried(site, VM)
    target = site.project.artifacts("lts")
    verdict = read_verdict(target / "lab" / "fullnat" / "verdict.json")
    subject = verdict.subject
    assert subject is not None
    outputs = {entry.path: entry.sha256 for entry in made(site).outputs}
    assert subject.image == outputs["vm/director.qcow2"]
    assert (subject.profile, subject.flavour, subject.base) == ("lts", "vm", "debian12")
    assert list(subject.kernel_rpms) == ["kernel-lvs-6.1.1-1.lvs.vm.x86_64.rpm"]
    (entry,) = made(site).lab
    assert entry.current
    assert (entry.scenario, entry.outcome, entry.folder) == ("fullnat", "pass", "lab/fullnat")
    assert (entry.image, entry.recording) == (subject.image, verdict.recording)
    keys = {stage.name: stage.key for stage in made(site).stages}
    assert entry.key == keys["lab:fullnat"]
    assert outputs["lab/fullnat/verdict.json"]
    assert "smoke" in keys, "what was proven of the image before is not forgotten"
    assert '<a href="lab/fullnat/report.html">fullnat</a></th><td class="pass">proven' in page(site)


def test_a_verdict_of_one_image_is_not_shown_for_another(site: Place) -> None:
    tried(site, VM)
    (mine,) = made(site).lab
    finished.build(site, "director")
    produce.produce(Request("lts", "director"), produce.everything, site)
    (entry,) = made(site).lab
    assert not entry.current
    assert entry.flavour == "vm"
    assert entry.key == mine.key
    assert "not for this image" in page(site)
    assert f"another image: flavour vm, base debian12, <code>{entry.image}" in page(site)
    assert "proven" not in page(site)
    produce.produce(Request("lts", "vm"), produce.everything, site)
    (entry,) = made(site).lab
    assert entry.current, "the image it speaks of is there again"


def test_a_verdict_that_names_no_image_is_shown_for_none(site: Place) -> None:
    tried(site, VM)
    path = site.project.artifacts("lts") / "lab" / "fullnat" / "verdict.json"
    old = json.loads(path.read_text())
    del old["subject"]
    path.write_text(json.dumps(old))
    produce.produce(Request("lts", "vm"), produce.everything, site)
    (entry,) = made(site).lab
    assert not entry.current
    assert "which the verdict does not name" in page(site)


def cannot(place: Place, scenario: str, reason: str) -> None:
    """The checkout's profile of its own, which has a scenario that is unsupported."""
    specs = place.project.specs
    specs.unlink()
    shutil.copytree(ROOT / "specs", specs)
    path = specs / "lts" / "profile.toml"
    table = f'[lab.unsupported]\n{scenario} = "{reason}"'
    path.write_text(path.read_text().replace("[lab.unsupported]", table, 1))


@pytest.fixture
def limited(built: Place, tmp_path: Path) -> Place:
    """The same of a profile that cannot do scenario synproxy."""
    cannot(built, "synproxy", "no SYNPROXY")
    recorded = finished.recording(built, "vm", tmp_path / "fullnat")
    finished.build(built, "vm", recorded={"fullnat": recorded})
    return built


def test_what_the_kernel_cannot_do_is_told_without_a_machine(limited: Place) -> None:
    said = tried(limited, replace(VM, names=("synproxy", "fullnat")))
    assert "lab synproxy: unsupported: " in said
    assert "powering on" not in said
    folder = limited.project.artifacts("lts") / "lab" / "synproxy"
    verdict = judging.judge(folder).verdict
    assert verdict.outcome == "unsupported"
    assert "no SYNPROXY" in verdict.complaint
    assert {(one.scenario, one.outcome) for one in made(limited).lab} == {
        ("fullnat", "pass"),
        ("synproxy", "unsupported"),
    }


def test_there_is_no_machine_to_keep_of_what_cannot_be_done(limited: Place) -> None:
    said = tried(limited, replace(VM, names=("synproxy",), keep=True))
    assert "lab synproxy: unsupported: " in said
    assert (limited.project.artifacts("lts") / "lab" / "synproxy" / "verdict.json").is_file()


def test_no_image_is_booted_that_has_changed_in_the_cache(
    site: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    (vm,) = site.cache.stages.glob("vm/*/output")
    spoil(vm / "director.qcow2")  # nothing but reading tells
    said = io.StringIO()
    with pytest.raises(EnvironmentFailure):  # there is no engine to make another one
        lab.run(
            replace(VM, names=("nat",)), replace(site, console=Console(said, interactive=False))
        )
    assert "vm: its output in the cache has changed since it was made" in said.getvalue()
    assert "powering on" not in said.getvalue()


@pytest.fixture
def twin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A profile whose clients and servers boot the image of lts; it is built, and lts is not."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    place = finished.place(tmp_path)
    for folder in ("specs", "patches"):
        (place.project.root / folder).unlink()
        for name in ("lts", "twin"):
            shutil.copytree(ROOT / folder / "lts", place.project.root / folder / name)
    path = place.project.specs / "twin" / "profile.toml"
    text = path.read_text().replace("[lab]\n", '[lab]\ncompanion = "lts"\n')
    path.write_text(text.replace("author = ", 'author = "A Twin <twin@builder.invalid>"  #'))
    finished.build(place, "director", profile="twin")
    return place


def benches(session: Session) -> stages.Benches:
    """What the scenarios of a session have in common."""
    return stages.Benches(
        session.setting, lambda setting: catalogue.stages(setting, session.ledger)
    )


def test_the_other_hosts_boot_the_companions_image_and_it_is_named(
    twin: Place, tmp_path: Path
) -> None:
    """Of whichever flavour was built, the default one first."""
    finished.build(twin, "vm")
    with open_session(Request("twin"), twin) as session:
        done = session.settle("vm")
        bench = benches(session).bench(done["vm"], done, tmp_path / "work", tmp_path)
        before = benches(session).inputs()
    companion = bench.companion
    assert companion is not None
    assert (companion.profile, companion.flavour, companion.base) == ("lts", "vm", "debian12")
    assert bench.images.others.disk.read_text() == "image vm"
    assert bench.images.director.disk.read_text() == "image director"
    assert companion.image != bench.subject.image
    finished.build(twin, "director")
    with open_session(Request("twin"), twin) as session:
        assert benches(session).inputs() != before, "another image is another experiment"
        bench = benches(session).bench(done["vm"], done, tmp_path / "work", tmp_path)
        spoil(bench.images.others.disk)
        with pytest.raises(VerificationError):
            benches(session).bench(done["vm"], done, tmp_path / "work", tmp_path)


def test_a_companion_that_was_not_built_is_told(twin: Place) -> None:
    with pytest.raises(UsageError) as caught:
        lab.run(lab.LabRequest("twin", ("nat",)), twin)
    assert caught.value.what == "profile lts has no disk image to try"
    assert caught.value.hint == "build it first: invoke build --profile lts --flavour director"
    lines = explain.explain_request(Request("twin"), produce.exactly("record:nat"), twin)
    assert lines[-1].startswith("record:nat: would run")


def test_the_last_build_is_what_is_tried_unless_another_is_named(site: Place) -> None:
    finished.build(site, "director")
    produce.produce(Request("lts", "vm"), produce.everything, site)
    said = tried(site, replace(VM, flavour=""))
    assert "lab: flavour vm in base debian12, as the last build had it" in said
    produce.produce(Request("lts", "director"), produce.everything, site)
    tried(site, VM)
    assert made(site).flavour == "vm", "what lies in artifacts is what was tried"


@pytest.mark.parametrize("request_", [VM, replace(VM, keep=True), replace(VM, load=True)])
def test_an_image_that_was_not_built_is_told_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_: lab.LabRequest
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    place = finished.place(tmp_path)
    finished.build(place, "director")
    with pytest.raises(UsageError) as caught:
        lab.run(request_, place)
    assert caught.value.what == "profile lts has no disk image to try"
    assert "flavour vm was not built in base debian12" in caught.value.cause
    assert caught.value.hint == "build it first: invoke build --profile lts --flavour vm"


def test_a_recording_of_other_inputs_is_not_used(site: Place, tmp_path: Path) -> None:
    """The image is made anew: what was recorded of the former one proves nothing."""
    lines = explain.explain_request(Request("lts", "vm"), produce.exactly("lab:nat"), site)
    assert lines[-2:] == [
        "record:nat: would run, it never ran in this cache",
        "lab:nat: would run, it never ran in this cache",
    ]


def forget_toa(wire: Wire) -> None:
    """What a director sends that has forgotten the option."""
    for link in ("inner", "web1"):
        tcp = wire.tcp(link, 0)
        tcp.opts = tcp.opts[8:]
        tcp.off = 5 + len(tcp.opts) // 4


@pytest.mark.guest
def test_an_experiment_that_comes_to_no_end_is_published_and_not_cached(site: Place) -> None:
    """The image is none: QEMU ends at once."""
    for _ in range(2):
        said = io.StringIO()
        with pytest.raises(SmokeError) as caught:
            lab.run(
                replace(VM, names=("fullnat", "nat")),
                replace(site, console=Console(said, interactive=False)),
            )
        assert "record:nat: started" in said.getvalue()
        assert caught.value.stage == "record:nat"
    folder = site.project.artifacts("lts") / "lab" / "nat"
    verdict = read_verdict(folder / "verdict.json")
    assert verdict.outcome == "fail"
    assert caught.value.what in verdict.complaint
    assert caught.value.log is not None and caught.value.log.is_relative_to(folder)
    ended = made(site)
    assert ended.outcome == "failed"
    assert ended.failure is not None and ended.failure.status == 8
    known = {entry.scenario: entry.outcome for entry in ended.lab}
    assert known == {"fullnat": "pass", "nat": "fail"}, "what was proven before is published"
    with pytest.raises(UsageError, match="there is no recording"):
        judging.judge(folder)


@pytest.mark.guest
def test_a_red_verdict_is_published_and_tried_again(tmp_path: Path, built: Place) -> None:
    recorded = finished.recording(built, "vm", tmp_path / "red", spoil=forget_toa)
    finished.build(built, "vm", recorded={"fullnat": recorded})
    said = io.StringIO()
    with pytest.raises(SmokeError):  # there is no image that could be booted
        lab.run(VM, replace(built, console=Console(said, interactive=False)))
    heard = said.getvalue()
    assert "is judged as before (proof: failed: toa-first): trying again" in heard
    assert heard.index("trying again") < heard.index("record:fullnat: started")
    paths = [entry.path for entry in made(built).outputs]
    assert len(paths) == len(set(paths))
    assert "lab/fullnat/verdict.json" in paths
    faults = publish.faults_of(built.project.artifacts("lts"), "lab/fullnat")
    assert {words for _, words in faults} == {""}
    lines = explain.explain_request(Request("lts", "vm"), produce.exactly("lab:fullnat"), built)
    assert lines[-1].startswith("lab:fullnat: nothing has changed; its verdict is red")


def test_a_red_verdict_of_this_run_is_published_as_such(
    tmp_path: Path, built: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machines are played: what they would have left is red."""
    recorded = finished.recording(built, "vm", tmp_path / "red", spoil=forget_toa)

    def play(trial: LabTrial, target: Path) -> None:
        finished.played(recorded)(target)

    monkeypatch.setattr(laboratory, "record", play)
    with pytest.raises(SmokeError) as caught:
        tried(built, VM)
    target = built.project.artifacts("lts")
    folder = target / "lab" / "fullnat"
    assert caught.value.what == "not proven: fullnat"
    assert caught.value.hint == f"read {folder}/report.html"
    assert caught.value.log == folder / "verdict.json"
    assert judging.judge(folder).verdict.outcome == "fail"
    ended = made(built)
    assert (ended.outcome, ended.lab[0].outcome, ended.lab[0].current) == ("failed", "fail", True)
    assert "not proven" in page(built)
