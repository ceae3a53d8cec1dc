"""What the user types: parse, call one workflow, render its result."""
