"""The demo's output: headings, captions, and tables that update live on a terminal and are printed once elsewhere."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

_INDENT = 3
_NAME_WIDTH = 17
_FRAMES_PER_SECOND = 10


class View:
    """Writes to a console; live only if that is a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._sections = 0

    def title(self, text: str, explanation: str) -> None:
        """Write the title, with an explanation."""
        self._console.print(Text.assemble((text, "bold"), "  ", (explanation, "dim")))

    def section(self, text: str) -> None:
        """Begin a numbered section."""
        self._sections += 1
        self._console.print()
        self._console.print(Text.assemble((f"{self._sections}  ", "bold cyan"), (text, "bold")))

    def say(self, text: str, style: str = "dim") -> None:
        """Write a caption."""
        self._console.print(Text(" " * _INDENT + text, style), soft_wrap=not self._console.is_terminal)

    def fact(self, name: str, value: str) -> None:
        """Write a name and its value, on one line that can be copied whole."""
        line = Text.assemble(" " * _INDENT, f"{name:<{_NAME_WIDTH}}", value)
        self._console.print(line, soft_wrap=True)

    @contextmanager
    def moving(self, board: RenderableType) -> Iterator[None]:
        """Redraw `board` until the end of the context; if the console is no terminal, draw it once, at the end."""
        try:
            with Live(_indented(board), console=self._console, refresh_per_second=_FRAMES_PER_SECOND):
                yield
        finally:
            if not self._console.is_terminal:
                self._console.print()

    def show(self, board: RenderableType) -> None:
        """Draw `board` once."""
        self._console.print(_indented(board))

    def verdict(self, *, held: bool, seconds: float) -> None:
        """Write how it ended."""
        self._console.print()
        if held:
            self.say(
                f"Everything holds: nothing lost, nothing twice, through a SIGKILL ({seconds:.0f} s).", "bold green"
            )
        else:
            self.say(f"Something does not hold: see the red cells above ({seconds:.0f} s).", "bold red")

    def commands(self, purposes: Mapping[str, str]) -> None:
        """Write commands to copy, each with its purpose; they are never wrapped."""
        width = max(map(len, purposes)) + 2
        for command, purpose in purposes.items():
            padded = f"{command:<{width}}" if purpose else command
            line = Text.assemble(" " * _INDENT, (padded, "cyan"), (purpose, "dim"))
            self._console.print(line, soft_wrap=True)


def _indented(board: RenderableType) -> Padding:
    return Padding(board, (0, 0, 0, _INDENT), expand=False)
