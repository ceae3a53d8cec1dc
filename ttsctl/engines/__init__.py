"""Text to PCM: one module an engine, imported only inside worker processes."""
