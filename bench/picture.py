"""The picture of a result: figures as multiples of their floors. What has no floor is in the table alone.

python bench/picture.py bench/results/WHEN.json > docs/performance.svg
"""

import json
import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from figure import Figure

_WIDTH = 960
_LEFT = 380  # where bars begin
_FULL = 500  # the longest bar
_ROW = 44
_PLAIN = 100  # from here on, a number is shown without decimals
_KINDS = {"speed": "Speed: more is better", "cost": "Cost: less is better"}

_STYLE = """
    svg { --ground: #ffffff; --line: #8794a3; --text: #1b232c; --quiet: #52606f; --speed: #0b6bcb; --cost: #b45f06; }
    @media (prefers-color-scheme: dark) {
      svg { --ground: #10161d; --line: #6b7a8c; --text: #edf1f5; --quiet: #a9b5c2; --speed: #6cb6ff; --cost: #f0a04b; }
    }
    text { font: 15px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", "DejaVu Sans", sans-serif;
           fill: var(--text); }
    .head { font-weight: 600; }
    .quiet { font-size: 13px; fill: var(--quiet); }
    .ratio { stroke: var(--ground); stroke-width: 5; paint-order: stroke; }
    .floor { stroke: var(--line); stroke-width: 1.5; stroke-dasharray: 5 4; }
    .speed { fill: var(--speed); }
    .cost { fill: var(--cost); }
  """


def draw(record: dict[str, Any]) -> str:
    """Return a result's figures that have a floor as an SVG: a bar for each ratio, all to one scale."""
    figures = [Figure(*(one[name] for name in Figure._fields)) for one in record["figures"]]
    scale = _FULL / max([1.0, *(one.ratio or 0 for one in figures)])
    floor, y = _LEFT + scale, 52
    body = []
    for kind, head in _KINDS.items():
        compared = [one for one in figures if one.ratio is not None and _kind(one) == kind]
        if compared:
            body.append(f'<text class="head" x="24" y="{y + 26}">{head}</text>')
            y += 40
        for one in compared:
            body.append(_row(one, y, scale))
            y += _ROW
    caption = escape(f"{record['at'][:10]}, {record['machine']}")
    rows, height = "\n  ".join(body), y + 12
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">
  <title>Figures as multiples of their floors: {caption}</title>
  <style>{_STYLE}</style>
  <rect width="{_WIDTH}" height="{height}" rx="12" fill="var(--ground)"/>
  <text class="quiet" x="24" y="36">{caption}</text>
  <text class="quiet" x="{floor:.1f}" y="36" text-anchor="middle">1 = the floor</text>
  <line class="floor" x1="{floor:.1f}" x2="{floor:.1f}" y1="46" y2="{y}"/>
  {rows}
</svg>
"""


def _kind(one: Figure) -> str:
    return "speed" if one.unit.endswith("/s") else "cost"


def _row(one: Figure, y: int, scale: float) -> str:
    assert one.ratio is not None
    length = one.ratio * scale
    beside = f"{_short(one.value)} {one.unit}".strip() + f"; {one.against}: {_short(one.floor or 0)}"
    return (
        f'<text x="24" y="{y + 16}">{escape(one.name)}</text>'
        f'<text class="quiet" x="24" y="{y + 34}">{escape(beside)}</text>'
        f'<rect class="{_kind(one)}" x="{_LEFT}" y="{y + 7}" width="{length:.1f}" height="22" rx="2"/>'
        f'<text class="ratio" x="{_LEFT + length + 8:.1f}" y="{y + 23}">{one.ratio:.3g}</text>'
    )


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= _PLAIN else f"{number:.3g}"


def _main() -> None:
    sys.stdout.write(draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))


if __name__ == "__main__":
    _main()
