# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables of fault.bash and of the tests that source it
#
# Steps on a chain, one after the other, by chance or in an order: backups, deletions, verifications, restores, mounts, crashes, a
# lost catalog, a power cut. After each of them every remaining restore point is what its VM held then, and the hub lists these and no others.
# Source it after tap.sh, call walk_up or walk_lossy, then `step KIND` or `walk N`.

. "$SENDENSE_SRC/tests/fault/fault.bash"

ids=() # the restore points, the oldest first
POINTS_MAX=9
n_step=0 seed=0 kind='' told='' walk_is_lossy=''

# draw N: a number below N in R. Its own, because bash gives others in a subshell.
draw() {
    seed=$(((seed * 1103515245 + 12345) & 0x7fffffff))
    R=$(((seed >> 8) % $1))
}

# bad WHAT [LINE...]: the step has failed; all is told that another run of it needs.
bad() {
    fail "step $n_step ($kind): $1" "the walk of seed $walk_seed; what was done:$told" "${@:2}"
}
tell() { told+=$'\n'"$n_step $*"; }

# walk_up SEED: boots a machine with a VM of two disks and its first backup.
walk_up() {
    walk_seed=${1:-1} seed=${1:-1}
    fault_up
    [ -z "$walk_is_lossy" ] || lossy_up
    mkfifo "$TEST_TMP/never"
    vm web 12 6
    hub install -d /srv/out /srv/pending
    kind=full
    step_full
    require "there is a first backup" test ${#ids[@]} -eq 1
}

# walk_lossy SEED: the same, with a disk below the repository that loses what was not flushed when its power is cut.
lossy() { hub env LOSSY_PLUGIN=/opt/lossy/lossy.so /opt/lossy/lossy-disk "$@"; }
lossy_mount() { lossy mount /var/lib/lossy /srv/lossy && hub mount --bind /srv/lossy/repository "$fault_repo"; }
walk_lossy() {
    local device
    for device in /dev/fuse /dev/loop-control; do
        [ -c "$device" ] || skip_all "there is no $device here"
    done
    [ -e "$SENDENSE_BUILD/tests/lib/lossy.so" ] || skip_all "the plugin was not built (package nbdkit-plugin-dev)"
    walk_is_lossy=yes
    patience_sec=180 # the disk is slow
    walk_up "$1"
}
lossy_up() {
    hub install -d /opt/lossy /srv/lossy
    lab copy-in hub "$SENDENSE_SRC/tests/lib/lossy-disk" /opt/lossy/lossy-disk
    lab copy-in hub "$SENDENSE_BUILD/tests/lib/lossy.so" /opt/lossy/lossy.so
    require "a disk that loses things" lossy create /var/lib/lossy 1G
    require "mounted" lossy mount /var/lib/lossy /srv/lossy
    # The kernel looks at its devices on the way out of a killed machine, and waits for those behind FUSE.
    at_end 'lossy destroy /var/lib/lossy'
    # shellcheck disable=SC2016 # expanded in the machine
    require "the repository is on it" in_hub 'systemctl stop sendense-hub && cp -a "$1" /srv/lossy/repository && sync -f /srv/lossy &&
        mount --bind /srv/lossy/repository "$1" && systemctl disable -q sendense-hub && systemctl start sendense-hub' "$fault_repo"
    hub_ready
}

# guest_writes: some pieces of data and zeroes on each disk, of places and lengths by chance.
guest_writes() {
    local key mib list=''
    for key in 2000:12 2001:6; do
        mib=${key#*:}
        for _ in 1 2 3; do
            draw $((mib * 16))
            list+=" ${key%:*}:$R"
            draw 40
            list+=":$((R + 1))"
            draw 4
            list+=":$R"
        done
    done
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'for part in $2; do
            IFS=: read -r key at n how <<<"$part"
            file=/srv/src/web-$key.raw size=$(stat -c %s "$file")
            if [ "$how" = 0 ]; then head -c "$((n * 32768))" /dev/zero; else yes "$1 $part" | head -c "$((n * 32768))"; fi |
                dd of="$file" bs=64K seek="$at" conv=notrunc iflag=fullblock status=none
            truncate -s "$size" "$file"
        done' "$walk_seed-$n_step" "$list"
}

# What the next backup is made of is kept before anybody can die, and named after the backup if there is one.
keep_pending() { in_hub 'for file in /srv/src/web-*.raw; do cp --sparse=always "$file" "/srv/pending/${file##*-}"; done'; }
keep_as() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'for file in /srv/pending/*.raw; do cp --sparse=always "$file" "/srv/kept/$1-${file##*/}"; done' "$1"
    ids+=("$1")
}
forget() { # ID
    local id rest=()
    for id in "${ids[@]}"; do [ "$id" = "$1" ] || rest+=("$id"); done
    ids=("${rest[@]}")
    hub rm -f "/srv/kept/$1-2000.raw" "/srv/kept/$1-2001.raw"
}

# pick: one of the restore points in ID.
pick() {
    draw ${#ids[@]}
    ID=${ids[R]}
}

# begin COMMAND...: a command of sendensectl that begins a job; sets JOB, "" if it was refused, and ANSWER.
begin() {
    tell "sendensectl $*"
    ANSWER=$(hub sendensectl "$@" 2>&1)
    JOB=$(sed -nE 's/^job ([0-9]+)\..*/\1/p' <<<"$ANSWER")
    [ -n "$JOB" ]
}
# completes WHAT: the job that was begun.
completes() {
    local state
    state=$(wait_job)
    [ "$state" = completed ] && return
    bad "$1 is $state" "$ANSWER" "$(job_error)"
    false
}

begin_backup() { # TYPE
    local sources
    guest_writes
    keep_pending
    mapfile -t sources < <(uris web)
    begin backup start web "${sources[@]}" --type="$1"
}
backup_of() { begin_backup "$1" && completes "a backup" && keep_as "$(job .BackupId)"; }
step_full() { backup_of full; }
step_incremental() { backup_of incremental; }

step_delete() { # [ID]
    ID=${1:-}
    [ -n "$ID" ] || pick
    begin backup delete "$ID" && completes "a deletion of $ID" && forget "$ID"
}
# As a retention does it.
step_merge() { step_delete "${ids[0]}"; }

step_verify() {
    local options=()
    pick
    draw 3
    [ "$R" -ne 0 ] || options=(--no-chain)
    begin backup verify "$ID" "${options[@]}" && completes "a verification of $ID"
}

step_restore() {
    local format
    pick
    draw 3
    format=$(cut -d' ' -f$((R + 1)) <<<"raw qcow2 vmdk")
    begin restore disk "$ID" 2000 "/srv/out/disk.$format" --force && completes "a restore of $ID" || return
    hub qemu-img compare -q -f raw -F "$format" "/srv/kept/$ID-2000.raw" "/srv/out/disk.$format" || bad "what was restored of $ID is something else"
}

mounted_is() { # ID
    local key uri
    for key in 2000 2001; do
        uri=$(jq -r ".Disks[] | select(.Key == $key).Uri" <<<"$MOUNTED")
        hub qemu-img compare -q -f raw -F raw "/srv/kept/$1-$key.raw" "$uri" || bad "disk $key of $1, as it is mounted, is something else" "$uri"
    done
}
# Beside a mount a backup is made, nothing is deleted, and the hub may die.
step_mount() {
    local id mount
    pick
    id=$ID
    tell "backup mount $id"
    MOUNTED=$(hub sendensectl --json backup mount "$id" 2>"$TEST_TMP/err")
    mount=$(jq -r .Job <<<"$MOUNTED")
    [ -n "$mount" ] || { bad "$id cannot be mounted" "$(<"$TEST_TMP/err")" && return; }
    mounted_is "$id"
    draw 3
    case $R in
    0) ! begin backup delete "$id" || bad "a backup is deleted that is mounted" ;;
    1) crash_hub ;;
    2) step_incremental ;;
    esac
    mounted_is "$id"
    hub sendensectl backup umount "$mount" >/dev/null || bad "the mount of $id cannot be ended"
}

crash_hub() {
    tell "kill -9 of the hub"
    hub systemctl kill -s KILL sendense-hub.service
    eventually "$patience_sec" hub_answers || bad "the hub does not come back"
}
hub_answers() { [ "$(prop DatabaseState 2>/dev/null)" = 's "ready"' ]; }

# As a policy does it: what is not among the newest goes, the oldest first.
step_prune() {
    local keep n id
    draw 3
    keep=$((R + 2)) n=$((${#ids[@]} - R - 2))
    tell "policy prune, the last $keep stay"
    ANSWER=$(hub sendensectl policy set walk --vm=web --keep-last=$keep 2>&1 && hub sendensectl policy prune walk --wait 2>&1) ||
        { bad "it is not pruned" && return; }
    hub sendensectl policy remove walk >/dev/null || bad "the policy cannot be removed"
    for id in "${ids[@]}"; do
        [ "$n" -gt 0 ] || break
        forget "$id"
        n=$((n - 1))
    done
}

# crash_unit: one of those that work for the job, whichever comes first from here on.
crash_unit() {
    local unit
    # shellcheck disable=SC2016 # expanded in the machine
    unit=$(in_hub 'systemctl list-units --plain --no-legend --state=active,activating "sendense-*-$1.service" "sendense-*-$1-*.service" |
        cut -d" " -f1 | sed -n "$(($2 + 1))p"' "$JOB" "$1")
    tell "kill -9 of ${unit:-no unit}"
    [ -z "$unit" ] || hub systemctl kill -s KILL "$unit"
}

# Something is begun, and in the middle of it something dies. It may end either way; what it says is what must be.
step_crash() {
    local what id='' state moment
    draw 5
    what=$(cut -d' ' -f$((R + 1)) <<<"backup delete merge verify restore")
    pick
    id=$ID
    [ "$what" != merge ] || id=${ids[0]}
    case $what in
    backup) begin_backup incremental ;;
    delete | merge) begin backup delete "$id" ;;
    verify) begin backup verify "$id" ;;
    restore) begin restore disk "$id" 2001 /srv/out/crash.raw --force ;;
    esac || { bad "$what is refused" "$ANSWER" && return; }
    draw 900
    moment=$R
    tell "after $moment ms"
    read -rt "$(printf '0.%03d' "$moment")" <>"$TEST_TMP/never"
    draw 4
    if [ "$R" -eq 0 ]; then
        draw 2
        crash_unit "$R"
    else
        crash_hub
    fi
    state=$(wait_job)
    tell "job $JOB is $state"
    case $what:$state in
    backup:completed) keep_as "$(job .BackupId)" ;;
    delete:completed | merge:completed) forget "$id" ;;
    restore:completed)
        hub qemu-img compare -q -f raw -F raw "/srv/kept/$id-2001.raw" /srv/out/crash.raw || bad "what was restored of $id is something else"
        ;;
    *:completed | *:failed | *:cancelled) ;;
    *) bad "$what is $state" "$ANSWER" ;;
    esac
}

# The power of the machine and of the disk below the repository is cut, which loses what was not flushed. Takes walk_lossy.
step_cut() {
    local what id state moment
    draw 4
    what=$(cut -d' ' -f$((R + 1)) <<<"backup delete merge nothing")
    pick
    id=$ID
    [ "$what" != merge ] || id=${ids[0]}
    case $what in
    backup) begin_backup incremental ;;
    delete | merge) begin backup delete "$id" ;;
    nothing) tell "nothing is begun" ;;
    esac || { bad "$what is refused" "$ANSWER" && return; }
    draw 900
    moment=$R
    [ "$what" = nothing ] || read -rt "$(printf '0.%03d' "$moment")" <>"$TEST_TMP/never"
    tell "the power is cut after $moment ms"
    if ! { lossy power-cut /var/lib/lossy && lab crash hub && lossy_mount; }; then
        bad "the machine does not come back"
        return
    fi
    fault_sources_up
    hub systemctl start source@web-2000.socket source@web-2001.socket sendense-hub
    eventually "$patience_sec" hub_answers || bad "the hub does not come back"
    [ "$what" != nothing ] || return 0
    state=$(wait_job)
    tell "job $JOB is $state"
    case $what:$state in
    backup:completed) keep_as "$(job .BackupId)" ;;
    delete:completed | merge:completed) forget "$id" ;;
    *:failed | *:cancelled) ;;
    *) bad "$what is $state" "$ANSWER" ;;
    esac
}

# The catalog from the files alone.
step_lose() {
    local answer
    tell "the catalog is lost"
    hub systemctl stop sendense-hub
    hub mariadb -e 'DROP DATABASE sendense'
    hub systemctl restart sendense-migrate || bad "no new database"
    hub systemctl start sendense-hub
    eventually "$patience_sec" hub_answers || bad "the hub does not come back"
    answer=$(hub sendensectl repository scan 1 --json)
    [ "$(jq -c '[.Added, (.Problems | length), (.Strays | length)]' <<<"$answer")" = "[${#ids[@]},0,0]" ] || bad "the scan has another catalog" "$answer"
}

# all_read: every restore point, by qemu alone and from the files that the hub names.
all_read() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'bad=0
        for id in "${@:2}"; do
            for key in 2000 2001; do
                qemu-img compare -q -f raw -F qcow2 "/srv/kept/$id-$key.raw" "$1"/*/"$key/$id.qcow2" || { echo "$id, disk $key"; bad=1; }
            done
        done
        exit $bad' "$fault_repo" "$@"
}

# check: what holds after each step.
check() {
    local want said
    want=$(printf '%s\n' "${ids[@]}" | sort)
    said=$(hub sendensectl backup list --json | jq -r '.[].BackupId' | sort)
    [ "$said" = "$want" ] || bad "the hub lists other backups" "$(diff <(echo "$want") <(echo "$said"))"
    said=$(hub sendensectl backup list --json | jq -r '.[] | select(.Damaged).BackupId')
    [ -z "$said" ] || bad "the hub says that something is damaged" "$said"
    said=$(all_read "${ids[@]}") || bad "a restore point is not what it was" "$said"
    said=$(hub sendensectl repository scan 1 --json)
    [ "$(jq -c '[.Added, (.Problems | length), (.Strays | length)]' <<<"$said")" = "[0,0,0]" ] || bad "the repository is not in order" "$said"
}

# step KIND [ARGUMENT...]
step() {
    local failed=$tap_failed
    n_step=$((n_step + 1))
    kind=$*
    tell "$kind:"
    "step_$1" "${@:2}" || [ "$tap_failed" -gt "$failed" ] || bad "it cannot be done" "$ANSWER"
    check
    [ "$tap_failed" -eq "$failed" ]
}

# choose: a kind of step. A chain that is long is shortened, one that is short grows.
choose() {
    local weights='incremental 30 full 3 delete 10 merge 10 prune 7 verify 8 restore 8 mount 7 crash 13 lose 4' total=100 name weight
    [ -z "$walk_is_lossy" ] || weights='incremental 32 full 3 delete 8 merge 8 prune 7 verify 5 restore 4 mount 3 crash 8 lose 2 cut 20'
    [ ${#ids[@]} -lt $POINTS_MAX ] || weights='delete 35 merge 35 prune 10 verify 10 crash 10'
    [ ${#ids[@]} -gt 2 ] || weights='incremental 80 verify 10 restore 10'
    draw $total
    # shellcheck disable=SC2086 # words
    set -- $weights
    while name=$1 weight=$2 && [ "$R" -ge "$weight" ]; do
        R=$((R - weight))
        shift 2
    done
    CHOSEN=$name
}

# walk N: so many steps by chance; it ends with the first that fails.
walk() {
    local last=$((n_step + $1)) n_kinds=''
    while [ "$n_step" -lt "$last" ]; do
        choose
        n_kinds+="$CHOSEN "
        if ! step "$CHOSEN"; then
            diag "the journal of the hub:" "$(hub journalctl -b -q --no-pager -n 150)"
            return 1
        fi
        if [ $((n_step % 10)) -eq 0 ]; then
            diag "step $n_step: ${#ids[@]} restore points"
            nothing_left "${walk_is_lossy:+descriptors}" >"$TEST_TMP/left" || { bad "something is left" "$(<"$TEST_TMP/left")" && return 1; }
        fi
    done
    pass "$1 steps of seed $walk_seed: $(tr ' ' '\n' <<<"$n_kinds" | sed '/^$/d' | sort | uniq -c | awk '{ printf "%s%d %s", (NR > 1 ? ", " : ""), $1, $2 }')"
}
