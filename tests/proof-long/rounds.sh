#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Fifty random rounds, with all that can happen to disks, source and target; PROOF_ROUNDS and PROOF_SEED of the
# environment make it more, and others. A few are in the suite proof.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/proof/proof.bash"
. "$SENDENSE_SRC/tests/proof/rounds.bash"

proof_machine PROOF_ROUNDS PROOF_SEED
vcenter_up -empty
vm_add name=web01 disks=24M:fill=8M,16777728:nvme:fill=4M
rounds "${PROOF_ROUNDS:-50}" "${PROOF_SEED:-20261121}"
for word in incremental full killed cut reset resize add remove replace off cancelled given-up; do
    ok "there was some: $word" test "${done_of[$word]:-0}" -gt 0
done
done_testing
