#!/bin/sh
# Run a program of tools/ with the first Python here that is new enough and can make environments.
set -eu
found=""
for python in ${PYTHON:-} python3.14 python3.13 python3.12 python3 /usr/bin/python3; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then
        found="$python"
        if "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            exec "$python" "$@"
        fi
    fi
done
if [ -n "$found" ]; then
    echo "Python is here ($found), but without venv. On Debian and Ubuntu: apt-get install python3-venv" >&2
else
    echo "CallPrivacy needs Python 3.12 or newer. Install it, or name it: PYTHON=/path/to/python3 make run" >&2
fi
exit 1
