"""One TOML file becomes frozen, validated values. Nothing below reads files or the environment."""
