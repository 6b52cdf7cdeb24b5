#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# 50,000 small files come back the same, and what a damaged file system says is told; who asks for nothing that is there is told so.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/files/files.bash"

files_up
# shellcheck disable=SC2016 # expanded in the machine
require "a guest with 50,000 files" in_hub '
    mkdir -p /srv/tree && cd /srv/tree && for folder in {1..50}; do mkdir "$folder" && (cd "$folder" && for file in {1..1000}; do echo "$folder $file" >"$file"; done); done
    mkfs.ext4 -q -N 60000 -d /srv/tree /srv/src/many-2000.raw 512M'
files_vm many 512
backup many --type=full
id=$(job .BackupId)
fault_baseline
begin=$EPOCHSECONDS
# shellcheck disable=SC2016 # expanded in the machine
is "$(in_hub 'mkdir /srv/got && sendensectl backup files get "$1" / --into=/srv/got >/dev/null && rm -rf /srv/got/lost+found && diff -r /srv/tree /srv/got 2>&1 | head -5' "$id")" \
    "" "50,000 files come back the same"
diag "in $((EPOCHSECONDS - begin)) s"
like "$(ctl get "$id" /none --into=/tmp 2>&1)" "There is no '/none' in the backup" "what is not there is said so"
unharmed "many files"

# A file system that a hostile guest has broken: told, and nothing hangs.
# shellcheck disable=SC2016 # expanded in the machine
in_hub 'cp /srv/src/many-2000.raw /srv/src/broken-2000.raw && for at in {2..400}; do head -c 512 /dev/urandom | dd of=/srv/src/broken-2000.raw bs=512 seek=$((at * 37)) conv=notrunc status=none; done'
files_vm broken 512
backup broken --type=full
answer=$(ctl tar broken / 2>&1 >/dev/null)
diag "$answer"
like "$answer" "job [0-9]+ is failed" "a broken file system ends the job"
unharmed "a broken file system"
done_testing
