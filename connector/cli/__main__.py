"""`python -m connector.cli`: the program."""

from connector.__main__ import main

if __name__ == "__main__":
    main()
