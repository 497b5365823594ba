#!/bin/sh
# Ask the public advisory database about every locked package, in a folder that is deleted afterwards.
# It needs the network; what needs none (licences, hashes, who is in the lock and why) is in tests/house.
set -eu
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$(scripts/find-python.sh)" -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check pip-audit

for lock in requirements/run.txt requirements/dev.txt; do
    echo "$lock"
    "$folder/bin/pip-audit" --require-hashes --disable-pip --requirement "$lock" "$@"
done
