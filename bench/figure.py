"""What a benchmark reports: a figure beside the floor measured in the same run."""

from typing import NamedTuple


class Figure(NamedTuple):
    """One line of the table. `floor` is in the figure's unit, None if there is nothing to compare with."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    against: str = ""

    @property
    def ratio(self) -> float | None:
        """The figure as a multiple of its floor."""
        return round(self.value / self.floor, 3) if self.floor else None


def table(figures: list[Figure]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| figure | measured | floor | ratio |", "|---|---|---|---|"]
    for one in figures:
        floor = f"{one.floor:,.6g} ({one.against})" if one.floor else ""
        lines.append(f"| {one.name} | {one.value:,.6g} {one.unit} | {floor} | {one.ratio or ''} |")
    return "\n".join(lines)
