#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Wherever a restore is refused its undo finds nothing to do, and says so; what is not its own it leaves. Only when it cannot
# look does it fail.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/restore.bash"

repository_make "$repo"
image health "$(spec_health "$repo")"
id=backup-web-1
require "a backup" layer $id '' 'write -P 1 0 9M'

undo_is() { # NAME SPEC
    verb=restore-undo restore "$2"
    is "$rc $(field .outcome)" "0 nothing" "$1: undo finds nothing"
}
refused() { # NAME ERROR TEXT TARGET
    refuses "$1" "$2" "$3" "$(spec_restore $id 2000 "$4")"
    undo_is "$1" "$(spec_restore $id 2000 "$4")"
}
partial=$out_dir/.disk.raw.sendense-7.partial

refused "a folder that is missing" TargetFailed 'make the folder first' "$(target_file "$out_dir/no/disk.raw")"
touch "$out_dir/file"
refused "a folder that is a file" TargetFailed 'Not a directory' "$(target_file "$out_dir/file/disk.raw")"
ln -s loop "$out_dir/loop"
refused "a folder that is a loop of links" TargetFailed 'symbolic links' "$(target_file "$out_dir/loop/disk.raw")"
refused "a name that is too long" InvalidArgument '1 to 200 bytes' "$(target_file "$out_dir/$(printf 'n%.0s' {1..201})")"
refused "a file that is there" Exists 'is there already' "$(target_file "$out_dir/file")"
refused "a path with .." InvalidArgument 'absolute path' "$(target_file "$out_dir/../x")"
refused "a kind that is none" InvalidArgument 'file, device or nbd' '{"kind": "tape", "path": "/dev/st0"}'
refused "a URI that is none" InvalidArgument 'must be nbd' "$(target_nbd http://x/)"
touch "$partial"
refused "a file where its folder should be" TargetFailed 'File exists' "$(target_file "$out_dir/disk.raw")"
rm "$partial"
mkdir "$TEST_TMP/victim"
echo mine >"$TEST_TMP/victim/disk.raw"
ln -s "$TEST_TMP/victim" "$partial"
refused "a link where its folder should be" TargetFailed 'File exists' "$(target_file "$out_dir/disk.raw")"
is "$(<"$TEST_TMP/victim/disk.raw")" mine "what it leads to is as it was"
rm "$partial"
install -d -o $EXPORT_UID -m 755 "$partial"
touch "$partial/something"
refused "somebody else's folder" TargetFailed 'File exists|not empty' "$(target_file "$out_dir/disk.raw")"
ok "it is as it was" test -e "$partial/something"
rm -r "$partial"

# What it cannot see it does not call nothing.
cat >"$TEST_TMP/traced" <<X
#!/bin/sh
exec strace -o /dev/null -P "$out_dir/" -e trace=openat -e inject=openat:error=EIO "$image_program" "\$@"
X
chmod 755 "$TEST_TMP/traced"
mkdir "$partial"
image_now=$TEST_TMP/traced verb=restore-undo refuses "a folder that cannot be read now" TargetFailed 'Input/output error' "$(spec_restore $id 2000 "$(target_file "$out_dir/disk.raw")")"
verb=restore-undo restore "$(spec_restore $id 2000 "$(target_file "$out_dir/disk.raw")")"
is "$rc $(field .outcome) $(partials "$out_dir")" "0 removed 0" "later it is removed"
done_testing
