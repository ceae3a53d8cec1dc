# `make demo` speaks, `make test` proves it. The rest is for those who work on ttsctl.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check campaign bench peers dev clean

demo: $(VENV)
	$(BIN)/pip install --quiet .
	@rm -f $(VENV)/.dev  # the next `make test` must not test this copy
	$(BIN)/ttsctl say "Hello! This is ttsctl, speaking with the voice that comes with it." -o hello.wav

test: dev
	$(BIN)/python -m pytest

# The quick loop: format, lint, types, layers, fast tests.
check: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -m "not slow"

# Long runs of faults, fuzzing and load; writes benchmarks/results/campaign.json.
campaign: dev
	$(BIN)/python -m benchmarks.campaign

# The figures of the README; writes benchmarks/results/bench.json.
bench: dev
	$(BIN)/ttsctl bench --repeat 20 --json > benchmarks/results/bench.json

# The race against piper and kokoro; writes benchmarks/results/peers.json and peers.md.
peers: dev
	$(BIN)/python -m benchmarks.peers

dev: $(VENV)/.dev

$(VENV)/.dev: pyproject.toml | $(VENV)
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@

$(VENV):
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
