"""What can be done with voices: list, fetch, add, look into, hear, and remove them."""
