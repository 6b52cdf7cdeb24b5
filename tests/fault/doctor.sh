#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What sendensectl doctor says of a hub that works, and of one with each thing wrong that it looks for: which it is, and what to do.
# When that is done all is well again.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

fault_up '[Exports]
Ports=10100-10109'
vm small 8

# row CHECK: what doctor says of it, in one line with the remedy; all: the verdicts that are not ok, but for the clock, which is that of
# whoever runs the machine.
report() { hub sendensectl doctor --json; }
row() { report | jq -r --arg check "$1" '.[] | select(.Check == $check) | "\(.Verdict): \(.Text) | \(.Remedy // "")"'; }
not_well() { report | jq -r '[.[] | select(.Verdict != "ok" and .Check != "clock") | .Check] | join(", ")'; }
well() { [ -z "$(not_well)" ]; }
# well_again WHAT
well_again() { ok "$1: mended, all is well" eventually "$patience_sec" well || diag "$(not_well)"; }

hub sendensectl repository check 1 >/dev/null
is "$(not_well)" "" "all is well" || diag "$(hub sendensectl doctor)"
is "$(report | jq -r '[.[].Check] | sort | join(", ")')" \
    "HTTP API, clock, database, master key, obligations, polkit, ports, repository local, services, tools, units, versions" "it has looked at all of this"
like "$(row ports)" '^ok: 10 of 10 for exports are free, 0 leased' "ports: how many there are"
like "$(row clock)" '^(ok: synchronised|warning: the clock is not synchronised \| timedatectl set-ntp true)' "the clock, as it is"

# A stranger on a port; on all of them.
listen() { hub systemd-run --quiet --collect --unit="stranger-$1" socat "TCP-LISTEN:$1,bind=127.0.0.1,fork" -; }
listen 10103
taken() { [[ $(row ports) == "warning: 1 of 10 are in use by programs that are not ours, the first is 10103 | ss -ltnp"* ]]; }
ok "a stranger on a port" eventually "$patience_sec" taken || diag "$(row ports)"
for port in 10100 10101 10102 10104 10105 10106 10107 10108 10109; do listen "$port"; done
taken() { [[ $(row ports) == "bad: 10 of 10 are in use by programs that are not ours, the first is 10100 | "*"[Exports] Ports="* ]]; }
ok "strangers on all of them" eventually "$patience_sec" taken || diag "$(row ports)"
hub systemctl stop 'stranger-*'
well_again "strangers"

# A repository: not mounted, and too full.
# shellcheck disable=SC2016 # expanded in the machine
require "a disk for a repository" in_hub 'truncate -s 64M /srv/second.img && mkfs.ext4 -q -m 0 /srv/second.img && mkdir /srv/second &&
    mount -o loop /srv/second.img /srv/second && install -d -o sendense -g sendense-export -m 2750 /srv/second'
require "a second repository" hub sendensectl repository add second /srv/second
well_again "a second repository"
in_hub 'fallocate -l "$(($(stat -f -c "%a * %S / 1024" /srv/second) - 512))K" /srv/second/filler'
hub sendensectl repository check second >/dev/null 2>&1
like "$(row "repository second")" '^bad: 0 MiB are free, and \[Repositories\] MinFree= wants 1 \| make room' "a repository that is full"
hub rm /srv/second/filler
hub umount /srv/second
hub sendensectl repository check second >/dev/null 2>&1
like "$(row "repository second")" '^bad: /srv/second .*mount the disk.* \| sendensectl repository check' "one that is not mounted"

# What a job left there is owed.
start small --repository=second
is "$(wait_job)" failed "a backup into it fails"
like "$(row obligations)" '^warning: 1 things of earlier jobs could not be undone yet \| .*sendensectl cleanup' "what it owes"
hub mount -o loop /srv/second.img /srv/second
hub sendensectl repository check second >/dev/null
ok "it is mounted, and cleaned up" hub sendensectl cleanup
well_again "a repository"

# polkit, MariaDB, a service.
hub systemctl mask --runtime --now --quiet polkit
like "$(row polkit)" '^bad: does not answer .* \| systemctl status polkit' "no polkit"
hub systemctl unmask --runtime --quiet polkit
hub systemctl start polkit
well_again "polkit"
hub systemctl stop mariadb
lost() { [[ $(row database) == "bad: unreachable: "*" | systemctl status mariadb sendense-migrate"* ]]; }
ok "no MariaDB" eventually "$patience_sec" lost || diag "$(row database)"
hub systemctl start mariadb
well_again "MariaDB"
hub systemd-run --quiet --unit=sendense-planted false
failed_one() { [[ $(row services) == "bad: sendense-planted.service failed | "* ]]; }
ok "a service that failed" eventually "$patience_sec" failed_one || diag "$(row services)"
hub systemctl reset-failed sendense-planted
well_again "a service"

# A hub that is older than its file, and a tool that is missing.
hub mv /usr/bin/nbdcopy /usr/bin/nbdcopy.away
like "$(row tools)" '^bad: /usr/bin/nbdcopy is missing or cannot be run \| apt-get install libnbd-bin' "no nbdcopy"
hub mv /usr/bin/nbdcopy.away /usr/bin/nbdcopy
well_again "a tool"

backup small --repository=second
unharmed "all that doctor looked at"
done_testing
