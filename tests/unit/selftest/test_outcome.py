"""What pytest's own file says of a part of the tests."""

from __future__ import annotations

from pathlib import Path

from builder.selftest import outcome

INTERRUPTED = """\
<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" tests="1" time="6.766">
<testcase classname="tests.small.one.test_one" name="test_it[0]" file="tests/small/one/test_one.py" line="1" time="0.5" />
<testcase time="0.000" />
<testcase time="0.000" />
</testsuite></testsuites>
"""  # noqa: E501 - pytest 9.1's, from two workers that an interrupt ended


def test_a_test_that_an_interrupt_ended_has_no_outcome(tmp_path: Path) -> None:
    file = tmp_path / "small.xml"
    file.write_text(INTERRUPTED, encoding="utf-8")
    (one,) = outcome.read(file)
    assert (one.test, one.verdict) == ("tests/small/one/test_one.py::test_it[0]", "passed")
    assert outcome.by_folder([one]) == {"small/one": 0.5}


def test_a_file_that_was_not_written_has_none(tmp_path: Path) -> None:
    assert outcome.read(tmp_path / "none.xml") == ()
