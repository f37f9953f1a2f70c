"""The commands around a run: each module declares its own and does it."""
