# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154,SC2034 # variables of the rooms it sources
#
# One good backup with its checks, for tests of VMs of a certain shape. Source it after proof.bash.

# good TYPE NAME [JQ]: the next backup; every disk in its image is what it was at its moment, and nothing is left.
good() {
    local wrong key
    for key in "${keys[@]}"; do
        [ -n "${is_quiet:-}" ] || simctl writer start vm="$vm" key="$key" size=1024 ms=50 seed="$key" >/dev/null
    done
    ask "$1" knowing "${3:-.}"
    is_copied
    [ -n "${is_quiet:-}" ] || for key in "${keys[@]}"; do simctl writer stop vm="$vm" key="$key" >/dev/null; done
    images_close
    if ! state_is copied; then
        fail "$2: it is copied" "$answer" "$(task .)"
        images_drop
        return
    fi
    wrong=$(wrong_disks; wrong_types "$(task .)")
    is "$wrong" '' "$2: every disk is what it was at its moment" || diag "$(task .)"
    release committed >/dev/null
    keep
    ok "$2: it is over" eventually "$patience_sec" state_is released
    clean "$2"
}

# of_copy JQ: of the copier's own result of the last backup.
of_copy() { jq -c "$1" "/var/lib/sendense-node/ledger/$job.result"; }
