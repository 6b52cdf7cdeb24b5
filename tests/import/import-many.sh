#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Eight disks, at most four at a time: nbdcopy is wrapped so that it waits until as many as may run do.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/import.bash"

size=$((4 * 1024 * 1024))
for key in 2000 2001 2002 2003 2004 2005 2006 2007; do
    head -c "$size" /dev/urandom >"$TEST_TMP/$key.raw"
    source_nbdkit "$key" file "$TEST_TMP/$key.raw"
    target_qcow2 "$key" "$size"
    disk "$key" "$size"
done
spec
mkfifo "$TEST_TMP/go"
exec 7<>"$TEST_TMP/go"
cat >"$TEST_TMP/held" <<SH
#!/bin/sh
echo begin >>"$TEST_TMP/log"
read -r _ <"$TEST_TMP/go"
echo end >>"$TEST_TMP/log"
exec nbdcopy "\$@"
SH
chmod +x "$TEST_TMP/held"
begun() { [ "$(grep -c begin "$TEST_TMP/log" 2>/dev/null)" -ge "$1" ]; }
most_children=0
import_begin "--nbdcopy=$TEST_TMP/held"
for n in 4 5 6 7 8; do
    ok "$n have begun" eventually 20 begun "$n"
    read -r -a running <<<"$(children)"
    [ "${#running[@]}" -le "$most_children" ] || most_children=${#running[@]}
    is "$(grep -c begin "$TEST_TMP/log")" "$n" "and no more"
    echo go >&7
done
printf 'go\ngo\ngo\n' >&7
import_end
is "$status" 0 "all are copied" || diag "$err"
is "$most_children" 4 "never more than four children"
is "$(jq -r '[.disks[].disk_key] | join(" ")' <<<"$result")" "2000 2001 2002 2003 2004 2005 2006 2007" "the result names them all"
servers_end
for key in 2000 2001 2002 2003 2004 2005 2006 2007; do
    ok "$key is the same" same "$key"
done

# One fails: the three beside it are ended and the four behind it never begin.
for key in 2000 2001 2002 2003 2004 2005 2006 2007; do
    source_nbdkit "$key" file "$TEST_TMP/$key.raw"
    target_nbd "$key" "$TEST_TMP/$key.qcow2"
done
import_disks=()
for key in 2000 2001 2002 2003 2004 2005 2006 2007; do
    disk "$key" "$size"
done
spec
cat >"$TEST_TMP/held" <<SH
#!/bin/sh
echo begin >>"$TEST_TMP/log2"
read -r _ <"$TEST_TMP/go"
echo "no luck" >&2
exit 1
SH
begun() { [ "$(grep -c begin "$TEST_TMP/log2" 2>/dev/null)" -ge "$1" ]; }
import_begin "--nbdcopy=$TEST_TMP/held"
ok "four have begun" eventually 20 begun 4
read -r -a running <<<"$(children)"
echo go >&7
import_end
failed "one of eight fails" CopyFailed '^disk 200[0-3]: copy failed: no luck$'
is "$(grep -c begin "$TEST_TMP/log2")" 4 "nothing began after it"
ok "no child is left" gone "${running[@]}"
done_testing
