"""The follower, by what it has to cope with."""
