# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Builds the tree for the tests, in one folder per flavour beside the sources. Called by tests/run and
# .ci/run. It leaves alone how an existing build folder is configured, apart from what the flavour
# itself means; a folder that belongs to another place of the tree is made anew.

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
    fault-points) printf '%s\n' gcc -Dfault-points=true ;;
    # By clang: its reports of both sanitizers go to log_path=, gcc's of undefined behaviour do not, so
    # that one in a daemon that nobody waits for would be missed.
    sanitize) printf '%s\n' clang -Db_sanitize=address,undefined -Db_lundef=false -Dbuildtype=debug -Doptimization=1 ;;
    *)
        printf 'build: there is no flavour "%s" (plain, clang, fault-points, sanitize)\n' "$1" >&2
        return 1
        ;;
    esac
}

build_configure() { # FOLDER COMPILER OPTION...
    local folder=$1 compiler=$2 info=$1/meson-info/meson-info.json
    shift 2
    if [ -e "$info" ] && ! grep -qF "\"source\": \"$SENDENSE_SRC\"" "$info"; then
        printf 'build: %s was made for another place of the tree, making it anew\n' "$folder" >&2
        find "$folder" -mindepth 1 -maxdepth 1 ! -name .lock -exec rm -rf {} +
    fi
    [ -e "$folder/build.ninja" ] || CC=$compiler meson setup "$@" "$folder" "$SENDENSE_SRC"
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
        build_configure "$folder" "${options[@]}" && ninja -C "$folder" -j "$jobs"
    ) 9>"$folder/.lock" >"$log" 2>&1 </dev/null
    rc=$?
    # Built by root in somebody else's tree: the owner must be able to build in it and to remove it.
    owner=$(stat -c %u:%g "$SENDENSE_SRC")
    if [ "$(id -u)" -eq 0 ] && [ "${owner%%:*}" -ne 0 ]; then
        find "$folder" -user 0 -exec chown -h "$owner" {} +
    fi
    if [ "$rc" -ne 0 ]; then
        sed 's/^/# /' "$log"
        printf '# build: the %s build in %s failed\n' "$flavour" "$folder"
    else
        sed -n 's/^build: /# &/p' "$log"
        printf '# build: %s in %s, %d.%d s\n' "$flavour" "$folder" \
            $(((${EPOCHREALTIME/[.,]/} - start) / 1000000)) $(((${EPOCHREALTIME/[.,]/} - start) / 100000 % 10))
    fi
    rm -f "$log"
    return "$rc"
}
