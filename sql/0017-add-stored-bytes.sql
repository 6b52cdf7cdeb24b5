-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- What an image takes up. Its length is what its record is held against; an image of scattered data is twice as long as that, most of it holes,
-- so lists, sums and the room that the next full is expected to want go by this.

ALTER TABLE backup_disks
    ADD COLUMN IF NOT EXISTS stored_bytes BIGINT UNSIGNED NULL COMMENT 'what the image takes up, when finished; NULL: as long as it is' AFTER size_bytes;
