# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Installs the Debian packages that a list in deploy/packages names, and only those that are missing.
# Called by tests/run and deploy/quickstart, on anything from a developer's machine to a bare root
# without an init. It starts no service and enables none: both callers boot machines of their own,
# so a host must not find an sshd or a MariaDB running because somebody ran the tests. A real
# installation says --with-services. Nothing here asks a question or reads standard input.

packages_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../packages" && pwd)
packages_policy=/usr/sbin/policy-rc.d
packages_policy_mark='# Temporary, by sendense deploy/lib/packages.sh: no service starts while packages are installed.'

packages_say() { printf 'packages: %s\n' "$*" >&2; }

# packages_names LIST...: the package names of the lists, one per line. Everything after # is a reason.
packages_names() {
    local list file
    for list; do
        file=$packages_dir/$list
        [ -r "$file" ] || {
            packages_say "there is no package list $file"
            return 1
        }
        sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$file" || return 1
    done | LC_ALL=C sort -u
}

# packages_missing NAME...: those that are not completely installed.
packages_missing() {
    local have name
    have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
    for name; do
        grep -qxF -e "$name" <<<"$have" || printf '%s\n' "$name"
    done
}

packages_apt() {
    env DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true NEEDRESTART_SUSPEND=1 \
        APT_LISTCHANGES_FRONTEND=none LC_ALL=C.UTF-8 PATH="/usr/sbin:/sbin:$PATH" \
        apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" </dev/null
}

# Both invoke-rc.d and deb-systemd-invoke obey this file. One that is there already is the
# administrator's and stays. One of ours that a killed run left behind is replaced and then removed.
packages_policy_set() {
    if [ -e "$packages_policy" ] && ! grep -qxF -e "$packages_policy_mark" "$packages_policy"; then
        return 0
    fi
    trap packages_policy_undo EXIT
    trap 'exit 143' TERM
    trap 'exit 130' INT
    printf '#!/bin/sh\n%s\nexit 101\n' "$packages_policy_mark" >"$packages_policy.sendense" &&
        chmod 755 "$packages_policy.sendense" &&
        mv -f "$packages_policy.sendense" "$packages_policy"
}

packages_policy_undo() {
    rm -f "$packages_policy.sendense"
    if [ -e "$packages_policy" ] && grep -qxF -e "$packages_policy_mark" "$packages_policy"; then
        rm -f "$packages_policy"
    fi
}

packages_enabled() {
    find /etc/systemd/system -type l -path '*.wants/*' 2>/dev/null | LC_ALL=C sort
}

# Debian enables what it installs. On a running host that means an sshd at the next boot that nobody
# asked for, so what became enabled just now is disabled again. In a root without systemd as its
# init (a container, an image being made) nothing boots by accident and Debian's choice stays.
packages_disable_new() { # BEFORE
    local link unit
    [ -d /run/systemd/system ] || return 0
    while read -r link; do
        unit=${link##*/}
        case $unit in
        mariadb.service | ssh.service | ssh.socket | nftables.service) ;;
        *) continue ;;
        esac
        if systemctl disable --quiet "$unit"; then
            packages_say "left $unit disabled; 'systemctl enable --now $unit' starts it"
        else
            packages_say "cannot disable $unit, it will start at the next boot; ignoring"
        fi
    done < <(comm -13 <(printf '%s\n' "$1") <(packages_enabled))
}

# Says what apt's complaint means and what to do about it.
packages_explain() { # LOG
    local name
    if grep -Eq 'Could not get lock|Unable to (acquire|lock)' "$1"; then
        packages_say "another apt or dpkg has held the lock for two minutes; wait for it to end and try again"
    elif grep -q 'dpkg was interrupted' "$1"; then
        packages_say "an earlier installation was interrupted; run 'dpkg --configure -a' and try again"
    elif grep -q 'No space left on device' "$1"; then
        packages_say "the disk is full; make room below /var and try again"
    elif grep -Eq 'Temporary failure resolving|Could not (resolve|connect)|Failed to fetch|Network is unreachable' "$1"; then
        packages_say "the Debian mirror in /etc/apt/sources.list cannot be reached; check network and proxy and try again"
    elif grep -Eq 'Unable to locate package|has no installation candidate' "$1"; then
        name=$(sed -nE "s/^E: Unable to locate package (.*)/\1/p; s/^E: Package '?([^' ]*)'? has no installation candidate.*/\1/p" "$1" | sort -u | tr '\n' ' ')
        packages_say "no Debian source offers: ${name% }; this needs Debian 12 with its 'main' section in /etc/apt/sources.list"
    else
        packages_say "apt-get failed; its last lines are above"
    fi
}

packages_install() { # NAME...
    local log rc before updated=
    log=$(mktemp) || return 1
    before=$(packages_enabled)
    # The lists may be absent (a bare root) or older than the mirror; ask the mirror only then.
    if ! packages_apt -s install --no-install-recommends "$@" >"$log" 2>&1; then
        packages_say "fetching the package lists"
        packages_apt update >"$log" 2>&1 && ! grep -q '^\(Err:\|W: Failed to fetch\)' "$log"
        rc=$?
        updated=1
    else
        rc=0
    fi
    if [ "$rc" -eq 0 ]; then
        packages_apt install --no-install-recommends "$@" >"$log" 2>&1
        rc=$?
        if [ "$rc" -ne 0 ] && [ -z "$updated" ] && grep -Eq 'Failed to fetch|404 +Not Found' "$log"; then
            packages_say "the package lists are out of date, fetching them"
            packages_apt update >"$log" 2>&1 &&
                packages_apt install --no-install-recommends "$@" >"$log" 2>&1
            rc=$?
        fi
    fi
    if [ "$rc" -ne 0 ]; then
        tail -n 15 "$log" | sed 's/^/    /' >&2
        packages_explain "$log"
    elif [ -z "${packages_with_services:-}" ]; then
        packages_disable_new "$before"
    fi
    rm -f "$log"
    return "$rc"
}

# packages_ensure_names NAME...: as packages_ensure, for names instead of lists.
packages_ensure_names() {
    local missing still
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        packages_say "this is no Debian system (no dpkg-query and apt-get); use Debian 12"
        return 1
    fi
    mapfile -t missing < <(packages_missing "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        packages_say "missing: ${missing[*]}; installing them needs root: run this with sudo"
        return 1
    fi
    packages_say "installing ${missing[*]}"
    # A subshell, so that its EXIT trap is not the caller's.
    (
        [ -n "${packages_with_services:-}" ] || packages_policy_set || exit 1
        packages_install "${missing[@]}"
    ) || return 1
    mapfile -t still < <(packages_missing "$@")
    [ "${#still[@]}" -eq 0 ] || {
        packages_say "apt-get reported success, but these are not installed: ${still[*]}"
        return 1
    }
}

# packages_ensure [--with-services] LIST...: 0 when every package of the lists is installed.
packages_ensure() {
    local names packages_with_services=
    if [ "${1:-}" = --with-services ]; then
        packages_with_services=1
        shift
    fi
    names=$(packages_names "$@") || return 1
    # shellcheck disable=SC2086 # package names hold no spaces
    packages_ensure_names $names
}
