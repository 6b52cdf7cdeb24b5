/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a node keeps what its enrolment gave it: written by sendense-enroll, read by sendense-tunnel and sendense-node-api.
 */
#pragma once

#include "build-config.h"

#define TUNNEL_FOLDER       SENDENSE_CONFIG_DIR "/tunnel"
#define TUNNEL_KEY_FILE     TUNNEL_FOLDER "/key" /* private */
#define TUNNEL_NEW_KEY_FILE TUNNEL_FOLDER "/key.new" /* while an enrolment is under way */
#define HUB_KEY_FILE        TUNNEL_FOLDER "/hub-key"
#define NODE_HUB_CONFIG     SENDENSE_CONFIG_DIR "/node.conf.d/50-hub.conf"
#define NODE_API_TOKENS     SENDENSE_CONFIG_DIR "/node-api.tokens"
