# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Takes C sources apart for the lints and keeps their line numbers: with part=code it prints
# "file:line:code" with comments gone and strings empty, with part=comments the comments alone.

function put(text) {
    if (text ~ /[^ \t]/)
        print name ":" FNR ":" text
}

FNR == 1 {
    state = ""
    name = FILENAME
    sub(/^\.\//, "", name)
}

{
    line = $0
    code = comment = ""
    while (line != "") {
        if (state == "") {
            if (!match(line, /\/\*|\/\/|"|'/)) {
                code = code line
                break
            }
            token = substr(line, RSTART, RLENGTH)
            code = code substr(line, 1, RSTART - 1)
            line = substr(line, RSTART + RLENGTH)
            if (token == "/*") {
                state = "*"
                code = code " "
            } else if (token == "//") {
                comment = comment line
                break
            } else {
                state = token
                code = code token
            }
        } else if (state == "*") {
            end = index(line, "*/")
            comment = comment (end ? substr(line, 1, end - 1) : line)
            line = end ? substr(line, end + 2) : ""
            if (end)
                state = ""
        } else if (match(line, "[\\\\" state "]")) {
            token = substr(line, RSTART, 1)
            line = substr(line, RSTART + (token == "\\" ? 2 : 1))
            if (token != "\\") {
                code = code state
                state = ""
            }
        } else {
            # A string ends with its line, unless a backslash carries it on.
            if (line !~ /\\$/)
                state = ""
            break
        }
    }
    put(part == "code" ? code : comment)
}
