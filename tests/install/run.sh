#!/usr/bin/env bash
# install.sh on a real Debian under a real systemd: a root made with debootstrap, booted by systemd-nspawn.
# What happens in there is inside.sh. Needs root, debootstrap and systemd-container; takes some minutes.
#
#   tests/install/run.sh [--suite NAME] [--program FILE] [--older FILE] [--load FILE]
#
#   --suite NAME    which Debian (default: bookworm, systemd 252); bullseye has systemd 247, trixie 257
#   --program FILE  the program to install and to upgrade to (default: target/release/dream-bff)
#   --older FILE    what is installed first (default: the same program as another file). With an older
#                   schema, the upgrade migrates.
#   --load FILE     the built integration tests (target/debug/deps/it-...): exchanges the program under
#                   load, in a machine of its own, and does nothing else
#
# The root is kept in INSTALL_TEST_CACHE (default: /var/tmp/dream-bff-install-test) for the next time.
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=bookworm program=target/release/dream-bff older='' load=''
while [ $# -gt 0 ]; do
    case $1 in
        --suite) suite=$2 && shift ;;
        --program) program=$2 && shift ;;
        --older) older=$2 && shift ;;
        --load) load=$2 && shift ;;
        *) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    esac
    shift
done
for file in "$program" ${older:+"$older"} ${load:+"$load"}; do
    [ -x "$file" ] || { echo "$file is no program" >&2 && exit 2; }
done

cache=${INSTALL_TEST_CACHE:-/var/tmp/dream-bff-install-test}
mkdir -p "$cache"
if [ ! -e "$cache/$suite/.complete" ]; then
    echo "making a Debian in $cache/$suite"
    rm -rf "${cache:?}/$suite"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus "$suite" "$cache/$suite" \
        ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$cache/debootstrap.log"
    touch "$cache/$suite/.complete"
fi

root=$(mktemp -d "$cache/run.XXXXXX")
trap 'rm -rf "$root"' EXIT
cp -a --reflink=auto "$cache/$suite/." "$root/"
test=$root/test
mkdir -p "$test"

# An unpacked release in the folder $1 with the program $2.
release() {
    mkdir -p "$test/$1"
    cp "$2" "$test/$1/dream-bff"
    cp -R install.sh installer systemd .env.example "$test/$1/"
}

# A release whose program fails in the way $1.
broken() {
    sed "s|@KIND@|$1|; s|@REAL@|/test/second/dream-bff|" tests/install/broken-program >"$test/broken"
    chmod 755 "$test/broken"
    release "$1" "$test/broken"
}

release second "$program"
release first "${older:-$program}"
# Another file is another version, whatever it holds: an ELF file may have something behind its end.
[ -n "$older" ] || printf 'first' >>"$test/first/dream-bff"
for kind in ends unready migrates rehearsal; do broken "$kind"; done
if [ -n "$load" ]; then
    cp "$load" "$test/load"
fi
install -m 755 tests/install/inside.sh "$test/inside.sh"
cat >"$root/etc/systemd/system/install-test.service" <<'UNIT'
[Unit]
Description=The test of install.sh
After=dream-bff.service dbus.service
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/bin/sh -c 'exec /test/inside.sh >>/test/log 2>&1'
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../install-test.service "$root/etc/systemd/system/multi-user.target.wants/"

touch "$test/log"
tail -f "$test/log" &
follow=$!
# --keep-unit and --register=no: works too where this machine's own first process is not systemd.
boot() {
    timeout -k 10 1800 systemd-nspawn --quiet -D "$root" --boot --private-network --keep-unit \
        --register=no --machine="install-test-$$" </dev/null >"$cache/console.log" 2>&1 || true
}
boot
# A reboot from inside ends the machine here, where it is not registered: begin it again.
if [ -e "$test/rebooted" ] && [ ! -e "$test/status" ]; then
    boot
fi
sleep 1
kill "$follow"
wait "$follow" 2>/dev/null || true
if [ "$(cat "$test/status" 2>/dev/null)" != passed ]; then
    echo "FAILED; the console: $cache/console.log" >&2
    exit 1
fi
