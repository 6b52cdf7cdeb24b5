#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The HTTP API beyond loopback as an administrator switches it on: settings, daemon-reload, the socket, a key that root alone may
# read, and a token. Without the settings nobody listens there.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

hub_lab_up
hub_ready
address=$("$LAB" names | awk '$1 == "hub" { print $2 }')
beyond() { hub ss -Hltn "( sport = :8443 )"; }
get() { hub curl -s --max-time 30 -o /dev/null -w '%{http_code}' "$@"; }

is "$(beyond)" '' "as it comes nobody listens beyond loopback"
# shellcheck disable=SC2016 # expanded in the machine
require "a certificate" hub bash -c 'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=hub \
    -addext "subjectAltName=IP:$1" -keyout /etc/sendense/hub.key -out /etc/sendense/hub.pem 2>/dev/null && chmod 600 /etc/sendense/hub.key' _ "$address"
printf '[Api]\nListen=%s\n' "$address" | hub install -D -m 644 /dev/stdin /etc/sendense/hub.conf.d/60-api.conf
like "$(hub sendensectl config check 2>&1)" 'needs \[Api\] Certificate=' "an address alone is refused by the settings"
hub systemctl daemon-reload
not_ok "and makes no socket" hub systemctl start sendense-hub-api-tls.socket
printf '[Api]\nListen=%s\nCertificate=/etc/sendense/hub.pem\nKey=/etc/sendense/hub.key\n' "$address" |
    hub install -D -m 644 /dev/stdin /etc/sendense/hub.conf.d/60-api.conf
ok "with both the settings are good" hub sendensectl config check
hub systemctl daemon-reload
hub systemctl stop sendense-hub-api.service
ok "the socket starts" hub systemctl start sendense-hub-api-tls.socket sendense-hub-api.socket
like "$(beyond)" "$address:8443" "and listens there" || diag "$(beyond)"
hub sendensectl token create look --role=inspect >"$TEST_TMP/token"
is "$(get --cacert /etc/sendense/hub.pem -H "Authorization: Bearer $(<"$TEST_TMP/token")" "https://$address:8443/api/v1/backups")" 200 "who trusts the certificate and shows a token is answered" ||
    diag "$(hub journalctl -q -o cat -n 20 -u sendense-hub-api)"
is "$(get --cacert /etc/sendense/hub.pem "https://$address:8443/api/v1/backups")" 401 "without a token he is not"
is "$(get "http://$address:8443/api/v1/backups")" 000 "nor without TLS"
is "$(get -H "Authorization: Bearer $(<"$TEST_TMP/token")" "http://127.0.0.1:8082/api/v1/backups")" 200 "on loopback all is as it was"
is "$(hub systemctl show -p User --value sendense-hub-api.service)" sendense-hub-api "the program has no right to the key's file"
done_testing
