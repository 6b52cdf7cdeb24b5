/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waits until journald has taken what this process sent it. It reads the unit of a line from the process that sent it, so a
 * line whose sender is gone belongs to no unit, and 'journalctl -u' and 'systemctl status' do not show why a short program failed.
 */
#pragma once

#include <stdint.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* Every datagram that this process sent to the socket before has been dealt with. -ETIMEDOUT: not in that time. Others: there is no
 * such socket. */
int journal_barrier(const char *path, uint64_t timeout_usec);
