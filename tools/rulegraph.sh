#!/usr/bin/env bash
# Draws the picture of the rules in the README; needs Graphviz. Run it as tools/rulegraph.sh
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/snakemake --rulegraph --cores 1 --configfile config/demo.yaml -- \
    all results/demo/{times,preference/test.html} |
  sed -E 's/color = "[^"]*", style="rounded"/color="#4a6fa5", fillcolor="#eef3fa", style="rounded,filled"/' |
  # Edges that follow from others are left out.
  tred |
  dot "-T${1:-svg}" -Grankdir=LR -Gnodesep=0.18 -Granksep=0.3 -Gpad=0.1 -Earrowsize=0.7 \
    > "resources/rulegraph.${1:-svg}"
