# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For tests of a hub that works, on a booted machine, and of what becomes of a job when something dies: source it after
# tap.sh, call backup_lab_up, then `backup VERB …` for the verbs of machine-backup. One machine called hub, with three
# small disks behind NBD servers and a VM called small.

# shellcheck source=tests/lab/hub-lab.bash
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

# backup_lab_up [OPTION...]: options as for `lab up`.
backup_lab_up() {
    [ -e "$SENDENSE_BUILD/build.ninja" ] || skip_all "no build in $SENDENSE_BUILD"
    command -v nbdkit >/dev/null || skip_all "nbdkit is missing (package nbdkit)"
    ! grep -q 'SENDENSE_FAULT_POINTS 1' "$SENDENSE_BUILD/build-config.h" || export FAULT_POINTS=yes
    lab_up --names hub --install "$SENDENSE_BUILD" --hook "$SENDENSE_SRC/tests/lab/hub-machine" \
        --hook "$SENDENSE_SRC/tests/fault/machine-hook" "$@"
    hub_ready
    require "the hub learns the VM" hub sendensectl vm set /srv/vm.json
}

# backup VERB [ARG...]: a verb of machine-backup, in the machine.
backup() { hub machine-backup "$@"; }

# nothing_left: the one check after every fault.
nothing_left() { "$SENDENSE_SRC/tests/lib/nothing-left" --machine hub --without descriptors,vcenter --within 10; }
