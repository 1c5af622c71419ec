"""The oracle's rows by name."""

from __future__ import annotations

from builder.lab.oracle import addresses, answers, options, ports, streams
from builder.lab.oracle.judgement import Row

ROWS: dict[str, Row] = {
    row.name: row
    for row in (*answers.ROWS, *addresses.ROWS, *ports.ROWS, *options.ROWS, *streams.ROWS)
}
