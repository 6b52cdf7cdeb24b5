#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# `DESTDIR=x meson install` puts every file where it belongs, and nothing else: the tree is compared with the golden
# list beside this test. After a wanted change: tests/lab/hub-installed-files.sh --update, and look at the diff.

. "$(dirname "$0")/../lib/tap.sh"

golden=$SENDENSE_SRC/tests/lab/hub-installed-files.txt
: "${TEST_TMP:=$(mktemp -d)}"
[ -e "$SENDENSE_BUILD/build.ninja" ] || skip_all "no build in $SENDENSE_BUILD"

require "meson install" env DESTDIR="$TEST_TMP/root" meson install --no-rebuild --quiet -C "$SENDENSE_BUILD"
# Mode and path; a link with where it points.
list=$(cd "$TEST_TMP/root" && find . ! -type d \( -type l -printf '%P -> %l\n' -o -printf '%m %P\n' \) | LC_ALL=C sort -k 2)

if [ "${1:-}" = --update ]; then
    printf '%s\n' "$list" >"$golden"
    exit 0
fi
is "$(diff <(grep -v '^#' "$golden") - <<<"$list")" "" "the installed tree is the golden one"
unlike "$(grep -rIl -e "$SENDENSE_SRC" -e "$SENDENSE_BUILD" "$TEST_TMP/root")" . "no file names the place it was built in"
is "$(find "$TEST_TMP/root" \( -perm /6000 -o -perm /022 \) ! -type l | wc -l)" 0 \
    "nothing is setuid, setgid, or writable for others"
# Meson's lists are kept by hand: nothing of these folders may be missing from them.
for file in "$SENDENSE_SRC"/units/*.* "$SENDENSE_SRC"/units/*.service.d/* "$SENDENSE_SRC"/docs/man/*.[1-9] "$SENDENSE_SRC"/deploy/{dbus,polkit,sysusers.d,tmpfiles.d,system-preset}/*; do
    [ ! -d "$file" ] || continue
    name=${file##*/}
    # A drop-in counts with its folder.
    [[ $file != */units/*.service.d/* ]] || name=${file##*/units/}
    [ "$name" = meson.build ] || ok "$name is installed" grep -q "/$name\$" <<<"$list"
done
while read -r unit; do
    name=$(basename "$unit")
    is "$(grep -c '@[A-Z]' "$unit")" 0 "$name has every place filled in"
    while read -r program; do
        ok "$name: $program is installed" test -x "$TEST_TMP/root$program"
    done < <(sed -nE 's/^Exec[A-Za-z]+=[-+!:@]*(\/[^ ]*sendense[^ ]*).*/\1/p' "$unit")
done < <(find "$TEST_TMP/root" -path '*/systemd/system/*.service' -type f)
done_testing
