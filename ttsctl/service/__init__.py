"""The warm process: requests come in as lines of JSON, sound and answers go out."""
