"""The recipes of docs/consumers/sinks.md, as they stand there, in the programs that they are for."""
