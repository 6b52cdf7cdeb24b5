# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For tests of sendense-vsphere: source it after tap.sh. It starts a vCenter peer of the test's own with
# vsphere_start, runs verbs, and looks at what is left behind.

# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "${BASH_SOURCE[0]}")/../vcenter-sim/soap.bash"

vsphere_bin=$SENDENSE_BUILD/helpers/vsphere/sendense-vsphere
[ -x "$vsphere_bin" ] || skip_all "no build in $SENDENSE_BUILD"
export CREDENTIALS_DIRECTORY=$TEST_TMP/credentials
mkdir -p "$CREDENTIALS_DIRECTORY"
snapshot_name=sendense-inst1-7-1

# vsphere_start [OPTION…]: a peer whose password is the credential "vcenter", and whose tasks take no time.
vsphere_start() {
    sim_start "$@"
    install -m 0400 "$sim/password" "$CREDENTIALS_DIRECTORY/vcenter"
    simctl set task-ms=0 >/dev/null
    vcenter=$(jq -nc --arg url "$url" --arg user "$user" --arg ca "$ca" '{host: "127.0.0.1", user: $user, ca_file: $ca,
        password_credential: "vcenter", port: ($url | capture(":(?<p>[0-9]+)/").p | tonumber)}')
}

# vsphere VERB [JQ]: the spec is {vcenter} changed by the filter. Its result is in $TEST_TMP/result, its exit status is ours.
vsphere() {
    jq -nc --argjson vcenter "$vcenter" "{vcenter: \$vcenter} | ${2:-.}" >"$TEST_TMP/spec"
    timeout 120 "$vsphere_bin" "$1" <"$TEST_TMP/spec" >"$TEST_TMP/result" 2>"$TEST_TMP/stderr"
}
res() { jq -r "$1" "$TEST_TMP/result"; }

# refused WORD TEXT NAME: the last verb failed with com.sendense.Error.WORD and a text like TEXT, and left nothing.
refused() {
    is "$(res '.result + " " + (.error_name // "")')" "failed com.sendense.Error.$1" "$3: $1"
    like "$(res .error_text)" "$2" "$3: says what"
    clean "$3"
}

# clean NAME: no snapshot of ours, no session, no task. What is about to be over is waited for.
nothing_left() { [ "$(simctl left | jq -c '[.sessions, .snapshots, .tasks] | flatten')" = '[]' ]; }
clean() {
    ok "$1: nothing is left at vCenter" nothing_left || diag "$(simctl left)"
}

uuid_of() { # VM [DC]
    vsphere discover "." >/dev/null
    res ".vms[] | select(.name == \"$1\" and .datacenter == \"${2:-DC0}\").instance_uuid"
}
calls_of() { simctl calls | jq -r --arg m "$1" '[.[] | select(.method == $m)] | length'; }

uuid=
# take [JQ] and release [JQ]: of the VM $uuid. The waits are short ones.
take() {
    vsphere snapshot ".instance_uuid = \"$uuid\" | .name = \"$snapshot_name\" | .leftover_prefix = \"sendense-inst1-\"
        | .description = \"of a test\" | .quiesce = \"auto\" | .cbt = \"enable\" | .quiesce_wait_msec = 10 | ${1:-.}"
}
release() { vsphere release ".instance_uuid = \"$uuid\" | .name = \"$snapshot_name\" | ${1:-.}"; }
ours() { simctl snapshots | jq -r '[.[] | select(.user | not).name] | join(" ")'; }
