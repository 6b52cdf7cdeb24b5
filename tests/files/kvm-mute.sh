#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# GuestfsAccel=auto on a machine whose KVM is there, opens, and runs no guest: the probe gives up in its time, and once in a boot, the
# machine is emulated, and files come. qemu is the real one; where KVM is wanted of it, its processor is never let go.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/files.bash"

files_up
require "a guest" in_hub 'mkdir -p /srv/tree/etc && echo hello >/srv/tree/etc/hello && mkfs.ext4 -q -d /srv/tree /srv/src/web-2000.raw 64M'
files_vm web 64
backup web --type=full
fault_baseline
appliance=sendense-appliance.service
begin() { hub systemctl start "$appliance"; }
accel() { hub jq -r .accel /run/sendense-appliance/state.json; }
probes() { hub journalctl --sync && hub journalctl -q -o cat -b -u "$appliance" | grep -c 'KVM '; }
require "the appliance is made" begin

# shellcheck disable=SC2016 # of the program
require "a KVM that runs no guest" in_hub '
    rm -f /dev/kvm && install -m 666 /dev/null /dev/kvm &&
    install -m 755 /dev/stdin /usr/local/bin/qemu-system-x86_64 && rm /run/sendense-appliance/state.json' <<'X'
#!/bin/sh
case " $* " in
*" accel=kvm "*) exec /usr/bin/qemu-system-x86_64 -S -nodefaults -display none -machine accel=tcg -m 128 -serial stdio -kernel /var/cache/sendense-files/appliance/kernel ;;
*) exec /usr/bin/qemu-system-x86_64 "$@" ;;
esac
X
n=$(probes)
started=$EPOCHSECONDS
ok "it is tried" begin
took=$((EPOCHSECONDS - started))
ok "for some ten seconds, and not for ever" test "$took" -ge 9 -a "$took" -lt 90 || diag "$took s"
is "$(accel) $(probes)" "tcg $((n + 1))" "the machine will be emulated"
like "$(hub journalctl -q -o cat -b -u "$appliance" | grep 'KVM ' | tail -n 1)" 'KVM does not run the appliance \(no word of it in time\), it is emulated' "and the journal says why"
is "$(hub pgrep -c qemu-system)" 0 "what was tried is gone"
like "$(ctl ls web /etc)" '/etc/hello' "files come"
JOB=$(hub sendensectl job list --json --limit=1 | jq -r '.[0].Id')
is "$(job '.WorkResult | fromjson | .accel')" tcg "by an emulated machine"
is "$(probes)" "$((n + 1))" "which has tried KVM no more"
hub rm -f /usr/local/bin/qemu-system-x86_64 /dev/kvm
unharmed "a KVM that runs no guest"
done_testing
