"""Before the engine: text made safe, then cut into utterances."""
