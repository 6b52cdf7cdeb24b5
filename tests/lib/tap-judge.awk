# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Judges what one test printed. tests/run calls it once per test with:
#   first=N     number of the next result in the whole run
#   name=S/T    suite and test, the prefix of every result
#   trouble=... what the runner saw itself (time limit, left processes), empty when nothing
#   status=N    exit status of the test
#   tally=FILE  gets "passed failed skipped", then one line per failed and skipped result
# It prints the results renumbered. Whatever breaks the protocol is one more failed result; a mark
# for later does not excuse a failure. A skip counts as a skip whether it says ok or not ok (cmocka's way).

function emit(good, text) {
    sub(/: *$/, "", text)
    printf "%s %d - %s\n", good ? "ok" : "not ok", first + n_out, text
    n_out++
}
function problem(text) {
    problems = problems (problems == "" ? "" : "; ") text
}
function note(kind, text) {
    notes = notes kind " " text "\n"
}

BEGIN { seen = passed = failed = skipped = n_out = 0; plan = -1 }

{ sub(/\r$/, "") }

/^Bail out!/ {
    reason = $0
    sub(/^Bail out![ \t]*/, "", reason)
    problem("bailed out: " reason)
    next
}

/^1\.\.[0-9]+/ {
    if (plan >= 0)
        problem("second plan: " $0)
    plan = substr($1, 4) + 0
    if (plan == 0 && $0 ~ /#[ \t]*[Ss][Kk][Ii][Pp]/) {
        skip_all = $0
        sub(/^[^#]*#[ \t]*[Ss][Kk][Ii][Pp][^ \t]*[ \t]*/, "", skip_all)
        if (skip_all == "")
            skip_all = "no reason given"
    }
    next
}

/^(not )?ok([ \t]|$)/ {
    seen++
    good = ($1 == "ok")
    text = $0
    sub(/^(not )?ok[ \t]*/, "", text)
    if (match(text, /^[0-9]+/)) {
        number = substr(text, 1, RLENGTH) + 0
        if (number != seen)
            problem("result " seen " is numbered " number)
        text = substr(text, RLENGTH + 1)
    }
    sub(/^[ \t]*-?[ \t]*/, "", text)
    if (match(text, /(^|[ \t])#[ \t]*[Ss][Kk][Ii][Pp]([ \t]|$)/)) {
        reason = substr(text, RSTART + RLENGTH)
        text = substr(text, 1, RSTART - 1)
        # cmocka puts the name behind the directive and knows no reason.
        if (text == "" && reason != "") {
            text = reason
            reason = "skipped by the test"
        }
        skipped++
        emit(1, name ": " text " # SKIP " reason)
        note("skip", name ": " text ": " reason)
    } else if (good) {
        passed++
        emit(1, name ": " text)
    } else {
        failed++
        emit(0, name ": " text)
        note("fail", name ": " text)
    }
    next
}

/^TAP version / { next }
/^#/ { print; next }
/^$/ { next }
{ print "# " $0 }

END {
    if (trouble != "")
        problem(trouble)
    if (skip_all != "" && seen == 0) {
        skipped++
        emit(1, name " # SKIP " skip_all)
        note("skip", name ": " skip_all)
    } else if (plan < 0 && trouble != "" && seen == 0) {
        # The trouble says enough.
    } else if (plan < 0)
        problem("no plan")
    else if (plan != seen)
        problem("planned " plan " results, got " seen)
    else if (plan == 0)
        problem("no results and no reason to skip")
    if (status > 128)
        problem("killed by signal " (status - 128))
    else if (status != 0 && (failed == 0 || skip_all != ""))
        problem("exit status " status)
    if (problems != "") {
        failed++
        emit(0, name ": " problems)
        note("fail", name ": " problems)
    }
    printf "%d %d %d\n%s", passed, failed, skipped, notes > tally
}
