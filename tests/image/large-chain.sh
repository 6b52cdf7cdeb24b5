#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A long chain of a large disk that is left to qemu-nbd: the caches of all its layers together have a bound, and so has its memory. They are made
# as large as they may become when an image is opened, so that one without data shows it.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/image.bash"

repo=$TEST_TMP/repo
repository_make "$repo"
image health "$(spec_health "$repo")"
capacity[2000]=$((4 << 40))
folder=$(folder_of "$repo" 2000)
as_hub install -d -m 2770 "$repo/$VM" "$folder"
shape=cluster_size=1M,extended_l2=on,lazy_refcounts=off

# Each would have a cache of 32 MiB.
n_layers=40
parent=
for ((i = 1; i <= n_layers; i++)); do
    name=backup-web-$i.qcow2
    [ $i -lt $n_layers ] || name+=.partial
    as_export qemu-img create -q -f qcow2 -o $shape ${parent:+-b "$parent" -F qcow2} "$folder/$name" "${capacity[2000]}" || diag "no layer $i"
    parent=$name
done
as_export qemu-io -f qcow2 -c 'write -P 7 1M 1M' -c 'write -P 8 3T 64k' "$folder/$parent" >/dev/null
only_for_qemu "$folder/$parent"

install -d -m 755 "$TEST_TMP/bin"
install -m 755 /dev/stdin "$TEST_TMP/bin/qemu-nbd" <<X
#!/bin/sh
exec prlimit --data=$((1 << 30)) "$(type -P qemu-nbd)" "\$@"
X
PATH=$TEST_TMP/bin:$PATH
spec=$(spec_disk "$repo" backup-web-$n_layers 2000 backup-web-$((n_layers - 1)))
ok "an increment on $((n_layers - 1)) layers of 4 TiB is finished with 1 GiB" image finish "$spec"
is "$(field '.digest | .block_bytes as $size | .blocks | keys | map(tonumber * $size) | join(" ")')" "0 $((3 << 40))" "and all that it holds is found"
done_testing
