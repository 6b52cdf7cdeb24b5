#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The lossy disk inside a machine of the lab, below a folder that services use, and as the only part of a machine that
# remembers anything when the whole machine loses its power.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lab/with-lab.bash"

[ -e "$SENDENSE_BUILD/tests/lib/lossy.so" ] || skip_all "the plugin was not built (package nbdkit-plugin-dev)"
# The folders are shown in the machine, wherever in the host they are.
lab_up --names hub --bind "$SENDENSE_SRC/tests/lib:/run/lossy-lib" --bind "$SENDENSE_BUILD/tests/lib:/run/lossy-build"
lossy() { on hub env LOSSY_PLUGIN=/run/lossy-build/lossy.so /run/lossy-lib/lossy-disk "$@"; }

on hub mkdir -p /srv/repository
require "create" lossy create /var/lib/lossy 64M
require "mount below a folder of the machine" lossy mount /var/lib/lossy /srv/repository
# A service in a sandbox of its own writes; the machine's own shell must see the same disk.
ok "a sandboxed service writes to it" lab sdrun hub -p ProtectSystem=strict -p ReadWritePaths=/srv/repository -p PrivateTmp=yes \
    sh -c 'echo kept >/srv/repository/kept && sync /srv/repository/kept && echo lost >/srv/repository/lost'
ok "power cut" lossy power-cut /var/lib/lossy
is "$(on hub ls -A /srv/repository)" "" "nothing is mounted now"
ok "remount" lossy remount /var/lib/lossy
is "$(on hub cat /srv/repository/kept)" kept "what the service synced is there"
not_ok "what it did not is gone" on hub test -e /srv/repository/lost

on hub sh -c 'echo first >/srv/repository/crash && sync /srv/repository/crash && echo second >/srv/repository/crash'
# The disk first: a machine that is killed with a file system mounted on a FUSE file can take the kernel's last look
# at it, on the way out of nbdfuse itself, and that waits for nbdfuse (seen once in eight runs, for ever).
ok "the disk's power is cut" lossy power-cut /var/lib/lossy
require "the machine's power is cut and it is back" lab crash hub
is "$(on hub ls -A /srv/repository)" "" "after the boot nobody has mounted it yet"
ok "mount where it was" lossy mount /var/lib/lossy
is "$(on hub cat /srv/repository/crash)" first "what was synced before the crash is there, and no more"
ok "destroy" lossy destroy /var/lib/lossy
is "$(on hub sh -c 'ls -d /var/lib/lossy; pgrep -x nbdkit; pgrep -x nbdfuse; grep -E " (/srv/repository|/var/lib/lossy)" /proc/self/mountinfo' 2>/dev/null)" \
    "" "nothing is left"
done_testing
