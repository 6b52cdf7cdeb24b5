#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# As tests/merge/killed.sh, at every hit of every fault point; of a backup whose one disk is merged in place and whose other by
# a copy, and of one below two others.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../image/image.bash"
. "$(dirname "$0")/../merge/merge.bash"
. "$(dirname "$0")/../merge/walk.bash"

chain_mixed
keep base
hits_of delete "$(spec_delete $b)"
walk_delete $b "$hits" 3

back base
backup "$repo" backup-web-1700000250 $b 'write -P 41 3M 2M'
keep base
hits_of delete "$(spec_delete $b)"
walk_delete $b "$hits" 3
done_testing
