# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For tests of the Debian packages on a machine called hub, which has nothing of ours before they are installed: source it after
# tap.sh. Packages lie in $debs/VERSION, inside the machine in /debs/VERSION. Called by this suite and by packages-long.

# shellcheck source=tests/lab/hub-lab.bash
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

debs=$TEST_TMP/debs
mkdir -p "$debs"

# packages_make VERSION [OPTION...]: OPTION is for build-deb; that takes the build of the test, if it is told so.
packages_make() {
    command -v dh >/dev/null || skip_all "debhelper is missing"
    local quickly=()
    # One that compiles nothing does not compress either, as nobody keeps them.
    [ $# -eq 1 ] || quickly=(DPKG_DEB_COMPRESSOR_TYPE=none)
    require "packages of version $1 are made" env DEB_BUILD_OPTIONS=noautodbgsym "${quickly[@]}" \
        "$SENDENSE_SRC/deploy/build-deb" --version "$1" "${@:2}" "$debs/$1"
}

# paths VERSION PACKAGE...: inside the machine.
paths() {
    local package
    for package in "${@:2}"; do printf '%s\n' "/debs/$1/${package}_$1_$(dpkg --print-architecture).deb"; done
}

# apt WORD...: as an administrator does it, but without a terminal.
apt() { hub env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@"; }

# installs VERSION PACKAGE...
installs() {
    # shellcheck disable=SC2046 # paths hold no spaces
    apt install --no-install-recommends --allow-downgrades $(paths "$@")
}

# hub_answers WHAT: on the bus, with its database, and nothing of the machine has failed.
hub_answers() {
    ok "$1: the hub answers" wait_prop "$patience_sec" DatabaseState 's "ready"'
    is "$(unit sendense-hub-api.socket ActiveState)" active "$1: its HTTP API listens"
    is "$(hub systemctl list-units --failed --plain --no-legend)" "" "$1: no unit has failed"
}

# machine_up OPTION...: one that starts what is installed, whatever this machine does, and does not read all manuals each time.
machine_up() {
    lab_up --names hub --bind "$debs:/debs" "$@"
    hub rm -f /usr/sbin/policy-rc.d /var/lib/man-db/auto-update
}

# bare_ready: a bare machine can be made here, and apt's lists and archives are kept for those of the test.
bare_ready() {
    [ "$EUID" -eq 0 ] || skip_all "a bare machine takes root"
    [ "$(stat -fc %T /)" != overlayfs ] || skip_all "a bare machine is an overlay, and this root file system is one already"
    export LAB_BARE_DIR=$TEST_TMP/bare
    mkdir "$LAB_BARE_DIR" "$TEST_TMP/lists" "$TEST_TMP/archives"
    kept=(--bind "$TEST_TMP/lists:/var/lib/apt/lists" --bind "$TEST_TMP/archives:/var/cache/apt/archives")
}

# bare_fetch WORD...: what apt needs to install these; a machine of the lab has no way out.
bare_fetch() {
    require "what they depend on is fetched" lab bare --bind "$debs:/debs" "${kept[@]}" \
        sh -c 'apt-get -q update && apt-get -q -y --no-install-recommends install --download-only "$@"' sh "$@"
}

# bare_up OPTION...: a booted one.
bare_up() { machine_up --root=bare --disk "${kept[@]}" "$@"; }

# remains: the files of ours, wherever they are looked for.
remains() {
    in_hub 'find /etc /usr /var/lib /var/cache /run \( -path /var/lib/dpkg -o -path /var/lib/systemd/catalog \) -prune -o -name "*sendense*" -print -prune' |
        LC_ALL=C sort
}

# runs: active units of ours but for the slice that systemd keeps of every template, and rules of the packet filter.
runs() {
    in_hub 'systemctl list-units --state=active,failed --plain --no-legend "*sendense*" | grep -v ^system-; nft list tables | grep sendense'
}
