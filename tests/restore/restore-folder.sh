#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Who may write the folder of a target may put another folder in the place of the partial one, the moment it is made. Nothing
# is written there, and no link in it is followed.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/restore.bash"

repository_make "$repo"
image health "$(spec_health "$repo")"
id=backup-web-1
require "a backup" layer $id '' 'write -P 1 0 9M'
export SENDENSE_FAULT_POINT_DIR=$TEST_TMP/faults
install -d -m 777 "$SENDENSE_FAULT_POINT_DIR"
chown $EXPORT_UID "$out_dir"
echo precious >"$TEST_TMP/victim"

# swapped FORMAT COMMAND...: the commands make another folder while the restore stands after its mkdir.
swapped() {
    local partial=$out_dir/.disk.$1.sendense-7.partial job pid
    rm -f "$out_dir"/disk.*
    SENDENSE_FAULT_POINT=restore.mkdir.after:stop image_now=$image_faulty restore "$(spec_restore $id 2000 "$(target_file "$out_dir/disk.$1" "$1")")" &
    job=$!
    eventually 60 test -d "$partial" || diag "no folder was made"
    pid=$(pgrep -f "^$image_faulty restore\$")
    eventually 60 grep -q '^State:.*T' "/proc/$pid/status" || diag "it does not stand"
    mv "$partial" "$out_dir/.aside"
    "${@:2}" "$partial"
    kill -CONT "$pid"
    wait "$job"
    rm -rf "$partial" "$out_dir/.aside"
}
theirs() { as_export mkdir -m 777 "$1"; }
theirs_with_link() { theirs "$1" && as_export ln -s "$TEST_TMP/victim" "$1/disk.$format"; }
ours_open() { mkdir -m 777 "$1" && chmod 777 "$1"; }

for format in raw qcow2 vmdk; do
    swapped $format theirs
    is "$(field '"\(.result) \(.error_name)"')" "failed com.sendense.Error.TargetFailed" "$format, another user's folder: refused" || diag "$(<"$TEST_TMP/out")"
    like "$(field .error_text)" "belongs to another user \\(uid $EXPORT_UID\\)" "the text names the owner"
    is "$(ls -A "$out_dir")" "" "nothing is left"
    swapped $format theirs_with_link
    is "$(field .result)" failed "$format, another user's folder with a link in it: refused"
    is "$(<"$TEST_TMP/victim")" precious "what the link leads to is as it was"
done
swapped raw ours_open
is "$(field .result) $(sum "$out_dir/disk.raw")" "ok $(sum "$kept/$id-2000")" "one that only is open to all is closed"

rm "$out_dir/disk.raw"

# Groups and modes are what they were.
chmod 2770 "$out_dir"
chgrp "$EXPORT_GID" "$out_dir"
for format in raw qcow2 vmdk; do
    restore "$(spec_restore $id 2000 "$(target_file "$out_dir/disk.$format" $format)")"
done
is "$(stat -c '%g %a' "$out_dir"/disk.* | sort -u)" "$EXPORT_GID 640" "a file is of the group of its folder, and nobody else may read it" || stat -c '%n %g %a' "$out_dir"/disk.*
done_testing
