#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A vCenter that has an IPv6 address and no other: its certificate is verified for that address, sessions, ranges of the
# datastore and a whole copy by hand go over it.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/../vcenter-sim/soap.bash"
# shellcheck source=tests/sources/sources.bash
. "$(dirname "$0")/sources.bash"
command -v qemu-nbd >/dev/null || skip_all 'qemu-utils is not installed'
grep -qsE '^0{31}1 ' /proc/net/if_inet6 || skip_all 'this machine has no address ::1'
sources_start -l '[::1]:0'
like "$(simctl ready address)" '^\[::1\]:[0-9]+$' 'the vCenter listens on ::1 alone'

vsphere() { # VERB JQ
    jq -c "{vcenter} | $2" "$TEST_TMP/spec.json" | timeout 60 "$SENDENSE_BUILD/helpers/vsphere/sendense-vsphere" "$1" >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr"
}
simctl vm add name=web disks=24M:fill=12M,8M:nvme:fill=8M >/dev/null
vm=$(simctl vm list vm=web | jq -r .vm)
spec '[datastore1] web/web.vmdk' DC0
ok 'test: its certificate is good for ::1, and the login' vsphere test . || diag "$(cat "$TEST_TMP/answer")"
is "$(answer api_type)" VirtualCenter 'and it says what it is'
vsphere test '.vcenter.host = "[::1]"'
is "$(answer error_name)" com.sendense.Error.InvalidArgument 'brackets belong to addresses of the web'

snap=$(snapshot "$vm" one)
spec "$(disk_file VirtualMachineSnapshot "$snap" 2000)" DC0
is "$(read_disk https $((24 << 20)))" ok 'a disk is read over HTTPS' || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
is_frozen "$snap" 2000 'as it was at the snapshot'
unsnapshot "$snap" >/dev/null
logout >/dev/null
is "$(simctl sessions)" '[]' 'and no session is left'

unset CREDENTIALS_DIRECTORY
target 2000 24M && target 32000 8M || exit
migrate() {
    timeout 100 "$client" migrate --vmware-endpoint "$(simctl ready address)" --vmware-username "$user" --vmware-ca-file "$ca" \
        --vsphere-program "$SENDENSE_BUILD/helpers/vsphere/sendense-vsphere" --vmware-password-file "$sim/password" --vmware-path DC0/vm/web \
        --nbd-targets "2000:$(target_uri 2000),32000:$(target_uri 32000)" --job-id six >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr"
}
ok 'a copy by hand' migrate || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
targets_end
snap=$(simctl snapshots all=1 | jq -r '.[-1].snapshot')
for key in 2000 32000; do
    is "$(image_hash "$key")" "$(frozen "$snap" "$key")" "disk $key is as it was at the snapshot"
done
is "$(simctl snapshots)$(simctl sessions)" '[][]' 'neither snapshot nor session is left'

# Another address of the same machine, or none of the certificate's.
simctl stop
rm -rf "$TEST_TMP/credentials"
sources_start -l '[::1]:0' -cert other-name
spec '[datastore1] web/web.vmdk' DC0
vsphere test .
is "$(answer error_name)" com.sendense.Error.CertificateInvalid 'a certificate that is not for ::1 is not good there'
logout >/dev/null
done_testing
