#!/bin/sh
# Pin every package, with hashes, for Python 3.11 to 3.13 on any system; the files name no registry.
# Uses uv where it is installed, else a copy in a folder that is deleted afterwards.
set -eu
cd "$(dirname "$0")/.."

if command -v uv >/dev/null 2>&1; then
    uv=uv
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    "$(scripts/find-python.sh)" -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check uv
    uv=$folder/bin/uv
fi

# Extras stay written out: pip looks a package with extras up by itself, and would take a newer one as not pinned.
# "fewest": one version of a package for all Pythons, so that a result does not depend on the interpreter.
compile() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-strip-extras \
        --no-header --no-emit-index-url --no-emit-find-links "$@"
}

compile pyproject.toml requirements/build.in --output-file requirements/run.txt
compile pyproject.toml requirements/build.in requirements/dev.in --constraints requirements/run.txt \
    --output-file requirements/dev.txt

if grep -n '://' requirements/run.txt requirements/dev.txt; then
    echo "error: a lock names an address" >&2
    exit 1
fi
