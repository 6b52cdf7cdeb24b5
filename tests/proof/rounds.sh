#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A few random rounds; PROOF_ROUNDS and PROOF_SEED of the environment make it more, and others. Many are in the suite
# proof-long.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/proof/proof.bash"
. "$SENDENSE_SRC/tests/proof/rounds.bash"

proof_machine PROOF_ROUNDS PROOF_SEED
vcenter_up -empty
vm_add name=web01 disks=24M:fill=8M,16777728:nvme:fill=4M
rounds "${PROOF_ROUNDS:-5}" "${PROOF_SEED:-11}"
ok "changes alone were read of some disks" test "${done_of[incremental]:-0}" -gt 0
done_testing
