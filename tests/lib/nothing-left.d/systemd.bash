# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Probes that ask systemd: units, slices and targets of jobs, failed units, credential folders.

# units_list ARG...: "UNIT LOAD ACTIVE SUB" lines, or a cannot.
units_list() {
    local answer
    [ -d /run/systemd/system ] || {
        cannot "systemd is not PID 1 here"
        return 1
    }
    answer=$(timeout 10 systemctl list-units --all --full --plain --no-legend --no-pager "$@" 2>&1) || {
        cannot "systemctl list-units: ${answer:-no answer within 10 s}"
        return 1
    }
    UNITS=$answer
}

look_units() {
    local unit load active sub file seen=' '
    units_list 'sendense-export-*' 'sendense-copy-*' 'sendense-image-*' || return 0
    while read -r unit load active sub _; do
        # A unit that somebody only asked for is loaded for a moment as not-found.
        [[ -n $unit && $load != not-found ]] || continue
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
    units_list --state=failed 'sendense-*' || return 0
    while read -r unit load active sub _; do
        [[ -n $unit && ! $unit =~ ^($JOB_UNIT|$JOB_SLICE)$ ]] || continue
        leftover "$unit has failed" "journalctl -u $unit"
    done <<<"$UNITS"
}

# active_units PATTERN: slices and targets are loaded whenever somebody names them; only an active one holds something.
active_units() {
    local unit load active sub
    units_list "$1" || return 0
    while read -r unit load active sub _; do
        [[ -n $unit && $active != inactive ]] || continue
        leftover "$unit is $active" "systemctl status $unit"
    done <<<"$UNITS"
}
look_slices() { active_units 'sendense-jobs-*.slice'; }
look_targets() { active_units 'sendense-job@*.target'; }

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
