# make run    install what is missing into .venv, then run on the bundled seed model
# make test   install what is missing, then run all tests
# make chaos  install what is missing, then strike CHAOS=50 runs at random moments; each must go on to the same result
# make locks  install what is missing, then check that requirements/*.lock are what the pins resolve to
# make check  install what is missing, then ruff, mypy and import-linter
# make install  only that; INSTALL_ARGS="--set cpu": without an NVIDIA GPU that is there
# make clean  remove .venv and what was built
# make audit  look up known vulnerabilities of all that is locked
# make tiers  install what is missing, then test the sandbox in each of its tiers (TIERS='docker compose': in these)
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

CHAOS ?= 50

.PHONY: install run test tiers chaos locks audit check clean

install:
	@$(PYTHON) scripts/install.py --venv $(VENV) --dev $(INSTALL_ARGS)

run: install
	@$(BIN)/localdistill run $(ARGS)

test: install
	@$(BIN)/python -m pytest $(ARGS)

tiers: install
	@VENV=$(VENV) .ci/sandbox-tiers $(TIERS)

chaos: install
	@$(BIN)/python benchmarks/chaos.py --trials $(CHAOS) $(ARGS)

locks: install
	@$(BIN)/python scripts/lock.py --check && echo "locks: all are what the pins resolve to" || [ $$? = 69 ]

audit:
	@$(PYTHON) scripts/audit.py --venv $(VENV)-audit

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) $(VENV)-audit build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
