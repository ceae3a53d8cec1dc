"""The race against the peers: the same voice, the same text, the same machine, in turn."""
