"""Remembered clips: a memory tier over a disk tier, both bounded."""
