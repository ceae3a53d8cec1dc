"""Many texts to many files: plan, then run, and account for every item."""
