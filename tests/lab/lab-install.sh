#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# --install brings a build into the machines before they boot: files, users, folders, message catalog; --hook has the
# last word. Shown with a small project of its own, and with the real build when there is one.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/with-lab.bash"

mkdir "$TEST_TMP/source"
cat >"$TEST_TMP/source/meson.build" <<'X'
project('probe', version: '1', default_options: ['prefix=/usr'])
install_data('probe.service', install_dir: '/lib/systemd/system')
install_data('probe.conf', install_dir: '/usr/lib/sysusers.d')
install_data('probe-folder.conf', install_dir: '/usr/lib/tmpfiles.d')
install_data('probe.catalog', install_dir: '/usr/lib/systemd/catalog')
X
echo 'u sendense-probe - "Probe"' >"$TEST_TMP/source/probe.conf"
echo 'd /var/lib/sendense-probe 0750 sendense-probe -' >"$TEST_TMP/source/probe-folder.conf"
printf -- '-- 11111111222233334444555555555555\nSubject: The probe speaks\n\nAll is well.\n' >"$TEST_TMP/source/probe.catalog"
cat >"$TEST_TMP/source/probe.service" <<'X'
[Service]
Type=oneshot
RemainAfterExit=yes
User=sendense-probe
ExecStart=touch /var/lib/sendense-probe/started
[Install]
WantedBy=multi-user.target
X
# shellcheck disable=SC2016 # for the hook's own shell
printf '%s\n' '#!/bin/sh' 'echo "$1" >"$2/etc/hooked"' 'systemctl -q --root="$2" enable probe.service' >"$TEST_TMP/hook"
chmod +x "$TEST_TMP/hook"
command -v meson >/dev/null || skip_all "meson is missing (package meson)"
meson setup "$TEST_TMP/build" "$TEST_TMP/source" >/dev/null || fail "the probe project could not be set up"

lab_up --install "$TEST_TMP/build" --hook "$TEST_TMP/hook"
is "$(on node cat /etc/hooked)" node "the hook ran for each machine"
is "$(on hub readlink /lib)" usr/lib "/lib is still the symlink it was"
is "$(on hub systemctl is-active probe.service)" active "the unit was enabled by the hook and started by the boot"
is "$(on hub stat -c '%U %a' /var/lib/sendense-probe)" "sendense-probe 750" "users and folders were made at the boot"
like "$(on hub journalctl --list-catalog 11111111222233334444555555555555)" "The probe speaks" \
    "the message catalog knows the new message"
not_ok "the host has no such user" getent passwd sendense-probe
ok "down" lab down

if [ -f "$SENDENSE_BUILD/build.ninja" ] && [ -n "$(find "$SENDENSE_BUILD" -maxdepth 3 -name sendense-hub -type f)" ]; then
    ok "the lab boots with the project's build" lab up --install "$SENDENSE_BUILD" --names hub
    is "$(on hub systemctl is-system-running)" running "and is healthy"
    ok "it has the hub" on hub systemctl cat sendense-hub.service
else
    skip "the lab boots with the project's build" "nothing is built in $SENDENSE_BUILD"
fi
not_ok "a folder that is no build is refused" lab --state "$TEST_TMP/other" up --install "$TEST_TMP"
printf '#!/bin/sh\nexit 1\n' >"$TEST_TMP/hook"
like "$(lab --state "$TEST_TMP/other" up --hook "$TEST_TMP/hook" 2>&1)" "hook .* failed for" "a failing hook is named"
lab --state "$TEST_TMP/other" status >/dev/null
is $? 3 "and leaves no lab"
done_testing
