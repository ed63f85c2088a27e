#!/usr/bin/env bash
# Gradescope calls this once, as root, when it builds the image: Python and pinned packages, readable for the user ids
# that student code runs under; the grader's own files, not. May be called again. Any failure fails the build.
#
#   HW4_TORCH_INDEX_URL   index to install torch from, for a build without CUDA; else the file torch_index_url next to
#                         this script (`make gradescope` writes it), else pip's default index
#   PIP_*                 passed on to pip, for example PIP_INDEX_URL
set -Eeuo pipefail

SOURCE=/autograder/source
VENV=/opt/hw4/venv
WORKER_UID=20000
PYTHONS="python3 python3.14 python3.13 python3.12 python3.11"
export DEBIAN_FRONTEND=noninteractive PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

fail() {
    echo "setup.sh: $1" >&2
    exit 1
}
trap 'fail "line $LINENO failed: the image is not usable"' ERR

is_new_enough() {
    command -v "$1" > /dev/null && "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null
}

find_python() {
    local name
    for name in $PYTHONS; do
        if is_new_enough "$name"; then command -v "$name" && return; fi
    done
    return 1
}

install_python() {
    local name
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends ca-certificates python3 python3-venv > /dev/null
    if find_python > /dev/null; then return; fi
    for name in $PYTHONS; do
        if apt-get install -y -qq --no-install-recommends "$name" "$name-venv" > /dev/null 2>&1 && is_new_enough "$name"; then
            return
        fi
    done
    fail "no Python 3.11 or newer is to be had: choose a newer base image"
}

# 1. Python and an environment outside every home folder.
if ! is_new_enough "$VENV/bin/python"; then
    find_python > /dev/null || install_python
    mkdir -p "$(dirname "$VENV")"
    "$(find_python)" -m venv --clear "$VENV"
fi

# 2. What grading needs, in exactly the recorded versions.
lock=$SOURCE/requirements.lock
torch=$(grep '^torch==' "$lock") || fail "requirements.lock names no torch"
if [ -z "${HW4_TORCH_INDEX_URL:-}" ] && [ -f "$SOURCE/torch_index_url" ]; then
    HW4_TORCH_INDEX_URL=$(cat "$SOURCE/torch_index_url")
fi
if [ -n "${HW4_TORCH_INDEX_URL:-}" ]; then
    "$VENV/bin/python" -m pip install --quiet --no-deps --index-url "$HW4_TORCH_INDEX_URL" "$torch"
fi
"$VENV/bin/python" -m pip install --quiet --constraint "$lock" --requirement "$SOURCE/requirements-grading.txt"

# 3. Who may read what. Only what is not so yet is changed.
chmod a+rx "$(dirname "$VENV")"
find "$VENV" -type d ! -perm -o=rx -exec chmod a+rx {} +
find "$VENV" -type f ! -perm -o=r -exec chmod a+r {} +
chmod -R go= "$SOURCE"

# 4. Does it hold? As a worker's user id: torch imports, and a hidden file cannot be opened.
cd /
"$VENV/bin/python" -I -B - "$WORKER_UID" "$SOURCE/autograder/private.toml" <<'PYTHON'
import os, sys

uid, hidden = int(sys.argv[1]), sys.argv[2]
assert os.path.isfile(hidden), f"{hidden} is missing"
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
try:
    open(hidden).close()
except PermissionError:
    pass
else:
    sys.exit(f"{hidden} is readable for student code")
import array_api_compat, numpy, torch

print(f"ready: Python {sys.version.split()[0]}, numpy {numpy.__version__}, torch {torch.__version__}")
PYTHON
