# shellcheck shell=sh disable=SC2154,SC2034
# Part of install.sh: exchanging the program, and the way back.
#
# The order: try the migration on a copy; write down what is going on; point `current` to the new version
# and restart (connections wait in the socket meanwhile; the new program migrates before it is ready, and
# keeps a copy of the database as it was); watch. Whatever goes wrong from the second step on, this run or
# the next one gives back what was there.

# The schema of the database, as version $1 sees it; nothing when it cannot say.
schema_of_data() {
    as_service "$1" migrate --dry-run 2>/dev/null | sed -n 's/.*: schema \([0-9]*\), this program.*/\1/p'
}

schema_of_program() {
    "$opt/versions/$1/bin/dream-bff" version | sed -n 's/^database schema //p'
}

data_folder() {
    folder=$(setting DATA_DIR)
    case $folder in
        '') printf '%s' "$data" ;;
        /*) printf '%s' "$folder" ;;
        *) printf '%s/%s' "$data" "$folder" ;;
    esac
}

# Where the program keeps backups, and copies from before a migration.
backups_folder() {
    folder=$(setting BACKUP_DIR)
    case $folder in
        '') printf '%s/backups' "$(data_folder)" ;;
        /*) printf '%s' "$folder" ;;
        *) printf '%s/%s' "$data" "$folder" ;;
    esac
}

database() {
    address=$(setting DATABASE_URL)
    case $address in
        '') printf '%s/dream.db' "$(data_folder)" ;;
        sqlite:///*) printf '%s' "${address#sqlite://}" ;;
        *) printf '%s/%s' "$data" "${address#sqlite://}" ;;
    esac
}

# The copy of schema $1 that was made since the upgrade began.
snapshot_since() {
    find "$(backups_folder)" -name "pre-migration-v$1-to-v*.db" -newer "$journal" 2>/dev/null |
        sort | tail -n 1
}

# Puts the copy $1 in the place of the database, which stays beside it under another name. The server must
# be stopped.
put_back_data() {
    db=$(database)
    aside=$db.set-aside-$(date -u +%Y%m%dT%H%M%SZ)
    cp "$1" "$db.return"
    own "$user:$user" 600 "$db.return"
    sync
    for part in '' -wal -shm; do
        [ ! -e "$db$part" ] || mv "$db$part" "$aside$part"
    done
    mv "$db.return" "$db"
    note "the database of before is back; what the newer program wrote is kept in $aside"
}

# One line of the journal.
noted() { sed -n "s/^$1=//p" "$journal"; }

begin_journal() {
    # from to schema
    printf 'from=%s\nto=%s\nschema=%s\n' "$1" "$2" "$3" >"$journal.new"
    sync
    mv "$journal.new" "$journal"
    # From here on an interruption is answered like a failure.
    in_exchange=1
    trap 'why="it was interrupted"; exit 1' INT TERM HUP
}

end_journal() {
    rm -f "$journal"
    in_exchange=''
    trap - INT TERM HUP
}

# Returns to what ran before the exchange that the journal tells of, and fails.
give_back() {
    in_exchange=''
    trap '' INT TERM HUP
    old=$(noted from) new=$(noted to) schema=$(noted schema)
    warn "$new is not well: $why"
    recent_log "$SERVICE"
    step "returning to $old"
    db=$(database)
    if [ ! -e "$db" ] && [ -e "$db.return" ]; then
        # A return that was cut off between its last two steps.
        mv "$db.return" "$db"
    fi
    now=$(schema_of_data "$new")
    copy=''
    if [ "$now" != "$schema" ]; then
        copy=$(snapshot_since "$schema")
        [ -n "$copy" ] || fail "the database has schema ${now:-that cannot be read}, $old needs $schema, and there is no copy of before in $(backups_folder)" \
            "$new is still installed. Look at its log: journalctl -u $SERVICE" \
            "Then restore a backup (docs/backup.md), and: install.sh --rollback"
        stop_all
        put_back_data "$copy"
    fi
    point current "$old"
    write_units "$old"
    because=$why
    if start_or_exchange && stays_well "$old"; then
        end_journal
        if [ -n "$copy" ]; then
            fail "$new did not become well ($because); $old runs again, with the data of before" \
                "Payments of the last minutes are found again: the server asks WeChat about open orders." \
                "Its log: journalctl -u $SERVICE"
        fi
        fail "$new did not become well ($because); $old runs again, and no data was lost" \
            "Its log: journalctl -u $SERVICE"
    fi
    recent_log "$SERVICE"
    fail "$new did not become well ($because), and neither does $old now: $why" \
        "Installed is $old. Look at: journalctl -u $SERVICE; dream-bff doctor" \
        'Once mended: install.sh --apply'
}

# Finishes what an earlier run has begun, if there is such a thing.
resume() {
    [ -e "$journal" ] || return 0
    step 'an exchange was interrupted'
    if [ -n "$dry" ]; then
        note "would: finish or undo the exchange of $(noted from) for $(noted to)"
        return 0
    fi
    if [ "$(linked current)" = "$(noted to)" ]; then
        in_exchange=1
        write_units "$(noted to)"
        if start_or_exchange && stays_well "$(noted to)"; then
            finish_exchange
            return 0
        fi
    else
        why='the exchange was interrupted'
    fi
    give_back
}

finish_exchange() {
    point previous "$(noted from)"
    # What a rollback needs to know later.
    snapshot=$(snapshot_since "$(noted schema)")
    printf 'schema=%s\nsnapshot=%s\n' "$(noted schema)" "$snapshot" >"$opt/previous.state"
    end_journal
    prune_versions
}

# Exchanges version $1 for $2; gives back and fails when that one does not become well.
exchange() {
    before=$(schema_of_data "$1")
    if [ -n "$dry" ]; then
        note "would: exchange $1 for $2, watch it for $watch seconds, return if it is not well"
        return 0
    fi
    begin_journal "$1" "$2" "$before"
    point current "$2"
    write_units "$2"
    if ! { start_or_exchange && stays_well "$2"; }; then
        give_back
    fi
    finish_exchange
}

rehearse() {
    step 'rehearsal: migrating a copy of the database'
    if [ -n "$dry" ]; then
        note 'would: copy the database, migrate the copy with the new program, and check its books'
        return 0
    fi
    tolerant=''
    if ! as_service "$(linked current)" books >/dev/null 2>&1; then
        warn 'the books do not balance as it is (dream-bff books); that does not hold up the upgrade'
        tolerant=--ignore-books
    fi
    if ! said=$(as_service "$1" migrate --rehearse $tolerant 2>&1); then
        fail "the new program cannot take over the data: $said" \
            "Nothing was changed; $(linked current) runs on."
    fi
    printf '%s\n' "$said" | sed 's/^/    /'
}

upgrade() {
    [ -n "$(linked current)" ] || fail 'nothing is installed yet' 'Run install.sh without --upgrade.'
    resume
    obtain
    old=$(linked current)
    new=$(version_name "$source")
    if [ "$new" = "$old" ]; then
        note "$new is what runs already"
        apply
        return 0
    fi
    place_version "$new"
    tell_new_settings "$new"
    rehearse "$new"
    step "exchange: $old -> $new"
    exchange "$old" "$new"
    step "done: $new runs, and is well"
    note "Back to $old: $opt/current/install.sh --rollback"
}

# Settings that the new version knows and the environment file does not mention.
tell_new_settings() {
    [ -z "$dry" ] || return 0
    sed -n 's/^#\([A-Z][A-Z0-9_]*\)=.*/\1/p' "$opt/versions/$1/.env.example" | while IFS= read -r name; do
        grep -q "^#*$name=" "$env_file" || printf '%s ' "$name"
    done >"$opt/.settings"
    if [ -s "$opt/.settings" ]; then
        note "new settings, described in $opt/versions/$1/.env.example: $(cat "$opt/.settings")"
    fi
    rm -f "$opt/.settings"
}

rollback() {
    resume
    from=$(linked current) to=$(linked previous)
    [ -n "$to" ] || fail 'there is no version to go back to' "Installed is ${from:-nothing}."
    step "rollback: $from -> $to"
    schema=$(schema_of_data "$from")
    known=$(schema_of_program "$to")
    [ -n "$schema" ] || fail 'the schema of the database cannot be read' "See: dream-bff migrate --dry-run"
    if [ "$schema" -le "$known" ]; then
        exchange "$from" "$to"
        step "done: $to runs, and is well; no data was touched"
        return 0
    fi
    copy=$(sed -n 's/^snapshot=//p' "$opt/previous.state" 2>/dev/null || true)
    if [ -z "$copy" ] || [ ! -e "$copy" ]; then
        fail "the database has schema $schema, $to knows $known, and the copy of before is gone" \
            'Restore a backup of that time first (docs/backup.md).'
    fi
    if [ -z "$restore_data" ]; then
        fail "the database has schema $schema, and $to knows $known only" \
            "Going back means going back to the data of $(date -r "$copy" '+%Y-%m-%d %H:%M:%S'): everything since, paid orders" \
            'too, is only in the copy that is set aside. If you want that: install.sh --rollback --restore-data'
    fi
    if [ -n "$dry" ]; then
        note "would: stop, put back $copy, start $to"
        return 0
    fi
    stop_all
    put_back_data "$copy"
    point current "$to"
    point previous "$from"
    rm -f "$opt/previous.state"
    write_units "$to"
    if ! { start_or_exchange && stays_well "$to"; }; then
        recent_log "$SERVICE"
        fail "$to does not become well: $why" "Its log: journalctl -u $SERVICE" 'Once mended: install.sh --apply'
    fi
    step "done: $to runs, with the data of before"
}
