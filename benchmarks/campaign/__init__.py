"""Long runs of faults, fuzzing and load, whose figures back what the README promises."""
