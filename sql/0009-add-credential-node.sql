-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- Which node reaches a vCenter: a vCenter may stand where one node alone can see it.

ALTER TABLE vmware_credentials
    ADD COLUMN IF NOT EXISTS node_id BIGINT UNSIGNED NULL
        COMMENT 'that reaches it; NULL: any node that is reachable',
    ADD CONSTRAINT vmware_credentials_node
        FOREIGN KEY IF NOT EXISTS (node_id) REFERENCES nodes (id);
