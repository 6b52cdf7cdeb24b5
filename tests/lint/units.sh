#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every unit is looked at by systemd itself, in a root of its own beside Debian's units, so that no
# init is needed. A service is sandboxed to an exposure of 2.5; one that must be more open says so
# in itself: "# Exposure up to 4.0: reason". The lab looks again at the booted machine.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

# unit_root TREE: makes a root with Debian's units, the tree's and the programs that they start.
unit_root() {
    local tree=$1 root=$2 file name
    mkdir -p "$root/usr/lib/systemd" "$root/etc" "$root/usr/bin"
    ln -sfn usr/lib "$root/lib"
    ln -sfn usr/bin "$root/bin"
    cp -r /lib/systemd/system "$root/usr/lib/systemd/"
    (cd "$tree" && lint_files . | grep -E '^units/.*\.(service|socket|target|slice|timer|path|mount|conf)(\.in)?$') |
        while IFS= read -r file; do
            name=${file#units/}
            name=${name%.in}
            mkdir -p "$root/usr/lib/systemd/system/$(dirname "$name")"
            sed 's,@[A-Z_]*DIR@,/usr/lib/sendense,g' "$tree/$file" >"$root/usr/lib/systemd/system/$name"
            printf '%s %s\n' "$name" "$file"
        done
    find "$root/usr/lib/systemd/system" -path '*/sendense*' -type f \
        -exec sed -nE 's/^Exec[A-Za-z]*=[-@:+!]*(\/[^ ]*).*/\1/p' {} + |
        while IFS= read -r file; do
            mkdir -p "$root/$(dirname "$file")"
            printf '#!/bin/sh\n' >"$root/$file"
            chmod +x "$root/$file"
        done
}

# verify ROOT NAME FILE UNIT: what systemd-analyze has to say, at the file and line of the tree.
verify() {
    local root=$1 name=$2 file=$3 unit=$4 limit exposure
    systemd-analyze verify --root="$root" --man=no --generators=no "$unit" 2>&1 |
        grep -F "${name##*/}" | sed -nE \
        -e "s,^[^:]*/${name##*/}:([0-9]+): (.*),$file:\1: unit: \2,p" \
        -e "t; s,^(.*),$file:0: unit: \1,p"
    [[ $unit == *.service ]] || return 0
    limit=$(sed -nE 's/^# Exposure up to ([0-9]+\.[0-9]): .{10,}/\1/p' "$root/usr/lib/systemd/system/$name")
    exposure=$(systemd-analyze security --root="$root" --offline=true --no-pager "$unit" 2>&1 |
        sed -nE 's/.*Overall exposure level for [^:]*: ([0-9]+\.[0-9]).*/\1/p')
    if ! awk -v is="${exposure:-99}" -v limit="${limit:-2.5}" 'BEGIN { exit !(is + 0 <= limit + 0) }'; then
        echo "$file:0: unit: exposure ${exposure:-unknown}, the limit is ${limit:-2.5} (systemd-analyze security)"
    fi
}

check() {
    local tree=$1 root name file unit
    root=$(mktemp -d "$TEST_TMP/root-XXXXXX")
    unit_root "$tree" "$root" >"$root.units"
    while read -r name file; do
        # "none" stands in for a credential that is not there, and is no secret.
        grep -nE '^[[:space:]]*SetCredential(Encrypted)?=' "$tree/$file" | grep -vE '=[a-z-]+:none$' |
            sed -E "s|^([0-9]+):.*|$file:\1: unit: SetCredential= can be read by everybody; use LoadCredential=|"
        [ ! -e "$tree/units/meson.build" ] || grep -qF "${file#units/}" "$tree/units/meson.build" ||
            echo "$file:0: unit: not installed by units/meson.build"
        sed -nE 's/^User=([a-z][a-z0-9-]*)$/\1/p' "$tree/$file" | while IFS= read -r unit; do
            grep -qE "^u!?[[:space:]]+${unit}[[:space:]]" "$tree"/deploy/sysusers.d/*.conf 2>/dev/null ||
                [ ! -d "$tree/deploy/sysusers.d" ] || echo "$file:0: unit: User=$unit is in no deploy/sysusers.d"
        done
        unit=${name/@./@1.}
        case $name in
        *-.service.d/*.conf)
            # A prefix drop-in is read with a unit that it applies to.
            unit=${name%%.service.d/*}1.service
            printf '[Service]\nExecStart=/bin/true\n' >"$root/usr/lib/systemd/system/$unit"
            : >"$root/usr/bin/true" && chmod +x "$root/usr/bin/true"
            ;;
        *.d/*.conf) continue ;;
        esac
        verify "$root" "$name" "$file" "$unit"
    done <"$root.units"
}

# A sandbox that passes.
sandbox='DynamicUser=yes
ProtectSystem=strict
ProtectHome=yes
PrivateDevices=yes
PrivateNetwork=yes
IPAddressDeny=any
RestrictAddressFamilies=AF_UNIX
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
CapabilityBoundingSet=
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service'
plant units/sendense-good.service <<<$'[Service]\nExecStart=@LIBEXECDIR@/good\nUser=sendense\nSetCredential=key:none\n'"$sandbox"
plant units/sendense-open.service <<<$'# Exposure up to 9.9: it is only a sample\n[Service]\nExecStart=/x/y'
plant units/sendense-bad-open.service <<<$'[Service]\nExecStart=/x/y'
plant units/sendense-bad-reason.service <<<$'# Exposure up to 9.9:\n[Service]\nExecStart=/x/y'
plant units/sendense-bad-key.service <<<$'[Unit]\nAfter=a.soket\n[Service]\nProtectClok=yes\nExecStart=/x/y\n'"$sandbox"
plant units/sendense-bad-user.service <<<$'[Service]\nUser=nobody-knows\nExecStart=/x/y\n'"$sandbox"
plant units/sendense-bad-secret.service <<<$'[Service]\nExecStart=/x/y\nSet@@Credential=a:b\n'"$sandbox"
plant units/sendense-job@.target <<<$'[Unit]\nDescription=Job %i'
plant units/sendense-bad@.target <<<$'[Unit]\nDescripton=Job %i'
plant units/sendense-export-.service.d/10-sandbox.conf <<<$'[Service]\n'"$sandbox"
plant units/sendense-copy-.service.d/10-sandbox.conf <<<$'[Service]\nPrivateNet=yes\n'"$sandbox"
plant units/sendense-forgotten.target <<<$'[Unit]\nDescription=x'
(cd "$lint_plants/units" && printf '%s\n' sendense-[^f]* sendense-*.d/* | plant units/meson.build)
plant deploy/sysusers.d/sendense.conf <<<'u sendense - "x" /var/lib/sendense'
lint_planted units/sendense-bad-open.service:0 units/sendense-bad-reason.service:0 \
    units/sendense-bad-key.service:{2,4} units/sendense-bad-user.service:0 units/sendense-bad-secret.service:3 \
    units/sendense-bad@.target:2 units/sendense-copy-.service.d/10-sandbox.conf:2 units/sendense-forgotten.target:0
lint_tree unit
done_testing
