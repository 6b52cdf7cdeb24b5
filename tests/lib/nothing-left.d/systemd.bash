# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Probes that ask systemd: units, slices and targets of jobs, failed units, credential folders.

# units_load: sets UNITS to "UNIT LOAD ACTIVE SUB" lines, or UNITS_ERROR.
units_load() {
    UNITS_ERROR=
    if [ ! -d /run/systemd/system ]; then
        UNITS_ERROR="systemd is not PID 1 here"
    elif ! UNITS=$(timeout 10 systemctl list-units --all --full --plain --no-legend --no-pager 'sendense-*' 2>&1); then
        UNITS_ERROR="systemctl list-units: ${UNITS:-no answer within 10 s}"
    fi
}
units_loaded() {
    [ -z "$UNITS_ERROR" ] || {
        cannot "$UNITS_ERROR"
        return 1
    }
}

look_units() {
    local unit load active sub file seen=' '
    units_loaded || return 0
    while read -r unit load active sub _; do
        # A unit that somebody only asked for is loaded for a moment as not-found.
        [[ $unit =~ ^$JOB_UNIT$ && $load != not-found ]] || continue
        seen+="$unit "
        leftover "$unit is $active ($sub)" "systemctl status $unit"
    done <<<"$UNITS"
    for file in /run/systemd/transient/sendense-*; do
        unit=${file##*/}
        [[ -e $file && $unit =~ ^($JOB_UNIT|$JOB_SLICE)$ && $seen != *" $unit "* ]] || continue
        # The slice of a job is a kind of its own while it is loaded.
        [[ $unit != *.slice ]] || ! systemctl is-active --quiet "$unit" || continue
        leftover "$file without its unit" "cat $file"
    done
}

look_failed_units() {
    local unit load active sub
    units_loaded || return 0
    while read -r unit load active sub _; do
        [[ $active = failed && ! $unit =~ ^$JOB_UNIT$ ]] || continue
        leftover "$unit has failed" "journalctl -u $unit"
    done <<<"$UNITS"
}

# active_units REGEX: slices and targets are loaded whenever somebody names them; only an active one holds something.
active_units() {
    local unit load active sub
    units_loaded || return 0
    while read -r unit load active sub _; do
        [[ $unit =~ ^$1$ && $active != inactive ]] || continue
        leftover "$unit is $active" "systemctl status $unit"
    done <<<"$UNITS"
}
look_slices() { active_units "$JOB_SLICE"; }
look_targets() { active_units 'sendense-(job|task)@.*\.target'; }

look_credentials() {
    local folder unit
    [ -d /run/systemd/system ] || {
        cannot "systemd is not PID 1 here"
        return 0
    }
    for folder in /run/credentials/sendense-*; do
        unit=${folder##*/}
        [ -e "$folder" ] || continue
        # A standing service may hold its own while it runs.
        [[ ! $unit =~ ^$JOB_UNIT$ ]] && systemctl is-active --quiet "$unit" && continue
        leftover "$folder" "ls -l $folder; systemctl status $unit"
    done
}
