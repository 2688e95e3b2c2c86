"""The follower, by what it is asked to cope with."""
