# shellcheck shell=sh disable=SC2154,SC2034
# Part of install.sh: what it says, and what it may assume of the machine. The variables are install.sh's.

step() { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }

# fail WHAT HOW-TO-GO-ON...
fail() {
    printf '\ninstall.sh: failed: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '  %s\n' "$line" >&2; done
    exit 1
}

misuse() {
    printf 'install.sh: %s\n' "$1" >&2
    usage >&2
    exit 2
}

# Runs something that changes the machine, or says that it would.
run() {
    if [ -n "$dry" ]; then
        note "would: $*"
    else
        "$@"
    fi
}

need_root() {
    [ -n "$root" ] || [ "$(id -u)" -eq 0 ] ||
        fail 'this needs root' "sudo $0 ..."
}

need_systemd() {
    if ! command -v systemctl >/dev/null || [ ! -d "$root/run/systemd/system" ]; then
        fail 'this machine does not run systemd' \
            'Without it: run "dream-bff serve" under whatever restarts programs here; see docs/install.md.'
    fi
}

# One run at a time. The lock goes with the process.
take_lock() {
    [ -z "$dry" ] || return 0
    mkdir -p "$opt"
    command -v flock >/dev/null || return 0
    exec 9>"$opt/.lock"
    flock -n 9 || fail 'another install.sh is running' 'Wait for it to end, then repeat this.'
}

own() {
    # owner mode path
    chmod "$2" "$3"
    [ "$(id -u)" -ne 0 ] || chown "$1" "$3"
}

folder() {
    # path owner mode
    [ -d "$1" ] || run mkdir -p "$1"
    run own "$2" "$3" "$1"
}

relabel() {
    # SELinux: what we put there gets the type that its place asks for.
    command -v restorecon >/dev/null || return 0
    run restorecon -RF "$@" || warn "restorecon failed for $*; if SELinux is on, run it by hand"
}

make_user() {
    if [ -n "$root" ] || id "$user" >/dev/null 2>&1; then
        return 0
    fi
    step "user $user"
    shell=/bin/false
    for nologin in /usr/sbin/nologin /sbin/nologin; do
        if [ -x "$nologin" ]; then
            shell=$nologin
            break
        fi
    done
    if command -v useradd >/dev/null; then
        run useradd --system --user-group --home-dir /var/lib/dream-bff --no-create-home \
            --shell "$shell" "$user"
    elif command -v adduser >/dev/null; then
        run adduser --system --group --home /var/lib/dream-bff --no-create-home \
            --shell "$shell" "$user"
    else
        fail 'there is neither useradd nor adduser' "Make a system user and group $user, then repeat this."
    fi
}
