# `make demo` and `make test` set up what they need; see README.md.
VENV := .venv
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/installed
EXTRAS := train,sweep,video,heic,serve,dev
LOWEST := .venv-lowest
S3 := build/s3/installed
WEB := src/mien/service/static/ort/ort.wasm.gz
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: setup demo test web docs slow lowest bench licences sbom clean

setup: $(INSTALLED)  ## make the environment; does nothing when nothing changed

$(INSTALLED): pyproject.toml constraints.txt
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		(echo "mien needs Python 3.11 or newer; python3 is $$(python3 --version)" && exit 1)
	@echo "Installing mien and the tested versions of its packages into $(VENV): some minutes, most of them for torch"
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --progress-bar on --disable-pip-version-check \
		-c constraints.txt -e '.[$(EXTRAS),cluster,docs]'
	touch $@
	@echo "Set up. Type next:  . $(VENV)/bin/activate  and then:  mien predict --sample"

demo: setup  ## everything once, on drawn faces or on DATA=path
	mien demo $(if $(DATA),--data "$(DATA)")

test: setup  ## lint, types, import contract, tests
	@! command -v npm >/dev/null || $(MAKE) --no-print-directory web || \
		echo "The tests of the page's private mode skip: make web failed"
	@$(MAKE) --no-print-directory $(S3) || \
		echo "The tests of object storage skip: their server could not be installed"
	ruff format --check .
	ruff check .
	mypy
	lint-imports --no-logo
	pytest -n auto --dist worksteal

$(S3): tests/batch/moto.txt  # a server of S3 for the tests
	python3 -m venv build/s3
	build/s3/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

web: $(WEB)  ## what the page's private mode and `mien web` need, by npm; never committed

$(WEB): tools/web.py | setup
	$(PYTHON) tools/web.py

docs: setup  ## the documentation as a site, in build/site; any warning is an error
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
	@echo "The site: build/site/index.html"

slow: setup lowest  ## the tests that take long, and those with the oldest packages
	pytest -n auto --dist worksteal -m slow

lowest: $(LOWEST)/installed  ## the tests with the oldest release of every package that mien allows
	PATH="$(CURDIR)/$(LOWEST)/bin:$$PATH" \
		PYTEST_ADDOPTS="-W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning" \
		$(LOWEST)/bin/python -m pytest -n auto --dist worksteal

$(LOWEST)/installed: pyproject.toml constraints-lowest.txt
	python3 -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check \
		-c constraints-lowest.txt -e '.[$(EXTRAS)]'
	touch $@

bench: setup  ## what takes long, 20 minutes and more; needs FER-2013: make bench DATA=path
	python benchmarks/start.py
	python benchmarks/data.py --data "$(DATA)"
	python benchmarks/resume.py --data "$(DATA)"

licences: setup  ## docs/licences.md, from the metadata of the packages of constraints.txt
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --upgrade \
		--target build/fetch -c constraints.txt kagglehub
	PYTHONPATH=build/fetch $(PYTHON) tools/licences.py

sbom: setup  ## dist/sbom.json, a CycloneDX list of all that is installed in .venv
	python3 -m venv build/sbom
	build/sbom/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0
	mkdir -p dist
	build/sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--of JSON -o dist/sbom.json $(PYTHON)

clean:  ## remove the environment and what tools cached, never runs
	rm -rf $(VENV) $(LOWEST) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist
