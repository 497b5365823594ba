#!/bin/sh
# Print the Python that .venv is made from: $PYTHON, else the newest of 3.13 to 3.11, else a python3 that is new enough.
# Debian keeps venv in a package of its own; it is installed where that is allowed, and named where it is not.
set -eu

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
makes_venvs() { "$1" -c 'import venv, ensurepip' >/dev/null 2>&1; }

found=
for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
    is_new_enough "$candidate" || continue
    found=${found:-$candidate}
    if makes_venvs "$candidate"; then
        echo "$candidate"
        exit 0
    fi
done

if [ -z "$found" ]; then
    echo "error: Breakeven needs Python 3.11 or newer" >&2
    echo "cause: none of ${PYTHON:-python3.13, python3.12, python3.11, python3, python} is one" >&2
    echo "hint: install one, or name it: make run PYTHON=/path/to/python3.12" >&2
    exit 2
fi

package=$("$found" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing $package, which this Python lacks." >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package"; } >&2
    if makes_venvs "$found"; then
        echo "$found"
        exit 0
    fi
fi
echo "error: $found cannot make a virtual environment" >&2
echo "cause: its modules venv and ensurepip are not installed" >&2
echo "hint: sudo apt-get install $package" >&2
exit 2
