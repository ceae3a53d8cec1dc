"""One file a format of `batch` inputs: each turns text or bytes into rows as they come."""
