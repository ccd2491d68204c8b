"""The scripts that make the tables and curves of docs/benchmarks.md."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree

import pytest

from harness.server import BINARY, ROOT

pytestmark = [pytest.mark.tool, pytest.mark.jingu_only("its own benchmarks")]


def run(script: str, *words: object) -> str:
    command = [sys.executable, ROOT / "bench" / script, "--server", BINARY, "--seconds", 1, *words]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rows_are_measured_against_fresh_servers(tmp_path):
    file = tmp_path / "rows.json"
    table = run("rows", "--runs", 2, "--warmup", 1, "--json", file, 0, 11)
    figures = json.loads(file.read_text())
    assert {row: len(runs) for row, runs in figures.items()} == {"0": 2, "11": 2}
    assert all(run["is_well"] and run["server"]["cpu_us"] > 0 for runs in figures.values() for run in runs)
    assert "| 0 | person, 1,000/s | recv p50 ms: " in table
    assert "CPU us each: " in table


def test_a_line_is_measured_and_drawn(tmp_path):
    picture = tmp_path / "lines.svg"
    told = run("lines", "--most", 100, "--svg", picture, "members", "connections")
    assert [line.partition(":")[0] for line in told.splitlines()[2:]] == ["members 10", "members 100", "connections 0", "connections 100"]
    lines = xml.etree.ElementTree.parse(picture).findall("{http://www.w3.org/2000/svg}polyline")
    assert [len(line.get("points").split()) for line in lines] == [2, 2]


def test_tails_beside_something_else_are_measured(tmp_path):
    file = tmp_path / "tails.json"
    table = run("tails", "--runs", 1, "--json", file, "backup", "writes")
    figures = json.loads(file.read_text())
    assert all(run["is_well"] and run["latency"]["recv"]["count"] > 0 for runs in figures.values() for run in runs)
    assert [line.split()[1] for line in table.splitlines()[4:]] == ["backup", "writes"]

