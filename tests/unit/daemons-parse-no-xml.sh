#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What strangers send is parsed in units without privileges: no daemon, and nobody who speaks HTTP for one, is linked to libxml2.

. "$(dirname "$0")/../lib/tap.sh"
command -v readelf >/dev/null || skip_all 'binutils is not installed'

needed() { readelf -d "$SENDENSE_BUILD/$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p'; }
for program in busd/node/sendense-node busd/hub/sendense-hub helpers/node-api/sendense-node-api helpers/hub-api/sendense-hub-api \
    helpers/tunnel/sendense-tunnel cli/sendensectl; do
    libraries=$(needed "$program")
    like "$libraries" 'libc\.so' "${program##*/}: its libraries can be told"
    unlike "$libraries" 'libxml2' "${program##*/}: none of them reads XML"
done
for program in helpers/vsphere/sendense-vsphere helpers/backup-client/sendense-backup-client; do
    like "$(needed "$program")" 'libxml2' "${program##*/}, which asks vCenter, has one that does"
done
done_testing
