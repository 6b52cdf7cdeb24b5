#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The sandboxes of the hub's units as they really hold: what a program in a unit of each kind can and cannot do,
# and what systemd-analyze security says of running ones.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/units-lab.bash"

units_up
images 2000 2001
hub install -o sendense -g sendense-export -m 440 /dev/null "$units_repo/sealed.qcow2"
homes=/home
hub install -d -m 777 "$homes/open"
secret=$homes/open/secret
hub install -m 644 /dev/stdin "$secret" <<<secret
hub systemd-run --quiet --unit=listener --service-type=exec socat TCP-LISTEN:10150,bind=127.0.0.1,fork,reuseaddr /dev/null
# shellcheck disable=SC2016 # expanded in the machine
ok "somebody listens on loopback" eventually "$patience_sec" in_hub '[ -n "$(ss -Hltn "sport = :10150")" ]'

own=$units_repo/2000.partial
# What everybody is kept from.
never="write:$units_repo/2001.partial write:$units_repo/new write:$units_repo/sealed.qcow2 write:/etc/passwd write:/run/sendense/x
    write:/usr/lib/sendense/x read:$units_files/look.in read:$secret read:/dev/mem read:/dev/fuse list:/proc/1/fd
    mknod_/tmp/x_c_1_1 unshare_-U_true unshare_-n_true chmod_u+s_/proc/self/exe busctl_call_none
    tcp:8.8.8.8/53 mount_-t_tmpfs_x_/tmp hostname_x date_-s_2020-01-01 list:/sys list:/proc/sys write:/proc/sysrq-trigger"

# looked OUT CAN... -- CANNOT...: what a worker has found out.
looked() {
    local name=$1 out=$2 word can=CAN
    for word in "${@:3}"; do
        if [ "$word" = -- ]; then
            can=CANNOT
        else
            like "$(grep -F " $word" <<<"$out")" "^$can " "$name ${can,,}: $word"
        fi
    done
}

# An export: a program in a unit with the same prefix and what the hub's call would carry.
# An empty file in the place of the command line, so that the program is not qemu-nbd.
hub install -D /dev/null /run/systemd/system/sendense-export-1-.service.d/20-serve.conf
hub systemctl daemon-reload
read -r -a kept_from <<<"${never//$'\n'/ }"
out=$(hub systemd-run --quiet --pipe --wait --unit=sendense-export-1-2000 -p "ReadWritePaths=-$own" -p StandardError=inherit \
    /usr/lib/sendense/sendense-image <<<"look
write:$own read:$units_repo/sealed.qcow2 write:/tmp/x tcp:127.0.0.1/10150 ${kept_from[*]}")
# systemd-run hands over both lines at once.
looked "an export" "$out" "write:$own" "read:$units_repo/sealed.qcow2" write:/tmp/x -- tcp:127.0.0.1/10150 "${kept_from[@]}"

# One that runs: its namespaces from outside.
say_export serve 7 2000 10100
expect '^shaken serve 2000: ok' "an export serves"
say "get sendense-export-7-2000.service"
expect '^got ' "and has a process"
pid=$(field pid)
is "$(hub nsenter -t "$pid" -n ls /sys/class/net 2>/dev/null | xargs; hub nsenter -t "$pid" -n ip -br link | awk '{ print $1 }')" \
    "$(hub ls /sys/class/net | xargs)"$'\n'lo "its network has loopback alone"
is "$(hub nsenter -t "$pid" -m findmnt -no OPTIONS -T "$own" | grep -oE '^r[ow]')" rw "its image is writable for it"
is "$(hub nsenter -t "$pid" -m findmnt -no OPTIONS -T "$units_repo/2001.partial" | grep -oE '^r[ow]')" ro "its neighbour is not"
status=$(hub cat "/proc/$pid/status")
like "$status" '^Seccomp:\s+2$' "its system calls are filtered"
like "$status" '^NoNewPrivs:\s+1$' "it can gain nothing by a setuid program"
like "$status" '^CapBnd:\s+0+$' "it has no capabilities, and cannot get any"
is "$(unit sendense-export-7-2000.service MemoryMax)" $((512 << 20)) "its memory is bounded"

# A copier.
io_files look "look"
io_files look "look
tcp:127.0.0.1/10150 write:/tmp/x write:$own write:$units_repo/sealed.qcow2 read:$units_repo/sealed.qcow2 ${kept_from[*]}"
say "copy 7 $units_files/look.in $units_files/look.out /usr/lib/sendense/sendense-image"
expect '^unit sendense-import-7.service active/exited ' "a copier has looked round"
looked "a copier" "$(hub cat "$units_files/look.out")" tcp:127.0.0.1/10150 write:/tmp/x -- \
    "write:$own" "read:$units_repo/sealed.qcow2" "${kept_from[@]}"

# Work on one image, and on the repository. The verb is the argument, the words are the input.
io_files one "write:$own write:/tmp/x tcp:127.0.0.1/10150 ${kept_from[*]}"
say "image 7 0 look-2000 look export $units_files/one.in $units_files/one.out 0 $own"
expect '^done image 0: ok' "work on one image has looked round"
looked "work on an image" "$(hub cat "$units_files/one.out")" "write:$own" write:/tmp/x -- tcp:127.0.0.1/10150 "${kept_from[@]}"
io_files all "write:$units_repo/new2 tcp:127.0.0.1/10150 write:/etc/passwd write:/usr/lib/sendense/x read:$secret unshare_-U_true"
say "image 7 0 commit look hub $units_files/all.in $units_files/all.out 0 $units_repo"
expect '^done image 0: ok' "work on the repository has looked round"
looked "work on the repository" "$(hub cat "$units_files/all.out")" "write:$units_repo/new2" -- tcp:127.0.0.1/10150 \
    write:/etc/passwd write:/usr/lib/sendense/x "read:$secret" unshare_-U_true
io_files health "write:$units_repo/new3 tcp:127.0.0.1/10150"
say "image 0 1 health look hub $units_files/health.in $units_files/health.out 0"
expect '^done image 1: ok' "a look at the repository has looked round"
looked "a look at the repository" "$(hub cat "$units_files/health.out")" -- "write:$units_repo/new3" tcp:127.0.0.1/10150

# What systemd says of them all, as they are loaded.
for name in sendense-export-7-2000 sendense-import-7 sendense-image-7-look-2000 sendense-image-7-commit sendense-repository-1-health; do
    exposure=$(hub systemd-analyze security --no-pager "$name.service" | tail -n 1)
    diag "$name: ${exposure#*: }"
    ok "$name is at most 2.5" hub systemd-analyze security --no-pager --threshold=25 "$name.service"
done
# A reload must not open them: systemd 252 forgets some of what a call carries.
# systemd may still be busy with the reload when it is asked.
sandbox() { hub systemctl show -p RestrictNamespaces,SystemCallFilter,RestrictAddressFamilies,ReadWritePaths,User sendense-export-7-2000.service; }
before=$(sandbox)
hub systemctl daemon-reload
is "$(sandbox || sandbox)" \
    "$before" "a daemon-reload changes nothing of a sandbox"

for name in sendense-import-7 sendense-image-7-look-2000 sendense-image-7-commit sendense-repository-1-health; do
    say "stop $name.service"
    expect "^done stop $name.service: ok" "$name is stopped"
done
stop_all 7 2000
hub systemctl stop listener
nothing_left "nothing is left"
probe_end

done_testing
