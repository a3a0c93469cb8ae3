# make run    install what is missing into .venv, then run on the bundled seed model
# make test   install what is missing, then run all tests
# make tiers  install what is missing, then test the sandbox in each of its tiers (TIERS='docker compose': in these)
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: install run test tiers check bench clean

install:
	@$(PYTHON) scripts/install.py --venv $(VENV) --dev $(INSTALL_ARGS)

run: install
	@$(BIN)/localdistill run $(ARGS)

test: install
	@$(BIN)/python -m pytest $(ARGS)

tiers: install
	@VENV=$(VENV) .ci/sandbox-tiers $(TIERS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install
	@ls benchmarks/*.py

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
