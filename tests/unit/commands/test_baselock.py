"""What is said of a base that has a lock, and what --hermetic refuses."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.base import lock
from builder.base.model import load_base
from builder.base.packages import BasePackage, encode
from builder.console import Console
from builder.digest import Digest
from builder.errors import BaseDiffers, UsageError
from builder.host.paths import Cache, Project
from builder.pipeline.code import Code
from builder.pipeline.digest import Input
from builder.pipeline.facts import NONE
from builder.pipeline.stage import Damaged, Done, Stage
from builder.pipeline.store import OUTPUT, Store
from builder.profile import load
from builder.profile.build import Build, resolve
from builder.rpm.rendered import RenderedSpecs
from builder.stages.baselock import BaseLock, require
from builder.stages.image import PACKAGES
from builder.stages.setting import Setting
from tests.unit.base.test_base import SETTINGS
from tests.world import ROOT

ONE, TWO = Digest("1" * 64), Digest("2" * 64)
OLD, NEW = BasePackage("tool", "1", "amd64", ONE), BasePackage("tool", "2", "amd64", TWO)
BOTH = ("image:build", "image:guest")
LOCK = "dockerfiles/debian12/packages.lock"


@dataclass
class Site:
    """A checkout with a base that has the guest roots ``small`` and ``systemd``."""

    root: Path
    said: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        base = self.project.bases / "debian12"
        base.mkdir(parents=True)
        more = "[guest.systemd]\npackages = ['guest.txt']\nfiles = []\nprovides = 'p'\n"
        (base / "base.toml").write_text(SETTINGS + more)
        for name in ("build.txt", "guest.txt"):
            (base / name).write_text("tool\n")

    @property
    def project(self) -> Project:
        return Project(self.root)

    @property
    def store(self) -> Store:
        return Store(Cache(self.root / "cache"))

    @property
    def lines(self) -> list[str]:
        """What was said since, without the times."""
        told = [line.split(" ", 1)[1] for line in self.said.getvalue().splitlines()]
        self.said.seek(0)
        self.said.truncate()
        return told

    def build(self, profile: str, guest: str = "") -> Build:
        loaded = load.load(ROOT / "specs", profile)
        base = load_base(self.project.bases / "debian12", guest)
        return resolve(loaded, loaded.default_flavour, base)

    def base(self, *, hermetic: bool = False) -> BaseLock:
        setting = Setting(
            build=self.build("lts", "systemd"),
            locked=False,
            project=self.project,
            cache=self.store.cache,
            console=Console(self.said, interactive=False),
            engine=lambda: pytest.fail("no engine is needed"),
            jobs=lambda: pytest.fail("nothing is run"),
            code=Code(None),
            rendered=RenderedSpecs(self.store.cache.ledger / "specs.json"),
        )
        return BaseLock(setting, hermetic=hermetic)

    def image(self, stage: str, *packages: BasePackage) -> Done:
        """A finished image that has these packages."""
        work = self.root / "work"
        (work / OUTPUT).mkdir(parents=True)
        (work / OUTPUT / PACKAGES).write_bytes(encode(packages))
        inputs = (Input("x", stage),)
        return self.store.commit(
            stage,
            inputs,
            work,
            listed=True,
            by_content=False,
            started=1_700_000_000.5,
            facts=NONE,
            log=work / "log",
        )

    def found(self, stage: str) -> Stage:
        return Stage(stage, (), lambda: (Input("x", stage),), lambda work: None)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def lock_both(site: Site, *packages: BasePackage) -> None:
    site.base().write([site.image(stage, *packages) for stage in BOTH])


def see(site: Site, *packages: BasePackage, hermetic: bool = False) -> BaseLock:
    base = site.base(hermetic=hermetic)
    base.expect(("fetch:kernel", *BOTH, "smoke"))
    for stage in BOTH:
        base.see(site.image(stage, *packages))
    return base


def test_without_a_lock_nothing_is_said(site: Site) -> None:
    base = see(site, OLD)
    assert site.lines == []
    assert base.look(map(site.found, BOTH), site.store) == []
    assert [one.lock for one in base.records(map(site.image, BOTH))] == ["", ""]


def test_one_line_says_how_many_differ(site: Site) -> None:
    lock_both(site, OLD)
    see(site, OLD)
    assert site.lines == [f"base debian12: 0 packages differ from {LOCK}"]
    base = see(site, NEW, BasePackage("zstd", "1", "all", ONE))
    line = f"base debian12: 4 packages differ from {LOCK}: 2 added, 2 of another version"
    assert site.lines == [line]
    assert base.look(map(site.found, ("smoke", *BOTH)), site.store) == [line]


def test_a_run_that_needs_one_image_waits_for_no_other(site: Site) -> None:
    lock_both(site, OLD)
    base = site.base()
    base.expect(("image:build", "build:tool"))
    base.see(site.image("image:build", NEW))
    assert site.lines == [f"base debian12: 1 package differs from {LOCK}: 1 of another version"]


def test_a_record_has_the_packages_and_how_they_compare(site: Site) -> None:
    lock_both(site, OLD)
    base = see(site, NEW)
    build, guest = base.records([site.image("image:guest", OLD), site.image("image:build", NEW)])
    assert (build.root, build.packages, build.differing) == ("build", (NEW,), 1)
    assert (build.lock, build.difference) == (LOCK, "1 of another version")
    assert (guest.root, guest.differing, guest.difference) == ("guest.systemd", 0, "")


def test_a_hermetic_run_ends_at_the_first_image_that_differs(site: Site) -> None:
    lock_both(site, OLD)
    see(site, OLD, hermetic=True)
    with pytest.raises(BaseDiffers) as caught:
        see(site, NEW, hermetic=True)
    error = caught.value
    assert error.exit_code == 3
    assert error.what == (
        f"base debian12 is not the locked one: 1 package differs from {LOCK} in image:build"
    )
    assert error.cause == "tool 1 -> 2"
    assert "invoke image --lock --profile lts\n" in error.hint


def test_what_an_earlier_run_has_made_is_made_anew_first(site: Site) -> None:
    lock_both(site, OLD)
    site.image("image:build", NEW)
    base = site.base(hermetic=True)
    made = site.store.find("image:build", site.image("image:build", NEW).key)
    assert made is not None
    with pytest.raises(BaseDiffers) as caught:
        base.see(made)
    assert caught.value.hint == "make it anew: invoke image --refresh --hermetic --profile lts"


def test_a_hermetic_run_without_a_lock_is_told_how_to_make_one(site: Site) -> None:
    build = site.build("el6")
    with pytest.raises(UsageError) as caught:
        require(site.project, build)
    assert caught.value.cause == f"{LOCK} does not exist"
    assert "invoke image --lock --profile el6 --base debian12" in caught.value.hint
    site.base().write([site.image("image:build", OLD)])
    require(site.project, build)
    with pytest.raises(UsageError) as caught:
        site.base(hermetic=True).expect(BOTH)
    assert caught.value.cause == f"{LOCK} has no table for guest.systemd"
    site.base(hermetic=True).expect(("image:build",))


def test_an_image_that_the_lock_has_no_table_for_is_told(site: Site) -> None:
    site.base().write([site.image("image:build", OLD)])
    see(site, OLD)
    told = f"base debian12: 0 packages differ from {LOCK}; it has no table for guest.systemd"
    assert site.lines == [told]
    (site.project.root / LOCK).write_text("")
    see(site, OLD)
    whole = f"base debian12 is not compared: {LOCK} has no table for build and guest.systemd"
    assert site.lines == [whole]


def test_locking_writes_the_profiles_roots_and_leaves_the_others(site: Site) -> None:
    lock_both(site, OLD)
    path = site.project.root / LOCK
    path.write_text(path.read_text().replace("guest.", "guest.other-").replace('"systemd"', "x"))
    told = site.base().write([site.image(stage, NEW) for stage in BOTH])
    assert told == [f"{LOCK}: written; packages: 1 of build, 1 of guest.systemd"]
    written = lock.read(path) or {}
    assert len(written) == 3
    assert written["build"].packages == (NEW,)
    assert str(written["build"].made) == "2023-11-14 22:13:20+00:00"
    again = site.base().write([site.image(stage, NEW) for stage in BOTH])
    assert again[0].startswith(f"{LOCK}: as it was; ")


def test_a_list_that_was_changed_in_the_cache_is_not_compared(site: Site) -> None:
    lock_both(site, OLD)
    done = site.image("image:build", OLD)
    (done.path / PACKAGES).write_bytes(encode([NEW]))
    with pytest.raises(Damaged, match="has changed"):
        site.base().see(done)
