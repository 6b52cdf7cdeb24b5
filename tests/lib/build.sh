# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Builds the tree for the tests, in one folder per flavour beside the sources. Called by tests/run and
# .ci/run. A build folder that somebody configured by hand is used as it is; one that belongs to another
# place of the tree, or was made here with other options, is made anew.

# build_folder FLAVOUR: where it is built. SENDENSE_BUILD in the environment overrides the plain one.
build_folder() {
    case $1 in
    plain) printf '%s\n' "${SENDENSE_BUILD:-$SENDENSE_SRC/build}" ;;
    *) printf '%s\n' "$SENDENSE_SRC/build-$1" ;;
    esac
}

# build_options FLAVOUR: compiler and meson options, one per line; the first line is the compiler.
build_options() {
    case $1 in
    plain) printf '%s\n' gcc ;;
    clang) printf '%s\n' clang ;;
    # What deploy/install installs.
    install) printf '%s\n' gcc --buildtype=release -Dtests=false -Dwerror=false ;;
    # For whole machines: half of all there is to compile are tests of parts, which the plain build runs.
    fault-points) printf '%s\n' gcc -Dfault-points=true -Dtests=false ;;
    # By clang: its reports of both sanitizers go to log_path=, gcc's of undefined behaviour do not, so
    # that one in a daemon that nobody waits for would be missed.
    sanitize) printf '%s\n' clang -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 ;;
    *)
        printf 'build: there is no flavour "%s" (plain, clang, install, fault-points, sanitize)\n' "$1" >&2
        return 1
        ;;
    esac
}

# build_empty FOLDER: an old build that must not be used again. The lock in it is held.
build_empty() {
    find "$1" -mindepth 1 -maxdepth 1 ! -name .lock -exec rm -rf {} +
}

build_configure() { # FLAVOUR FOLDER COMPILER OPTION...
    local flavour=$1 folder=$2 compiler=$3 wanted="${*:3}" info=$2/meson-info/meson-info.json made=
    shift 3
    [ ! -e "$folder/.flavour" ] || made=$(<"$folder/.flavour")
    if [ -e "$info" ] && ! grep -qF "\"source\": \"$SENDENSE_SRC\"" "$info"; then
        printf 'build: %s was made for another place of the tree, making it anew\n' "$folder"
        build_empty "$folder"
    elif [ -e "$info" ] && [ "$made" != "$wanted" ] && { [ -n "$made" ] || [ "$flavour" != plain ]; }; then
        # A plain folder without the mark was configured by hand and is left as it is.
        printf 'build: %s was made with other options, making it anew\n' "$folder"
        build_empty "$folder"
    fi
    if [ ! -e "$folder/build.ninja" ]; then
        CC=$compiler meson setup "$@" "$folder" "$SENDENSE_SRC" || return
        printf '%s\n' "$wanted" >"$folder/.flavour"
    fi
}

# build_flavour FLAVOUR JOBS: configures if needed and builds. Quiet when all goes well.
build_flavour() {
    local flavour=$1 jobs=$2 folder log rc start=${EPOCHREALTIME/[.,]/} options owner
    options=$(build_options "$flavour") || return 1
    mapfile -t options <<<"$options"
    folder=$(build_folder "$flavour")
    mkdir -p "$folder" && log=$(mktemp) || return 1
    # Two runs in one tree must not build at the same time.
    (
        flock 9
        build_configure "$flavour" "$folder" "${options[@]}" && ninja -C "$folder" -j "$jobs"
    ) 9>"$folder/.lock" >"$log" 2>&1 </dev/null
    rc=$?
    # Built by root in somebody else's tree: the owner must be able to build in it and to remove it.
    owner=$(stat -c %u:%g "$SENDENSE_SRC")
    if [ "$(id -u)" -eq 0 ] && [ "${owner%%:*}" -ne 0 ]; then
        find "$folder" -user 0 -exec chown -h "$owner" {} +
    fi
    if [ "$rc" -ne 0 ]; then
        tail -n 60 "$log" | sed 's/^/# /'
        printf '# build: the %s build in %s failed\n' "$flavour" "$folder"
    else
        sed -n 's/^build: /# &/p' "$log"
        printf '# build: %s in %s, %d.%d s\n' "$flavour" "$folder" \
            $(((${EPOCHREALTIME/[.,]/} - start) / 1000000)) $(((${EPOCHREALTIME/[.,]/} - start) / 100000 % 10))
    fi
    rm -f "$log"
    return "$rc"
}
