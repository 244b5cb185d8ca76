#!/usr/bin/env bash
# Loads the gallery of the release binary at several sizes and prints for each list what a request
# takes and what CPU it costs. Needs wrk, nginx and curl.
# Usage: benches/gallery/run.sh [images ...], each 10000 or more; by default 10000 100000 1000000.
# SECONDS_EACH=3, LOADS="first far ..." for some of the loads, SEEDED=folder to keep the databases
# (folder/10000 and so on), which are seeded only when they are not there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=${BINARY:-$here/../../target/release/dream-bff}
loads=${LOADS:-first-kept first-token first far far-hot hot page-1000 search author like}
run=$(mktemp -d "${TMPDIR:-/tmp}/dream-bff-gallery.XXXXXX") # on a real disk, or durable writes cost nothing
seeded=${SEEDED:-$run}
# Lists that are measured as not kept are different ones each time, more than the cache holds.
kinds=600

nginx -p "$run" -c "$here/../load/stub.conf" &
stub=$!
server=
trap 'kill $server $stub 2>/dev/null; wait; rm -rf "$run"' EXIT
export LISTEN=127.0.0.1:18191 RUST_LOG=warn LIST_CACHE_MIB=1
export JWT_SECRET=load-secret-load-secret-load-secret-0123 WECHAT_APPID=wx0 WECHAT_SECRET=load
export WECHAT_API_BASE=http://127.0.0.1:18190
# High enough never to refuse; 0 would spare the counting.
export RATE_LIMIT_PER_IP=1000000000 RATE_LIMIT_PER_USER=1000000000 RATE_LIMIT_LOGIN_PER_IP=1000000000
images=http://$LISTEN/v1/gallery/images

# The cursor behind a page, of a list (`sort=hot&limit=1`) and from a cursor or the top.
behind() { curl -s "$images?$1${2:+&cursor=$2}" | grep -o '"nextCursor":"[^"]*' | cut -d'"' -f4 || true; }
# Pages of about 20 that begin at 60 places of a list ($1), one picture apart, from a cursor or the top.
pages() {
    local cursor=${2:-} limit
    for _ in $(seq $((kinds / 10))); do
        cursor=$(behind "$1&limit=1" "$cursor")
        [ -n "$cursor" ] || break
        for limit in $(seq 16 25); do echo "/v1/gallery/images?$1&limit=$limit&cursor=$cursor"; done
    done
}
# The cursor behind 100 × $2 pictures of a list.
far() {
    local cursor=
    for _ in $(seq "$2"); do cursor=$(behind "$1&limit=100" "$cursor"); done
    echo "$cursor"
}
paths() {
    # A thousandth page of 20 begins behind 19,980 pictures; a small gallery ends before.
    local n deep=$((size < 21000 ? size / 100 - 10 : 199))
    case $1 in
    first-kept | first-token) echo '/v1/gallery/images?limit=20' ;;
    first) pages sort=new ;;
    far) pages sort=new "$(far sort=new "$deep")" ;;
    hot) pages sort=hot ;;
    far-hot) pages sort=hot "$(far sort=hot "$deep")" ;;
    page-1000) for n in $(seq $((deep * 5 - 299)) $((deep * 5))); do printf '/v1/gallery/images?limit=20&page=%s&sort=%s\n' "$n" new "$n" hot; done ;;
    search) pages 'q=%E5%B1%B1%E6%B0%B4' ;;
    author) for n in $(seq "$kinds"); do echo "/v1/gallery/images?limit=20&authorId=$n"; done ;;
    like) for n in $(seq "$kinds"); do echo "/v1/gallery/images/$((n * (size / kinds)))/like"; done ;;
    esac
}
cpu() { awk '{print $14 + $15}' "/proc/$server/stat"; }

for size in ${*:-10000 100000 1000000}; do
    export DATA_DIR=$seeded/$size TOKENS=$run/tokens PATHS=$run/paths
    [ -d "$DATA_DIR" ] || "$binary" seed --users 10000 --images "$size" | head -1
    echo "$size images, $(du -m "$DATA_DIR/dream.db" | cut -f1) MB"
    "$binary" serve &
    server=$!
    until curl -sf "http://$LISTEN/readyz" >/dev/null; do sleep 0.1; done
    for n in $(seq -f %06.0f 1 100); do
        curl -s "http://$LISTEN/v1/auth/wechat-login" -H 'Content-Type: application/json' -d "{\"code\":\"seed-$n\"}" |
            grep -o '"token":"[^"]*' | cut -d'"' -f4
    done >"$TOKENS"
    for LOAD in $loads; do
        export LOAD
        paths "$LOAD" >"$PATHS"
        wrk -t1 -c1 -d1s -s "$here/paths.lua" "http://$LISTEN" >/dev/null # what is not counted
        wrk -t1 -c1 -d"${SECONDS_EACH:-3}s" --latency -s "$here/paths.lua" "http://$LISTEN" >"$run/alone"
        before=$(cpu)
        wrk -t1 -c32 -d"${SECONDS_EACH:-3}s" --latency -s "$here/paths.lua" "http://$LISTEN" >"$run/many"
        requests=$(awk '/requests in/ {print $1}' "$run/many")
        printf '%-12s alone p50 %8s p99 %8s | 32 at once %6.0f/s p99 %8s %5d us of CPU each%s\n' "$LOAD" \
            "$(awk '$1 == "50%" {print $2}' "$run/alone")" "$(awk '$1 == "99%" {print $2}' "$run/alone")" \
            "$(awk '/Requests\/sec/ {print $2}' "$run/many")" "$(awk '$1 == "99%" {print $2}' "$run/many")" \
            $((($(cpu) - before) * 10000 / (requests > 0 ? requests : 1))) "$(awk '/Non-2xx/ {print ", " $0}' "$run/many")"
    done
    kill "$server"
    wait "$server" || true
done
