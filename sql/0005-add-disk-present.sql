-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- A disk that a VM no longer has keeps its row as long as backups of it exist.

ALTER TABLE vm_disks
    ADD COLUMN IF NOT EXISTS present TINYINT(1) NOT NULL DEFAULT 1
        COMMENT '0: the VM has it no more, its backups remain',
    ADD CONSTRAINT IF NOT EXISTS vm_disks_present CHECK (present IN (0, 1));
