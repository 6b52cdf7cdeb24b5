# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Probes of the vCenter peer, through its control socket: snapshots that are not a user's, sessions, running tasks,
# import leases, disks that wait for consolidation. They run where nothing-left was called.

# look_left JQ HOW: each line that the jq program makes of `simctl left` is a leftover.
look_left() {
    local answer lines line
    [ -n "$PLACE_VCENTER" ] || {
        cannot "which vCenter? say --vcenter DIR, or --without vcenter"
        return 0
    }
    need jq jq || return 0
    answer=$(timeout 10 "$SIMCTL" -C "$PLACE_VCENTER" left 2>&1 </dev/null) || {
        cannot "${answer:-no answer from $PLACE_VCENTER within 10 s}"
        return 0
    }
    lines=$(jq -er "$1" <<<"$answer" 2>&1)
    case $? in
    0 | 4) ;; # 4: no line
    *)
        cannot "the answer of $PLACE_VCENTER is not understood: $lines"
        return 0
        ;;
    esac
    while IFS= read -r line; do
        [ -z "$line" ] || leftover "$line" "simctl -C $PLACE_VCENTER $2"
    done <<<"$lines"
}

look_snapshots() { look_left '.snapshots[] | "\(.snapshot) \"\(.name)\" of \(.vm)"' snapshots; }
look_sessions() { look_left '.sessions[] | "session \(.key) of \(.user), \(.agent)"' sessions; }
look_tasks() { look_left '.tasks[] | "\(.task) \(.method) of \(.vm) is \(.state)"' tasks; }
look_imports() { look_left '.leases[] | "import lease \(.lease) of \(.vm)"' leases; }
look_consolidation() { look_left '.consolidation_needed[] | "\(.) needs consolidation"' "vm list"; }
