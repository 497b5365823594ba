#!/bin/sh
# Make .venv hold what a lock names, and the project itself, editable.    usage: scripts/setup.sh run|dev
# Plain pip, hashes required; the project is built by the locked backend, without any index.
set -eu
cd "$(dirname "$0")/.."
lock=requirements/$1.txt

if [ "$1" = dev ]; then
    packages=$(grep -v '^#' requirements/system.txt || true)
    if [ -n "$packages" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        # shellcheck disable=SC2086  # one word a package
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
    fi
fi

# A folder that was copied or moved here, or was never finished, is made anew.
if [ "$(cat .venv/made-in 2>/dev/null)" != "$PWD" ] || ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    python=$(scripts/find-python.sh)
    echo "Making .venv with $("$python" --version)."
    "$python" -m venv --clear .venv
    echo "$PWD" >.venv/made-in
fi

echo "Installing $(grep -c '==' "$lock") packages from $lock, once."
pip() { .venv/bin/python -m pip --disable-pip-version-check --no-input "$@" --quiet; }
pip install --require-hashes --only-binary :all: --requirement "$lock"
pip install --no-deps --no-build-isolation --no-index --editable .
touch ".venv/has-$1"
