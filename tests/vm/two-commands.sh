#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The two commands of the README in a full virtual machine: Debian's kernel, its systemd as PID 1, one hierarchy of cgroups. Its packages
# are there when it boots, because the emulation takes long enough for the rest; a Debian without them is the suite "bare". Of the second
# command it does the suites in VM_SUITES, or with VM_SUITES=all what tests/run does by default. It clones the last commit.

. "$(dirname "$0")/../lib/tap.sh"

[ "$EUID" -eq 0 ] || skip_all "making a disk takes root"
for program in qemu-system-x86_64 mmdebstrap mke2fs git; do
    command -v "$program" >/dev/null || skip_all "$program is missing (packages qemu-system-x86, mmdebstrap, e2fsprogs, git)"
done
suites=${VM_SUITES:-unit bus lab/lab-boot}
[ "$suites" != all ] || suites=
accel=${VM_ACCEL:-tcg,thread=multi}
root=$TEST_TMP/root disk=$TEST_TMP/disk said=$TEST_TMP/said console=$TEST_TMP/console

# Its disk.
packages=systemd,systemd-sysv,udev,dbus,linux-image-cloud-amd64,initramfs-tools,zstd
for list in "$SENDENSE_SRC"/deploy/packages/{build,build-tests,run,lab,quickstart,test}; do
    [ ! -e "$list" ] || packages+=$(sed -E 's/ *#.*//; /^$/d; s/^/,/' "$list" | tr -d '\n')
done
for suite in ${suites:-$(ls "$SENDENSE_SRC/tests")}; do
    packages+=$(sed -nE '/^packages="(.+)"$/ { s//,\1/; s/ /,/g; p }' "$SENDENSE_SRC/tests/${suite%%/*}/suite.conf" 2>/dev/null)
done
"$SENDENSE_SRC/tests/lab/bare-root" --apt "$TEST_TMP/apt" || skip_all "apt knows no source of Debian"
cat >"$TEST_TMP/vm-test.service" <<'X'
[Unit]
Description=The Two Commands of the README
[Service]
Type=exec
Environment=HOME=/root
ExecStart=/usr/local/sbin/vm-test
[Install]
WantedBy=multi-user.target
X
cat >"$TEST_TMP/dress" <<X
#!/bin/bash
set -e
echo vm >"\$1/etc/hostname"
echo '/dev/vda / ext4 defaults 0 1' >"\$1/etc/fstab"
install -m 755 '$SENDENSE_SRC/tests/vm/guest' "\$1/usr/local/sbin/vm-test"
install -m 644 '$TEST_TMP/vm-test.service' "\$1/etc/systemd/system/vm-test.service"
systemctl --quiet --root="\$1" enable vm-test.service
git -c safe.directory='*' clone -q '$SENDENSE_SRC' "\$1/root/sendense"
echo '$suites' >"\$1/root/suites"
X
chmod +x "$TEST_TMP/dress"
make_root() {
    mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" --aptopt="$TEST_TMP/apt/etc/apt/apt.conf.d/99host" \
        --customize-hook="$TEST_TMP/dress" bookworm "$root" "$TEST_TMP/apt/etc/apt/sources.list.d/debian.sources" >"$TEST_TMP/mmdebstrap" 2>&1 ||
        { diag "$(tail -n 20 "$TEST_TMP/mmdebstrap")" && return 1; }
}
require "a Debian is made" make_root
install -m 600 "$root"/boot/vmlinuz-* "$TEST_TMP/kernel"
install -m 600 "$root"/boot/initrd.img-* "$TEST_TMP/initrd"
require "it becomes a disk" mke2fs -q -t ext4 -E root_owner=0:0 -d "$root" "$disk" "${VM_DISK:-24G}"
rm -rf --one-file-system "$root"

# The machine. On a busy host an emulated timer may be so late that the kernel would not believe in it (no_timer_check); one that panics ends.
qemu-system-x86_64 -machine q35 -accel "$accel" -cpu max -smp "$(nproc)" -m "${VM_MEMORY:-4096}" -display none -no-reboot \
    -kernel "$TEST_TMP/kernel" -initrd "$TEST_TMP/initrd" -append 'root=/dev/vda rw console=ttyS0 no_timer_check panic=-1' \
    -drive "file=$disk,format=raw,if=virtio,cache=unsafe" -nic none \
    -serial "file:$console" -serial "file:$said" </dev/null >"$TEST_TMP/qemu" 2>&1 &
machine=$!
at_end 'kill "$machine" 2>/dev/null || :'
fact() { sed -nE "s/^@ $1 (.*)/\\1/p" "$said" 2>/dev/null | tr -d '\r'; }
booted() { [ -n "$(fact state)" ] || ! kill -0 "$machine" 2>/dev/null; }
ok "it boots" eventually 3600 booted || diag "$(tail -n 40 "$console")" "$(<"$TEST_TMP/qemu")"
diag "kernel $(fact kernel), $(fact virtualization)"
is "$(fact pid1)" systemd "systemd is PID 1"
is "$(fact cgroups)" cgroup2fs "there is one hierarchy of cgroups"
is "$(fact state) $(fact failed)" "running " "and nothing has failed"
wait "$machine"
is "$(fact commit)" "$(git -c safe.directory='*' -C "$SENDENSE_SRC" rev-parse HEAD)" "it has the last commit"
is "$(fact quickstart)" 0 "deploy/quickstart ends well" || diag "$(grep -v '^@' "$said" | tail -n 40)"
like "$(<"$said")" 'A VM was backed up twice' "and has made its backups"
diag "in $(fact quickstart-minutes) minutes"
is "$(fact run)" 0 "tests/run ${suites:-} ends well" || diag "$(grep -A5 '^not ok' "$said" | head -n 60)"
diag "$(grep -E '^[0-9]+ passed, ' "$said" | tail -n 1) in $(fact run-minutes) minutes"
is "$(fact end)" yes "the machine has done all it was told"
done_testing
