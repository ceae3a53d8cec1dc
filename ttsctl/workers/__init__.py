"""The process boundary: engines run in killable child processes, and only there."""
