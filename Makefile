# `make bench` and `make test` need python3 (3.11 or newer), git and a C compiler; everything else is installed here.
# The tests of the report's page skip where there is no Chromium; `make browser` installs it.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
# What is gated, see `python -m tests.proof.gate_experiment`: enough users that -5 % of precision is seen through the noise.
BENCH := $(BIN)/python -m benchmarks.run --suite ci --no-report
TWIN := netflix-filtered[simulated_users=0.1]
LIMITS := --fail-on rmse:+0.5% --fail-on precision@10:-2.5%
# Rating predictors have next to no precision on MovieLens 100k, so percent of it would be percent of nothing; what has
# less than the amount cannot lose it, and is not gated.
MOVIELENS_LIMITS := --fail-on rmse:+0.5% --fail-on precision@10:-0.006
# What may be published of data whose licence forbids to pass them on: all but the ratings of single users.
AGGREGATES := summary,accuracy,cost,serving,certainty,division,slices,variety,learning,data,published,failures,method
TUNED := runs/publish/movielens-100k-tuned
# The default rows and the tuned ones on the same holdout
TUNING := --dataset movielens-100k --split holdout --tune 30,5m
# The league: which data, and which rows by default and tuned; with fewer rows it is tried out, as in
# make publish-league LEAGUE_ROWS="--algorithm item-mean --algorithm ease" TUNED_ROWS="--algorithm ease --folds 2" TRIALS=2
LEAGUE := movielens-100k movielens-latest-small-2016 filmtrust netflix-filtered
LEAGUE_RUNS := runs/publish-league
LEAGUE_ROWS := --suite standard
TUNED_ROWS := --suite quick
TRIALS := 20

.PHONY: help bench test check proof gate accept-baseline history install browser firefox tex lint format peers publish publish-tuned published cluster spark speed calibrate page same lock clean
.PHONY: publish-league published-league publish-full publish-large

help:            ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 18

bench: install   ## run the standard suite on netflix-filtered and print where the report is
	$(BIN)/python -m benchmarks.run --dataset netflix-filtered

# A third of the time the tests wait, for limits of time and ends of processes: three workers keep two cores busy.
test: install    ## run the tests
	$(BIN)/python -m pytest -n 3 --dist worksteal

check: lint      ## what to run before a commit: lint, types, and the tests that take no time
	$(BIN)/python -m pytest -n 2 --dist worksteal -q -m "not slow and not proof"

proof: install   ## what takes long: series of kills, simulated studies, environments of other libraries
	$(BIN)/python -m pytest -n 2 --dist worksteal -m proof

# Everything is measured anew, times too; by themselves, runs keep the records of unchanged code only.
gate: install    ## run suite ci and fail if it is worse than reports/baselines by more than is tolerated
	rm -rf runs/ci-simulated runs/ci-movielens
	$(BENCH) --dataset "$(TWIN)" --out runs/ci-simulated
	$(BIN)/python -m benchmarks.compare reports/baselines/simulated runs/ci-simulated $(LIMITS)
	@$(BENCH) --dataset movielens-100k --out runs/ci-movielens --dry-run > /dev/null; found=$$?; \
	if [ $$found -eq 2 ]; then echo "movielens-100k cannot be had here, so nothing is gated on it"; exit 0; fi; \
	$(BENCH) --dataset movielens-100k --out runs/ci-movielens && \
	$(BIN)/python -m benchmarks.compare reports/baselines/movielens-100k runs/ci-movielens $(MOVIELENS_LIMITS)

accept-baseline: install ## make the present numbers of suite ci the baseline, and print what changes
	rm -rf runs/ci-simulated runs/ci-movielens
	$(BENCH) --dataset "$(TWIN)" --out runs/ci-simulated
	$(BENCH) --dataset movielens-100k --out runs/ci-movielens
	$(BIN)/python -m benchmarks.accept runs/ci-simulated reports/baselines/simulated $(LIMITS)
	$(BIN)/python -m benchmarks.accept runs/ci-movielens reports/baselines/movielens-100k $(MOVIELENS_LIMITS)

# Each version of a baseline that was ever accepted, by its commit, and what the last gate has measured.
history: install ## draw the numbers of suite ci over the commits that changed a baseline, and find what drifts
	@for commit in $$(git log --format=%h -- reports/baselines); do \
	    for name in simulated movielens-100k; do \
	        run=runs/baselines/$$name-$$commit; \
	        git cat-file -e $$commit:reports/baselines/$$name/plan.json 2> /dev/null && [ ! -d $$run ] || continue; \
	        mkdir -p $$run && git archive $$commit reports/baselines/$$name | tar -x --strip-components=3 -C $$run || exit 1; \
	    done; \
	done
	$(BIN)/python -m benchmarks.history runs/baselines $$(ls -d runs/ci-simulated runs/ci-movielens 2> /dev/null)

publish: install ## remake reports/published, whose heatmap the README shows; takes half an hour
	rm -rf runs/publish
	$(BIN)/python -m benchmarks.run --dataset movielens-100k --latency --out runs/publish/movielens-100k
	$(BIN)/python -m benchmarks.run --dataset movielens-100k --suite surprise-readme --out runs/publish/surprise-readme
	$(BIN)/python -m benchmarks.run --dataset netflix-filtered --latency --out runs/publish/netflix-filtered-simulated
	$(BIN)/python -m benchmarks.run --dataset movielens-100k --split "new-users[share=.2,given=.8]" \
	    --out runs/publish/movielens-100k-new-users || test $$? -eq 4 # rows that cannot answer new users are skipped
	$(MAKE) publish-tuned

# Trials are measured two at a time; then the rows are measured again, alone, for the sake of their times. Trials are kept,
# and so are the values that were chosen by them, which ship with the bench.
publish-tuned: install ## remake its tuned table, movielens-100k-tuned, and the values that it finds; takes a hundred minutes
	rm -rf $(TUNED)
	$(BIN)/python -m benchmarks.run $(TUNING) --jobs 2 --no-report --out $(TUNED)
	rm -r $(TUNED)/records
	$(BIN)/python -m benchmarks.run $(TUNING) --no-report --out $(TUNED)
	$(BIN)/python -m benchmarks.list parameters $(TUNED) > benchmarks/tuning/found/movielens-100k.toml
	$(MAKE) published

published: install ## build reports/published again, as far as `make publish` has left runs
	for run in $$(ls runs/publish); do \
	    case $$run in *-simulated) more=,recommendations;; *-tuned) more=,tuning,blends;; *-new-users) more=,new_users;; *) more=;; esac; \
	    rm -rf runs/published/$$run && \
	    $(BIN)/python -m reports.build runs/publish/$$run --sections $(AGGREGATES)$$more --out runs/published/$$run \
	        --png "accuracy,overview-*" && \
	    cp runs/publish/$$run/results.csv runs/published/$$run && \
	    rm runs/published/$$run/report.html runs/published/$$run/report.sha256 && \
	    rm -rf reports/published/$$run && mv runs/published/$$run reports/published/ || exit 1; \
	done

# The twin in the size of the real data: what netflix-filtered keeps of it, and all of it.
publish-full: install ## remake reports/published/netflix-filtered-full-simulated: 4.2 million ratings, 49 rows; takes an hour and a half
	rm -rf runs/publish/netflix-filtered-full-simulated
	$(BIN)/python -m benchmarks.run --dataset "netflix-filtered[simulated_users=1.0]" --split "holdout[test=.1]" \
	    --time-limit 15m --memory-limit 6G --no-report --out runs/publish/netflix-filtered-full-simulated || test $$? -eq 4 # rows beyond the limits are skipped
	$(MAKE) published

publish-large: install ## remake reports/published/netflix-full-simulated: 97 million ratings, suite large; takes an hour and a half
	rm -rf runs/publish/netflix-full-simulated
	$(BIN)/python -m benchmarks.run --dataset "netflix[simulated_users=1.0]" --suite large --time-limit 15m \
	    --memory-limit 12G --no-report --out runs/publish/netflix-full-simulated || test $$? -eq 4
	$(MAKE) published

# Of data without times or texts some rows are skipped, which is exit code 4. Tuned rows are measured twice, as above.
publish-league: install ## remake reports/published/league and league-tuned, four data sets each; takes an hour
	rm -rf $(LEAGUE_RUNS)
	for data in $(LEAGUE); do \
	    $(BIN)/python -m benchmarks.run --dataset $$data $(LEAGUE_ROWS) --no-report --out $(LEAGUE_RUNS)/default/$$data \
	        || test $$? -eq 4 || exit 1; \
	    $(BIN)/python -m benchmarks.run --dataset $$data $(TUNED_ROWS) --tune $(TRIALS) --jobs 2 --no-report \
	        --out $(LEAGUE_RUNS)/tuned/$$data || test $$? -eq 4 || exit 1; \
	    rm -r $(LEAGUE_RUNS)/tuned/$$data/records; \
	    $(BIN)/python -m benchmarks.run --dataset $$data $(TUNED_ROWS) --tune $(TRIALS) --no-report \
	        --out $(LEAGUE_RUNS)/tuned/$$data || test $$? -eq 4 || exit 1; \
	done
	$(MAKE) published-league

published-league: install ## build reports/published/league and league-tuned again from what publish-league has left
	for kind in default tuned; do \
	    case $$kind in default) league=league;; *) league=league-tuned;; esac; \
	    rm -rf runs/published/$$league && \
	    $(BIN)/python -m reports.build $(addprefix $(LEAGUE_RUNS)/$$kind/,$(LEAGUE)) --out runs/published/$$league \
	        --png "league-*" && \
	    for data in $(LEAGUE); do \
	        cp $(LEAGUE_RUNS)/$$kind/$$data/results.csv runs/published/$$league/results-$$data.csv || exit 1; \
	    done && \
	    rm runs/published/$$league/report.html runs/published/$$league/report.sha256 && \
	    rm -rf reports/published/$$league && mv runs/published/$$league reports/published/ || exit 1; \
	done

install: $(INSTALLED) ## create .venv with the pinned versions

# The build lock keeps LightFM's fork, the only package that is compiled here, building the same way next year; the
# first variable is for pip before 25.3, the second for later ones.
$(INSTALLED): export PIP_CONSTRAINT = requirements-build.lock
$(INSTALLED): export PIP_BUILD_CONSTRAINT = requirements-build.lock
$(INSTALLED): requirements.lock requirements-build.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "recbench needs Python 3.11 or newer, and this is " + sys.version)'
	@echo "Installing the pinned packages into .venv; this takes a minute or two ..."
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable . \
	    --config-settings editable_mode=compat
	-$(BIN)/python -m benchmarks.doctor --compile # else the first run and its cells would, one after the other
	@touch $@

browser:         ## install Chromium, in which the tests open the report
	tests/install-browser

firefox:         ## install Firefox (80 MB), in which another test opens it
	tests/install-browser firefox

tex:             ## install LaTeX, with which a test compiles the tables for papers
	tests/install-tex

lint: install    ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install  ## let ruff format the sources
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

peers: install   ## compile recometrics (needs a C++ compiler): tests compare metrics and speed with it where it is there
	$(BIN)/python -c "import recometrics" 2> /dev/null || \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check recometrics==0.1.6.post13

cluster: install ## install Dask's distributed, for benchmarks.run --cluster
	$(BIN)/python -c "import distributed" 2> /dev/null || \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock distributed

spark: install   ## install pyspark, for the row spark-als; it needs Java 17 (Debian: openjdk-17-jre-headless)
	$(BIN)/python -c "import pyspark" 2> /dev/null || \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pyspark>=4"

speed: peers     ## compare speeds as ratios in one run; takes some minutes on a quiet machine
	$(BIN)/python -m pytest tests/proof/test_speed.py tests/proof/test_speed_data.py tests/proof/test_speed_sgd.py tests/proof/test_speed_metrics.py tests/proof/test_speed_ranking.py --benchmark-only -s

calibrate: install ## measure what algorithms cost, for --dry-run, and write benchmarks/planning/costs.toml; on a quiet machine
	$(BIN)/python -m tests.proof.calibrate runs/calibration

page: install    ## print how the pages of the source read, beside eight good houses; more with python -m tests.proof.page
	$(BIN)/python -m tests.proof.page

same: install    ## make same BASE=commit: is every number of suite ci, on both data sets, equal to the commit's to the bit?
	$(BIN)/python -m tests.proof.same $(BASE)

lock: install    ## choose the newest versions that pyproject.toml allows
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet pyproject.toml --group dev --universal --python-version 3.11 --no-annotate \
	    --upgrade -o requirements.lock

clean:           ## remove everything that can be made again
	rm -rf .venv runs build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
