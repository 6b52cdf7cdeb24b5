#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Targets by TLS, with a key for each that comes as the credential of the unit: all bytes arrive, over several connections and over the
# death of a server; and without the key, with a wrong one, or at a server without TLS nothing is written and the reason is told.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/copy.bash"

size=$((24 * MIB))
dh=$SENDENSE_SRC/deploy/dh-params.pem
key_of() { printf '%s:%s\n' "$1" "$(openssl rand -hex 32)"; }

# target_tls KEY: an image behind a qemu-nbd that wants the key in keys-KEY/keys.psk, on a port.
target_tls() {
    mkdir "$TEST_TMP/keys-$1" && cp "$dh" "$TEST_TMP/keys-$1/dh-params.pem" && key_of "job7-$1-tls" >"$TEST_TMP/keys-$1/keys.psk" &&
        qemu-img create -q -f qcow2 -o "$copy_shape" "$TEST_TMP/$1.qcow2" "$size" || return
    for _ in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 12000))
        target_at[$1]="-b 127.0.0.1 -p $port"
        target_uri[$1]="nbds://job7-$1-tls@127.0.0.1:$port/disk-$1"
        target_start_tls "$1" first && return
        server_end "target-$1" KILL
    done
    return 1
}
target_start_tls() { # KEY INSTANCE: as target_start, which asks without a key
    # shellcheck disable=SC2086 # options are words
    qemu-nbd -t --shared=10 -x "disk-$1" -D "$2" -f qcow2 --cache=$copy_cache --aio=threads \
        --object tls-creds-psk,id=tls,endpoint=server,dir="$TEST_TMP/keys-$1" --tls-creds tls ${target_at[$1]} "$TEST_TMP/$1.qcow2" \
        </dev/null 2>>"$TEST_TMP/qemu-nbd.log" &
    copy_pid[target-$1]=$!
    eventually 20 nbdinfo --size "${target_uri[$1]}?tls-psk-file=$TEST_TMP/keys-$1/keys.psk"
}

# A source that waits in its middle, so that a server can die before the copy's end.
raw 2000 "$size"
raw 2001 "$size"
source_nbdkit 2000 eval get_size="echo $size" thread_model='echo parallel' can_multi_conn='exit 0' \
    pread="if [ \$4 -ge $((16 * MIB)) ]; then until [ -e '$TEST_TMP/go' ]; do sleep 0.05; done; fi
           dd if='$TEST_TMP/2000.raw' iflag=skip_bytes,count_bytes,fullblock bs=256k skip=\$4 count=\$3 status=none"
source_nbdkit 2001 file "$TEST_TMP/2001.raw"
target_tls 2000 || fail "a server with TLS"
target_tls 2001 || fail "and another, with another key"
disk 2000 "$size"
disk 2001 "$size"
spec

mkdir -m 700 "$TEST_TMP/credentials"
keys=$TEST_TMP/credentials/keys.psk
export CREDENTIALS_DIRECTORY=$TEST_TMP/credentials
cat "$TEST_TMP"/keys-*/keys.psk >"$keys"
blocks() { stat -c %b "$TEST_TMP/2000.qcow2"; }
before=$(blocks)
grown() { [ "$(blocks)" -ge $((before + 2048)) ]; }
copy_begin
ok "something arrives" eventually 60 grown
ok "and more is to come" copy_runs
target_kill 2000
target_start_tls 2000 second || fail "a server that died is there again"
touch "$TEST_TMP/go"
copy_end
copied "two disks by TLS, one of whose servers died"
for key in 2000 2001; do
    server_end "target-$key"
    ok "disk $key: all its bytes are there" same "$key"
done
is "$(grep -c -F -f <(cut -d: -f2 "$keys") <<<"$result$err")" 0 "no key is in what it says"

refused() { # NAME ERROR REGEX [JQ-FILTER]
    spec "${4:-.}"
    copy
    failed "$1" "$2" "$3"
}
target_start_tls 2000 third || fail "one is served again"
target_start_tls 2001 third || fail "and the other"
digest=$(sha256sum <"$TEST_TMP/2000.qcow2")
cp "$TEST_TMP/keys-2001/keys.psk" "$keys"
refused "a key that is not there" TargetFailed "^disk 2000: cannot open its target: the key 'job7-2000-tls' for its TLS is not in the credential 'keys.psk'.*; nothing was written\$"
{ key_of job7-2000-tls && cat "$TEST_TMP/keys-2001/keys.psk"; } >"$keys"
refused "another key" TargetFailed '^disk 2000: cannot open its target: no TLS with its server, which may have another key.*; nothing was written$'
{ sed s/2001/2000/ "$TEST_TMP/keys-2001/keys.psk" && cat "$TEST_TMP/keys-2001/keys.psk"; } >"$keys"
refused "the key of another disk" TargetFailed '^disk 2000: cannot open its target: no TLS with its server, which may have another key.*; nothing was written$'
: >"$keys"
refused "a node that gave none" TargetFailed "'keys.psk' of this unit \(No data available\)"
cat "$TEST_TMP"/keys-*/keys.psk >"$keys"
CREDENTIALS_DIRECTORY='' refused "no credentials at all" TargetFailed "'keys.psk' of this unit"
refused "without TLS" TargetFailed '^disk 2000: cannot open its target: .*; nothing was written$' '.disks[0].target |= sub("nbds://[^@]*@"; "nbd://")'
is "$(sha256sum <"$TEST_TMP/2000.qcow2")" "$digest" "none of them has changed a byte"

nbdkit -f -i 127.0.0.1 -p "$((port + 1))" memory "$size" </dev/null 2>>"$TEST_TMP/nbdkit.log" &
copy_pid[plain]=$!
eventually 30 nbdinfo --size "nbd://127.0.0.1:$((port + 1))" || fail "a server without TLS"
refused "a server without TLS" TargetFailed '^disk 2000: cannot open its target: .*TLS.*; nothing was written$' ".disks[0].target = \"nbds://job7-2000-tls@127.0.0.1:$((port + 1))/\""
done_testing
