# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2153 # ANSWER is set in database.bash
#
# Probes of folders: half-made files in the repositories and in the state folders, and the ledger of the node.

# repositories_load: sets REPOSITORIES to those of the options, of the database, or the one that every hub has; or
# REPOSITORIES_ERROR.
repositories_load() {
    local folder
    REPOSITORIES=("${PLACE_REPOSITORIES[@]}") REPOSITORIES_ERROR=
    if [ ${#REPOSITORIES[@]} -gt 0 ] || [ -n "$PLACE_NO_REPOSITORY" ]; then
        :
    elif [ -n "$PLACE_NO_DATABASE" ]; then
        REPOSITORIES=(/var/lib/sendense/repository)
    elif database_query 'SELECT path FROM backup_repositories'; then
        mapfile -t REPOSITORIES < <(printf '%s' "$ANSWER")
        [ ${#REPOSITORIES[@]} -gt 0 ] || REPOSITORIES_ERROR="the database knows no repository; every hub has at least one"
    else
        REPOSITORIES_ERROR="the repositories are in the database, and it does not answer ($ANSWER); or name them with --repository DIR"
    fi
    for folder in "${REPOSITORIES[@]}"; do
        [[ -d $folder && -r $folder ]] || REPOSITORIES_ERROR="the repository $folder is not there"
    done
}
repositories() {
    [ -z "$REPOSITORIES_ERROR" ] || {
        cannot "$REPOSITORIES_ERROR"
        return 1
    }
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
        -o -name '*.tmp.*' -o -name '.*' -o -name '*~' -o -path '/var/lib/sendense/sent/*' \) || return 0
    while IFS= read -r file; do
        [ -z "$file" ] || leftover "$file" "ls -l $file"
    done <<<"$FILES"
}

# Rows of jobs that are over and owe nothing are history, and so are the results beside rows.
row_is_over() {
    case $1 in
    *.result) [ -e "${1%.result}.json" ] ;;
    *) [ "$(jq '.OwesSnapshot == false and (.State | IN("released", "failed", "cancelled"))' "$1" 2>/dev/null)" = true ] ;;
    esac
}

look_ledger() {
    local file
    if [ ! -d "$PLACE_LEDGER" ]; then
        # Where no node ever ran there is no ledger; where one did, or another name was given, that must not look clean.
        if [ "$PLACE_LEDGER" != /var/lib/sendense-node/ledger ] || [ -d /var/lib/sendense-node ]; then
            cannot "there is a node, but no folder $PLACE_LEDGER; name it with --ledger DIR"
        fi
        return 0
    fi
    find_files %p "$PLACE_LEDGER" -mindepth 1 -type f || return 0
    while IFS= read -r file; do
        [ -z "$file" ] || row_is_over "$file" || leftover "$file" "cat $file"
    done <<<"$FILES"
}
