"""Which voices exist, told without loading an engine."""
