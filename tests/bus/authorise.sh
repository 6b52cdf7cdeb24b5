#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Who may: root without polkit, nobody else without polkit, and with polkit whom its rules allow.
# The real polkitd runs on the private bus, and the hub as its own user, because polkit tells root
# about everybody and others only about the actions they own. The user and polkit's folders are made
# in a mount namespace.
[ -n "${AUTHORISE_NAMESPACE:-}" ] ||
    AUTHORISE_NAMESPACE=1 exec unshare --mount --propagation private -- "$0" "$@"
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"

polkitd=/usr/lib/polkit-1/polkitd
[ -x "$polkitd" ] || skip_all "polkitd is not installed"

if ! getent passwd sendense >/dev/null; then
    { cat /etc/passwd && echo 'sendense:x:64711:64711::/nonexistent:/usr/sbin/nologin'; } >"$TEST_TMP/passwd"
    { cat /etc/group && echo 'sendense:x:64711:'; } >"$TEST_TMP/group"
    chmod 0644 "$TEST_TMP/passwd" "$TEST_TMP/group"
    mount --bind "$TEST_TMP/passwd" /etc/passwd && mount --bind "$TEST_TMP/group" /etc/group || exit 1
fi
# The one power it keeps is for the tree and the test's folder, which may be root's alone.
as_hub=(setpriv --reuid=sendense --regid=sendense --clear-groups --inh-caps=+dac_override
    --ambient-caps=+dac_override --)

private_bus_start "$hub_policy" || exit 1
# It looks for its database seldom: a socket that is open for a moment is no descriptor that was left behind.
hub_probe=60s
hub_config '[Hub]' 'LogLevel=debug'
hub_start "${as_hub[@]}" || exit 1
is "$(stat -c %U "/proc/$hub_pid")" sendense "the hub runs as its own user, who may own the name"

nobody_error() { # METHOD [ARGUMENT...] in gdbus's words
    local method=$1
    shift
    as_nobody env HOME=/ gdbus call --system --dest "$hub_name" --object-path "$hub_path" \
        --method "$hub_manager.$method" -- "$@" 2>&1
}
denied='GDBus.Error:org.freedesktop.DBus.Error.AccessDenied: uid:65534 may not call com.sendense.Hub1.Manager'
log_has() { grep -Eq -e "$1" "$hub_log"; }
n_asked() { grep -c 'Asking polkit whether uid:65534 may' "$hub_log"; }
has_asked_since() { [ "$(n_asked)" -gt "$1" ]; } # NUMBER

# 1. No polkit on the bus.
like "$(hub_call GetStatus 'a{sv}' 0)" '"State"' "no polkit: root is allowed"
is "$(hub_call SetLogLevel 'sa{sv}' debug 0)" '' "no polkit: root may manage"
for call in GetStatus ProbeDatabase 'SetLogLevel info'; do
    read -r -a words <<<"$call"
    like "$(nobody_error "${words[@]}" '@a{sv} {}')" "$denied.${words[0]} .*polkit did not answer" \
        "no polkit: nobody is refused ${words[0]}"
done
is "$(hub_get LogLevel)" 's "debug"' "and nothing was done"
like "$(cat "$hub_log")" 'Cannot ask polkit .*all users but root are refused' \
    "the journal says that polkit is missing"
like "$(cat "$hub_log")" 'uid:65534 may not call .*SetLogLevel' "and who was refused what"
like "$(as_nobody busctl --system get-property "$hub_name" "$hub_path" "$hub_manager" Version)" '^s "' \
    "everybody may read properties"

# 2. With polkit and its rules.
mkdir "$private_bus_dir/rules"
cat >"$private_bus_dir/rules/10-test.rules" <<'RULES'
polkit.addRule(function (action, subject) {
    if (action.id == "com.sendense.hub.inspect" && subject.user == "nobody")
        return polkit.Result.YES;
    if (action.id == "com.sendense.hub.manage" && subject.user == "daemon")
        return polkit.Result.NO;
});
RULES
chmod 0755 "$private_bus_dir/rules"
mount --bind "$private_bus_dir/rules" /etc/polkit-1/rules.d || exit 1
mount --bind "$SENDENSE_SRC/deploy/polkit" /usr/share/polkit-1/actions || exit 1
"$polkitd" --no-debug >"$TEST_TMP/polkitd.log" 2>&1 </dev/null &
polkit_pid=$!
at_end '[ -z "$polkit_pid" ] || kill -KILL "$polkit_pid"'
bus_wait_name org.freedesktop.PolicyKit1 10 || {
    diag "polkitd does not start:" "$(cat "$TEST_TMP/polkitd.log")"
    exit 1
}

like "$(nobody_error GetStatus '@a{sv} {}')" "'State': <" "polkit: a rule lets nobody inspect"
like "$(cat "$hub_log")" 'Polkit answers again' "the journal says that polkit is back"
like "$(nobody_error ProbeDatabase '@a{sv} {}')" "$denied.ProbeDatabase .*polkit wants a password" \
    "polkit: without a rule, nobody would need a password"
like "$(setpriv --reuid=1 --regid=1 --clear-groups busctl --system call "$hub_name" "$hub_path" \
    "$hub_manager" ProbeDatabase 'a{sv}' 0 2>&1)" 'Access denied' "polkit: a rule that says no is obeyed"
ok "and the journal has his number" log_has 'uid:1 may not call .*polkit says no'
is "$(hub_call ProbeDatabase 'a{sv}' 0)" 's "unreachable"' "polkit: root is allowed"
unlike "$(cat "$TEST_TMP/polkitd.log" "$hub_log")" 'is not registered' "polkit knows our actions"

# The hub takes this error of polkit's for a caller that left, and not for a lost polkit.
like "$(gdbus call --system --dest org.freedesktop.PolicyKit1 --object-path /org/freedesktop/PolicyKit1/Authority \
    --method org.freedesktop.PolicyKit1.Authority.CheckAuthorization \
    "('system-bus-name', {'name': <':1.99999'>})" com.sendense.hub.inspect '@a{ss} {}' 0 x 2>&1)" \
    'GDBus.Error:org.freedesktop.DBus.Error.NameHasNoOwner: ' "polkit: asked about a vanished name it says so"

out=$("$SENDENSE_BUILD/tests/fuzz/fuzz-bus" hub 7 1000 --no-memory 2>&1 </dev/null)
is $? 0 "polkit: the hub stands hostile messages that go on to polkit" || diag "$out"
# One of them may have changed what is logged.
ok "the hub logs all again" hub_call SetLogLevel 'sa{sv}' debug 0

# 3. Polkit hangs: nobody waits, root does not.
kill -STOP "$polkit_pid"
before=$(n_asked)
"${nobody[@]}" busctl --system --timeout=120 call "$hub_name" "$hub_path" "$hub_manager" GetStatus 'a{sv}' 0 \
    >"$TEST_TMP/waiting" 2>&1 &
waiting=$!
ok "polkit hangs: the hub asks it" eventually 20 has_asked_since "$before"
like "$(timeout 20 busctl --system call "$hub_name" "$hub_path" "$hub_manager" GetStatus 'a{sv}' 0)" \
    '"State"' "polkit hangs: root is answered meanwhile"
ok "polkit hangs: the other caller still waits" kill -0 "$waiting"
kill -KILL "$waiting"
wait "$waiting" 2>/dev/null
ok "a caller that vanishes is forgotten" eventually 20 log_has 'vanished before polkit answered'

# One user cannot take all places: 16 wait, the 17th is told so.
n_asked() { grep -c 'Asking polkit whether uid:65534' "$hub_log"; }
asked=$(n_asked)
all_asked() { [ "$(n_asked)" -eq $((asked + 16)) ]; }
held() { find "/proc/$hub_pid/fd" -mindepth 1 | wc -l; }
held_is() { [ "$(held)" = "$1" ]; }
before=$(held)
callers=()
for _ in {1..16}; do
    "${nobody[@]}" busctl --system --timeout=120 call "$hub_name" "$hub_path" "$hub_manager" GetStatus 'a{sv}' 0 \
        >>"$TEST_TMP/answers" 2>&1 &
    callers+=($!)
done
ok "16 calls of one user wait for polkit" eventually 20 all_asked
like "$(nobody_error GetStatus '@a{sv} {}')" 'GDBus.Error:com.sendense.Error.Busy: ' \
    "his next call is refused as Busy"
like "$(hub_call GetStatus 'a{sv}' 0)" '"State"' "root still has a place"
# Anybody may send a signal straight to the hub, past all match rules; it must not end the call of another.
victim=$(busctl --system list --unique --no-legend | awk -v pid="${callers[0]}" '$2 == pid { print $1 }')
like "$victim" '^:1\.[0-9]+$' "one of them has a name"
owner=$(busctl --system call org.freedesktop.DBus / org.freedesktop.DBus GetNameOwner s "$hub_name" | cut -d'"' -f2)
ok "a stranger says that it has left" gdbus emit --system --dest "$owner" --object-path /org/freedesktop/DBus \
    --signal org.freedesktop.DBus.NameOwnerChanged "'$victim'" "'$victim'" "''"
like "$(hub_call GetStatus 'a{sv}' 0)" '"State"' "and the hub goes on"
kill -CONT "$polkit_pid"
wait "${callers[@]}"
is "$(grep -c '"State"' "$TEST_TMP/answers")" 16 "all 16 are answered when polkit goes on"
ok "and no descriptor was left behind" eventually 20 held_is "$before" || diag "$(held), before $before" "$(ls -l "/proc/$hub_pid/fd")"

# Nor can four users: 64 calls hold no more than 56 places.
users_max=$(sed -n 's/^ *AUTHORISE_PENDING_USERS_MAX = \([0-9]*\),.*/\1/p' "$SENDENSE_SRC/busd/bus/authorise.h")
asked_of_four() { [ "$(grep -c 'Asking polkit whether uid:[1234] may' "$hub_log")" -ge "$users_max" ]; }
kill -STOP "$polkit_pid"
"$SENDENSE_BUILD/tests/fuzz/bus-flood" "$hub_pid" 4 16 1 2 3 4 >"$TEST_TMP/flooded" 2>&1 </dev/null &
flood=$!
ok "calls of four users wait for polkit" eventually 20 asked_of_four
ok "root still has a place" eventually 20 hub_call GetStatus 'a{sv}' 0
ok "while they wait" kill -0 "$flood"
kill -CONT "$polkit_pid"
wait "$flood"
is "$(cat "$TEST_TMP/flooded")" "answered 0 busy $((64 - users_max)) other $users_max" \
    "$users_max were decided and the rest was told that it is too many"

# 4. Polkit goes away again.
kill -KILL "$polkit_pid"
wait "$polkit_pid" 2>/dev/null
polkit_pid=
like "$(nobody_error GetStatus '@a{sv} {}')" "$denied.GetStatus" "polkit gone: nobody is refused again"
like "$(hub_call GetStatus 'a{sv}' 0)" '"State"' "polkit gone: root is allowed"
done_testing
