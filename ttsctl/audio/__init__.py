"""PCM to bytes: containers, codecs, resampling, playback."""
