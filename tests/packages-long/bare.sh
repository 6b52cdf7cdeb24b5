#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What somebody with a fresh Debian and our packages does: apt installs them with all that they need, and hub and node answer, now
# and after a reboot. The packages are built from nothing, and lintian has read them.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/packages/packages.bash"

all=(sendense-common sendense-hub sendense-node sendensectl)
bare_ready
packages_make 1

# What lintian must not complain of: the maintainer's address is nobody's yet; a link to a template is how a unit comes with another;
# an instance's name is not known to it; sshd's user is denied what it does not need, wherever it is sent; of dpkg's list sendense-files looks
# at the time alone, to know whether its appliance is as new.
says=$(lintian --allow-root --fail-on error,warning --suppress-tags \
    bogus-mail-host,bogus-mail-host-in-debian-changelog,service-file-is-not-a-file,systemd-service-file-refers-to-unusual-wantedby-target,dbus-policy-without-send-destination,maintainer-script-calls-systemctl,uses-dpkg-database-directly \
    "$debs"/1/*.changes 2>&1)
is "$?/$says" "0/" "lintian is content"

# shellcheck disable=SC2046 # paths hold no spaces
bare_fetch $(paths 1 "${all[@]}")
bare_up
ok "the hub is installed" installs 1 sendense-common sendense-hub sendensectl
hub_answers "as installed"
like "$(hub sendensectl version)" "sendense-hub" "sendensectl speaks to it"
is "$(hub sh -c 'command -v gcc meson sendense-node')" "" "without a compiler, and without a node"
ok "a reboot" lab reboot hub
hub_answers "after a reboot"
ok "the node is installed" installs 1 sendense-node
is "$(hub systemctl is-active sendense-node sendense-node-api.socket | sort -u)" active "it runs"
ok "the hub is purged" apt purge sendense-hub
is "$(hub systemctl is-active sendense-node sendense-node-api.socket | sort -u)" active "the node runs on"
is "$(hub systemctl list-units --failed --plain --no-legend)" "" "nothing has failed"
ok "the hub is installed again" installs 1 sendense-hub
hub_answers "as installed again"
done_testing
