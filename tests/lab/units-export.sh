#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Exports as units: ready by a handshake that shows size and instance, a missing image and a taken port told at
# once, ten at a time, and nothing left after a stop.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/units-lab.bash"

units_up
images 2000 2001

# One.
say_export serve 7 2000 10100
expect '^shaken serve 2000: ' "a handshake answers"
like "$REPLY" ': ok 67108864 [0-9a-f]{32} ' "with the size of the image and an instance"
id=$(grep -oP ' \K[0-9a-f]{32}(?= )' <<<"$REPLY")
msec=$(grep -oP '\(\K[0-9]+(?= ms)' <<<"$REPLY")
diag "from the request to the handshake of 1 export: $msec ms"
say "get sendense-export-7-2000.service"
expect '^got ' "the unit is there"
is "$(field id)" "$id" "the instance is the unit's InvocationID"
like "$REPLY" ' active/running result=success ' "it runs"
pid=$(field pid)
is "$(hub readlink "/proc/$pid/exe")" "$(command -v qemu-nbd | xargs readlink -f)" "its process is qemu-nbd"
like "$(hub cat "/proc/$pid/cmdline" | tr '\0' ' ')" " $units_repo/2000.partial \$" "of that image"
is "$(hub ps -o user= -p "$pid")" sendense-export "as its own user"
is "$(unit sendense-export-7-2000.service Slice)" sendense-jobs-7.slice "in the slice of the job"
is "$(hub ss -Hltn 'sport = :10100' | awk '{ print $4 }')" 127.0.0.1:10100 "it listens on loopback alone"
is "$(hub nbdinfo --size nbd://127.0.0.1:10100/export-7-2000)" 67108864 "another client sees the size"
say "list"
expect '^list ' "a list"
is "$REPLY" "list ok sendense-export-7-2000.service sendense-export-7-2000.socket sendense-jobs-7.slice ." "of what there is"
say_export export 7 2000 10109
expect '^done export 2000: EEXIST ' "the same export again is refused"

# Data arrive in the image, and a stop closes it.
ok "a client writes" hub qemu-io -f raw -c "write -P 120 0 64k" -c flush nbd://127.0.0.1:10100/export-7-2000
say "stop sendense-jobs-7.slice"
expect '^done stop sendense-jobs-7.slice: ok' "stopping the slice of the job stops it all"
expect '^unit sendense-export-7-2000.service gone' "and it is told"
nothing_left "nothing is left"
is "$(hub qemu-img map --output=json "$units_repo/2000.partial" | jq '.[0].length')" 65536 "the data are in the image"
ok "which is sound and unlocked" hub qemu-img check -q "$units_repo/2000.partial"

# A target stops it too, whether it is active or not.
say_export serve 7 2000 10100
expect '^shaken serve 2000: ok' "the same again"
say "stop sendense-job@7.target"
expect '^unit sendense-export-7-2000.socket (inactive|gone)' "the target of the job stops it"
stop_all 7 2000

# A name that systemd or a shell would change, also when systemd reads its units again.
odd=$units_repo/'%n$HOME`x;#=.partial'
images 2000
hub mv "$units_repo/2000.partial" "$odd"
say "serve 7 2000 10100 %n\$HOME $odd $units_files/2000.err"
expect '^shaken serve 2000: ok' "an image and an export with odd names serve"
hub systemctl daemon-reload
hub systemctl kill -s KILL sendense-export-7-2000.service
expect '^unit sendense-export-7-2000.service active/running .* restarts=1$' "also after a reload and a restart"
say "shake 10100 %n\$HOME 10000"
expect '^shaken shake .*: ok 67108864 ' "under the same name"
is "$(grep -oP ' \K[0-9a-f]{32}(?= )' <<<"$REPLY")" "$(unit sendense-export-7-2000.service InvocationID)" "with its instance as the description"
ok "and can be written" hub qemu-io -f raw -c "write -P 120 0 64k" -c flush 'nbd://127.0.0.1:10100/%25n$HOME'
stop_all 7 2000

# The image is missing.
hub rm "$units_repo/2001.partial"
begin=${EPOCHREALTIME/[.,]/}
say_export export 7 2001 10101
expect '^unit sendense-export-7-2001.service failed/failed result=exit-code pid=0 status=1 ' "a missing image is told as the end of the service"
diag "a missing image is told within $(((${EPOCHREALTIME/[.,]/} - begin) / 1000)) ms, promised 1000 ms"
is "$(said '^unit sendense-export-7-2001.service activating/auto-restart' | wc -l)" 0 "it is not tried again"
like "$(hub cat "$units_files/2001.err")" "2001.partial.*No such file" "its error file says why"
say "shake 10101 export-7-2001 10000"
expect '^shaken shake export-7-2001: (ECONNRESET|ECONNREFUSED|EPROTO) ' "and a handshake fails, not by time"
diag "$REPLY"
stop_all 7 2001
nothing_left "nothing is left of an export that failed"

# The port is somebody else's.
images 2001
hub systemd-run --quiet --unit=stranger --service-type=exec socat TCP-LISTEN:10102,bind=127.0.0.1,fork /dev/null
# shellcheck disable=SC2016 # expanded in the machine
ok "a stranger listens" eventually "$patience_sec" in_hub '[ -n "$(ss -Hltn "sport = :10102")" ]'
say_export export 8 2001 10102
expect '^done export 2001: EADDRINUSE 127.0.0.1:10102 cannot be bound' "a taken port is told as such"
diag "$REPLY"
stop_all 8 2001
hub systemctl stop stranger
nothing_left "nothing is left of it"

# Ten at once.
keys=(3000 3001 3002 3003 3004 3005 3006 3007 3008 3009)
images "${keys[@]}"
units_now
begin=$units_mark
for key in "${keys[@]}"; do
    say_export serve 9 "$key" $((10110 + key - 3000))
done
units_mark=$begin
for key in "${keys[@]}"; do
    expect "^shaken serve $key: ok 67108864 " "export $key of ten serves"
done
units_mark=$begin
diag "from the request to the handshake of 10 exports: $(said '^shaken serve 30' | grep -oP '\(\K[0-9]+(?= ms)' | sort -n | tail -n 1) ms"
is "$(said '^shaken serve 30' | grep -oP ' \K[0-9a-f]{32}(?= )' | sort -u | wc -l)" 10 "each is an instance of its own"
probe_end
is "$(tail -n 1 "$units_log")" freed "the room can be freed with all of them up"

# A new hub finds them.
probe_start
say "list"
expect '^list ' "a new hub lists them"
is "$(grep -o 'sendense-export-9-[0-9]*\.service' <<<"$REPLY" | wc -l)" 10 "all ten"
say "get sendense-export-9-3000.service"
expect '^got .* active/running ' "one of them as it is"
say "shake 10110 export-9-3000 5000"
expect '^shaken .*: ok 67108864 ' "it still serves"
units_now
begin=$units_mark
for key in "${keys[@]}"; do
    say "stop sendense-export-9-$key.socket"
done
units_mark=$begin
for key in "${keys[@]}"; do
    expect "^done stop sendense-export-9-$key.socket: ok" "export $key is stopped"
done
stop_all 9
nothing_left "nothing is left of ten"
say "stop sendense-export-9-3000.socket"
expect '^done stop .*: ok' "stopping what is not there is done"
say "get sendense-export-9-3000.socket"
expect '^got sendense-export-9-3000.socket gone' "and it is gone"
probe_end

done_testing
