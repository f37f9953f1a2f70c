"""Two releases on the same cases: what differs, what it means, and whether a pin may move."""
