#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A clone on a fresh Debian, and one command: deploy/install makes a node of the machine, which takes no database, then a hub as well.
# It clones the last commit, not the work tree.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/packages/packages.bash"
. "$SENDENSE_SRC/deploy/lib/packages.sh"

bare_ready
# shellcheck disable=SC2046 # names hold no spaces
bare_fetch $(packages_names build run)
bare_up --bind "$SENDENSE_SRC:/source"
require "a clone" hub git -c safe.directory='*' clone -q /source /root/sendense
is "$(hub sh -c 'command -v gcc meson mariadbd qemu-nbd nbdkit')" "" "the machine has nothing of what we need"

ok "deploy/install makes it a node" hub /root/sendense/deploy/install node
is "$(hub systemctl is-active sendense-node sendense-node-api.socket sendense-firewall@node | sort -u)" active "it runs"
is "$(hub sh -c 'command -v mariadbd qemu-nbd sshd')" "" "and takes no database, no images, no sshd"
ok "deploy/install makes it a hub as well" hub /root/sendense/deploy/install hub
hub_answers "as installed"
is "$(hub systemctl is-enabled ssh.service mariadb.service | paste -sd,)" "disabled,enabled" "no sshd but ours will ever start"
like "$(hub sendensectl version)" "sendense-hub +[^ ]+ +$(git -C "$SENDENSE_SRC" -c safe.directory='*' rev-parse --short=12 HEAD) " "it is of this commit"
ok "a reboot" lab reboot hub
hub_answers "after a reboot"
is "$(hub systemctl is-active sendense-node)" active "and the node runs"
done_testing
