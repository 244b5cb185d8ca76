#!/bin/sh
# Gets and renews certificates from Pebble, Let's Encrypt's ACME server for tests (Debian: pebble), with
# the real program, over both ways of checking. Needs pebble, pebble-challtestsrv, openssl and curl.
#
#   tests/acme/pebble.sh [path of dream-bff]
#
# Uses six ports from $PORTS (14000) on; certificates live $VALIDITY (45) seconds.
set -eu

PORTS=${PORTS:-14000}
ACME=127.0.0.1:$PORTS
MANAGEMENT=127.0.0.1:$((PORTS + 1))
HTTP=$((PORTS + 2))
HTTPS=$((PORTS + 3))
NAMES=127.0.0.1:$((PORTS + 4))
NAMES_MANAGEMENT=127.0.0.1:$((PORTS + 5))

PROGRAM=$(realpath "${1:-target/release/dream-bff}")
for tool in pebble pebble-challtestsrv openssl curl; do
    command -v "$tool" >/dev/null || { echo "skipped: there is no $tool here"; exit 0; }
done

DIR=$(mktemp -d)
PIDS=
# shellcheck disable=SC2154 # pid is the loop's own
trap 'for pid in $PIDS; do kill "$pid" 2>/dev/null || :; done; rm -rf "$DIR"' EXIT
fail() { echo "FAILED: $*"; tail -n 30 "$DIR"/*.log; exit 1; }

# A root, and Pebble's own certificate below it.
cd "$DIR"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout root.key \
    -out root.pem -subj "/CN=root of the test" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout pebble.key -out pebble.csr \
    -subj "/CN=pebble" 2>/dev/null
printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\n' >ext
openssl x509 -req -in pebble.csr -CA root.pem -CAkey root.key -CAcreateserial -days 30 \
    -extfile ext -out pebble.pem 2>/dev/null
cat >pebble.json <<JSON
{"pebble": {"listenAddress": "$ACME", "managementListenAddress": "$MANAGEMENT",
 "certificate": "$DIR/pebble.pem", "privateKey": "$DIR/pebble.key", "httpPort": $HTTP, "tlsPort": $HTTPS,
 "certificateValidityPeriod": ${VALIDITY:-45}}}
JSON

pebble-challtestsrv -defaultIPv6 "" -defaultIPv4 127.0.0.1 -http01 "" -https01 "" -tlsalpn01 "" \
    -dns01 "$NAMES" -management "$NAMES_MANAGEMENT" >names.log 2>&1 &
PIDS="$PIDS $!"
# A tenth of all good nonces are refused, as real authorities do now and then.
PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=10 pebble -config pebble.json -dnsserver "$NAMES" \
    >pebble.log 2>&1 &
PIDS="$PIDS $!"
for _ in $(seq 600); do
    curl -sf --noproxy "*" --cacert root.pem "https://$ACME/dir" >/dev/null && break
    sleep 0.1
done

# Starts the program in folder $1 with the check $2.
start() {
    mkdir -p "$1"
    (cd "$1" && exec env -i PATH="$PATH" LISTEN="127.0.0.1:$HTTPS" HTTP_LISTEN="127.0.0.1:$HTTP" \
        PUBLIC_URL=https://api.example.com ACME_DOMAINS=api.example.com,www.example.com \
        ACME_ACCEPT_TERMS=true ACME_EMAIL=ops@example.com ACME_CHALLENGE="$2" \
        ACME_DIRECTORY="https://$ACME/dir" ACME_CA_PATH="$DIR/root.pem" \
        JWT_SECRET=0123456789abcdef0123456789abcdef WECHAT_APPID=wx0123456789abcdef \
        WECHAT_SECRET=0123456789abcdef0123456789abcdef MIN_FREE_DISK_MIB=0 \
        "$PROGRAM" serve) >"$DIR/server.log" 2>&1 &
    SERVER=$!
    PIDS="$PIDS $SERVER"
}
stop() { kill "$SERVER"; wait "$SERVER" || fail "the server did not end well"; }
issued() { grep -c "a certificate was issued" "$DIR/server.log" || :; }
await() {
    for _ in $(seq 300); do
        [ "$(issued)" -ge "$1" ] && return
        sleep 0.1
    done
    fail "no certificate number $1"
}
serial() {
    openssl s_client -connect "127.0.0.1:$HTTPS" -servername api.example.com </dev/null 2>/dev/null |
        openssl x509 -noout -serial
}
answers() {
    curl -sf --noproxy "*" --cacert issuer.pem --resolve "api.example.com:$HTTPS:127.0.0.1" \
        "https://api.example.com:$HTTPS/readyz" >/dev/null || fail "a client that believes Pebble is refused"
}

curl -sf --noproxy "*" --cacert root.pem "https://$MANAGEMENT/roots/0" >issuer.pem
for way in http-01 tls-alpn-01; do
    start "$DIR/$way" "$way"
    await 1
    answers
    first=$(serial)
    echo "$way: issued, $first"
    # Certificates live $VALIDITY seconds: two thirds later they are renewed.
    await 2
    answers
    [ "$(serial)" != "$first" ] || fail "the renewed certificate is not served"
    echo "$way: renewed, $(serial)"
    stop
done
echo passed
