# make help lists the targets. CONFIG, PROFILE and CORES can be overridden:
#   make run CONFIG=config/mine.yaml CORES=8
CONFIG  ?= config/config.yaml
PROFILE ?= profiles/default
CORES   ?= all
PYTHON  ?= python3

# As they were given: make would take `$5` for a variable, and the shell `a b` for two words.
GIVEN := CONFIG PROFILE CORES TEXT SPEAKER OUT PORT BUNDLE GO_ON
$(foreach name,$(GIVEN),$(if $(filter command environment,$(origin $(name))),\
	$(eval override $(name) := $$(value $(name)))))
export $(GIVEN)

BIN       := .venv/bin
SNAKEMAKE  = $(BIN)/snakemake --cores "$$CORES" --configfile "$$CONFIG" \
	--workflow-profile "$$PROFILE"
DEMO      := CONFIG=config/demo.yaml PROFILE=profiles/demo CORES=2

# Sets `output` to where CONFIG writes: its key of that name, else that of config.yaml, which it
# lies on top of. Refuses what needs a part of a finished run.
found = output=$$($(BIN)/python -c 'import sys, yaml; print({key: value \
	for file in sys.argv[1:] for key, value in (yaml.safe_load(open(file)) or {}).items()}["output"])' \
	config/config.yaml "$$CONFIG")
finished = $(found) && { test -e "$$output/$(1)" || \
	{ echo "$$output/$(1) is not there yet: run make run CONFIG=$$CONFIG first" >&2; exit 2; }; }

.PHONY: help config setup setup-quality setup-cluster setup-kubernetes setup-vastai demo say talk run \
	dry-run bundle receive test lint bench report tensorboard clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup:  ## make or repair the environment .venv
	@$(PYTHON) envs/setup.py

setup-quality: setup  ## install what evaluation.naturalness needs
	@$(BIN)/python -m pip install --quiet --no-deps -r envs/quality.txt

setup-cluster: setup  ## install the executor that profiles/slurm needs
	@$(BIN)/python -m pip install --quiet --no-deps -r envs/cluster.txt

setup-kubernetes: setup  ## install the executor and the storage that profiles/kubernetes needs
	@$(BIN)/python -m pip install --quiet --no-deps -r envs/kubernetes.txt

setup-vastai: setup  ## install the executor that profiles/vastai needs
	@$(BIN)/python -m pip install --quiet --no-deps -r envs/vastai.txt

demo: setup  ## run everything on the embedded demo corpus and base model, on the CPU
	@$(MAKE) --no-print-directory run $(DEMO)
	@$(BIN)/python -m lib.report.summary results/demo

ifeq ($(origin CONFIG),file)
say talk: CONFIG = config/demo.yaml
endif
say: setup  ## let the demo's voice (or that of CONFIG) say TEXT as SPEAKER, into OUT
	@test -n "$$TEXT" || { echo 'say what? make say TEXT="hello there" SPEAKER=spk001' >&2; exit 2; }
	@$(call finished,model) && $(BIN)/python -m lib.synthesis \
		$${SPEAKER:+--speaker "$$SPEAKER"} --output "$${OUT:-speech.wav}" \
		-- "$$output/model" "$$TEXT"

talk: setup  ## talk with the demo's voice (or that of CONFIG) in the browser, at PORT
	@$(call finished,model) && $(BIN)/python -m lib.talk "$$output" $${PORT:+--port "$$PORT"}

config:
	@test -f "$$CONFIG" || { echo "CONFIG=$$CONFIG: there is no such file" >&2; exit 2; }

run: config setup  ## run the workflow with CONFIG
	@$(SNAKEMAKE)

dry-run: config setup  ## show what is pending with CONFIG
	@$(SNAKEMAKE) --dry-run

bundle: config setup  ## pack the training of CONFIG into the folder BUNDLE, for another machine
	@$(found) && $(SNAKEMAKE) -- "$$output/dataset" "$$output/base_model" && \
		$(BIN)/python -m lib.bundle pack "$$output" "$${BUNDLE:-bundle}" --config "$$CONFIG"

# What came back is what the rule would make: Snakemake notes that, and runs nothing.
receive: config setup  ## take the training of CONFIG that came back in the folder BUNDLE
	@$(found) && $(BIN)/python -m lib.bundle receive "$${BUNDLE:-bundle}" "$$output" \
		--config "$$CONFIG" $${GO_ON:+--go-on} && { test -n "$$GO_ON" || \
		$(SNAKEMAKE) --touch --quiet all --allowed-rules train_model -- "$$output/training.json"; }

test: setup  ## run all tests
	@$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile \
		--no-loadscope-reorder

lint: setup  ## check style of Python and workflow files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/snakefmt --check Snakefile workflow
	@$(BIN)/snakemake --lint --configfile config/demo.yaml

bench: setup  ## measure and print the benchmark tables
	@for b in data workflow_scale train_step speech; do $(BIN)/python -m benchmarks.$$b || exit 1; done

report: config setup  ## write Snakemake's own report of a finished run, beside the page with players
	@$(call finished,report/report.html) && $(SNAKEMAKE) --report "$$output/report/workflow.html"

tensorboard: config setup  ## show the training of CONFIG in the browser
	@$(call finished,tensorboard) && $(BIN)/tensorboard --logdir "$$output/tensorboard"

clean:  ## remove everything that can be made again (not the user's data)
	rm -rf results/demo .venv .pytest_cache .ruff_cache .hypothesis
