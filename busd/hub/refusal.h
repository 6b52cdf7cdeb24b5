/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hub that cannot start tells those whose call was to start it: the message bus holds such calls, and
 * without a word would let them wait for 25 s. Called by main.c; knows no method and no setting.
 */
#pragma once

/* Takes the hub's name, answers every call with text, and gives the name back. Comes back at once when no
 * call waits, or when there is no bus or the name is somebody else's. text is for every user's eyes. */
void refusal_tell(const char *text);
