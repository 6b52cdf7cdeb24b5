#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# deploy/install on a booted machine, with the build that the test has: a hub, then a node beside it, again over a hub that was
# changed, not started, refused beside Debian packages, and removed.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/packages/packages.bash"

[ -e "$SENDENSE_BUILD/build.ninja" ] || skip_all "no build in $SENDENSE_BUILD"
packages_make 1 --build "$SENDENSE_BUILD"
machine_up --hook "$SENDENSE_SRC/tests/lab/database-machine" --bind "$SENDENSE_SRC" --bind "$SENDENSE_BUILD"
before=$(remains)
deploys() { hub "$SENDENSE_SRC/deploy/install" --build "$SENDENSE_BUILD" "$@" 2>&1; }
enabled() { hub systemctl is-enabled sendense-hub sendense-migrate sendense-firewall@hub sendense-node sendense-node-api.socket sendense-sshd 2>/dev/null | paste -sd' '; }

is "$(deploys nothing)" "install: unknown argument nothing; see deploy/install --help" "a role that is none is refused"
like "$(deploys --uninstall)" "has not installed anything here" "nothing is removed where nothing was installed"

# A hub that is not started.
says=$(deploys hub --no-start)
is $? 0 "a hub is installed, not started" || diag "$says"
is "$(runs)" "" "nothing runs"
is "$(enabled)" "enabled enabled enabled disabled disabled disabled" "what makes it a hub is enabled, and nothing else"

# The hub.
says=$(deploys hub)
is $? 0 "a hub is installed" || diag "$says"
like "$says" "[Rr]eady" "and says that it is ready"
hub_answers "the hub"
pid=$(unit sendense-hub MainPID)
in_hub 'install -D -m 644 /dev/stdin /etc/sendense/hub.conf.d/50-test.conf <<<"[Exports]
Ports=10150-10160"'

# All, over it.
ok "all is installed over it" deploys all
hub_answers "hub and node"
is "$(enabled)" "enabled enabled enabled enabled enabled disabled" "the node is enabled too"
is "$(hub systemctl is-active sendense-node sendense-node-credentials.socket sendense-node-api.socket sendense-firewall@node | sort -u)" active "and runs"
ok "the hub is another process" test "$(unit sendense-hub MainPID)" != "$pid"
like "$(hub sendensectl status)" "10150-10160" "with the settings that were made meanwhile"
ok "a reboot" lab reboot hub
hub_answers "after a reboot"

# Gone.
key=$(hub sha256sum /var/lib/sendense-key/master-key)
ok "it is removed" deploys --uninstall
is "$(runs)" "" "nothing runs"
is "$(comm -13 <(printf '%s\n' "$before") <(remains | grep -v '^/run/') | grep -v '^/var/lib/')" "/etc/sendense" "settings stay, and state"
is "$(hub sha256sum /var/lib/sendense-key/master-key)" "$key" "the master key is there"

# From source to packages, which find what was left.
ok "the Debian packages are installed" installs 1 sendense-common sendense-hub sendensectl
hub_answers "the packages"
like "$(hub sendensectl status)" "10150-10160" "the settings are those of before"
like "$(deploys hub)" "Debian packages of Sendense are installed" "over packages nothing is installed from source"
done_testing
