#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Progress of a copy as units see it: the hub's socket, in the sandbox of the hub's own unit, takes what the
# copier of a job's unit tells it, and drops what others do, root included. And the copier's unit shows how
# far it is, ends whole by SIGTERM, and leaves nothing.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

HUB_MACHINE_ENABLE=no hub_lab_up
peer=$SENDENSE_BUILD/tests/lab/progress-peer
[ -x "$peer" ] || skip_all "no build in $SENDENSE_BUILD"
told=/run/progress-peer.out
sock=/run/sendense/progress.sock
lab copy-in hub "$peer" /usr/lib/sendense/progress-peer

# The hub's unit as it is, but for what makes it the hub.
in_hub '
    sed -e "s,^ExecStart=.*,ExecStart=/usr/lib/sendense/progress-peer $1," -e "s,^Type=.*,Type=exec," \
        -e "/^\(BusName\|NotifyAccess\|WatchdogSec\|Alias\|WantedBy\|Restart\)/d" \
        -e "s,^User=.*,&\nStandardOutput=append:$2," \
        /lib/systemd/system/sendense-hub.service >/run/systemd/system/progress-peer.service
    systemctl daemon-reload && systemctl start progress-peer' "$sock" "$told"
require "the socket is there" eventually "$patience_sec" hub test -S "$sock"
is "$(unit progress-peer ProtectProc)" invisible "in the hub's sandbox"

# A disk to copy: a slow source and a target that says who it is.
id=0123456789abcdef0123456789abcdef
in_hub '
    truncate -s 64M /run/source.raw && head -c 8M /dev/urandom | dd of=/run/source.raw conv=notrunc status=none
    qemu-img create -q -f qcow2 /run/target.qcow2 64M && chmod 666 /run/source.raw /run/target.qcow2
    systemd-run -q --unit=source nbdkit -f -U /run/source.sock --filter=noextents --filter=rate file /run/source.raw \
        rate=300M burstiness=0.1 rate-file=/run/rate
    systemd-run -q --unit=target qemu-nbd -t --shared=10 -x disk -D "$1" -f qcow2 -b 127.0.0.1 -p 10100 /run/target.qcow2
    jq -n --arg id "$1" --arg sock "$2" "{job: 7, progress: \$sock, disks: [{disk_key: 2000, capacity_bytes: 67108864,
        source: \"nbd+unix:///?socket=/run/source.sock\", target: \"nbd://127.0.0.1:10100/disk\", invocation_id: \$id}]}" >/run/spec.json' \
    "$id" "$sock"
ok "a source" eventually "$patience_sec" hub chmod 666 /run/source.sock
ok "a target" eventually "$patience_sec" hub nbdinfo --size nbd://127.0.0.1:10100/disk

# copy UNIT SLICE: the copier as the hub will start it.
copy() {
    hub systemd-run -q --unit="$1" --slice="$2" --uid=nobody -p Type=notify -p NotifyAccess=main \
        -p RemainAfterExit=yes -p KillMode=mixed -p StandardInput=file:/run/spec.json \
        -p "StandardOutput=truncate:/run/$1.out" -p StandardError=journal /usr/lib/sendense/sendense-import
}
told() { hub grep -Eq -e "$1" "$told"; }
ended() { [ "$(unit "$1" SubState)" = exited ]; }

ok "a copy starts" copy sendense-import-7.service sendense-jobs-7.slice
ok "it says how far it is" eventually "$patience_sec" told '^taken 7 2000 [1-9][0-9]* 67108864$'
like "$(unit sendense-import-7 StatusText)" '^[0-9]+ of 64 MiB; disks: 0 waiting, [01] copying, [01] comparing, [01] done$' \
    "for people as well"
ok "and ends" eventually "$patience_sec" ended sendense-import-7.service
is "$(hub cat /run/sendense-import-7.service.out)" '{"result":"ok","disks":[{"disk_key":2000,"bytes":67108864}]}' "with its result"
# The last word of all may come when its sender has ended, and then nobody knows whose it was.
ok "nothing else of it was dropped" test "$(hub grep -c '^foreign' "$told")" -le 1
ok "the image is the source" hub qemu-img compare -q -U -f raw -F qcow2 /run/source.raw /run/target.qcow2
hub systemctl stop sendense-import-7.service

# Strangers: another job's unit, another unit of the slice, no unit at all.
taken=$(hub grep -c '^taken' "$told")
copy sendense-import-8.service sendense-jobs-8.slice
ok "a copy whose progress nobody believes ends all the same" eventually "$patience_sec" ended sendense-import-8.service
ok "a copy that speaks of another job is dropped" eventually "$patience_sec" told '^foreign'
is "$(hub grep -c '^taken' "$told")" "$taken" "and not believed"
hub systemctl stop sendense-import-8.service
taken=$(hub grep -c '^taken' "$told")
foreign=$(hub grep -c '^foreign' "$told")
datagram='{"job":7,"disk_key":2000,"bytes_done":1,"bytes_total":2}'
hub sh -c 'echo 40M >/run/rate' # it is to be stopped in the middle
copy sendense-import-7.service sendense-jobs-7.slice
in_hub 'printf %s "$1" | socat - "UNIX-SENDTO:$2"' "$datagram" "$sock"
dropped() { [ "$(hub grep -c '^foreign' "$told")" -gt "$foreign" ]; }
ok "root is a stranger too" eventually "$patience_sec" dropped
unlike "$(hub cat "$told")" '^taken 7 2000 1 2$' "and not believed"
ok "while the copy is" eventually "$patience_sec" in_hub '[ "$(grep -c ^taken "$1")" -gt "$2" ]' "$told" "$taken"

# SIGTERM by systemd.
hub systemctl stop sendense-import-7.service
is "$(hub jq -r .error_name /run/sendense-import-7.service.out)" com.sendense.Error.Cancelled "a stopped unit says that it was cancelled"
for program in nbdcopy sendense-import; do
    is "$(hub pgrep -xc "$program")" 0 "and no $program is left"
done
done_testing
