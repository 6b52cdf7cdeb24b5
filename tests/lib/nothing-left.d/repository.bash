# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2153 # ANSWER is set in database.bash
#
# Probes of folders: half-made files in the repositories and in the state folders, and the ledger of the node.

# repositories: fills REPOSITORIES: those of the options, of the database, or the one that every hub has.
repositories() {
    local folder
    if [ ${#PLACE_REPOSITORIES[@]} -gt 0 ]; then
        REPOSITORIES=("${PLACE_REPOSITORIES[@]}")
    elif [ -n "$PLACE_NO_DATABASE" ]; then
        REPOSITORIES=(/var/lib/sendense/repository)
    else
        database_query 'SELECT path FROM backup_repositories' || {
            cannot "the repositories are in the database, and it does not answer ($ANSWER); or name them with --repository DIR"
            return 1
        }
        mapfile -t REPOSITORIES < <(printf '%s' "$ANSWER")
    fi
    for folder in "${REPOSITORIES[@]}"; do
        [[ -d $folder && -r $folder ]] || {
            cannot "the repository $folder is not there"
            return 1
        }
    done
}

# find_files FORMAT FIND-ARG...: sets FILES to a line for each file. What vanishes meanwhile is no trouble, all else is.
find_files() {
    local answer trouble
    answer=$(LC_ALL=C find "${@:2}" -printf "=$1\n" 2>&1)
    FILES=$(sed -n 's/^=//p' <<<"$answer" | sort -u)
    trouble=$(grep '^find:' <<<"$answer" | grep -v ': No such file or directory$') || return 0
    cannot "$trouble"
    return 1
}

look_partial_files() {
    local file folder folders
    repositories || return 0
    folders=("${REPOSITORIES[@]}")
    for folder in /var/lib/sendense /var/lib/sendense-node; do
        [ ! -d "$folder" ] || folders+=("$folder")
    done
    find_files %p "${folders[@]}" -mindepth 1 \( -name '*.partial' -o -name '*.partial.*' -o -name '*.tmp' \
        -o -name '*.tmp.*' -o -name '.*' -o -name '*~' \) || return 0
    while IFS= read -r file; do
        [ -z "$file" ] || leftover "$file" "ls -l $file"
    done <<<"$FILES"
}

look_ledger() {
    local file
    if [ ! -d "$PLACE_LEDGER" ]; then
        # Without a node there is no ledger; with one, a wrong name must not look clean.
        for file in {/etc,/run,/usr/lib}/systemd/system/sendense-node.service; do
            [ ! -e "$file" ] || cannot "there is a node, but no folder $PLACE_LEDGER; name it with --ledger DIR"
        done
        return 0
    fi
    find_files %p "$PLACE_LEDGER" -mindepth 1 -type f || return 0
    while IFS= read -r file; do
        [ -z "$file" ] || leftover "$file" "cat $file"
    done <<<"$FILES"
}
