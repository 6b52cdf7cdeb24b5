#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The packages, made of the build that the test has, on a machine that has what they depend on: hub, node and sendensectl come,
# answer, survive a reboot, and go without a trace but the backups.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/packages/packages.bash"

[ -e "$SENDENSE_BUILD/build.ninja" ] || skip_all "no build in $SENDENSE_BUILD"
packages_make 1 --build "$SENDENSE_BUILD"
machine_up --hook "$SENDENSE_SRC/tests/lab/database-machine"
hub systemctl --quiet enable --now mariadb.service
before=$(remains)

# The hub alone.
ok "sendense-hub is installed" installs 1 sendense-common sendense-hub sendensectl
hub_answers "as installed"
is "$(hub systemctl is-enabled sendense-hub sendense-migrate sendense-sshd | paste -sd,)" "enabled,enabled,disabled" \
    "hub and migration are enabled, its sshd is not"
is "$(unit sendense-firewall@hub ActiveState)" active "its ports are guarded"
like "$(hub sendensectl version)" "sendense-hub" "sendensectl speaks to it"
is "$(hub getent shadow sendense-tunnel sendense-enroll | cut -d: -f2 | paste -sd,)" "*,*" "nodes can come by key"
ok "a reboot" lab reboot hub
hub_answers "after a reboot"

# What reads files, which the hub does without.
files() { hub sendensectl backup files ls backup-none-1763702276 2>&1; }
like "$(files)" 'The package sendense-files is not installed' "a hub without sendense-files names the package"
if dpkg-query -W -f '${db:Status-Status}' supermin 2>/dev/null | grep -qx installed && compgen -G '/boot/vmlinuz-*' >/dev/null; then
    ok "sendense-files is installed" installs 1 sendense-files
    like "$(files)" "There is no backup 'backup-none-1763702276'" "with it the hub asks for the backup"
    # shellcheck disable=SC2016 # expanded in the machine
    ok "the machine that reads file systems is made of what the package depends on" in_hub \
        'systemctl start sendense-appliance.service && test -s /var/cache/sendense-files/appliance/kernel' || diag "$(hub journalctl -q -o cat -u sendense-appliance)"
    hub_answers "with sendense-files"
    ok "sendense-files is removed" apt remove sendense-files
    like "$(files)" 'The package sendense-files is not installed' "without it the hub names it again"
    is "$(hub ls -d /var/cache/sendense-files /run/sendense-appliance 2>/dev/null)" "" "and its machine is gone"
    ok "it is installed once more" installs 1 sendense-files
else
    skip "sendense-files" "libguestfs or a kernel is missing (packages libguestfs0, linux-image-cloud-amd64)"
fi

# The node beside it.
ok "sendense-node is installed" installs 1 sendense-node
is "$(hub systemctl is-active sendense-node sendense-node-credentials.socket sendense-node-api.socket sendense-firewall@node | sort -u)" active \
    "the node runs, with its sockets and its firewall"
like "$(hub busctl get-property com.sendense.Node1 /com/sendense/Node1 com.sendense.Node1.Manager State 2>&1)" running "and answers on the bus"
hub_answers "beside a node"

# With an address for HTTPS, whose socket the generator makes.
address=$("$LAB" names | awk '$1 == "hub" { print $2 }')
# shellcheck disable=SC2016 # expanded in the machine
require "a certificate" in_hub 'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=hub \
    -keyout /etc/sendense/hub.key -out /etc/sendense/hub.pem 2>/dev/null && chmod 600 /etc/sendense/hub.key'
printf '[Api]\nListen=%s\nCertificate=/etc/sendense/hub.pem\nKey=/etc/sendense/hub.key\n' "$address" |
    hub install -D -m 644 /dev/stdin /etc/sendense/hub.conf.d/60-api.conf
require "its socket" in_hub 'systemctl daemon-reload && systemctl stop sendense-hub-api.service &&
    systemctl start sendense-hub-api-tls.socket sendense-hub-api.socket'
is "$(hub curl -sk --max-time 30 -o /dev/null -w '%{http_code}' "https://$address:8443/openapi.json")" 200 "the API is served over HTTPS"

# Gone, and back: what was removed and not purged is as it was.
key=$(hub sha256sum /var/lib/sendense-key/master-key)
ok "all are removed" apt remove sendense-files sendense-hub sendense-node sendense-common sendensectl
is "$(runs)" "" "nothing of them runs"
hub rm /etc/sendense/hub.conf.d/60-api.conf /etc/sendense/hub.key /etc/sendense/hub.pem
ok "and installed again" installs 1 sendense-common sendense-hub sendense-node sendensectl
hub_answers "as installed again"
is "$(hub sha256sum /var/lib/sendense-key/master-key)" "$key" "the master key is the one it was"

# Purged: nothing stays but backups.
file=/var/lib/sendense/repository/vm/2000/backup-1.qcow2
in_hub 'install -D /dev/null "$1" && chown -R sendense:sendense-export /var/lib/sendense/repository/*' "$file"
says=$(apt purge sendense-files sendense-hub sendense-node sendense-common sendensectl 2>&1)
is $? 0 "all are purged"
like "$says" "the backups in /var/lib/sendense/repository stay" "which says that backups stay"
is "$(runs)" "" "nothing of them runs"
is "$(comm -13 <(printf '%s\n' "$before") <(remains))" "/var/lib/sendense" "nothing is left but the repository's folder"
is "$(hub find /var/lib/sendense -type f | LC_ALL=C sort | paste -sd,)" "/var/lib/sendense/repository/sendense-repository.json,$file" "with what was in it"
is "$(hub mariadb -NBe "SELECT COUNT(*) FROM mysql.user WHERE User = 'sendense'; SHOW DATABASES LIKE 'sendense'")" 0 "database and its user are gone"

# Purged without backups.
hub rm -r /var/lib/sendense
ok "they are installed once more" installs 1 sendense-common sendense-hub sendense-node
hub_answers "as installed once more"
ok "and purged without any backup" apt purge sendense-hub sendense-node sendense-common
is "$(remains)" "$before" "nothing at all is left"
is "$(hub systemctl is-system-running)" running "the machine is well"
done_testing
