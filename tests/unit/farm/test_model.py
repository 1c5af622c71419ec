"""How workers are named, and what a job and its answer are."""

from __future__ import annotations

import io

import pytest

from builder.farm import distcc
from builder.farm.distcc import BrokenTalk
from builder.farm.model import MOST_SLOTS, PORT, FarmUse, WorkerAddress, WorkerUse
from tests.support.farm import peers


@pytest.mark.parametrize(
    ("word", "address", "shown"),
    [
        ("build2/4", ("build2", PORT, 4), "build2"),
        ("build2.example.org:4000/12", ("build2.example.org", 4000, 12), "build2.example.org:4000"),
        ("192.0.2.7/1", ("192.0.2.7", PORT, 1), "192.0.2.7"),
        ("[2001:db8::7]/2", ("2001:db8::7", PORT, 2), "[2001:db8::7]"),
        ("[2001:db8::7]:99/2", ("2001:db8::7", 99, 2), "[2001:db8::7]:99"),
    ],
)
def test_a_worker_is_a_host_with_its_jobs(
    word: str, address: tuple[str, int, int], shown: str
) -> None:
    found = WorkerAddress.parse(word)
    assert (found.host, found.port, found.slots) == address
    assert str(found) == shown


@pytest.mark.parametrize(
    "word",
    [
        *("", "build2", "build2/", "build2/0", f"build2/{MOST_SLOTS + 1}", "build2/x", "/4"),
        *("build2:0/4", "build2:65536/4", "build2:/4", "a b/4", "-x\n/4", "2001:db8::7/2"),
        *("http://build2/4", "build2/4,build3/4", "b\x1b[31m/4"),
    ],
)
def test_anything_else_is_none(word: str) -> None:
    with pytest.raises(ValueError, match=r"HOST/JOBS|not from 1 to"):
        WorkerAddress.parse(word)


def test_counts_are_added_and_a_build_without_a_worker_s_objects_is_not_spoilt() -> None:
    use = FarmUse()
    use.add("a", jobs=1, sent=3)
    use.add("a", jobs=1, failed=1)
    assert use.workers == {"a": WorkerUse(jobs=2, failed=1, sent=3)}
    use.spoil("b")
    assert not use.is_spoilt
    use.spoil("a")
    assert use.is_spoilt


def test_a_job_and_an_answer_are_passed_on_as_they_are() -> None:
    sent = peers.job(b"int x;" * 1000)
    stream = io.BytesIO(sent + sent)
    assert distcc.read_job(stream) == sent
    assert distcc.read_job(stream) == sent
    assert distcc.read_job(stream) is None
    answered = peers.answer(b"object", 0, b"warning")
    found = distcc.read_answer(io.BytesIO(answered + b"more"))
    assert (found.data, found.status, found.object) == (answered, 0, b"object")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"DIST00000003",  # pump mode
        b"DIST0000000g",
        b"DIST 0000002",
        b"DIST00000002ARGCffffffff",
        b"DIST00000002ARGC00000001ARGVffffffff",
        b"DIST00000002ARGC00000001ARGV00000003gccDOTIffffffff",
        b"DIST00000002ARGC00000000CDIR00000000",
    ],
)
def test_what_is_no_job_is_refused_before_its_bytes_are_read(sent: bytes) -> None:
    stream = io.BytesIO(sent + bytes(1 << 20))
    with pytest.raises(BrokenTalk):
        distcc.read_job(stream)
    assert stream.tell() <= len(sent) + 4


@pytest.mark.parametrize("cut", [1, 12, 30, 60])
def test_what_ends_early_is_refused(cut: int) -> None:
    with pytest.raises(BrokenTalk):
        distcc.read_job(io.BytesIO(peers.job()[:cut]))
    with pytest.raises(BrokenTalk):
        distcc.read_answer(io.BytesIO(peers.answer(b"object")[:cut]))


def test_an_answer_is_not_larger_than_an_object_may_be() -> None:
    head = peers.answer(b"")[:-8]
    with pytest.raises(BrokenTalk, match="more than"):
        distcc.read_answer(io.BytesIO(head + f"{distcc.MOST_OBJECT + 1:08x}".encode()))
