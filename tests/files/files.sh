#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Files out of a backup on a booted machine: what comes back is what was there, odd names, links, holes and attributes with it, out of a
# volume that lies on two disks; who may ask, and what is said when there is nothing to be had.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/files.bash"

files_up
# shellcheck disable=SC2016 # expanded in the machine
require "a guest with odd files" in_hub '
    mkdir -p /srv/tree/etc/deep && cd /srv/tree/etc && echo hello >hello && ln -s hello link && ln -s /etc/passwd out && ln hello hard &&
    printf x >"new
line" && printf y >"$(printf "caf\351")" && printf z >"back\\slash" && printf "" >"-rf *" &&
    truncate -s 5M sparse && printf z | dd of=sparse bs=1 seek=3M conv=notrunc status=none &&
    head -c 3M /dev/urandom >deep/big && setfattr -n user.note -v "a=b" hello && chown 7:8 deep && chmod 4755 deep/big &&
    touch -d "2001-02-03 04:05:06.789" deep && name=$(printf %0150d 7) && mkdir $name && echo long >$name/$name && ln -s $name/$name longlink &&
    mkfs.ext4 -q -d /srv/tree /srv/src/web-2000.raw 64M'
files_vm web 64
backup web --type=full
id=$(job .BackupId)
before=$(in_hub 'cd "$1" && find . -type f -exec sha256sum {} + | sort' "$fault_repo")
fault_baseline

# Two jobs, each with a machine of its own.
# shellcheck disable=SC2016 # expanded in the machine
require "it is listed and got, both at once" in_hub 'mkdir /srv/got || exit
    sendensectl backup files ls web / --recursive --json >/srv/listed &
    sendensectl backup files get "$1" /etc --into=/srv/got --json >/srv/count && wait $!' "$id"
listed=$(hub cat /srv/listed)
# shellcheck disable=SC2016 # expanded in the machine
is "$(jq -r 'select(.path | startswith("/etc/")) | [.path, .type, .size, .mode, .uid, .links] | @tsv' <<<"$listed" | wc -l)" \
    "$(in_hub 'find /srv/tree/etc -mindepth 1 -printf "x" | wc -c')" "everything is listed"
is "$(jq -r 'select(.path == "/etc/hello") | "\(.type) \(.size) \(.links) \(.mode)"' <<<"$listed")" "file 6 2 420" "a file is what it is"
is "$(jq -r 'select(.path == "/etc/out").target' <<<"$listed")" "/etc/passwd" "a link says where to"
for name in 'new\nline' 'caf\xe9' 'back\\slash' '-rf *'; do
    ok "the name $name" grep -qFx "/etc/$name" <(jq -r .path <<<"$listed")
done
JOB=$(hub sendensectl job list --json --limit=1 | jq -r '.[0].Id')
is "$(job '"\(.Type) \(.State)"')" "files completed" "it was a job"
diag "its result: $(job .WorkResult)"

# And back.
is "$(hub jq -c '[.Refused, .DevicesLeftOut]' /srv/count)" "[0,0]" "nothing of it was left out"
# shellcheck disable=SC2016 # expanded in the machine
is "$(in_hub 'diff -r --no-dereference /srv/tree/etc /srv/got/etc 2>&1')" "" "and is the same"
# shellcheck disable=SC2016 # expanded in the machine
same() { is "$(in_hub 'cd "$1/etc" && eval "$2"' /srv/got "$2")" "$(in_hub 'cd "$1/etc" && eval "$2"' /srv/tree "$2")" "$1 too"; }
same "owners, modes, times and links" 'find . -printf "%P %U %G %m %T@ %n %l\n" | sed -E "s/\.[0-9]+ / /" | sort' # mkfs drops the fractions
same "attributes" 'getfattr --absolute-names -d hello hard | sort'
# shellcheck disable=SC2016 # expanded in the machine
ok "and holes" in_hub '[ "$(stat -c %b /srv/got/etc/sparse)" -lt 200 ]'
is "$(in_hub 'cd "$1" && find . -type f -exec sha256sum {} + | sort' "$fault_repo")" "$before" "the repository is what it was"
ok "nothing is left" nothing_left
# shellcheck disable=SC2016 # expanded in the machine
is "$(in_hub 'cd /var/cache/sendense-files/appliance && find .. /run/sendense-appliance \( ! -user sendense-appliance -o -perm /022 \) ! -type l -ls 2>&1; id -un -- sendense-files')" \
    "sendense-files" "the machine of the jobs is another user's than theirs"

# By HTTP, as it comes.
token=$(hub sendensectl token create files --role=restore --role=inspect)
http() { # BACKUP/files/… JSON [CURL-ARGUMENT...]: the answer into /srv/http, its head into /srv/head; "STATUS RC"
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'curl -sN --max-time 300 -o /srv/http -D /srv/head -w "%{http_code}" -H "Authorization: Bearer $1" -d "$3" "${@:4}" "http://127.0.0.1:8082/api/v1/backups/$2"; echo " $?"' "$token" "$@"
}
# It is read for some seconds, in which the hub is started anew: the job goes on, and so does the answer.
# shellcheck disable=SC2016 # expanded in the machine
is "$(in_hub 'curl -sN --max-time 300 --limit-rate 400k -o /srv/http -D /srv/head -w "%{http_code}" -H "Authorization: Bearer $1" -d "{\"paths\":[\"/etc\"]}" \
    "http://127.0.0.1:8082/api/v1/backups/$2/files/tar" &
    until [ -s /srv/http ]; do kill -0 $! || exit; sleep 0.05; done
    systemctl restart sendense-hub && kill -0 $! && wait $!; echo " $?"' "$token" "$id")" "200 0" "a tar by HTTP comes to its end, whatever becomes of the hub"
hub_ready
# shellcheck disable=SC2016 # expanded in the machine
is "$(in_hub 'mkdir /srv/by-http && tar --xattrs --numeric-owner -C /srv/by-http -xpf /srv/http && diff -r --no-dereference /srv/tree/etc /srv/by-http/etc 2>&1')" "" "and is the same"
JOB=$(hub sed -nE 's,^[Ll]ocation: /api/v1/jobs/([0-9]+).*,\1,p' /srv/head)
is "$(job '"\(.Type) \(.State) \(.Principal)"')" "files completed token:files" "the head names its job, which was done in the name of who asked"
like "$(http "$id/files/list" '{"paths":["/none"]}') $(hub jq -r '"\(.error) \(.job_id > 0)"' /srv/http)" '^404 0 com.sendense.Error.NotFound true|^[45][0-9][0-9] 0 com.sendense.Error.* true' \
    "what fails before the first byte is a problem, with its job"

# Who may, and what is refused at once.
# shellcheck disable=SC2016 # expanded in the machine
in_hub 'useradd --no-create-home mallory'
like "$(hub setpriv --reuid mallory --regid mallory --init-groups sendensectl backup files ls "$id" 2>&1)" \
    'com.sendense.hub.restore|not allowed|denied|authentication' "who may not restore gets nothing"
like "$(ctl ls backup-none-1 2>&1)" "There is no backup 'backup-none-1'" "nor does anybody of a backup that is not there"
like "$(ctl ls nobody 2>&1)" "nobody" "or of a VM that is not"
like "$(ctl ls "$id" 'bad\q' 2>&1)" "is no path" "a path that is none"
like "$(hub busctl call "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" ListFiles 'asha{sv}' 2>&1 </dev/null; ctl tar "$id" 2>&1)" "needs" "a verb without a path"

# The reader goes away: the job ends, and nothing of it stays.
# shellcheck disable=SC2016 # expanded in the machine
newest() { hub sendensectl job list --json --limit=1 | jq -r '.[0].Id'; }
before=$(newest)
begun() { [ "$(newest)" != "$before" ]; }
hub systemd-run --quiet --collect --unit=reader -p StandardOutput=null sendensectl backup files tar "$id" /
ok "somebody reads all of it" eventually "$patience_sec" begun
hub systemctl stop reader
JOB=$(newest)
hub sendensectl job cancel "$JOB" --wait >/dev/null 2>&1
like "$(wait_job)" "^(cancelled|failed)$" "a job whose reader is gone is cancelled"
# What cannot be read is left out and said, and all else comes: a name without an inode, a file that cannot be opened, folders too deep.
# shellcheck disable=SC2016 # expanded in the machine
require "a guest with a damaged file system" in_hub '
    mkdir -p /srv/hurt/etc/full && cd /srv/hurt/etc && echo a >a && echo gone >gone && echo locked >locked && ln locked locked2 && echo z >full/z &&
    deep=deep$(printf "/%.0sd" $(seq 520)) && mkdir -p "$deep" &&
    mkfs.ext4 -q -O encrypt -d /srv/hurt /srv/src/hurt-2000.raw 64M && debugfs -w -R "clri /etc/gone" /srv/src/hurt-2000.raw 2>&1 &&
    debugfs -w -R "set_inode_field /etc/locked flags 0x80800" /srv/src/hurt-2000.raw 2>&1'
files_vm hurt 64
backup hurt --type=full
hub mkdir /srv/healed
like "$(ctl get hurt /etc --into=/srv/healed 2>&1 | tr '\n' ' '; echo "= ${PIPESTATUS[0]}")" "4 left out.* /etc/.*= 1" "what is left out is counted and named, and fails the job"
# shellcheck disable=SC2016 # expanded in the machine
is "$(in_hub 'cd /srv/healed/etc && find . -not -path "./deep*" -type f | sort | xargs cat | tr -d "\n"; find deep -type d | wc -l')" "az512" \
    "all else is there"
like "$(ctl ls hurt /etc 2>&1 | tr '\n' ' '; echo "= ${PIPESTATUS[0]}")" "/etc/a.*1 left out.* /etc/gone.*= 1" "nor is a list silent about it"
is "$(http hurt-is-no-id/files/list '{}')" "404 0" "by HTTP a backup is called by its id"
is "$(http "$(job .BackupId)/files/list" '{"paths":["/etc"]}') $(hub grep -c '"path":"/etc/a"' /srv/http)" "200 18 1" "by HTTP the list is cut where something is missing"
hub systemctl stop sendense-hub-api.service # whose descriptors nobody has counted
# The catalog is lost, and made anew from the repository.
require "a new database" in_hub 'systemctl stop sendense-hub && mariadb -e "DROP DATABASE sendense" && systemctl restart sendense-migrate &&
    systemctl start sendense-hub && sendensectl database probe >/dev/null && sendensectl repository scan 1 >/dev/null'
like "$(ctl ls "$id" /etc)" '/etc/hello' "files come out of a backup that a scan has found"
# A package that is missing is named.
hub mv /usr/lib/sendense/sendense-files /srv/away
like "$(ctl ls "$id" 2>&1)" "package sendense-files" "a hub without the program says which package is missing"
hub mv /srv/away /usr/lib/sendense/sendense-files
unharmed "files"
done_testing
