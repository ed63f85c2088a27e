#!/usr/bin/env bash
# Gradescope calls this once, as root, when it builds the image: Python and pinned packages, readable for the user ids
# that student code runs under; the grader's own files, not. May be called again. Any failure fails the build.
#
#   PIP_*, UV_*   passed on to pip and uv
set -Eeuo pipefail

SOURCE=/autograder/source
VENV=/opt/hw4/venv
WORKER_UID=20000
SUPPORTED=$(sed -n 's/^pythons = \[\(.*\)\].*/\1/p' "$SOURCE/assignment.toml" | tr -d '",') # "3.11 3.12 ..."
export DEBIAN_FRONTEND=noninteractive PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

fail() {
    echo "setup.sh: $1" >&2
    exit 1
}
trap 'fail "line $LINENO failed: the image is not usable"' ERR

is_supported() {
    local version
    command -v "$1" > /dev/null || return 1
    version=$("$1" -c 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])' 2> /dev/null) || return 1
    case " $SUPPORTED " in *" $version "*) ;; *) return 1 ;; esac
}

candidates() { # python3 first, then the newest
    local version names=
    for version in $SUPPORTED; do names="python$version $names"; done
    echo "python3 $names"
}

find_python() {
    local name
    for name in $(candidates); do
        if is_supported "$name"; then command -v "$name" && return; fi
    done
    return 1
}

install_python() {
    local name
    if command -v apt-get > /dev/null; then
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends ca-certificates > /dev/null
        for name in $(candidates); do
            apt-get install -y -qq --no-install-recommends "$name" "$name-venv" > /dev/null 2>&1 || continue
            if is_supported "$name"; then return; fi
        done
    fi
    fail "the grader runs under Python $SUPPORTED, this image has $(python3 --version 2>&1): choose another base image"
}

# 1. Python and an environment outside every home folder.
[ -n "$SUPPORTED" ] || fail "assignment.toml names no version of Python"
if ! is_supported "$VENV/bin/python"; then
    find_python > /dev/null || install_python
    mkdir -p "$(dirname "$VENV")"
    "$(find_python)" -m venv --clear "$VENV"
fi

# 2. What grading needs, in exactly the recorded versions; of torch the build without CUDA, which uv knows how to find.
lock=$SOURCE/requirements.lock
needed=(--quiet --constraint "$lock" --requirement "$SOURCE/requirements-grading.txt")
if ! "$VENV/bin/python" -m pip install --no-index "${needed[@]}" > /dev/null 2>&1; then # not everything is there
    "$VENV/bin/python" -m pip install --quiet uv
    "$VENV/bin/uv" pip install --python "$VENV/bin/python" --torch-backend cpu "${needed[@]}"
    if ls -d "$VENV"/lib/python*/site-packages/nvidia > /dev/null 2>&1; then fail "torch came with CUDA libraries"; fi
fi

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
