# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For tests of jobs on a booted machine: source it after tap.sh, call fault_up, then `vm NAME MIB...` makes a VM whose
# disks are NBD servers in the machine, `start NAME` a backup of it, and `unharmed` is the check after every fault:
# nothing is left, and every finished backup of before reads back as what it was made of.

# shellcheck source=tests/lab/hub-lab.bash
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

# The folder that every hub has; for the tests.
# shellcheck disable=SC2034
fault_repo=/var/lib/sendense/repository
declare -A fault_keys=() # the disks of each VM

# fault_up [SETTINGS]: boots a hub that takes sources, with more settings of its own, a line each.
fault_up() {
    command -v nbdkit >/dev/null || skip_all "nbdkit is missing (package nbdkit)"
    command -v qemu-nbd >/dev/null || skip_all "qemu-nbd is missing (package qemu-utils)"
    hub_lab_up
    fault_sources_up
    require "its settings are written" hub install -D -m 644 /dev/stdin /etc/sendense/hub.conf.d/50-fault.conf <<'X'
[Backup]
AllowSources=yes
[Repositories]
MinFree=1M
X
    settings "${1:-}"
    require "nothing is left after the boot" nothing_left_without descriptors
    fault_baseline
}

# settings LINES: what this test wants of hub.conf beside what all do; the hub is started anew.
settings() {
    hub install -D -m 644 /dev/stdin /etc/sendense/hub.conf.d/60-test.conf <<<"$1"
    require "the hub takes its settings" hub systemctl restart sendense-hub
    hub_ready
}

# One NBD server for each disk, started by its first client. It obeys the file beside its image that says how many bits
# a second it gives; 0 is as many as it can. One thread for each connection: many would share the bits among all that is asked
# for, so that nothing would be given for a long time, and hold all of that back when they may give again. And a socket on which it
# is told to hold back whatever it is asked for from then on.
fault_sources_up() {
    require "a socket for sources" hub install -D -m 644 /dev/stdin /run/systemd/system/source@.socket <<'X'
[Socket]
ListenStream=/run/src/%i.sock
SocketMode=0666
X
    require "and its server" hub install -D -m 644 /dev/stdin /run/systemd/system/source@.service <<'X'
[Service]
ExecStartPre=rm -f /run/src/%i.hold
ExecStart=nbdkit --foreground --readonly --threads=1 --filter=pause --filter=rate file /srv/src/%i.raw \
    rate-file=/srv/src/%i.rate burstiness=0.1 pause-control=/run/src/%i.hold
TimeoutStopSec=1s
X
    require "and its folders" hub install -d /srv/src /srv/kept /run/src
    require "the servers of the sources are known" hub systemctl daemon-reload
}

# fault_baseline: what the hub has open from now on is what it may have.
fault_baseline() {
    require "a baseline" "$SENDENSE_SRC/tests/lib/nothing-left" --machine hub --without vcenter \
        --baseline "$TEST_TMP/before"
}

nothing_left_without() {
    "$SENDENSE_SRC/tests/lib/nothing-left" --machine hub --without "vcenter,$1" --within "$patience_sec"
}
# nothing_left [KINDS]: looks for all but these.
nothing_left() {
    "$SENDENSE_SRC/tests/lib/nothing-left" --machine hub --without "vcenter,${1:-}" --since "$TEST_TMP/before" --within "$patience_sec"
}

# uuid_of NAME: the instance uuid of a VM of that name.
uuid_of() { md5sum <<<"$1" | sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/\1-\2-\3-\4-\5/'; }

# disk VM KEY MIB [RANDOM-MIB]: an image that begins with random data, three quarters of it or so much, and its server.
disk() {
    # shellcheck disable=SC2016 # expanded in the machine
    require "a source of disk $2 of $1" in_hub '
        truncate -s "$2M" "/srv/src/$1.raw" && echo 0 >"/srv/src/$1.rate" &&
        head -c "$3M" /dev/urandom | dd of="/srv/src/$1.raw" conv=notrunc status=none &&
        systemctl start "source@$1.socket"' "$1-$2" "$3" "${4:-$(($3 * 3 / 4))}"
}

# vm NAME MIB[:RANDOM-MIB]...: a VM with these disks, which all say that they are unit 0, each on its controller.
vm() {
    local name=$1 key=2000 mib list='' describe=''
    shift
    for mib in "$@"; do
        case $mib in
        *:*) disk "$name" "$key" "${mib%:*}" "${mib#*:}" ;;
        *) disk "$name" "$key" "$mib" ;;
        esac
        mib=${mib%:*}
        list+="$key "
        describe+="{\"key\":$key,\"unit_number\":0,\"controller\":\"pvscsi:$((key - 1000))\","
        describe+="\"capacity_bytes\":$((mib << 20)),\"backing_uuid\":\"$(uuid_of "$name-$key")\"},"
        key=$((key + 1))
    done
    fault_keys[$name]=$list
    vm_set "$name" "${describe%,}"
}

# vm_set NAME DISKS: tells the hub of it.
vm_set() {
    require "the hub learns the VM $1" hub sendensectl vm set - <<<"{\"instance_uuid\":\"$(uuid_of "$1")\",\"name\":\"$1\",
        \"path\":\"/DC/vm/$1\",\"disks\":[$2]}"
}

# uris VM: the options of a backup that name its sources, one a line.
uris() {
    local key
    for key in ${fault_keys[$1]}; do
        echo "--source=$key=nbd+unix:///?socket=/run/src/$1-$key.sock"
    done
}

# start VM [OPTION...]: starts a backup and sets JOB, or to "" and ANSWER to what was said.
start() {
    local sources
    mapfile -t sources < <(uris "$1")
    ANSWER=$(hub sendensectl backup start "$1" "${sources[@]}" "${@:2}" 2>&1)
    JOB=$(sed -nE 's/^job ([0-9]+)\..*/\1/p' <<<"$ANSWER")
    [ -n "$JOB" ]
}

# wait_job [ID]: follows a job to its end; prints its state. A watching that ends before its job is told, and begun anew.
wait_job() {
    local id=${1:-$JOB} end=$((${EPOCHREALTIME%[.,]*} + patience_sec)) said status state
    [ -n "$id" ] || {
        echo "never started: $ANSWER"
        return
    }
    while :; do
        said=$(hub timeout "$patience_sec" sendensectl job watch "$id" 2>&1)
        status=$?
        state=$(job_state "$id")
        [[ ! $state =~ ^(completed|failed|cancelled)$ && ${EPOCHREALTIME%[.,]*} -lt $end ]] || break
        diag "job $id is $state, and the watching ended with status $status:" "$said" >&2
    done
    echo "$state"
}

# wait_state STATE [ID]: until the job has come so far.
wait_state() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'end=$((${EPOCHREALTIME%[.,]*} + $4))
        until [ "$(busctl get-property "$1" "$2" "$1.Job" State 2>&1)" = "s \"$3\"" ]; do
            [ "${EPOCHREALTIME%[.,]*}" -lt "$end" ] || exit 1
            sleep 0.02
        done' "$HUB_NAME" "$HUB_PATH/job/${2:-$JOB}" "$1" "$patience_sec"
}

# job FILTER [ID]: what jq says of a job.
job() { hub sendensectl job show "${2:-$JOB}" --json | jq -r "$1"; }
job_state() { job .State "$@"; }
# job_error [ID]: name and text of what it ended by.
job_error() { job '"\(.ErrorName | ltrimstr("com.sendense.Error.")): \(.ErrorText)"' "$@"; }

# rate VM BITS: how fast the sources of a VM give from now on, each; 0 is as fast as they can. What they hold back
# already comes when it would have come.
rate() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'for file in /srv/src/"$1"-*.rate; do
            printf "%s" "${2:-0}" >"$file.new" && mv "$file.new" "$file"
        done' "$1" "$2"
}

# hold VM, release VM: its sources greet whoever comes and give nothing; they give again. So a copy that began stays where it is.
hold() { tell_sources "$1" p; }
release() { tell_sources "$1" r; }

# tell_sources VM COMMAND: says it to the server of each disk, which answers when it has obeyed.
tell_sources() {
    local key
    for key in ${fault_keys[$1]}; do
        # shellcheck disable=SC2016 # expanded in the machine
        require "the source of disk $key of $1 obeys" in_hub 'systemctl start "source@$1.service" &&
            printf "$2" | socat -t "$3" - "UNIX-CONNECT:/run/src/$1.hold,retry=$(($3 * 20)),interval=0.05" |
            head -c 1 | grep -qx "${2^^}"' "$1-$key" "$2" "$patience_sec"
    done
}

# freeze_sources VM, thaw_sources VM: its sources answer nobody, not even with a greeting; they answer again. A copy that
# begins while they are frozen gives up after 10 s.
freeze_sources() {
    local key
    for key in ${fault_keys[$1]}; do
        # shellcheck disable=SC2016 # expanded in the machine
        in_hub 'systemctl start "$1" && systemctl kill -s STOP "$1"' "source@$1-$key.service"
    done
}
thaw_sources() {
    local key
    for key in ${fault_keys[$1]}; do
        hub systemctl kill -s CONT "source@$1-$key.service"
    done
}

# change VM: its guest writes a little on each disk.
change() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'for file in /srv/src/"$1"-*.raw; do
            head -c 64K /dev/urandom | dd of="$file" bs=64K seek=$((RANDOM % 16)) conv=notrunc status=none
        done' "$1"
}

# backup VM [OPTION...]: a backup that must complete; what it was made of is kept for backups_intact.
backup() {
    start "$@" || fail "a backup of $* starts" "$ANSWER"
    finish_backup "$@"
}

# finish_backup VM: the end of one that was started.
finish_backup() {
    is "$(wait_job)" completed "a backup of $* completes" || diag "$(job_error)"
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'for file in /srv/src/"$1"-*.raw; do
            cp --sparse=always "$file" "/srv/kept/$2-${file##*-}"
        done' "$1" "$(job .BackupId)"
}

# backups_intact: every layer of every finished backup is, through its chain, what it was made of. Says which is not.
backups_intact() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub '
        bad=0 n=0
        while IFS=$'\''\t'\'' read -r backup key repository file; do
            n=$((n + 1))
            kept=/srv/kept/$backup-$key.raw
            [ -e "$kept" ] || { echo "nobody kept what $backup was made of: $kept"; bad=1; continue; }
            qemu-img compare -q -f raw -F qcow2 "$kept" "$repository/$file" || {
                echo "disk $key of $backup is not what it was: $repository/$file"
                bad=1
            }
        done < <(mariadb --skip-column-names --batch sendense -e "
            SELECT j.backup_id, d.disk_key, r.path, d.file_path
            FROM backup_jobs j JOIN backup_disks d ON d.job_id = j.id
                JOIN backup_repositories r ON r.id = j.repository_id
            WHERE j.state = '\''completed'\'' AND d.state = '\''completed'\'' AND j.deleted_usec IS NULL")
        [ "$n" -gt 0 ] || { echo "there is no finished backup"; bad=1; }
        exit "$bad"'
}

# unharmed AFTER [KINDS]: the checks after every fault; these kinds of leftovers are the test's own.
unharmed() {
    ok "after $1 nothing is left" nothing_left "${2:-}"
    ok "after $1 the finished backups are what they were" backups_intact
}

# failed NAME REGEX: the job has failed with that error, in words that match.
failed() {
    is "$(wait_job)" failed "$1: the job fails" || diag "$(job_error)"
    like "$(job_error)" "$2" "$1: its error names the thing and the remedy"
    diag "$(job_error)"
}
