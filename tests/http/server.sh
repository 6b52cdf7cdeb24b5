#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The server asked by curl: answers now and later, refusals, limits, event streams, peers that vanish, and its end.

. "$(dirname "$0")/../lib/tap.sh"

socket=$TEST_TMP/api.sock
url=http://localhost
peer_answers() { curl -s --unix-socket "$socket" -o /dev/null "$url/open"; }
peer_start() { # [IDLE-MSEC]; not in a subshell
    rm -f "$socket"
    "$SENDENSE_BUILD/tests/http/http-peer" "$socket" "$@" &
    peer_pid=$!
    eventually 20 peer_answers
}
# ask CURL-ARGUMENT...: with a good token; "STATUS body".
ask() { ask_as good "$@"; }
ask_as() {
    curl -s --max-time 20 --unix-socket "$socket" -H "Authorization: Bearer $1" -w '%{stderr}%{http_code}' "${@:2}" 2>"$TEST_TMP/code" >"$TEST_TMP/body"
    printf '%s %s' "$(<"$TEST_TMP/code")" "$(<"$TEST_TMP/body")"
}

peer_start
require "it serves" peer_answers
at_end 'kill "$peer_pid" 2>/dev/null || :'

is "$(ask "$url/echo/web")" '200 {"name":"web","body":"","size":0}' "an answer"
is "$(ask "$url/echo/a%20%C3%BC%26?q=%2Fx%2Fy")" '200 {"name":"a ü&","body":"","size":0}' "a slash in a value is refused, in a name it never is one of the path"
is "$(ask "$url/echo/web?q=a%26b")" '200 {"name":"web","q":"a&b","body":"","size":0}' "the query"
is "$(ask "$url/later")" '202 {"later":true}' "an answer that takes a while"
is "$(ask -d '{"a":1}' "$url/echo/web")" '200 {"name":"web","body":"{\"a\":1}","size":7}' "a body"
is "$(ask_as bad "$url/open")" '204 ' "an open route needs no token"
like "$(ask_as bad "$url/echo/web")" '^401 .*Unauthorized' "a wrong token"
like "$(curl -s --unix-socket "$socket" -i "$url/echo/web")" '^WWW-Authenticate: Bearer' "no token"
like "$(ask "$url/nothing")" '^404 .*NotFound' "an unknown path"
like "$(ask -i -X DELETE "$url/echo/web")" '^Allow: GET, HEAD, POST' "an unknown method is told what there is"
like "$(ask -X DELETE "$url/echo/web")" '^405 ' "and refused"
is "$(ask -I "$url/open")" "204 $(<"$TEST_TMP/body")" "HEAD is GET without a body"
is "$(head -c 0 "$TEST_TMP/body")" "" "which has none"

# What a connection held is gone with it. The kernel says which memory there is.
in_memory() { # TEXT
    local range rights rest start end
    while read -r range rights rest; do
        [[ $rights == rw* && ( -z ${rest##* 0 *} || $rest == *'[heap]' ) ]] || continue
        start=$((16#${range%-*})) end=$((16#${range#*-}))
        dd if="/proc/$peer_pid/mem" iflag=skip_bytes,count_bytes skip="$start" count=$((end - start)) bs=1M status=none 2>/dev/null
    done <"/proc/$peer_pid/maps" | grep -acF -e "$1"
}
ask_as token-to-look-for -H 'Connection: close' -d body-to-look-for "$url/echo/web" >/dev/null
ask -H 'Connection: close' -d body-to-look-for "$url/event" >/dev/null
# Who asked has the whole answer before the server sees that he has gone.
forgotten() { [ "$(in_memory 'Bearer good')$(in_memory token-to-look-for)$(in_memory body-to-look-for)" = 000 ]; }
ok "no token and no body stays in memory" eventually 20 forgotten

# Limits.
head -c 1048576 /dev/zero | tr '\0' a >"$TEST_TMP/full"
{ cat "$TEST_TMP/full" && echo; } >"$TEST_TMP/more"
like "$(ask --data-binary "@$TEST_TMP/full" "$url/echo/web")" '"size":1048576' "a body of the largest size"
like "$(ask --data-binary "@$TEST_TMP/more" "$url/echo/web")" '^413 ' "one byte more"
like "$(ask -H 'Transfer-Encoding: chunked' --data-binary "@$TEST_TMP/more" "$url/echo/web")" '^413 ' "one byte more of unknown length"
ok "an endless body is cut off" bash -c '! curl -s --max-time 15 --unix-socket "$1" -H "Authorization: Bearer good" -H "Expect:" -T - -X POST http://localhost/echo/web </dev/zero >/dev/null' _ "$socket"
like "$(ask -H "X: $(head -c 40000 /dev/zero | tr '\0' b)" "$url/echo/web")" '^(431|413|000) ' "a head that is too long"
is "$(ask "$url/open")" '204 ' "it lives on"
mapfile -t many < <(for i in {1..63}; do echo "$url/later"; done)
is "$(curl -s --max-time 20 --unix-socket "$socket" -H 'Authorization: Bearer good' -Z --parallel-max 63 "${many[@]}" | grep -c later)" 63 "63 answers at once"

# Who reads nothing of what anybody may have keeps no place that others need, however many they are; who has a token keeps his.
crowd() { # NAME N PATH [HEADER]: so many that are answered, one after the other, and do not read until NAME.leave is written; how many got all of it then
    mkfifo "$TEST_TMP/$1.leave"
    perl -MIO::Socket::UNIX -MSocket -e '
        my ($path, $n, $what, $header) = @ARGV;
        my @all;
        $SIG{PIPE} = "IGNORE";
        $| = 1;
        for (1 .. $n) {
            my $one = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) or die;
            syswrite $one, "GET $what HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" . ($header ? "$header\r\n" : "") . "\r\n";
            vec(my $ready = "", fileno $one, 1) = 1;
            select $ready, undef, undef, 10 or last; # there is no place any more
            push @all, $one;
        }
        print "answered\n";
        <STDIN>;
        my $whole = 0;
        for my $one (@all) {
            my $size = 0;
            while (my $read = sysread $one, my $bytes, 1 << 20) { $size += $read }
            $whole++ if $size > 4 << 20;
        }
        print "$whole\n"' "$socket" "${@:2}" <>"$TEST_TMP/$1.leave" >"$TEST_TMP/$1" &
    crowd_pid=$!
}
answered() { grep -q answered "$TEST_TMP/$1"; }
crowd mine 8 /large/mine 'Authorization: Bearer good'
mine_pid=$crowd_pid
ok "8 with a token are answered, and do not read" eventually 20 answered mine
crowd many 200 /large
ok "nor do 200 without, of what is open" eventually 25 answered many
is "$(ask "$url/echo/web")" '200 {"name":"web","body":"","size":0}' "others are answered"
for name in mine many; do echo >"$TEST_TMP/$name.leave"; done
wait "$mine_pid" "$crowd_pid"
is "$(tail -n 1 "$TEST_TMP/mine")" 8 "who has a token gets all of it"

# A peer that leaves before its answer.
curl -s --max-time 0.2 --unix-socket "$socket" -H 'Authorization: Bearer good' "$url/never" >/dev/null
is "$(ask "$url/open")" '204 ' "a peer that did not wait"

# Streams.
stream() {
    curl -sN --unix-socket "$socket" -H 'Authorization: Bearer good' "$@" "$url/stream" >"$TEST_TMP/events" &
    stream_pid=$!
}
events() { grep -c '^data:' "$TEST_TMP/events"; }
sees() { [ "$(events)" -eq "$1" ]; }
# begins: an event that a stream has taken; in $sent how many there were so far, each with the next number. Not in a subshell.
sent=0
begins() {
    local before=$sent
    sent=$(ask -X POST "$url/event" | sed -E 's/.*"sent":([0-9]+).*/\1/')
    [ "$sent" -gt "$before" ]
}
stream
eventually 20 begins
ok "a stream begins" eventually 20 sees "$sent"
ask -X POST "$url/event?n=3" >/dev/null
ok "events arrive" eventually 20 sees $((sent + 3))
is "$(tail -n 4 "$TEST_TMP/events" | head -n 2)" "id: $((sent + 3))
event: state" "with id and name"
ask -X POST "$url/end" >/dev/null
wait "$stream_pid"
is "$?" 0 "and the stream ends"
: >"$TEST_TMP/events"
stream
sent=$((sent + 3))
ok "another begins" eventually 20 begins
kill "$stream_pid"
wait "$stream_pid" 2>/dev/null
gone() { [[ "$(ask -X POST "$url/event")" == *'"gone":1'* ]]; }
ok "a peer that left is noticed by what is sent to it" eventually 20 gone

# One that does not read is dropped, and costs a bounded queue.
mkfifo "$TEST_TMP/stuck"
exec 9<>"$TEST_TMP/stuck"
curl -sN --unix-socket "$socket" -H 'Authorization: Bearer good' "$url/stream" >"$TEST_TMP/stuck" &
stream_pid=$!
full() { [[ "$(ask -X POST "$url/event?n=20000")" == *'"r":-105,"again":-105'* ]]; }
ok "a peer that does not read is given up, and nothing follows what was cut" eventually 20 full
kill "$stream_pid" 2>/dev/null
wait "$stream_pid" 2>/dev/null

# Pipes: as many bytes as come, whole or seen to be cut; who does not read holds up who writes, and nothing is kept for him.
bytes() { perl -e 'my $left = shift; my $block = join "", map { chr } 0 .. 250; while ($left > 0) { print substr($block, 0, $left); $left -= 251 }' "$1"; }
pipe() { curl -sN --max-time 60 --unix-socket "$socket" -H 'Authorization: Bearer good' -o "$TEST_TMP/piped" "$@"; }
pipe -D "$TEST_TMP/head" "$url/pipe?n=20000003"
is "$?" 0 "20 MB come out of a pipe"
is "$(sha256sum <"$TEST_TMP/piped")" "$(bytes 20000003 | sha256sum)" "each byte is what was written"
is "$(tr -d '\r' <"$TEST_TMP/head" | grep -ciE '^(content-type: application/x-bytes|location: /there)$')" 2 "type and place are told"
pipe "$url/pipe?n=0"
is "$? $(stat -c %s "$TEST_TMP/piped")" "0 0" "one without a byte"
pipe "$url/pipe?n=300000&broken=1"
is "$? $(stat -c %s "$TEST_TMP/piped")" "18 300000" "what is not whole comes, and then the connection is cut"
piped() { ask "$url/piped" | sed -E "s/.*\"$1\":([a-z0-9]+).*/\1/"; }
curl -sN --unix-socket "$socket" -H 'Authorization: Bearer good' "$url/pipe?n=1000000000" >"$TEST_TMP/stuck" &
pipe_pid=$!
stands() { local before; before=$(piped written); [ "$before" -gt 0 ] && sleep 0.3 && [ "$(piped written)" = "$before" ]; } # standing still has no event
ok "who does not read holds up who writes" eventually 20 stands
ok "far from the end" test "$(piped written)" -lt 4000000
kill "$pipe_pid"
wait "$pipe_pid" 2>/dev/null
pipe_gone() { [ "$(piped gone)" = 1 ] && [ "$(piped writing)" = false ]; }
ok "who leaves is noticed, and who writes is told" eventually 20 pipe_gone
begun=$(piped begun)
for _ in {1..8}; do
    curl -sN --unix-socket "$socket" -H 'Authorization: Bearer good' "$url/pipe?n=1000000000" >"$TEST_TMP/stuck" &
    pipes+=("$!")
done
eight() { [ "$(piped begun)" = $((begun + 8)) ]; }
ok "eight pipes at once" eventually 20 eight
like "$(ask "$url/pipe?n=1")" '^503 .*Busy' "and no more"
kill "${pipes[@]}"
wait "${pipes[@]}" 2>/dev/null

# The end: what waits is answered. The one that did not wait is known to the server still.
never() { ask -X POST "$url/event" | sed -E 's/.*"never":([0-9]+).*/\1/'; }
n=$(never)
curl -s --max-time 20 --unix-socket "$socket" -H 'Authorization: Bearer good' "$url/never" >"$TEST_TMP/waiting" &
waiting=$!
waits() { [ "$(never)" -gt "$n" ]; }
ok "one waits" eventually 20 waits
kill "$peer_pid"
wait "$peer_pid"
is "$?" 0 "it ends by SIGTERM"
wait "$waiting"
like "$(<"$TEST_TMP/waiting")" 'The server ends' "and what waited is told"

# Idle.
peer_start 10000
is "$(ask "$url/later")" '202 {"later":true}' "a server that may be idle"
wait "$peer_pid"
is "$?" 7 "ends when nobody wants it"
done_testing
