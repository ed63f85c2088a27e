# Every target sets up .venv itself. Two matter most: `make grade` and `make test`.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
# For programs that need hw4 with the solutions filled in.
SOLVED := PYTHONPATH="$$PWD/build/solved:$$PWD" $(RUN)
SUBMISSION ?= solutions
OUTPUT ?= build/grade
# Students choose the names of their files. So neither make nor the shell reads these texts: they are taken as they
# stand, and recipes take them from the environment.
override SUBMISSION := $(value SUBMISSION)
override OUTPUT := $(value OUTPUT)
override PYTHON := $(value PYTHON)
export SUBMISSION OUTPUT PYTHON

define CHECK_PYTHON
@"$$PYTHON" -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
endef

# One thread per learning run: on a busy machine, two threads are slower than one.
export OMP_NUM_THREADS = 1
export OPENBLAS_NUM_THREADS = 1
export MKL_NUM_THREADS = 1
export PYTHONDONTWRITEBYTECODE = 1
# Figures are compared letter by letter: no list of fonts is taken over that another program has left in the home folder.
export MPLCONFIGDIR = $(CURDIR)/build/matplotlib
unexport MUJOCO_GL  # nothing here draws with MuJoCo, and a value meant for other homework can end its import

.DEFAULT_GOAL := help
.PHONY: help cpu grade test verify bench zoo publish check gradescope handout notebooks solved new-term calibrate lab lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

grade: $(READY)  ## grade SUBMISSION (a folder or an archive; the reference solution by default) into OUTPUT
	$(RUN) -m autograder grade --output "$$OUTPUT" -- "$$SUBMISSION"

test: $(READY)  ## ruff, mypy and the test suite
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(RUN) -m compileall -q autograder hw4 publish  # hundreds of processes are started, and none writes bytecode
	$(RUN) -m pytest -n 3 --dist loadfile --durations 10 -m 'not verify'

verify: $(READY)  ## the slow tests, the attack bank in every mode that this machine can run, and mutants of the solution
	$(RUN) -m pytest -m verify --durations 10 -rP
	$(RUN) tests/attacks/verify.py
	$(RUN) tests/mutations/verify.py

zoo: $(READY)  ## grade the zoo of wrong and of correct but different submissions
	$(RUN) -m autograder zoo

publish: $(READY)  ## write every generated file and the three bundles, then run the whole gate
	$(RUN) -m publish write
	$(RUN) -m publish check

check: $(READY)  ## the quick part of the gate: names, unchecked sentences, drift of generated files, stale recorded runs
	$(RUN) -m publish drift

bench: $(READY) solved  ## the benchmarks, compared with other implementations in the same run
	-$(MAKE) build/mbrl/.ready  # without it, mbrl-lib is left out
	$(RUN) -m benchmarks.ready_worker
	$(SOLVED) benchmarks/planner.py
	$(SOLVED) benchmarks/fit.py
	$(SOLVED) benchmarks/latent_agent.py
	$(SOLVED) benchmarks/sequences.py
	$(SOLVED) benchmarks/time_to_skill.py
	$(RUN) -m benchmarks.published_curves
	$(RUN) -m benchmarks.class_grading
	$(RUN) -m benchmarks.startup
	$(RUN) -m benchmarks.grade_timeline
	$(RUN) -m benchmarks.memory
	$(SOLVED) benchmarks/half_cheetah_speed.py --draw

# mbrl-lib, for the benchmarks, in a separate environment.
build/mbrl/.ready: benchmarks/mbrl-requirements.txt requirements.lock
	"$$PYTHON" -m venv build/mbrl
	build/mbrl/bin/pip install --quiet $$(grep -E '^(torch|numpy|gymnasium|mujoco)==' requirements.lock) -r benchmarks/mbrl-requirements.txt
	build/mbrl/bin/pip install --quiet --no-deps mbrl==0.2.0
	@touch $@

gradescope: $(READY)  ## build build/gradescope-autograder.zip; see autograder/gradescope/README.md
	$(RUN) -m publish.gradescope_bundle

handout: $(READY)  ## build handout.pdf, and the staff edition in build/
	$(RUN) -m publish.handout

notebooks: $(READY)  ## build the source and release notebooks from their masters
	$(RUN) -m publish.notebooks write

new-term: $(READY)  ## ask for term, dates and hidden seed, change them, and say what is left
	$(RUN) -m publish.new_term

solved: $(READY)  ## write build/solved/hw4: given files and solutions
	$(RUN) -m publish solved

calibrate: $(READY)  ## record the reference runs of the graded curves; can be stopped and resumed
	$(RUN) -m autograder calibrate

# --allow-root, because a grader's machine is often a container. Formgrader shows what students wrote and runs none of it.
lab: $(READY) solved  ## open JupyterLab on the notebooks, with the solved package
	cd notebooks && PYTHONPATH="$${PWD%/notebooks}/build/solved" ../$(VENV)/bin/jupyter lab --allow-root

cpu:  ## set up .venv with uv and a torch for the CPU alone, on Linux several gigabytes smaller
	$(CHECK_PYTHON)
	"$$PYTHON" -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check uv
	$(VENV)/bin/uv pip install --python $(RUN) --torch-backend cpu -r requirements.lock
	$(VENV)/bin/uv pip install --python $(RUN) --no-deps -e .
	@touch $(READY)

lock: ## write requirements.lock from a fresh environment
	rm -rf build/lock && "$$PYTHON" -m venv build/lock
	build/lock/bin/pip install --quiet "torch==$$(sed -n 's/^torch==//p' requirements.lock)"
	build/lock/bin/pip install --quiet -e '.[staff]'
	build/lock/bin/pip freeze --exclude-editable | sed 's/+cpu$$//' > build/requirements.lock
	mv build/requirements.lock requirements.lock

clean:  ## remove everything that was built
	rm -rf build .venv

# The marker is written last, so that an incomplete environment is never mistaken for a complete one.
$(READY): requirements.lock requirements.txt pyproject.toml
	$(CHECK_PYTHON)
	"$$PYTHON" -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(READY)
