#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Calls that do not belong here: unbounded or unchecked library functions everywhere, waiting and
# children in the daemons, SQL and threads outside their rooms.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

# room-of-the-rule (awk regex of paths) TAB room-excepted TAB calls TAB why
rules() {
    cat <<'EOF'
.	^$	strcpy stpcpy strcat sprintf vsprintf gets	has no bound
.	^$	strncpy strncat	does not end what it copies; use snprintf
.	^$	atoi atol atoll atof sscanf	does not say what is no number; use lib/parse
.	^$	strtok	keeps a state that others share
.	^$	system popen	starts a shell
.	^$	tmpnam mktemp tempnam	is a race
.	^$	rand srand random srandom drand48	is guessable; use libsodium
.	^$	alloca	has no bound
^(lib|busd|helpers|cli)/	^$	signal siginterrupt	use sd-event or sigaction
.	^$	longjmp siglongjmp	jumps over cleanups
^(lib|busd|helpers|cli)/	^$	assert	ends the program; return an error
^(lib|busd|helpers|cli)/	^$	abort exit _exit	only main ends the program, by returning
^(lib|busd|helpers|cli|tests/[^u])	^$	sleep usleep nanosleep clock_nanosleep	wait for the event
^busd/	^$	fork vfork posix_spawn posix_spawnp execv execve execvp execl execlp clone	daemons have no children
^busd/	^$	sd_bus_call sd_bus_call_method sd_bus_get_property sd_bus_get_property_string sd_bus_get_property_trivial sd_bus_set_property	blocks the loop; use sd_bus_call_async
^(lib|busd|helpers|cli)/	^(busd/hub/store/|helpers/backup-client/|helpers/image/digest\.c|helpers/image/restore-copy|helpers/tunnel/|helpers/vsphere/import-upload)	pthread_create thrd_create	threads only in the database worker, the copy engines, what reads digests back or uploads, and the tunnel
.	^(lib/database\.[ch]$|busd/hub/store/|helpers/migrate/|tests/)	mysql_[a-z_]*	SQL only in lib/database, store/ and migrate
EOF
}

check() {
    (
        cd "$1" || exit
        lint_c_files . | tr '\n' '\0' | xargs -0r env LC_ALL=C awk -v part=code -f "$SENDENSE_SRC/tests/lint/c-parts.awk"
    ) | LC_ALL=C awk -F'\t' '
        NR == FNR { n++; room[n] = $1; except[n] = $2; why[n] = $4
                    gsub(/ /, "|", $3); calls[n] = "(^|[^A-Za-z0-9_.>])(" $3 ")[ \t]*\\("; next }
        {
            split($0, part, ":")
            path[++m] = part[1]
            place[m] = part[1] ":" part[2]
            text[m] = substr($0, length(place[m]) + 2)
        }
        # Rule by rule, because gawk compiles a pattern anew whenever it meets another one.
        END {
            for (i = 1; i <= n; i++)
                for (j = 1; j <= m; j++)
                    if (match(text[j], calls[i]) && path[j] ~ room[i] && path[j] !~ except[i]) {
                        call = substr(text[j], RSTART, RLENGTH)
                        gsub(/[^A-Za-z0-9_]/, "", call)
                        print place[j] ": banned: " call "() " why[i]
                    }
        }' <(rules) -
}

plant lib/a.c <<'EOF'
/* strcpy(a, b) in a comment is harmless. */
static const char text[] = "strcat(a, b) in a string too \" sprintf(a, b)";
static void f(void)
{
        strcpy(a, b);
        snprintf(a, 1, "x");
        xstrcpy(a, b); s->system(1); s.rand();
        if (x)	atoi (a);
        assert(x); static_assert(x);
        usleep(3); /* comment */ fork();
        c = '"'; sprintf(a, b);
        mysql_query(m, q);
        pthread_create(&t);
}
EOF
plant busd/hub/a.c <<'EOF'
fork();
sd_bus_call_async(bus);
sd_bus_call(bus);
mysql_query(m, q);
x = rand();
EOF
plant busd/hub/store/a.c <<'EOF'
mysql_query(m, q);
pthread_create(&t);
sleep(1);
EOF
plant lib/database.c <<'EOF'
mysql_query(m, q);
EOF
plant tests/unit/a.c <<'EOF'
assert(1); fork(); mysql_query(m, q); usleep(1);
strcpy(a, b);
EOF
lint_planted lib/a.c:{5,8,9,10,11,12,13} busd/hub/a.c:{1,3,4,5} busd/hub/store/a.c:3 tests/unit/a.c:2
lint_tree banned
done_testing
