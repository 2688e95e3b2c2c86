"""The picture of a benchmark's result, drawn as the document's is: by its own command."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

BENCH = Path(__file__).parents[2] / "bench"
SVG = "{http://www.w3.org/2000/svg}"

FIGURES = [
    {"name": "pages & items", "value": 47_910.0, "unit": "items/s", "floor": 106_033.0, "against": "<memory>"},
    {"name": "edit to consumer", "value": 7.8, "unit": "ms", "floor": 5.2, "against": "bare transaction"},
    {"name": "threads", "value": 228.0, "unit": "", "floor": 805.0, "against": "bare producers"},
    {"name": "peak memory", "value": 275.0, "unit": "MB", "floor": None, "against": ""},
]


@pytest.fixture
def drawn(tmp_path: Path) -> ET.Element:
    """Return the picture of `FIGURES`."""
    result = tmp_path / "result.json"
    record = {"at": "2026-01-02T03:04:05+00:00", "machine": "2 cores, Python 3", "figures": FIGURES}
    result.write_text(json.dumps(record), encoding="utf-8")
    command = [sys.executable, str(BENCH / "picture.py"), str(result)]
    return ET.fromstring(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_a_picture_says_each_figure_that_has_a_floor(drawn: ET.Element) -> None:
    """Its name, what was measured, against what, and the ratio; what cannot be compared is left to the table."""
    said = [text.text for text in drawn.iter(f"{SVG}text")]
    for expected in (
        ["pages & items", "47,910 items/s; <memory>: 106,033", "0.452"],
        ["edit to consumer", "7.8 ms; bare transaction: 5.2", "1.5"],
        ["threads", "228; bare producers: 805", "0.283"],
    ):
        at = said.index(expected[0])
        assert said[at : at + 3] == expected
    assert "peak memory" not in said


def test_bars_are_in_proportion(drawn: ET.Element) -> None:
    """A bar is as long as its ratio, and the line of the floor is where a bar of 1 would end."""
    bars = [bar for bar in drawn.iter(f"{SVG}rect") if bar.get("class")]
    line = drawn.find(f"{SVG}line")
    assert line is not None
    unit = float(line.attrib["x1"]) - float(bars[0].attrib["x"])
    lengths = [float(bar.attrib["width"]) / unit for bar in bars]
    assert lengths == pytest.approx([47_910 / 106_033, 1.5, 228 / 805], abs=0.002)


def test_speed_and_cost_are_told_apart(drawn: ET.Element) -> None:
    """Of a speed more is better, of everything else less: a reader must know which."""
    kinds = [bar.get("class") for bar in drawn.iter(f"{SVG}rect") if bar.get("class")]
    assert kinds == ["speed", "cost", "cost"]
