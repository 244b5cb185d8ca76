#!/usr/bin/env bash
# Loads the release binary on this machine alone and prints requests per second and CPU per request.
# Needs wrk, nginx and curl. Usage: benches/load/run.sh [me login proxy] with SECONDS_EACH=7.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=${BINARY:-$here/../../target/release/dream-bff}
loads=${*:-me login proxy}
run=$(mktemp -d "${TMPDIR:-/tmp}/dream-bff-load.XXXXXX") # on a real disk, or durable writes cost nothing

nginx -p "$run" -c "$here/stub.conf" &
stub=$!
export LISTEN=127.0.0.1:18191 DATA_DIR=$run/data RUST_LOG=warn PROXY_CONCURRENCY=2048
export JWT_SECRET=load-secret-load-secret-load-secret-0123 WECHAT_APPID=wx0 WECHAT_SECRET=load
export WECHAT_API_BASE=http://127.0.0.1:18190 IMAGE_API_BASE=http://127.0.0.1:18190 IMAGE_API_KEY=load
# High enough never to refuse; 0 would spare the counting.
export RATE_LIMIT_PER_IP=1000000000 RATE_LIMIT_PER_USER=1000000000
export RATE_LIMIT_LOGIN_PER_IP=1000000000 RATE_LIMIT_GENERATE_PER_USER=1000000000
"$binary" seed --users 1000 --images 100 --balance 1000000000 >/dev/null
"$binary" serve &
server=$!
trap 'kill $server $stub 2>/dev/null; wait; rm -rf "$run"' EXIT
until curl -sf "http://$LISTEN/readyz" >/dev/null; do sleep 0.1; done

export TOKENS=$run/tokens
for n in $(seq -f %06.0f 1 500); do
    curl -s "http://$LISTEN/v1/auth/wechat-login" -H 'Content-Type: application/json' -d "{\"code\":\"seed-$n\"}" |
        grep -o '"token":"[^"]*' | cut -d'"' -f4
done >"$TOKENS"

cpu() { awk '{print $14 + $15}' "/proc/$server/stat"; }
for LOAD in $loads; do
    export LOAD RUN=$$-$LOAD
    before=$(cpu)
    answer=$(wrk -t2 -c64 -d"${SECONDS_EACH:-7}s" --timeout 20s -s "$here/load.lua" "http://$LISTEN" | tee "$run/wrk" | tail -1)
    requests=$(awk '/requests in/ {print $1}' "$run/wrk")
    echo "$answer, $((($(cpu) - before) * 10000 / requests)) us of CPU each"
done
echo "memory: $(awk '/^Pss:/ {print $2}' "/proc/$server/smaps_rollup") KB PSS; binary: $(stat -c %s "$binary") bytes"
