#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Nothing that looks like a secret, not even a test's: tests make their keys and passwords when they
# run. A made-up password that must stand in a file is at most 11 characters long.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

rules() {
    cat <<'EOF'
-----BEGIN [A-Z ]*PRIVATE KE[Y]	a private key
(passwor[d]|passw[d]|secre[t]|toke[n]|api_?ke[y]|credentia[l])[a-z_]*["']?[ ]*(=|:|:=|=>)[ ]*["'][A-Za-z0-9+/_.!@#%^&*-]{12,}["']	a value for a secret
(passwor[d]|passw[d]|secre[t]|toke[n]|api_?ke[y]|beare[r]).*[^A-Za-z0-9+/_.-]([A-Fa-f0-9]{32,}|[A-Za-z0-9+/]{40,}=*)([^A-Za-z0-9+/_.-]|$)	a long code beside a word for secrets
(^|[^A-Za-z0-9])(AKI[A][A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{36}|xox[bp]-[0-9A-Za-z-]{10,}|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.)	a well-known kind of token
[a-z][a-z0-9+.-]*://[^/ "'$@:<]+:[^/ "'$@<%{]{6,}@[a-zA-Z0-9]	a password in an address
EOF
}

check() {
    local pattern why
    cd "$1" || return
    lint_files . | grep -vE '^COPYING$' >"$TEST_TMP/secret-files"
    while IFS=$'\t' read -r pattern why; do
        tr '\n' '\0' <"$TEST_TMP/secret-files" | xargs -0r grep -HniIE -e "$pattern" |
            sed -E "s|^([^:]+:[0-9]+):.*|\1: secret: looks like $why|"
    done < <(rules)
}

# The samples are made here and not written down.
hex=$(seq 1000 | sha256sum | cut -c1-40)
base64=$(seq 1000 | sha512sum | base64 -w0 | cut -c1-60)
plant bad.txt <<EOF
-----BEGIN OPENSSH @@PRIVATE KEY-----
pass@@word = "$(cut -c1-14 <<<"$base64")"
{"api_@@key": '$base64'}
Authorization: Bea@@rer $hex
to@@ken is $base64=
AKI@@A$(tr a-f A-F <<<"$hex" | cut -c1-16)
https://joe:$(cut -c1-10 <<<"$hex")@@@example.com/
EOF
# The line above wants one @ that is there: "@@" vanishes, the third stays.
plant good.txt <<EOF
password="\$(cat file)"
password = "tester"
message id $hex, digest $base64
the token's file: /etc/sendense/token
https://joe@example.com/x:y
token_hash BINARY(32) NOT NULL COMMENT 'sha-256 of it, made by the client'
-----BEGIN CERTIFICATE-----
EOF
lint_planted bad.txt:{1,2,3,4,5,6,7}
lint_tree secret
done_testing
