-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- What the built-in copier reads in place of a VM's snapshot.

ALTER TABLE backup_disks
    ADD COLUMN IF NOT EXISTS source_uri VARCHAR(1024) NULL
        COMMENT 'NBD URI that is read instead of the VM; NULL: the VM',
    ADD CONSTRAINT IF NOT EXISTS backup_disks_source CHECK (source_uri <> '');
