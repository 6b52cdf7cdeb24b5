-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- On which ESXi host a VM ran when its vCenter was last asked: two nodes may share one, so that the queue must know it.

ALTER TABLE vm_replication_contexts
    ADD COLUMN IF NOT EXISTS host_ref VARCHAR(80) NULL COMMENT 'the ESXi host that runs it, as its vCenter calls it; NULL: not known';
