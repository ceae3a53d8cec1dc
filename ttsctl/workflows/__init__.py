"""What ttsctl does: speak, batch, prewarm, bench. Nothing here prints."""
