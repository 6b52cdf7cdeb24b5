#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub's HTTP API beyond this machine: with a certificate and its key, and not at all without; and what sendense-hub-generator makes of
# the settings. In a network of its own, whose one address stands for the world.
[ -n "${IN_OWN_NET:-}" ] || IN_OWN_NET=1 exec unshare --mount --net --propagation private "$0" "$@"
. "$(dirname "$0")/../lib/tap.sh"

program=$SENDENSE_BUILD/helpers/hub-api/sendense-hub-api
generator=$SENDENSE_BUILD/helpers/generator/sendense-hub-generator
address=192.0.2.1
ip link set lo up && ip address add "$address/32" dev lo || exit 1

certificate() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" -addext "subjectAltName=IP:$address" \
        -keyout "$TEST_TMP/$1.key" -out "$TEST_TMP/$1.pem" 2>"$TEST_TMP/openssl" || { diag "$(<"$TEST_TMP/openssl")" && return 1; }
}
require "a certificate" certificate good
require "another" certificate other
export CREDENTIALS_DIRECTORY=$TEST_TMP/credentials
mkdir "$CREDENTIALS_DIRECTORY"
credentials() { # CERTIFICATE KEY
    install -m 600 "$TEST_TMP/$1.pem" "$CREDENTIALS_DIRECTORY/tls-certificate"
    install -m 600 "$TEST_TMP/$2.key" "$CREDENTIALS_DIRECTORY/tls-key"
}

export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$TEST_TMP/bus
dbus-daemon --session --nofork --address="$DBUS_SYSTEM_BUS_ADDRESS" --print-address=1 >"$TEST_TMP/address" 2>/dev/null &
at_end "kill $!"
require "a bus" eventually 20 test -s "$TEST_TMP/address"

# api NAME=ADDRESS...: the program with these sockets; until the first connection it is systemd-socket-activate.
api() {
    local socket names='' listen=()
    for socket in "$@"; do
        names+=${names:+:}${socket%%=*}
        listen+=(--listen="${socket#*=}")
    done
    systemd-socket-activate --fdname="$names" "${listen[@]}" -E DBUS_SYSTEM_BUS_ADDRESS -E CREDENTIALS_DIRECTORY "$program" >"$TEST_TMP/log" 2>&1 &
    api_pid=$!
    at_end 'kill "$api_pid" 2>/dev/null || :'
    eventually 20 listens "${!#}"
}
listens() { ss -Htln | grep -qF "${1#*=}"; }
get() { curl -s --max-time 20 -o "$TEST_TMP/body" -w '%{http_code}' "$@"; }
# refuses TEXT NAME: it ends at its first connection, and says why.
refuses() {
    get "http://127.0.0.1:8082/openapi.json" >/dev/null
    timeout 20 tail --pid="$api_pid" -f /dev/null
    wait "$api_pid"
    is "$?" 1 "$2: it does not serve"
    like "$(<"$TEST_TMP/log")" "$1" "$2: and says why"
}

api "x=127.0.0.1:8082" "x=$address:8443"
refuses 'without TLS listens beyond this machine' "a socket beyond loopback that is not called tls"
api "x=127.0.0.1:8082" "tls=$address:8443"
refuses 'certificate and its key cannot be read' "one that is, and no certificate"
credentials good other
api "x=127.0.0.1:8082" "tls=$address:8443"
refuses 'are no certificate and its key' "a key of another certificate"
echo nonsense >"$CREDENTIALS_DIRECTORY/tls-certificate"
api "x=127.0.0.1:8082" "tls=$address:8443"
refuses 'are no certificate and its key' "a certificate that is none"

credentials good good
api "x=127.0.0.1:8082" "tls=$address:8443"
is "$(get --cacert "$TEST_TMP/good.pem" "https://$address:8443/openapi.json")" 200 "with both it serves by TLS"
is "$(jq -r .openapi "$TEST_TMP/body")" 3.1.0 "all of the answer"
is "$(get "http://127.0.0.1:8082/openapi.json")" 200 "and beside it on loopback without"
is "$(get --cacert "$TEST_TMP/other.pem" "https://$address:8443/openapi.json")" 000 "who does not trust the certificate gets nothing"
is "$(get "http://$address:8443/openapi.json")" 000 "who speaks no TLS gets nothing"
unlike "$(openssl s_client -connect "$address:8443" -tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null 2>&1)" '^ *Protocol *: TLSv1\.1.*Cipher *: [A-Z]' "nor does TLS 1.1"
for version in 1.2 1.3; do
    is "$(get --tlsv$version --tls-max $version --cacert "$TEST_TMP/good.pem" "https://$address:8443/openapi.json")" 200 "TLS $version does"
done
is "$(get --cacert "$TEST_TMP/good.pem" "https://$address:8443/api/v1/backups")" 401 "a token is needed as on loopback"
head -c 200000 /dev/zero | tr '\0' ' ' >"$TEST_TMP/large"
is "$(get --cacert "$TEST_TMP/good.pem" -H 'Authorization: Bearer x' --data-binary "@$TEST_TMP/large" "https://$address:8443/api/v1/backups")" 503 "a body comes through; the hub does not run here"
seq 40 | xargs -P 20 -I{} curl -s --max-time 60 -o /dev/null -w '%{http_code}\n' --cacert "$TEST_TMP/good.pem" "https://$address:8443/openapi.json?{}" | sort | uniq -c >"$TEST_TMP/many"
is "$(tr -s ' ' <"$TEST_TMP/many")" ' 40 200' "40 connections, 20 at a time"
kill "$api_pid"
wait "$api_pid"
is "$?" 0 "its end is a success"
unlike "$(<"$TEST_TMP/log")" 'Sanitizer|BEGIN .*KEY' "nothing is lost, and no key in a log"

# What the generator makes.
cp -a /etc "$TEST_TMP/etc" && mount --bind "$TEST_TMP/etc" /etc || exit 1
folder=$(sed -n 's/^#define SENDENSE_CONFIG_DIR "\(.*\)"/\1/p' "$SENDENSE_BUILD/build-config.h")
[[ $folder == /etc/* ]] || exit 1
mkdir -p "$folder"
generated() { # LINES-OF-[API]: what is made is in made, as FILE:LINES, with the status
    printf '[Api]\n%s\n' "$1" >"$folder/hub.conf"
    rm -rf "$TEST_TMP/out"
    mkdir "$TEST_TMP/out"
    "$generator" "$TEST_TMP/out" "$TEST_TMP/out" "$TEST_TMP/out" 2>"$TEST_TMP/generator"
    made="status $?"$'\n'$(cd "$TEST_TMP/out" && find . -type f | sort | xargs -r grep -H '=')
}
files='Certificate=/etc/ssl/hub.pem
Key=/etc/ssl/hub.key'
generated 'Port=8090'
is "$(cut -d: -f1 <<<"$made" | uniq | xargs)" "status 0 ./sendense-hub-api.socket.d/50-port.conf" "a port alone moves the socket on loopback"
like "$made" 'ListenStream=127\.0\.0\.1:8090$' "there"
generated "$files"
is "${made%$'\n'}" "status 0" "certificate and key alone make nothing"
generated "Listen=$address
$files"
like "$made" '^\./sendense-hub-api-tls\.socket:ListenStream=192\.0\.2\.1:8443$' "with an address there is a socket"
like "$made" '^\./sendense-hub-api-tls\.socket:FileDescriptorName=tls$' "called tls"
like "$made" '^\./sendense-hub-api\.service\.d/50-tls\.conf:LoadCredential=tls-key:/etc/ssl/hub\.key$' "and the service gets the key"
is "$(readlink "$TEST_TMP/out/sockets.target.wants/sendense-hub-api-tls.socket")" ../sendense-hub-api-tls.socket "it is started with the others"
generated "Listen=::
TlsPort=9443
$files"
like "$made" 'ListenStream=\[::\]:9443$' "an address of IPv6, another port"
generated 'Listen=0.0.0.0'
is "${made%$'\n'}" "status 0" "without a certificate nothing is made"
like "$(<"$TEST_TMP/generator")" 'hub.conf:2: \[Api\] Listen=: 0\.0\.0\.0 needs \[Api\] Certificate=' "and the journal has the reason"
done_testing
