"""The program's entry: quiet on Ctrl-C from its first instruction, while the rest is still being loaded."""

import os
import signal
from typing import NoReturn

_BY_SIGINT = 130


def main() -> NoReturn:
    """Run the command line; never returns."""
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(_BY_SIGINT))
    from connector import cli  # noqa: PLC0415  loading takes a moment, in which Ctrl-C must be quiet too

    cli.main()


if __name__ == "__main__":
    main()
