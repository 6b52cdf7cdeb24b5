#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is damaged is never restored unseen: a byte in any layer, a layer that is cut off, missing, swapped or of another
# disk, a manifest that lies. And a restore that is killed at any of its steps, or has no room, leaves a whole file or none.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/restore.bash"

chain_make
folder=$(folder_of "$repo" 2000)
cp -a "$repo" "$fast/good"
again() { rm -rf "$repo" && cp -a "$fast/good" "$repo"; }
file=$out_dir/disk.raw
spec=$(spec_restore "${b[4]}" 2000 "$(target_file "$file")")
spec_anyway=$(spec_restore "${b[4]}" 2000 "$(target_file "$file")" '{"damaged_ok": true}')
nothing() { is "$(ls -A "$out_dir")" "" "$1: there is nothing at the target"; }

# flip LAYER OFFSET: one byte that the guest would read there, beneath qemu.
flip() {
    local place
    place=$(qemu-img map --output=json -f qcow2 "$folder/$1.qcow2" |
        jq --argjson at "$2" '.[] | select(.depth == 0 and .data and .start <= $at and .start + .length > $at) | .offset + $at - .start')
    printf '\377' | dd of="$folder/$1.qcow2" bs=1 seek="$place" conv=notrunc status=none
}

# A byte in each layer of the chain: full, middle, top. The digest is that of the topmost layer that has one.
while read -r from layer offset block length; do
    flip "$from" "$offset"
    refuses "a byte in $from" BackupDamaged "^disk 2000: the $((length / 1024)) KiB at offset $block are not what was backed up, by the digest of $layer; .*damaged_ok" "$spec"
    nothing "a byte in $from"
    restore "$spec_anyway"
    is "$rc $(field '"\(.n_damaged) \(.damaged[0].offset) \(.damaged[0].length) \(.damaged[0].backup_id)"')" \
        "0 1 $block $length $layer" "damaged_ok names the block"
    is "$(cmp -l "$file" "$kept/${b[4]}-2000" | wc -l)" 1 "and but for the byte all is there"
    rm "$file"
    again
done <<X
${b[0]} ${b[0]} $((20 * MIB + 77)) $((20 * MIB)) $((4 * MIB))
${b[1]} ${b[2]} $((27 * MIB + 1)) $((24 * MIB)) $((4 * MIB))
${b[4]} ${b[4]} $((69 * MIB)) $((68 * MIB)) $((2 * MIB))
X
flip "${b[0]}" $((20 * MIB + 77))
restore "$(spec_restore "${b[4]}" 2000 "$(target_file "$out_dir/disk.qcow2" qcow2)")"
is "$rc $(field .error_name)" "1 com.sendense.Error.BackupDamaged" "a QCOW2 is not made of a damaged backup either"
nothing "a QCOW2"
again

# What no data are read of yet says it at once.
while IFS='|' read -r name change error text; do
    (cd "$folder" && eval "$change") || diag "cannot: $change"
    refuses "$name" "$error" "$text" "$spec"
    nothing "$name"
    again
done <<X
a layer that is cut off|truncate -s -65536 ${b[2]}.qcow2|ImageDamaged|${b[2]}.qcow2: it has .* bytes and had
a missing layer|rm -f ${b[1]}.qcow2|ImageDamaged|${b[1]}.qcow2: the layer is missing
a missing manifest|rm -f ${b[1]}.json|ImageDamaged|${b[1]}.json: the manifest is missing
two swapped layers|mv ${b[1]}.qcow2 x; mv ${b[2]}.qcow2 ${b[1]}.qcow2; mv x ${b[2]}.qcow2|ImageDamaged|\\.qcow2: it (has|builds)
the layer of another disk|cp ../2001/${b[0]}.qcow2 ${b[0]}.qcow2|ImageDamaged|${b[0]}.qcow2: it has
a manifest of another disk|cp ../2001/${b[0]}.json ${b[0]}.json|ImageDamaged|${b[0]}.json: it is that of another layer
a manifest that was changed|chmod u+w ${b[4]}.json; sed -i s/2000/2001/ ${b[4]}.json|ImageDamaged|not the one that was committed
a manifest that is none|echo >${b[0]}.json|ImageDamaged|${b[0]}.json:
a lie about the size|jq -c '.size_bytes += 1' ${b[0]}.json >x; mv x ${b[0]}.json|ImageDamaged|had .* when it was sealed
a lie about the parent|jq -c '.parent_backup_id = "${b[1]}"' ${b[3]}.json >x; mv x ${b[3]}.json|ImageDamaged|it builds on another layer
a lie about a digest|jq -c '.digest.blocks["5"] = ("0" * 64)' ${b[0]}.json >x; mv x ${b[0]}.json|BackupDamaged|at offset $((20 * MIB)) are .*digest of ${b[0]}
a missing digest|jq -c 'del(.digest.blocks["5"])' ${b[0]}.json >x; mv x ${b[0]}.json|BackupDamaged|at offset $((20 * MIB))
a record that is away|rm -f ../backups/${b[4]}.json|NotFound|no such backup
X

# A cluster table that leads nowhere: qemu cannot read there, the rest can be had.
l1=$(od -A n -t u8 --endian=big -j 40 -N 8 "$folder/${b[0]}.qcow2")
l2=$(($(od -A n -t u8 --endian=big -j $((l1)) -N 8 "$folder/${b[0]}.qcow2") & 0x00fffffffffffe00))
# Extended entries have 16 bytes; that of the 21st MiB is made to lie in no cluster.
printf '\x80\x00\x00\x00\x00\x00\x02\x00' | dd of="$folder/${b[0]}.qcow2" bs=1 seek=$((l2 + 20 * 16)) conv=notrunc status=none
refuses "a cluster table that leads nowhere" ImageDamaged 'cannot be read at offset' "$spec"
nothing "a cluster table"
restore "$spec_anyway"
is "$rc $(field '"\(.n_damaged) \(.damaged[0].offset)"')" "0 1 $((20 * MIB))" "damaged_ok gets the rest"
is "$(cmp -l "$file" "$kept/${b[4]}-2000" | wc -l)" $MIB "which is all but that cluster"
rm -f "$file"
again

# No room: said before anything is written; and in the middle, when somebody else takes it.
small=$TEST_TMP/small
mkdir "$small" && mount -t tmpfs -o size=8M tmpfs "$small" && at_end 'umount "$small"'
refuses "a file system without the room" TargetTooSmall 'MiB are free there and the disk holds' "$(spec_restore "${b[4]}" 2000 "$(target_file "$small/disk.raw")")"
is "$(ls -A "$small")" "" "nothing is there"
mount -o remount,size=24M "$small"
export SENDENSE_FAULT_POINT_DIR=$TEST_TMP/faults
install -d -m 777 "$SENDENSE_FAULT_POINT_DIR"
for format in raw qcow2 vmdk; do
    SENDENSE_FAULT_POINT=restore.mkdir.after:stop image_now=$image_faulty restore "$(spec_restore "${b[4]}" 2000 "$(target_file "$small/disk.$format" $format)")" &
    stopped=$!
    eventually 20 test -d "$small/.disk.$format.sendense-7.partial"
    pid=$(pgrep -f "^$image_faulty restore\$")
    eventually 20 grep -q '^State:.*T' "/proc/$pid/status" || diag "it does not stand"
    head -c 16M /dev/zero >"$small/other"
    kill -CONT "$pid"
    wait "$stopped"
    is "$(field '"\(.result) \(.error_name)"')" "failed com.sendense.Error.TargetTooSmall" "$format: the room goes in the middle" || diag "$(<"$TEST_TMP/out")"
    is "$(ls -A "$small")" "other" "$format: nothing is left"
    rm "$small/other"
done

# The server of the repository is away in the middle: nothing is known to be damaged, and nobody chose to do without what it has.
SENDENSE_FAULT_POINT=restore.mkdir.after:stop image_now=$image_faulty restore "$spec_anyway" &
stopped=$!
eventually 20 test -d "$out_dir/.disk.raw.sendense-7.partial"
pid=$(pgrep -f "^$image_faulty restore\$")
eventually 20 grep -q '^State:.*T' "/proc/$pid/status" || diag "it does not stand"
strace -f -p "$pid" -o /dev/null -P "$folder/${b[0]}.qcow2" -e trace=pread64 -e inject=pread64:error=ESTALE 2>"$TEST_TMP/attached" &
eventually 20 grep -q attached "$TEST_TMP/attached"
kill -CONT "$pid"
wait "$stopped"
is "$(field '"\(.result) \(.error_name)"')" "failed com.sendense.Error.RepositoryMissing" "a repository that is away in the middle is no damage" || diag "$(<"$TEST_TMP/out")"
like "$(field .error_text)" 'Stale file handle; mount it again' "the text names thing and remedy"
nothing "a repository that is away in the middle"

# A file system that can put nothing in its place without replacing says so before anything is copied.
cat >"$TEST_TMP/traced" <<X
#!/bin/sh
exec strace -f -o "$TEST_TMP/trace" -e trace=renameat2,linkat,pwrite64 -e inject=renameat2:error=EINVAL -e inject=linkat:error=EPERM "$image_program" "\$@"
X
chmod 755 "$TEST_TMP/traced"
image_now=$TEST_TMP/traced refuses "a file system without such renames and links" TargetFailed 'neither rename without replacing nor make a second name.*option force' "$spec"
is "$(grep -c pwrite64 "$TEST_TMP/trace")" 0 "nothing was copied"
nothing "a file system without such renames and links"
force=yes
image_now=$TEST_TMP/traced restore "$(spec_restore "${b[4]}" 2000 "$(target_file "$file")")"
is "$rc $(sum "$file")" "0 $(sum "$kept/${b[4]}-2000")" "by force it is restored there" || diag "$out"
force=
rm -f "$file"
sed -i 's/ -e inject=linkat:error=EPERM//' "$TEST_TMP/traced"
image_now=$TEST_TMP/traced restore "$spec"
is "$rc $(sum "$file")" "0 $(sum "$kept/${b[4]}-2000")" "a file system with links needs no force" || diag "$out"
rm -f "$file"

# Killed at each step: the file is whole or not there; undo leaves no trace; again, it works.
hits_of() { # SPEC
    install -m 666 /dev/null "$SENDENSE_FAULT_POINT_DIR/hits"
    image_now=$image_faulty restore "$1" || diag "$out"
    cut -d' ' -f1,2 "$SENDENSE_FAULT_POINT_DIR/hits" | tr ' ' :
    rm "$SENDENSE_FAULT_POINT_DIR/hits"
}
for format in raw qcow2; do
    file=$out_dir/killed.$format
    spec=$(spec_restore "${b[4]}" 2000 "$(target_file "$file" $format)")
    bad='' n=0 done=0
    for hit in $(hits_of "$spec"); do
        rm -f "$file"
        { SENDENSE_FAULT_POINT=$hit:kill image_now=$image_faulty restore "$spec"; } 2>/dev/null
        [ "$rc" -eq 137 ] || bad+=$'\n'"at $hit it was not killed but ended with $rc: $out"
        [ ! -e "$file" ] || qemu-img compare -q -f $format -F raw "$file" "$kept/${b[4]}-2000" || bad+=$'\n'"at $hit half a file was left"
        # In its place, and not yet told: a run after that tells it, without another copy.
        if [ -e "$file" ] && [ "$hit" != restore.remove.after:1 ]; then
            before=$(stat -c %i "$file")
            restore "$spec" || bad+=$'\n'"again after $hit: $out"
            [ "$(field .layers) $(stat -c %i "$file") $(partials "$out_dir")" = "5 $before 0" ] || bad+=$'\n'"again after $hit it was not found: $out"
            done=$((done + 1))
        fi
        verb=restore-undo restore "$spec" || bad+=$'\n'"undo after $hit: $out"
        [ "$(partials "$out_dir")" = 0 ] || bad+=$'\n'"undo after $hit left something"
        verb=restore-undo restore "$spec"
        [ "$(field .outcome)" = nothing ] || bad+=$'\n'"undo twice after $hit: $out"
        rm -f "$file"
        { SENDENSE_FAULT_POINT=$hit:kill image_now=$image_faulty restore "$spec"; } 2>/dev/null
        rm -f "$file"
        restore "$spec" || bad+=$'\n'"again after $hit: $out"
        qemu-img compare -q -f $format -F raw "$file" "$kept/${b[4]}-2000" || bad+=$'\n'"again after $hit: not what it was"
        [ "$(partials "$out_dir")" = 0 ] || bad+=$'\n'"again after $hit left something"
        n=$((n + 1))
    done
    is "$bad" "" "$format: killed at each of $n places"
    ok "$format: these are some" test "$n" -ge 7
    is "$done" 3 "$format: where it was complete it is found so"
done
spec=$(spec_restore "${b[4]}" 2000 "$(target_file "$out_dir/no/such/folder.raw")")
verb=restore-undo restore "$spec"
is "$rc $(field .outcome)" "0 nothing" "undo where nothing can be"
done_testing
