# The two main commands are `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SITE ?= site

.DEFAULT_GOAL := help
.PHONY: help demo test coverage docs test-docs test-system test-backends test-next test-race test-page \
	test-page-next test-storage test-cluster test-bursts clears matrix mutants benchmark figures \
	lint unit integration constraints clean

help: ## list these commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

demo: $(VENV)/ready ## make a video from a prompt on a real Airflow; ONCE=1: end after the run, DAG=story: another example, DAGS=folder: your Dags, BACKEND=vertex, gemini or openrouter: another API
	@$(BIN)/python -m dev.demo $(if $(DAG),--dag $(DAG)) $(if $(BACKEND),--backend $(BACKEND)) $(if $(DAGS),--dags $(DAGS)) $(if $(ONCE),--once)

test: lint coverage ## run all checks that a contribution must pass

lint: $(VENV)/ready ## style, types, the direction of imports, and retired terms
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports && \
		$(BIN)/python dev/retired_terms.py

unit: $(VENV)/ready ## run the tests without network and database
	@$(BIN)/python -m pytest -n 2 tests/unit tests/dev

integration: $(VENV)/ready ## run the tests with the emulator and a real Airflow, four at a time
	@$(BIN)/python -m pytest -n 4 --dist worksteal tests/integration

coverage: $(VENV)/ready ## unit and integration tests together, which must run at least 97 % of the lines of the package
	@rm -f .coverage.unit .coverage.integration
	@COVERAGE_FILE=.coverage.unit $(BIN)/python -m pytest -n 2 --cov --cov-report= tests/unit tests/dev
	@COVERAGE_FILE=.coverage.integration $(BIN)/python -m pytest -n 4 --dist worksteal --cov --cov-report= tests/integration
	@$(BIN)/python -m coverage combine --quiet .coverage.unit .coverage.integration
	@$(BIN)/python -m coverage report --fail-under 97

docs: $(VENV)/ready ## build the documentation site in site/; a warning is an error
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs $(SITE)

test-docs: $(VENV)/ready ## test the code blocks of README and docs, and compare the Chinese pages with the English ones
	@$(BIN)/python -m pytest tests/docs

test-system: $(VENV)/ready $(VENV)/litellm/ready ## test kills, freezes and user actions on a real scheduler, and a real LiteLLM proxy (ten minutes)
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/system --ignore tests/system/test_backends.py \
		--ignore tests/system/test_litellm_vertex.py

test-backends: $(VENV)/ready $(VENV)/litellm/ready ## test kills, storing and secrets with each backend on a real scheduler, and LiteLLM in front of Vertex (six minutes)
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/system/test_backends.py tests/system/test_litellm_vertex.py

test-next: $(VENV)/next/ready ## test task loops, and an upgrade with a waiting task, on a real scheduler of Airflow's pre-release 3.4 (four minutes)
	@VEO_STABLE_PYTHON=$(abspath $(BIN)/python) $(VENV)/next/bin/python -m pytest -n 2 --dist loadfile tests/next

clears: $(VENV)/ready $(VENV)/next/ready ## clear tasks in each way on Airflow 3.3 and 3.4, and write the table of charges of docs/clears.md (twenty minutes)
	@VEO_CLEARS_PAGE=docs/clears.md $(BIN)/python -m pytest tests/clears
	@VEO_CLEARS_PAGE=docs/clears.md $(VENV)/next/bin/python -m pytest tests/clears

test-race: $(VENV)/ready ## test 20 runs of the quickstart's Dag whose videos are completed during Airflow's own race (two minutes)
	@$(BIN)/python -m pytest tests/race

test-page: $(VENV)/ready $(VENV)/axe/ready ## test the Veo page in a real browser, with screenshots in screenshots/ (five minutes)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
		{ echo "Chromium is missing. On Debian: apt install chromium fonts-wqy-zenhei (for Chinese prompts)"; exit 1; }
	@$(BIN)/python -m pytest tests/page

test-page-next: $(VENV)/next/ready $(VENV)/axe/ready ## test the Veo page in a real browser on Airflow's pre-release 3.4 (eight minutes)
	@$(VENV)/next/bin/python -m pytest tests/page

test-storage: $(VENV)/storage/ready ## test storing in stand-ins for S3, Azure and Google Cloud Storage, by Airflow's own filesystems (five minutes)
	@$(VENV)/storage/bin/python -m pytest tests/storage

test-cluster: $(VENV)/cluster/ready ## test 300 videos on PostgreSQL, Celery and two triggerers, with lost machines (a quarter of an hour)
	@$(VENV)/cluster/bin/python -m pytest tests/cluster --ignore tests/cluster/test_page_bursts.py

test-bursts: $(VENV)/cluster/ready ## test up to 300 requests at once to each route of the Veo page, on SQLite and PostgreSQL (half an hour)
	@$(VENV)/cluster/bin/python -m pytest tests/cluster/test_page_bursts.py

matrix: $(VENV)/ready ## test the built wheel on each supported Airflow, and write docs/compatibility.md (an hour); ONLY=3.0.6: only these
	@$(BIN)/python -m dev.matrix $(if $(ONLY),--only $(ONLY)) $(if $(PYTHONS),--pythons $(PYTHONS))

benchmark: $(VENV)/bench/ready ## compare the costs of waiting with other providers, and write docs/performance.md (half an hour)
	@$(VENV)/bench/bin/python -m benchmarks $(if $(QUICK),--quick)

figures: $(VENV)/cluster/ready ## measure and print the figures of docs/scaling.md on triggerers and the cost of a task (a quarter of an hour)
	@$(VENV)/cluster/bin/python -u -m benchmarks.cluster_figures

mutants: $(VENV)/mutmut/ready ## check that the unit tests notice changes of the pure core (an hour); MODULE=api.polling.schedule: one module
	@$(BIN)/python -m dev.mutants $(MODULE)

$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed. Give its path: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Installing into $(VENV) (once; about a minute) ..."
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "Python's venv module is missing. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@{ $(BIN)/python -m pip install --quiet --upgrade --constraint constraints.txt pip && \
		$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev; } || \
		{ echo "The installation failed; pip's messages above say why. A package index must be reachable."; exit 1; }
	@# uncompiled, Airflow takes four seconds longer to start, and some environments forbid compiling at import
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true
	@touch $@

$(VENV)/next/ready: dev/pins/3.4.0b2.txt pyproject.toml | $(VENV)/ready
	@echo "Installing Airflow 3.4.0b2 into $(@D) (once; about a minute, 0.7 GB) ..."
	@$(BIN)/python -m venv --without-pip $(@D)
	@$(BIN)/python -m pip --quiet --python $(@D)/bin/python install --constraint $< apache-airflow==3.4.0b2 \
		apache-airflow-core==3.4.0b2 apache-airflow-task-sdk==1.4.0b2 --editable '.[emulator,google,media]' --group test || \
		{ echo "The installation failed; pip's messages above say why. A package index must be reachable."; exit 1; }
	@$(@D)/bin/python -m compileall -q -j 0 $(@D)/lib >/dev/null || true
	@touch $@

$(VENV)/litellm/ready: tests/system/litellm.txt | $(VENV)/ready
	@echo "Installing LiteLLM's proxy into $(@D) (once; about a minute, 0.7 GB) ..."
	@$(BIN)/python -m venv --without-pip $(@D)
	@$(BIN)/python -m pip --quiet --python $(@D)/bin/python install --requirement $< || \
		{ echo "The installation failed; pip's messages above say why. A package index must be reachable."; exit 1; }
	@touch $@

$(VENV)/storage/ready: tests/storage/requirements.txt | $(VENV)/ready
	@command -v npm >/dev/null || \
		{ echo "npm is missing. azurite, the stand-in for Azure, runs on Node.js: install version 18 or newer, with npm."; exit 1; }
	@echo "Installing Airflow with the filesystems of the storages, and stand-ins for the storages, into $(@D) (once; two minutes, 0.9 GB) ..."
	@$(BIN)/python -m venv --without-pip $(@D)
	@$(BIN)/python -m pip --quiet --python $(@D)/bin/python install --no-deps --requirement $< --editable . || \
		{ echo "The installation failed; pip's messages above say why. A package index must be reachable."; exit 1; }
	@# 3.35 is the last version that runs on Node.js before 21
	@npm install --prefix $(@D)/azurite --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
		--loglevel=error azurite@3.35.0 >/dev/null || \
		{ echo "The installation of azurite failed; npm's messages above say why. The npm registry must be reachable."; exit 1; }
	@$(@D)/bin/python -m compileall -q -j 0 $(@D)/lib >/dev/null || true
	@touch $@

$(VENV)/cluster/ready: tests/cluster/requirements.txt constraints.txt | $(VENV)/ready
	@echo "Installing Airflow with Celery and PostgreSQL's drivers into $(@D) (once; about a minute) ..."
	@$(BIN)/python -m venv --without-pip $(@D)
	@$(BIN)/python -m pip --quiet --python $(@D)/bin/python install --constraint constraints.txt --editable '.[emulator]' \
		--requirement $< psutil pytest pytest-asyncio || \
		{ echo "The installation failed; pip's messages above say why. A package index must be reachable."; exit 1; }
	@$(@D)/bin/python -m compileall -q -j 0 $(@D)/lib >/dev/null || true
	@touch $@

$(VENV)/axe/ready: | $(VENV)/ready
	@command -v npm >/dev/null || \
		{ echo "npm is missing. It installs axe-core, which checks accessibility: install Node.js 18 or newer, with npm."; exit 1; }
	@npm install --prefix $(@D) --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
		--loglevel=error axe-core@4.14.1 >/dev/null || \
		{ echo "The installation of axe-core failed; npm's messages above say why. The npm registry must be reachable."; exit 1; }
	@touch $@

$(VENV)/bench/ready: benchmarks/requirements.txt constraints.txt | $(VENV)/ready
	@echo "Installing the other providers of the benchmark into $(@D) (once; about a minute) ..."
	@$(BIN)/python -m venv --without-pip $(@D)
	@$(BIN)/python -m pip --quiet --python $(@D)/bin/python install --constraint constraints.txt --editable . \
		--requirement $< || \
		{ echo "The installation failed; pip's messages above say why. A package index must be reachable."; exit 1; }
	@$(@D)/bin/python -m compileall -q -j 0 $(@D)/lib >/dev/null || true
	@touch $@

$(VENV)/mutmut/ready: pyproject.toml constraints.txt | $(VENV)/ready
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --group mutants || \
		{ echo "The installation failed; pip's messages above say why. A package index must be reachable."; exit 1; }
	@mkdir -p $(@D) && touch $@

constraints: $(VENV)/ready $(VENV)/mutmut/ready ## write the installed versions into constraints.txt
	@{ echo "# Versions for development and CI, written by 'make constraints'. The package itself declares ranges."; \
		$(BIN)/python -m pip freeze --all --exclude-editable --exclude setuptools; } > constraints.txt

clean: ## remove the files that these commands have made
	rm -rf $(VENV) site demo_videos screenshots mutants dist .coverage .coverage.* .pytest_cache .ruff_cache .mypy_cache .hypothesis
