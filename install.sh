#!/bin/sh
# Installs, upgrades, returns and removes dream-bff on a machine with systemd. See docs/install.md.
#
# What holds:
# - It can be repeated. A run that was interrupted is finished, or undone, by the next one.
# - /etc/dream-bff/dream-bff.env and drop-ins of your own are never overwritten.
# - An upgrade that does not become healthy returns by itself to what ran before. The data return with it
#   only when the newer program has changed the schema: without that, what was written (orders that were
#   paid!) stays.
# - No network is needed when the program lies beside this script.
set -eu

SERVICE=dream-bff.service
SOCKET=dream-bff.socket
HTTP_SOCKET=dream-bff-http.socket

here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source=installer/machine.sh
. "$here/installer/machine.sh"
# shellcheck source=installer/settings.sh
. "$here/installer/settings.sh"
# shellcheck source=installer/obtain.sh
. "$here/installer/obtain.sh"
# shellcheck source=installer/service.sh
. "$here/installer/service.sh"
# shellcheck source=installer/upgrade.sh
. "$here/installer/upgrade.sh"

usage() {
    cat <<'USAGE'
usage: install.sh [what] [options]

what (default: install, or finish an installation):
  --upgrade           exchange the program for the one beside this script (or --url)
  --rollback          go back to the program before the last upgrade
  --apply             after a change of the settings: write the units anew and restart
  --uninstall         remove the program and its units; data and settings stay
  --status            say what is installed and whether it is well

options:
  --url ADDRESS       take the release from there (.tar.gz), checked against ADDRESS.sha256
  --sha256 HEX        ... or against this checksum
  --domain NAME       the public name: PUBLIC_URL=https://NAME
  --acme EMAIL        answer https itself, with certificates by ACME (needs --domain; you accept the
                      terms of the authority; ports 80 and 443)
  --set NAME=VALUE    a setting; may be repeated. --set NAME=@FILE takes the value from a file
  --restore-data      with --rollback: put back the database from before the upgrade, if need be
  --purge             with --uninstall: remove data, settings and user too
  --timeout SECONDS   how long the server may take to become ready (default 300)
  --watch SECONDS     how long it must then stay well (default 10)
  --yes               ask nothing
  --dry-run           say what would be done, and do nothing
  --root DIR          install below DIR, as the user who runs this (to try things out, and for tests)

exit status: 0 done; 1 failed (what and how to go on is said); 2 wrong usage;
             3 installed, but settings are missing and the server was not started
USAGE
}

# ---- The command line ----

what=install url='' sha256='' domain='' acme='' sets='' restore_data='' purge='' yes='' dry='' root=''
timeout=300 watch=10
newline='
'

only_one() { [ "$what" = install ] || misuse "--$what and $1 do not go together"; }

while [ $# -gt 0 ]; do
    case $1 in
        --upgrade | --rollback | --apply | --uninstall | --status) only_one "$1" && what=${1#--} ;;
        --restore-data) restore_data=1 ;;
        --purge) purge=1 ;;
        --yes) yes=1 ;;
        --dry-run) dry=1 ;;
        -h | --help) usage && exit 0 ;;
        --url | --sha256 | --domain | --acme | --set | --timeout | --watch | --root)
            [ $# -ge 2 ] || misuse "$1 needs a value"
            case $1 in
                --url) url=$2 ;;
                --sha256) sha256=$2 ;;
                --domain) domain=$2 ;;
                --acme) acme=$2 ;;
                --set) sets=$sets$2$newline ;;
                --timeout) timeout=$2 ;;
                --watch) watch=$2 ;;
                --root) root=${2%/} ;;
            esac
            shift
            ;;
        *) misuse "unknown: $1" ;;
    esac
    shift
done
case $timeout$watch in *[!0-9]*) misuse '--timeout and --watch are whole seconds' ;; esac
[ -z "$acme" ] || [ -n "$domain" ] || misuse '--acme needs --domain'
case $domain in *[!a-zA-Z0-9.-]*) misuse '--domain is a name such as api.example.com' ;; esac
[ -z "$restore_data" ] || [ "$what" = rollback ] || misuse '--restore-data belongs to --rollback'
[ -z "$purge" ] || [ "$what" = uninstall ] || misuse '--purge belongs to --uninstall'

opt=$root/opt/dream-bff
etc=$root/etc/dream-bff
env_file=$etc/dream-bff.env
data=$root/var/lib/dream-bff
units=$root/etc/systemd/system
command=$root/usr/local/bin/dream-bff
# An upgrade that is under way. Its lines say from what to what, and since when.
journal=$opt/upgrade.journal
user=dream-bff
if [ -n "$root" ]; then
    # Below a folder of one's own there is nobody else to be.
    user=$(id -un)
fi

# ---- What to do ----

install() {
    resume
    old=$(linked current)
    if [ -n "$old" ] && [ "$here" = "$(cd "$opt/current" && pwd -P)" ]; then
        # Called from the installed version: there is nothing else to install.
        apply
        return 0
    fi
    obtain
    new=$(version_name "$source")
    if [ -n "$old" ] && [ "$old" != "$new" ]; then
        fail "$old is installed, and this is $new" 'To exchange it: install.sh --upgrade'
    fi
    make_user
    folder "$data" "$user:$user" 700
    place_version "$new"
    write_settings
    [ -n "$old" ] || point current "$new"
    begin "$new"
}

# Writes settings and units anew and restarts.
apply() {
    [ -n "$(linked current)" ] || fail 'nothing is installed yet' 'Run install.sh without --apply.'
    resume
    source=$opt/current
    write_settings
    begin "$(linked current)"
}

# Starts version $1, or says what is missing for that.
begin() {
    write_units "$1"
    if [ -n "$dry" ]; then
        note 'would: start the sockets and the server, and wait until it is well'
        return 0
    fi
    missing=$(missing_settings)
    if [ -n "$missing" ]; then
        step "almost: set ${missing}in $env_file"
        note "then: $opt/current/install.sh --apply"
        exit 3
    fi
    step 'start'
    if ! { start_or_exchange && stays_well "$1"; }; then
        recent_log "$SERVICE"
        fail "$why" "Its log: journalctl -u $SERVICE" \
            "Mend what it says, mostly a line of $env_file; then: $opt/current/install.sh --apply"
    fi
    farewell
}

# What is left to do for the person.
farewell() {
    public=$(setting PUBLIC_URL)
    step "done: $(linked current) runs, and is well"
    link=''
    if command -v journalctl >/dev/null; then
        # Of this start: an older link no longer holds, and a server with an admin prints none.
        link=$(journalctl -u "$SERVICE" --since "@$began" -o cat --no-pager 2>/dev/null |
            sed -n 's|.*\(http[^ "]*/admin/#/setup?token=[^ "]*\).*|\1|p' | tail -n 1)
    fi
    printf '\nWhat is left for you:\n'
    if [ -n "$link" ]; then
        note "- Make the first admin, within 24 hours: $link"
    else
        note "- The admin page: ${public:-http://$(listen_address)}/admin (nobody there yet? $command admin add --name NAME)"
    fi
    case $public in
        https://*)
            note "- At mp.weixin.qq.com, Development > Server domains, enter $public as request, uploadFile"
            note '  and downloadFile domain. With WeChat Pay: nothing to enter, the address goes with each order.'
            note "- Message push (virtual payment, moderation): $public/v1/wechat/push"
            ;;
        *) note "- Set the public name, which WeChat needs: $opt/current/install.sh --apply --domain api.example.com" ;;
    esac
    note "- Check everything: $command doctor"
    hint_firewall
}

hint_firewall() {
    address=$(listen_address)
    case $address in 127.* | '[::1]'*) return 0 ;; esac
    port=${address##*:}
    if command -v firewall-cmd >/dev/null && firewall-cmd --state >/dev/null 2>&1; then
        note "- The firewall: firewall-cmd --permanent --add-port=$port/tcp && firewall-cmd --reload"
    elif command -v ufw >/dev/null && ufw status 2>/dev/null | grep -q '^Status: active'; then
        note "- The firewall: ufw allow $port/tcp"
    fi
    note "- At your cloud provider: let port $port through the security group"
}

uninstall() {
    [ -d "$opt" ] || [ -e "$units/$SERVICE" ] || [ -n "$purge" ] || fail 'nothing is installed' 'There is nothing to do.'
    where=$(data_folder) backups=$(backups_folder)
    if [ -n "$purge" ] && [ -z "$yes$dry" ]; then
        [ -t 0 ] || fail '--purge removes all data, and there is nobody to ask' 'If you are sure: --purge --yes'
        printf 'Remove ALL data in %s and the settings? Type the word "remove": ' "$where"
        IFS= read -r answer || answer=''
        [ "$answer" = remove ] || fail 'not confirmed' 'Nothing was removed.'
    fi
    step 'remove the service'
    for unit in "$HTTP_SOCKET" "$SOCKET" "$SERVICE"; do
        [ ! -e "$units/$unit" ] || run systemctl disable --now "$unit" ||
            warn "$unit could not be stopped"
    done
    for path in "$SERVICE" "$SOCKET" "$HTTP_SOCKET" "$SERVICE.d/http.conf" "$SERVICE.d/paths.conf" "$SOCKET.d" "$HTTP_SOCKET.d"; do
        [ ! -e "$units/$path" ] || run rm -rf "${units:?}/$path"
    done
    # Left when it holds drop-ins of the operator's own.
    [ ! -d "$units/$SERVICE.d" ] || run rmdir "$units/$SERVICE.d" 2>/dev/null || note "kept: $units/$SERVICE.d"
    run systemctl daemon-reload
    run rm -f "$command"
    run rm -rf "$opt"
    if [ -z "$purge" ]; then
        step "done; kept: $where, $etc and the user $user"
        return 0
    fi
    step 'remove data, settings and user'
    run rm -rf "$etc" "$data"
    for path in "$where" "$backups"; do
        case $path in "$data" | "$data"/*) continue ;; esac
        [ ! -e "$path" ] || note "kept, because it is not ours alone: $path (remove it by hand)"
    done
    if [ -z "$root" ] && id "$user" >/dev/null 2>&1; then
        run userdel "$user" 2>/dev/null || warn "the user $user could not be removed: userdel $user"
    fi
    step 'done'
}

status() {
    [ -n "$(linked current)" ] || fail 'nothing is installed' 'Run install.sh.'
    note "installed: $(linked current)"
    note "before it: $(linked previous)"
    [ ! -e "$journal" ] || note "an exchange was interrupted; the next run of install.sh finishes or undoes it"
    note "systemd:   $(unit_property ActiveState)/$(unit_property SubState)"
    if said=$(as_service "$(linked current)" health 2>&1); then
        note 'health:    well'
    else
        fail "the server is not well: $said" "Look at: journalctl -u $SERVICE; $command doctor"
    fi
}

# Whatever ends this script ends an exchange too, one way or the other.
# shellcheck disable=SC2317 # called by the trap
at_exit() {
    status=$?
    [ -z "$scratch" ] || rm -rf "$scratch"
    if [ -n "$in_exchange" ]; then
        why=${why:-an error of install.sh (see above)}
        give_back
    fi
    exit "$status"
}

began=$(date +%s)
scratch='' in_exchange='' why='' sockets_changed='' old_pid=0
trap at_exit EXIT

need_root
if [ -n "$dry" ]; then
    step 'a dry run: nothing is changed'
fi
need_systemd
take_lock
case $what in
    install) install ;;
    upgrade) upgrade ;;
    rollback) rollback ;;
    apply) apply ;;
    uninstall) uninstall ;;
    status) status ;;
esac
