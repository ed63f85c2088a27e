#!/usr/bin/env bash
# A stand-in for a Gradescope container, for tests: called by `unshare --mount --pid --fork`, as root.
# Arguments: an empty folder (the new root), the folder that becomes /autograder, an environment, its interpreter's
# folder, and rw if setup.sh should fill the environment. The system's folders are read-only in it; the capabilities are
# Docker's default ones.
set -euo pipefail
root=$1 autograder=$2 venv=$3 interpreter=$4 access=${5:-ro}
capabilities=chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,net_raw,sys_chroot,mknod,audit_write,setfcap
umask 022

bind() {
    mkdir -p "$root$2"
    mount --rbind "$1" "$root$2"
    if [ "${3:-ro}" = ro ]; then mount -o remount,bind,ro "$root$2"; fi
}

mount -t tmpfs -o mode=0755 tmpfs "$root"
for name in usr bin sbin lib lib32 lib64 etc; do
    if [ -L "/$name" ]; then cp -P "/$name" "$root/$name"; elif [ -d "/$name" ]; then bind "/$name" "/$name"; fi
done
mkdir "$root/proc"
mount -t proc proc "$root/proc"
bind /dev /dev rw
bind "$autograder" /autograder rw
bind "$venv" /opt/hw4/venv "$access"
for folder in /opt/*; do # where packages may come from
    if [ "$folder" != /opt/hw4 ] && [ -d "$folder" ]; then bind "$folder" "$folder"; fi
done
case $interpreter in /usr*) ;; *) bind "$interpreter" "$interpreter" ;; esac # the folders above it get mode 0755
mkdir -m 1777 "$root/tmp"

settings=(PATH=/usr/bin:/bin PIP_NO_INDEX=1)
if [ "$access" = rw ]; then # only this interpreter, and the settings of pip and uv of whoever calls
    mkdir "$root/only"
    ln -s "$interpreter"/bin/python3.[0-9]* "$root/only/" && ln -s "$interpreter/bin/python3" "$root/only/"
    settings=(PATH=/only:/usr/bin:/bin HOME=/tmp)
    while IFS= read -r -d '' setting; do
        case $setting in PIP_* | UV_* | SSL_CERT_* | *_proxy=* | *_PROXY=*) settings+=("$setting") ;; esac
    done < <(env -0)
fi

chroot "$root" env -i "${settings[@]}" \
    setpriv --bounding-set "-all,+${capabilities//,/,+}" --inh-caps=-all --ambient-caps=-all bash -c '
        set -e
        if [ ! -e /autograder/run_autograder ]; then # as when the image is built
            bash /autograder/source/setup.sh
            cp /autograder/source/run_autograder /autograder/run_autograder
        fi
        cd /autograder
        ./run_autograder > /autograder/results/stdout 2>&1
    '
