"""Jobs go to workers that can do them, and to no others."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from builder.farm import serving
from builder.farm.farm import ATTEMPTS, Farm
from builder.farm.model import FarmUse
from tests.support.clock import busy
from tests.support.farm import peers
from tests.support.farm.peers import HASTY, IMAGE, OTHER, PATIENT, Behave, Site

JOB = peers.job()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path, stack)


def many(farm: Farm, use: FarmUse, count: int = 12) -> list[bytes | None]:
    """So many different jobs, four at a time."""
    jobs = [peers.job(b"int x%d;" % number) for number in range(count)]
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda one: farm.compile(IMAGE, one, use=use), jobs))


def test_jobs_are_shared_out_and_counted(site: Site) -> None:
    first, one, _ = site.worker()
    second, two, _ = site.worker()
    farm = site.farm(first, second)
    use = farm.new_use()
    assert farm.slots(IMAGE) == 4
    assert all(many(farm, use))
    assert one.jobs
    assert two.jobs
    assert {name: worker.jobs for name, worker in use.workers.items()} == {
        first.partition("/")[0]: len(one.jobs),
        second.partition("/")[0]: len(two.jobs),
    }
    (counted,) = {(one.failed, one.compared) for one in use.workers.values()}
    assert counted == (0, 0)
    assert site.warnings == []


def test_the_answer_is_what_the_worker_said(site: Site) -> None:
    word, peer, _ = site.worker(peers.failing)
    farm = site.farm(word)
    assert farm.slots(IMAGE) == 2
    assert farm.compile(IMAGE, JOB, use=farm.new_use()) == peers.failing(JOB)
    assert peer.jobs == [JOB]


def test_a_worker_with_another_image_gets_no_job(site: Site) -> None:
    word, peer, _ = site.worker(image=OTHER)
    good, _, _ = site.worker()
    farm = site.farm(word, good)
    assert farm.slots(IMAGE) == 2
    (warning,) = site.warnings
    assert f"another base image ({OTHER.digest[:12]}, not {IMAGE.digest[:12]})" in warning
    assert all(many(farm, farm.new_use()))
    assert peer.jobs == []


def test_who_is_no_worker_gets_no_job(site: Site) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as deaf,
        socket.create_server(("127.0.0.1", 0)) as shut,
    ):
        closed = f"127.0.0.1:{shut.getsockname()[1]}/2"
        shut.close()
        stranger, _, _ = site.worker(allowed=("192.0.2.0/24",))
        words = (f"127.0.0.1:{deaf.getsockname()[1]}/2", closed, "no-such-host.invalid/2", stranger)
        farm = site.farm(*words, patience=HASTY)
        begun = time.monotonic()
        assert farm.slots(IMAGE) == 0
        assert time.monotonic() - begun < busy(HASTY.greet * 1.5), "all are asked at the same time"
    assert farm.compile(IMAGE, JOB, use=farm.new_use()) is None
    told = "\n".join(site.warnings)
    assert len(site.warnings) == 4
    for cause in ("does not answer in time", "Connection refused", "does not take jobs from this"):
        assert cause in told
    assert site.refused == ["127.0.0.1"]


@pytest.mark.parametrize("behave", [peers.half, peers.garbage, peers.silent])
def test_a_worker_that_fails_costs_its_jobs_alone(site: Site, behave: Behave) -> None:
    bad, peer, _ = site.worker(behave)
    good, _, _ = site.worker(jobs=4)
    farm = site.farm(bad, good, patience=HASTY if behave is peers.silent else PATIENT)
    use = farm.new_use()
    assert farm.slots(IMAGE) == 6
    assert all(many(farm, use))
    assert 1 <= len(peer.jobs) <= 2
    assert use.workers[bad.partition("/")[0]].failed == len(peer.jobs)
    (warning,) = site.warnings
    assert "gets no jobs for now" in warning


def test_a_success_without_an_object_is_a_failure(site: Site) -> None:
    """distcc looks at the exit code alone, which is 0 in all of these."""
    word, peer, _ = site.worker()
    farm = site.farm(word, rest=0.0)
    use = farm.new_use()
    assert farm.slots(IMAGE) == 2
    lies = [(0, b""), *((one, made) for one in (0x80, 0x7F, 0xFF) for made in (b"", b"\x7fELF"))]
    for status, compiled in lies:
        told = peers.answer(compiled, status)
        peer.behave = lambda asked, told=told: told  # type: ignore[misc]
        assert farm.compile(IMAGE, JOB, use=use) is None, status
    assert use.workers[word.partition("/")[0]].failed == ATTEMPTS * len(lies)
    (warning,) = site.warnings
    assert "gets no jobs for now" in warning


def test_a_worker_that_is_always_busy_is_asked_seldom(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_TURN", 0.01)
    word, _, server = site.worker(jobs=1, offered=1)
    assert server.slots.acquire(blocking=False)
    farm = site.farm(word, rest=0.05)
    use = farm.new_use()
    assert farm.slots(IMAGE) == 1
    deadline = time.monotonic() + busy(10)
    count = 0
    while not site.warnings and time.monotonic() < deadline:
        assert farm.compile(IMAGE, JOB, use=use) is None
        count += 1
        time.sleep(0.001)
    assert count > 20, "most jobs are not kept waiting by it"
    (said,) = site.warnings
    assert "has no slot left for jobs of this machine" in said
    assert use.workers == {}
    server.slots.release()
    time.sleep(0.1)
    assert farm.compile(IMAGE, JOB, use=use) == peers.right(JOB)


def test_each_build_has_its_session(site: Site) -> None:
    word, _, _ = site.worker()
    farm = site.farm(word)
    assert farm.slots(IMAGE) == 2
    one, two = farm.new_use(), farm.new_use()
    for use in (one, two, one):
        assert farm.compile(IMAGE, JOB, use=use)
    wanted = [f"127.0.0.1 {use.session}" for use in (one, two, one)]
    assert site.sessions == wanted
    assert one.session != two.session


def test_a_worker_that_comes_back_gets_jobs_again(site: Site) -> None:
    word, peer, _ = site.worker(peers.half)
    farm = site.farm(word, rest=0.2)
    use = farm.new_use()
    assert farm.slots(IMAGE) == 2
    assert farm.compile(IMAGE, JOB, use=use) is None
    peer.behave = peers.right
    deadline = time.monotonic() + busy(5)
    while (found := farm.compile(IMAGE, JOB, use=use)) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found == peers.right(JOB)
    assert len(site.warnings) == 1


def test_a_worker_that_is_gone_costs_nothing_but_its_jobs(site: Site) -> None:
    word, _, server = site.worker()
    good, _, _ = site.worker()
    farm = site.farm(word, good)
    assert farm.slots(IMAGE) == 4
    server.shutdown()
    server.server_close()
    assert all(many(farm, farm.new_use()))
    (warning,) = site.warnings
    assert "Connection refused" in warning


def test_a_busy_worker_is_no_bad_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines share a worker with one slot: what it cannot take is compiled here."""
    monkeypatch.setattr(serving, "_TURN", 0.05)
    started, goes_on = threading.Event(), threading.Event()

    def slowly(asked: bytes) -> bytes:
        started.set()
        goes_on.wait(PATIENT.job / 2)
        return peers.right(asked)

    word, peer, _ = site.worker(slowly, jobs=1, offered=1)
    one, two = site.farm(word), site.farm(word)
    assert (one.slots(IMAGE), two.slots(IMAGE)) == (1, 1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(one.compile, IMAGE, JOB, use=one.new_use())
        assert started.wait(busy(5))
        assert two.compile(IMAGE, JOB, use=two.new_use()) is None
        goes_on.set()
        assert first.result() == peers.right(JOB)
    assert two.compile(IMAGE, JOB, use=two.new_use()) == peers.right(JOB)
    assert len(peer.jobs) == 2
    assert site.warnings == []


def test_a_liar_is_found_and_barred_and_all_that_it_has_touched_is_spoilt(site: Site) -> None:
    bad, peer, _ = site.worker(peers.wrong)
    farm = site.farm(bad, compared=1.0)
    before, now, beside = farm.new_use(), farm.new_use(), farm.new_use()
    before.add(bad.partition("/")[0], jobs=1)
    assert farm.slots(IMAGE) == 2
    assert farm.compile(IMAGE, JOB, use=now) is None, "its object is not handed over"
    assert farm.compile(IMAGE, JOB, use=now) is None
    assert len(peer.jobs) == 1
    assert farm.slots(IMAGE) == 0, "the next build does without it"
    assert [one.is_spoilt for one in (before, now, beside)] == [True, True, False]
    (warning,) = site.warnings
    assert "gets no jobs any more: it has returned an object that differs" in warning
    assert "--no-workers" in warning


def test_the_others_go_on_without_the_liar(site: Site) -> None:
    bad, _, _ = site.worker(peers.wrong)
    good, two, _ = site.worker()
    farm = site.farm(bad, good, compared=1.0)
    use = farm.new_use()
    assert farm.slots(IMAGE) == 4
    assert all(many(farm, use))
    assert len(two.jobs) >= 10
    assert use.workers[good.partition("/")[0]].compared == len(two.jobs)


def test_a_compiler_that_is_not_like_itself_proves_nothing(site: Site) -> None:
    """A build can see to that: the object is compiled here then."""
    word, _, _ = site.worker(peers.unlike_itself)
    farm = site.farm(word, here=peers.unlike_itself, compared=1.0)
    use = farm.new_use()
    assert farm.slots(IMAGE) == 2
    assert many(farm, use, 3) == [None] * 3
    assert site.warnings == []
    assert not use.is_spoilt


@pytest.mark.parametrize("here", [None, peers.half])
def test_without_a_comparison_no_worker_is_used(site: Site, here: Behave | None) -> None:
    word, _, _ = site.worker()
    farm = site.farm(word, here=here, compared=1.0)
    use = farm.new_use()
    assert farm.slots(IMAGE) == 2
    assert farm.compile(IMAGE, JOB, use=use) is None
    assert farm.compile(IMAGE, JOB, use=use) is None
    (warning,) = site.warnings
    assert "no worker is used in this run: their objects cannot be compared here" in warning
    assert not use.is_spoilt


def test_the_share_is_drawn_anew_for_each_job(site: Site) -> None:
    word, _, _ = site.worker(jobs=4)
    farm = site.farm(word, compared=0.25)
    use = farm.new_use()
    assert farm.slots(IMAGE) == 4
    assert all(many(farm, use, 200))
    (worker,) = use.workers.values()
    assert 20 <= worker.compared <= 85  # five standard deviations around 50
