#!/bin/bash
# Inside the machine that run.sh boots: the life of an installation, each step looked at. Ends with
# /test/status saying "passed"; whatever is not as it should be ends it before.
# shellcheck disable=SC1091 # /etc/os-release is that machine's
set -u

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
env_file=/etc/dream-bff/dream-bff.env
current=/opt/dream-bff/current
data=/var/lib/dream-bff

end() {
    echo "$1" >/test/status
    sync
    systemctl --no-block poweroff
    exit 0
}

die() {
    echo "NOT OK: $*"
    journalctl -u dream-bff.service -u dream-bff.socket -n 30 --no-pager
    end failed
}

step() { printf '\n##### %s\n' "$*"; }

# is WHAT COMMAND...: the command must succeed.
is() {
    local what=$1
    shift
    "$@" >/test/out 2>&1 || { cat /test/out; die "$what"; }
    echo "ok: $what"
}

# is_not WHAT COMMAND...: the command must fail.
is_not() {
    local what=$1
    shift
    ! "$@" >/test/out 2>&1 || { cat /test/out; die "$what"; }
    echo "ok: $what"
}

# equal WHAT FOUND WANTED
equal() {
    [ "$2" = "$3" ] || die "$1: found $2, wanted $3"
    echo "ok: $1: $2"
}

# says WHAT TEXT: what the last run of install.sh said.
says() {
    grep -qF -- "$2" /test/said || { cat /test/said; die "$1: it does not say: $2"; }
    echo "ok: $1"
}

# run CODE FOLDER ARGS...: install.sh of that folder must end with that status.
run() {
    local wanted=$1 folder=$2 code
    shift 2
    "$folder/install.sh" "$@" >/test/said 2>&1
    code=$?
    if [ "$code" -ne "$wanted" ]; then
        cat /test/said
        die "install.sh $* ended with $code, not $wanted"
    fi
    echo "ok: $folder/install.sh $* ends with $code"
}

version() { basename "$(readlink $current)"; }
schema() { "$1/dream-bff" version | sed -n 's/^database schema //p'; }
pid() { systemctl show -p MainPID --value dream-bff.service; }
mode() { stat -c '%a %U:%G' "$1"; }

# Whether the server becomes well within $1 seconds.
# shellcheck disable=SC2317 # called by `is`
well_within() {
    local left=$1
    until dream-bff health && [ "$(systemctl is-active dream-bff.service)" = active ]; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 1
    done
}

# Whether port 3000 refuses connections within $1 seconds.
# shellcheck disable=SC2317 # called by `is`
closed_within() {
    local left=$1
    while bash -c 'exec 3<>/dev/tcp/127.0.0.1/3000' 2>/dev/null; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 1
    done
}

if [ -e /test/load ]; then
    step 'exchange under load'
    INSTALL_TEST_RELEASES=/test /test/load --ignored --exact --nocapture \
        install::exchange::an_upgrade_under_load_refuses_nobody_and_loses_no_payment || die 'the exchange under load'
    end passed
fi

if [ ! -e /test/rebooted ]; then
    step "this machine: $(. /etc/os-release && echo "$PRETTY_NAME"), $(systemctl --version | head -n 1)"
    equal 'the first process' "$(cat /proc/1/comm)" systemd

    step 'a dry run'
    run 0 /test/first --dry-run --domain api.example.com
    is_not 'nothing was made' ls -d /opt/dream-bff /etc/dream-bff $data

    step 'install, without the settings that only the operator has'
    run 3 /test/first --domain api.example.com
    says 'it says which' 'WECHAT_APPID WECHAT_SECRET'
    equal 'settings' "$(mode $env_file)" '600 root:root'
    equal 'their folder' "$(mode /etc/dream-bff)" '750 root:dream-bff'
    equal 'data' "$(mode $data)" '700 dream-bff:dream-bff'
    is_not 'nothing runs' systemctl is-active dream-bff.service

    step 'and with them'
    run 0 $current --apply --set WECHAT_APPID=wx0123456789abcdef \
        --set WECHAT_SECRET=0123456789abcdef0123456789abcdef --set IMAGE_API_BASE=http://127.0.0.1:9
    is 'it runs' systemctl is-active dream-bff.service
    equal 'as its own user' "$(ps -o user= -p "$(pid)" 2>/dev/null || stat -c %U "/proc/$(pid)")" dream-bff
    is 'it is well' dream-bff health
    is 'at boot too' systemctl is-enabled dream-bff.service dream-bff.socket
    equal 'the database' "$(mode $data/dream.db)" '600 dream-bff:dream-bff'
    if "$current/bin/dream-bff" help admin >/dev/null 2>&1; then
        is 'the link for the first admin was shown' grep -qF '/admin/#/setup?token=' /test/said
    fi
    is_not 'no secret in the units or the process list' grep -rqF 0123456789abcdef0123456789abcdef \
        /etc/systemd/system "/proc/$(pid)/cmdline"
    equal 'no file of the service belongs to root' "$(find $data -user root | wc -l)" 0
    # What this systemd does not know, for its age, is no fault of the unit.
    exposure=$(systemd-analyze security --no-pager dream-bff.service | sed -n 's/.*exposure level for [^ ]* \([0-9.]*\) .*/\1/p')
    is "exposure of the running service, $exposure, is 1.5 at most" awk "BEGIN { exit !($exposure <= 1.5) }"
    echo "memory: $(systemctl show -p MemoryCurrent --value dream-bff.service) bytes"

    if "$current/bin/dream-bff" help doctor >/dev/null 2>&1; then
        step 'doctor'
        # Nothing outside can be reached from in here: doctor must say so, and that the rest is well.
        dream-bff doctor --lang en >/test/doctor 2>&1
        equal 'status' $? 2
        cat /test/doctor
        for check in settings secrets file_modes database points_books money_books server; do
            is "$check" grep -q "^pass *$check " /test/doctor
        done
        is 'what is not well has a way to mend it' \
            bash -c 'grep -A 1 "^FAIL *image_apis " /test/doctor | grep -q -- "-> check"'
    fi

    step 'repeat'
    before=$(cat $env_file | sha256sum) was=$(version)
    run 0 /test/first
    equal 'the settings' "$(cat $env_file | sha256sum)" "$before"
    equal 'the version' "$(version)" "$was"

    step 'kill -9: it comes back by itself, and the socket takes connections meanwhile'
    kill -9 "$(pid)"
    is 'a connection at once' bash -c 'exec 3<>/dev/tcp/127.0.0.1/3000'
    is 'well again' well_within 20

    step 'a server that hangs is ended by the watchdog'
    mkdir -p /run/systemd/system/dream-bff.service.d
    printf '[Service]\nWatchdogSec=4\n' >/run/systemd/system/dream-bff.service.d/test.conf
    systemctl daemon-reload && systemctl restart dream-bff.service
    hung=$(pid)
    kill -STOP "$hung"
    sleep 12
    is 'well again' well_within 30
    is_not 'and it is another process' test "$(pid)" = "$hung"
    is 'the log says why' bash -c 'journalctl -u dream-bff.service --no-pager | grep -qi watchdog'
    rm -r /run/systemd/system/dream-bff.service.d
    systemctl daemon-reload && systemctl restart dream-bff.service

    step 'a wrong setting: no start, the reason, and no loop'
    run 1 $current --apply --set LOG_FORMAT=xml
    says 'the setting is named' 'LOG_FORMAT has a bad value'
    run 0 $current --apply --set LOG_FORMAT=json
    is 'well again' dream-bff health

    step 'secrets from files'
    secret=$(sed -n 's/^WECHAT_SECRET=//p' $env_file)
    (umask 077 && printf '%s\n' "$secret" >/etc/dream-bff/credentials/WECHAT_SECRET)
    sed -i 's/^WECHAT_SECRET=.*/#WECHAT_SECRET=/' $env_file
    mkdir -p /etc/systemd/system/dream-bff.service.d
    printf '[Service]\nLoadCredential=WECHAT_SECRET:/etc/dream-bff/credentials/WECHAT_SECRET\n' \
        >/etc/systemd/system/dream-bff.service.d/secrets.conf
    run 0 $current --apply
    is_not 'not in the environment' grep -qz "$secret" "/proc/$(pid)/environ"

    step 'backups on another disk'
    run 0 $current --apply --set BACKUP_DIR=/srv/backups
    equal 'their folder' "$(mode /srv/backups)" '700 dream-bff:dream-bff'
    is 'the service can write there' nsenter -t "$(pid)" -m runuser -u dream-bff -- touch /srv/backups/probe
    is_not 'and not beside it' nsenter -t "$(pid)" -m touch /srv/probe
    rm /srv/backups/probe

    step 'upgrade'
    old=$(version)
    run 0 /test/second --upgrade
    says 'rehearsed on a copy' 'the books of the copy balance'
    is_not 'another version' test "$(version)" = "$old"
    is 'well' dream-bff health
    is 'the drop-in of the operator is still there' test -e /etc/systemd/system/dream-bff.service.d/secrets.conf
    good=$(version)

    if [ "$(schema /test/first)" != "$(schema /test/second)" ]; then
        step "rollback over a migration, $(schema /test/first) -> $(schema /test/second), and forward again"
        run 1 $current --rollback
        says 'it does not take older data unasked' 'install.sh --rollback --restore-data'
        equal 'version' "$(version)" "$good"
        run 0 $current --rollback --restore-data
        equal 'version' "$(version)" "$old"
        is 'well' well_within 10
        run 0 /test/second --upgrade
        equal 'version' "$(version)" "$good"
        is 'the books balance' dream-bff books
    fi

    step 'a release whose migration does not work'
    was=$(pid)
    run 1 /test/rehearsal --upgrade
    equal 'the server was not touched' "$(pid)" "$was"

    step 'a release that ends at once'
    run 1 /test/ends --upgrade
    says 'back by itself' "$good runs again, and no data was lost"
    equal 'version' "$(version)" "$good"
    is 'well' dream-bff health

    step 'a release that does not become ready'
    run 1 /test/unready --upgrade --timeout 6
    equal 'back by itself: version' "$(version)" "$good"
    is 'well' dream-bff health

    step 'a release that migrates, and does not work then'
    run 1 /test/migrates --upgrade
    says 'back by itself, with the data' 'with the data of before'
    equal 'version' "$(version)" "$good"
    is 'well' dream-bff health
    is 'the books balance' dream-bff books
    is 'the copy was where the backups are' bash -c 'ls /srv/backups/pre-migration-*'
    is 'what it wrote is kept' bash -c "ls $data/dream.db.set-aside-*"

    step 'install.sh itself is killed in the middle of an exchange'
    old=$(version)
    cp -R /test/second /test/third
    printf x >>/test/third/dream-bff
    /test/third/install.sh --upgrade --watch 60 >/test/said 2>&1 &
    installer=$!
    for _ in $(seq 120); do
        [ "$(version)" = "$old" ] || break
        sleep 0.5
    done
    is_not 'it was under way' test "$(version)" = "$old"
    kill -9 $installer
    is 'its journal is left' test -e /opt/dream-bff/upgrade.journal
    sleep 2
    "$current/install.sh" --apply >/test/said 2>&1
    echo "the next run ended with $?: $(tail -n 4 /test/said | head -n 2)"
    is_not 'no journal is left' test -e /opt/dream-bff/upgrade.journal
    is 'well' well_within 10

    step 'rollback, and forward again'
    was=$(version)
    run 0 $current --rollback
    is_not 'another version' test "$(version)" = "$was"
    is 'well' dream-bff health
    is 'the books balance' dream-bff books

    step 'reboot'
    touch /test/rebooted
    sync
    systemctl --no-block reboot
    exit 0
fi

step 'after a reboot'
is 'the server is there' well_within 30

step 'uninstall'
run 0 $current --uninstall
is_not 'no unit is left' ls /etc/systemd/system/dream-bff.service /etc/systemd/system/dream-bff.socket
is_not 'no program is left' ls -d /opt/dream-bff /usr/local/bin/dream-bff
# Just after the boot, for five seconds, a child of systemd that is to become a getty has its sockets too.
is 'nothing listens' closed_within 10
is 'data and settings are kept' ls $data/dream.db $env_file

step 'install again: everything is taken up'
run 0 /test/second
is 'well' dream-bff health

step 'uninstall with all data'
run 1 $current --uninstall --purge
run 0 $current --uninstall --purge --yes
is_not 'nothing is left' ls -d /opt/dream-bff /etc/dream-bff $data
is_not 'the user is gone' id dream-bff
printf '\nall passed\n'
end passed
