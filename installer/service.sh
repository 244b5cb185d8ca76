# shellcheck shell=sh disable=SC2154,SC2034
# Part of install.sh: versions on disk, units, starting, and whether the server is well.
#
# A version is a folder below /opt/dream-bff/versions, complete and never changed. `current` and `previous`
# are links there: exchanging the program is one rename.

# ---- Versions ----

# The name of the version of the program in folder $1: what it says, and the beginning of its checksum.
version_name() {
    said=$("$1/dream-bff" version 2>&1) ||
        fail "the program in $1 does not run here: $said" \
            "This machine is $(uname -m); the release must be for that, and glibc 2.17 or newer is needed." \
            "Here: $(ldd --version 2>&1 | head -n 1)"
    printf '%s-%s' "$(printf '%s\n' "$said" | sed -n 's/^dream-bff //p')" \
        "$(sha256sum "$1/dream-bff" | cut -c 1-8)"
}

# What the link $1 (current, previous) points to; nothing when there is none.
linked() {
    [ ! -L "$opt/$1" ] || basename "$(readlink "$opt/$1")"
}

# Points the link $1 to version $2, in one step.
point() {
    if [ -n "$dry" ]; then
        note "would: point $opt/$1 to versions/$2"
        return 0
    fi
    ln -sfn "versions/$2" "$opt/.$1.new"
    mv -T "$opt/.$1.new" "$opt/$1"
}

# Copies the release in $source to where version $1 belongs.
place_version() {
    if [ -d "$opt/versions/$1" ]; then
        return 0
    fi
    step "program: $opt/versions/$1"
    folder "$opt" root:root 755
    folder "$opt/versions" root:root 755
    if [ -n "$dry" ]; then
        note "would: copy the release there"
        return 0
    fi
    staged=$opt/versions/.new
    rm -rf "$staged"
    mkdir -p "$staged/bin" "$staged/systemd" "$staged/installer"
    # In a folder `bin`, SELinux lets it be run as a service.
    cp "$source/dream-bff" "$staged/bin/dream-bff"
    cp "$source/install.sh" "$source/.env.example" "$staged/"
    cp "$source"/installer/*.sh "$staged/installer/"
    cp "$source"/systemd/* "$staged/systemd/"
    [ ! -d "$source/docs" ] || cp -R "$source/docs" "$staged/docs"
    chmod -R u=rwX,go=rX "$staged"
    chmod 755 "$staged/bin/dream-bff" "$staged/install.sh"
    [ "$(id -u)" -ne 0 ] || chown -R root:root "$staged"
    sync
    mv "$staged" "$opt/versions/$1"
    relabel "$opt/versions/$1"
}

# Removes versions that nothing points to, but for the newest of them.
prune_versions() {
    # shellcheck disable=SC2012 # our own names, and the order matters
    (cd "$opt/versions" && ls -1t) | grep -vxF -e "$(linked current)" -e "$(linked previous)" |
        tail -n +2 | while IFS= read -r old; do
        run rm -rf "${opt:?}/versions/$old"
    done
}

# Runs version $1 with the settings, as the service's user.
as_service() {
    program=$opt/versions/$1/bin/dream-bff
    shift
    DREAM_BFF_PROGRAM=$program "$command" "$@"
}

# ---- Units ----

# Puts $1.new in the place of $1; says by `changed` whether that is a change.
replace_file() {
    if cmp -s "$1.new" "$1"; then
        rm "$1.new"
        return 0
    fi
    changed=1
    own root:root 644 "$1.new"
    mv "$1.new" "$1"
}

# A copy of the unit $1 of the release.
write_unit() {
    cp "$shipped/$1" "$units/$1.new"
    replace_file "$units/$1"
}

# The drop-in $1 of the unit, which says $2.
write_drop_in() {
    mkdir -p "$(dirname "$units/$1")"
    printf '# Written by install.sh from the settings.\n%s\n' "$2" >"$units/$1.new"
    replace_file "$units/$1"
}

listen_lines() { printf '[Socket]\nListenStream=\nListenStream=%s' "$1"; }

# Data and backups may lie outside the folder that the unit lets the service write to.
write_paths() {
    lines=''
    for path in "$(data_folder)" "$(backups_folder)"; do
        case $path in "$data" | "$data"/*) continue ;; esac
        [ -d "$path" ] || folder "$path" "$user:$user" 700
        # A disk that is not mounted must not keep the server from starting: `doctor` tells of it.
        lines="$lines${newline}ReadWritePaths=\"-$path\""
    done
    if [ -n "$lines" ]; then
        write_drop_in "$SERVICE.d/paths.conf" "[Service]$lines"
    else
        rm -f "$units/$SERVICE.d/paths.conf"
    fi
}

# The units of version $1 with the addresses of the settings, and the command. `sockets_changed` tells that
# systemd has to listen anew.
write_units() {
    step 'units'
    sockets_changed=''
    if [ -n "$dry" ]; then
        note "would: write $SERVICE and $SOCKET to $units, listening on $(listen_address)"
        note "would: write $command"
        return 0
    fi
    shipped=$opt/versions/$1/systemd
    mkdir -p "$units" "$(dirname "$command")"
    changed=''
    write_unit "$SOCKET"
    write_drop_in "$SOCKET.d/listen.conf" "$(listen_lines "$(listen_address)")"
    if [ -n "$(setting HTTP_LISTEN)" ]; then
        write_unit "$HTTP_SOCKET"
        write_drop_in "$HTTP_SOCKET.d/listen.conf" "$(listen_lines "$(setting HTTP_LISTEN)")"
        write_drop_in "$SERVICE.d/http.conf" "$(printf '[Service]\nSockets=%s' "$HTTP_SOCKET")"
    elif [ -e "$units/$HTTP_SOCKET" ]; then
        systemctl disable --now "$HTTP_SOCKET" >/dev/null 2>&1 || true
        rm -rf "${units:?}/$HTTP_SOCKET" "$units/$HTTP_SOCKET.d" "$units/$SERVICE.d/http.conf"
        changed=1
    fi
    sockets_changed=$changed
    write_unit "$SERVICE"
    write_paths
    sed "s|@ROOT@|$root|; s|@USER@|$user|" "$shipped/dream-bff.sh" >"$command.new"
    own root:root 755 "$command.new"
    mv "$command.new" "$command"
    relabel "$units" "$command"
    systemctl daemon-reload
}

sockets() {
    printf '%s' "$SOCKET"
    [ ! -e "$units/$HTTP_SOCKET" ] || printf ' %s' "$HTTP_SOCKET"
}

# ---- Running ----

recent_log() {
    command -v journalctl >/dev/null || return 0
    printf '\nthe last lines of the log:\n' >&2
    journalctl -u "$1" -n "${2:-15}" -o cat --no-pager 2>/dev/null | sed 's/^/  | /' >&2
}

stop_all() {
    # The sockets first: a connection would start the service again.
    # shellcheck disable=SC2046 # one word each
    systemctl stop $(sockets) "$SERVICE"
}

# Starts the server, or exchanges the running one. The sockets stay unless their addresses have changed.
# `why` says why not.
start_or_exchange() {
    systemctl reset-failed "$SERVICE" "$SOCKET" >/dev/null 2>&1 || true
    [ -z "$sockets_changed" ] || stop_all
    sockets_changed=''
    old_pid=$(unit_property MainPID)
    for unit in $(sockets); do
        systemctl enable "$unit" >/dev/null 2>&1 || warn "$unit could not be enabled: it will not start at boot"
        if ! systemctl start "$unit"; then
            recent_log "$unit" 5
            why="$unit cannot listen; is another program on that address (ss -ltnp)?"
            return 1
        fi
    done
    systemctl enable "$SERVICE" >/dev/null 2>&1 || warn "$SERVICE could not be enabled: it will not start at boot"
    systemctl restart --no-block "$SERVICE" || {
        why="systemd does not start $SERVICE"
        return 1
    }
}

unit_property() { systemctl show -p "$1" "$SERVICE" | sed "s/^$1=//"; }

# Whether a process of version $1 is there and ready: not the one that is on its way out.
is_new_and_ready() {
    [ "$(unit_property ActiveState)" = active ] && [ "$(unit_property MainPID)" != "$old_pid" ] &&
        as_service "$1" health >/dev/null 2>&1
}

# Whether the server becomes ready within $timeout and stays well for $watch seconds; `why` says why not.
stays_well() {
    waited=0
    # What `restart --no-block` has asked for takes a moment to begin.
    sleep 1
    until is_new_and_ready "$1"; do
        state=$(unit_property ActiveState)/$(unit_property SubState)
        case $state in
            failed/* | */auto-restart*)
                why='the server ended before it was ready'
                return 1
                ;;
        esac
        waited=$((waited + 1))
        if [ "$waited" -gt "$timeout" ]; then
            why="the server was not ready within $timeout seconds (systemd: $state; $(as_service "$1" health 2>&1 || true))"
            return 1
        fi
        sleep 1
    done
    pid=$(unit_property MainPID)
    watched=0
    while [ "$watched" -lt "$watch" ]; do
        sleep 1
        watched=$((watched + 1))
        if [ "$(unit_property MainPID)" != "$pid" ]; then
            why="the server became ready and ended within $watched seconds"
            return 1
        fi
        if ! said=$(as_service "$1" health 2>&1); then
            why="the server became ready, and was not $watched seconds later: $said"
            return 1
        fi
    done
}
