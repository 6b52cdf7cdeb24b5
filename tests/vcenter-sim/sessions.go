// SPDX-License-Identifier: LGPL-2.1-or-later

// Who is logged in. The list itself is VMware's simulator's (the same one that
// SessionManager.sessionList shows); here it is read, ended one by one, and
// swept of what was idle too long. Called by the front before each request and
// by the control interface.

package main

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// sessionList copies the simulator's list, oldest first.
func sessionList() []types.UserSession {
	view := &simulator.Session{Registry: simulator.NewRegistry()}
	m := view.Get(simulator.Map.SessionManager().Self).(*simulator.SessionManager)
	list := m.SessionList
	sort.Slice(list, func(i, j int) bool { return list[i].LoginTime.Before(list[j].LoginTime) })
	return list
}

// killSession ends a session as another administrator would.
func killSession(key string) error {
	ctx := &simulator.Context{
		Map:     simulator.Map,
		Session: &simulator.Session{Registry: simulator.NewRegistry()},
	}
	res := simulator.Map.SessionManager().TerminateSession(ctx, &types.TerminateSession{SessionId: []string{key}})
	if res.Fault() != nil {
		return fmt.Errorf("no session %q", key)
	}
	return nil
}

// sweepSessions ends what has been idle for too long, and what belonged to those that are gone.
func (s *sim) sweepSessions() {
	defer s.sweepLeases()
	idle := time.Duration(s.setting("idle-expiry")) * time.Millisecond
	if idle == 0 {
		return
	}
	for _, u := range sessionList() {
		if time.Since(u.LastActiveTime)+s.aged[u.Key] > idle {
			delete(s.aged, u.Key)
			// Gone between the two lines means that it logged out: nothing to do.
			_ = killSession(u.Key)
		}
	}
}

// used notes that a session makes a call: its idle time begins again.
func (s *sim) used(key string) {
	delete(s.aged, key)
}

// sessionKey is the cookie's value, with or without its quotes.
func sessionKey(r *http.Request) string {
	c, err := r.Cookie(soap.SessionCookieName)
	if err != nil {
		return ""
	}
	return strings.Trim(c.Value, `"`)
}

func sessionValid(key string) bool {
	if key == "" {
		return false
	}
	for _, u := range sessionList() {
		if u.Key == key {
			return true
		}
	}
	return false
}

func notAuthenticated(this moref) soap.HasFault {
	return refuse("The session is not authenticated.", &types.NotAuthenticated{
		NoPermission: types.NoPermission{Object: this, PrivilegeId: "System.View"},
	})
}
