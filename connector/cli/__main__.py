"""`python -m connector.cli`: the program."""

from connector.cli.main import main

if __name__ == "__main__":
    main()
