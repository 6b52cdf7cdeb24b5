#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What somebody with a fresh Debian and our packages does: apt installs sendense-hub with all that it needs, and the hub answers, now and after a
# reboot. The packages are built from nothing. What they depend on is fetched before the machine boots, for it has no way out.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/packages/packages.bash"

[ "$EUID" -eq 0 ] || skip_all "a bare machine takes root"
[ "$(stat -fc %T /)" != overlayfs ] || skip_all "a bare machine is an overlay, and this root file system is one already"
export LAB_BARE_DIR=$TEST_TMP/bare
mkdir "$LAB_BARE_DIR" "$TEST_TMP/lists" "$TEST_TMP/archives"
packages_make 1

# shellcheck disable=SC2046 # paths hold no spaces
require "what they depend on is fetched" lab bare --bind "$debs:/debs" --bind "$TEST_TMP/lists:/var/lib/apt/lists" \
    --bind "$TEST_TMP/archives:/var/cache/apt/archives" sh -c 'apt-get -q update && apt-get -q -y install --download-only "$@"' sh \
    $(paths 1 sendense-common sendense-hub sendense-node sendensectl)

machine_up --root=bare --disk --bind "$TEST_TMP/lists:/var/lib/apt/lists" \
    --bind "$TEST_TMP/archives:/var/cache/apt/archives"
ok "sendense-hub is installed" installs 1 sendense-common sendense-hub sendensectl
hub_answers "as installed"
like "$(hub sendensectl version)" "sendense-hub" "sendensectl speaks to it"
ok "a reboot" lab reboot hub
hub_answers "after a reboot"
done_testing
