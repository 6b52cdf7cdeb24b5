#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Disks on NVMe, SATA and SCSI, one with an end that fits no block; an increment in which nothing changed, one in which
# everything did; targets that are swapped. More shapes are in the suite proof-long.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/proof/proof.bash"
. "$SENDENSE_SRC/tests/proof/shapes.bash"

proof_machine
vcenter_up -empty

odd=$(((12 << 20) + 3 * 512))
vm_add name=web01 disks="24M:fill=8M,16M:nvme:fill=4M,$odd:sata:fill=2M"
is "${keys[*]}" '2000 16000 32000' "NVMe, SATA and SCSI"
good full "three disks on three buses"
head -c 512 /dev/urandom | simctl disk write vm="$vm" key=16000 offset=$((odd - 512)) >/dev/null
head -c 1536 /dev/urandom | simctl disk write vm="$vm" key=16000 offset=512 >/dev/null
head -c $((390 * 512)) /dev/zero | simctl disk write vm="$vm" key=32000 offset=1024 >/dev/null
good incremental "an increment of them, to the last sector"
is "$(of_copy '[.disks[].backup_type] | unique')" '["incremental"]' "all by their changes"

is_quiet=yes
good incremental "what was written since"
good incremental "nothing has changed"
is "$(of_copy '[.disks[] | .backup_type, .areas, .bytes_read, .bytes_sent, .bytes_zeroed] | unique')" '[0,"incremental"]' \
    "nothing was read, nothing sent, and it says so"

# A snapshot that is held, and a backup that is given up: the one after it begins where the last good one was.
ask incremental
is_copied
job=$((job + 1))
like "$(api POST backup/start "$(request incremental ".disks = $known")")" '^409 .*is at work on this VM' \
    "as long as its snapshot is held, no other backup of it begins"
job=$((job - 1))
is "$(simctl snapshots | jq length)" 1 "there is one snapshot"
release abandoned >/dev/null
ok "it is given up" eventually "$patience_sec" state_is released
images_close
images_drop
clean "one that was given up"

# Swapped targets: nothing is written to either, and the machine is as it was.
job=$((job + 1))
images_new incremental knowing
before=$(sha256sum "${image_of[@]}")
swapped=$(jq -c '{"2000": .["32000"], "32000": .["2000"], "16000": .["16000"]}' <<<"$targets")
answer=$(api POST backup/start "$(request incremental ".disks = $known | .nbd_targets = $swapped")")
ok "swapped targets: it fails" eventually "$patience_sec" state_is failed || diag "$answer" "$(task .)"
is "$(task .error_name)" com.sendense.Error.TargetFailed "swapped targets: TargetFailed"
like "$(task .error)" 'are they swapped\?; nothing was' "swapped targets: and says so"
images_close
is "$(sha256sum "${image_of[@]}")" "$before" "swapped targets: no byte was written"
images_drop
clean "swapped targets"
good incremental "the next one after it"

for key in "${keys[@]}"; do head -c "${capacity_of[$key]}" /dev/urandom | simctl disk write vm="$vm" key="$key" offset=0 >/dev/null; done
good incremental "everything has changed"
is "$(of_copy '.disks[] | "\(.disk_key) \(.backup_type) \(.bytes_sent)"' | tr -d '"' | sort -n)" \
    "$(for key in "${keys[@]}"; do echo "$key incremental ${capacity_of[$key]}"; done)" \
    "all of it was sent" || diag "$(of_copy '[.disks[] | del(.digest)]')"
is "$(wrong_points)" '' "and every restore point still is what it was"
done_testing
