// SPDX-License-Identifier: LGPL-2.1-or-later

// The HTTP server's handler: it stands before VMware's simulator, lets rules
// act on each call, answers what the simulator cannot (changed areas, frozen
// snapshots, tasks that take time) and hands everything else on. Decoding,
// session checks and encoding of what is handed on stay VMware's.

package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const maxRequest = 16 << 20

// call is one SOAP request on its way.
type call struct {
	method    string
	this      moref
	body      interface{}
	session   string
	raw       []byte
	rules     []*rule
	wrongSums string
	answer    []byte
	status    int
	header    http.Header
}

// handlers answer calls themselves; nil means "let the simulator answer".
func (s *sim) handlers() map[string]func(*call) soap.HasFault {
	return map[string]func(*call) soap.HasFault{
		"QueryChangedDiskAreas":        s.queryChangedDiskAreas,
		"FindAllByUuid":                s.findAllByUUID,
		"FindByUuid":                   s.findByUUID,
		"CreateSnapshot_Task":          s.createSnapshot,
		"CreateSnapshotEx_Task":        s.createSnapshotEx,
		"RemoveSnapshot_Task":          s.removeSnapshot,
		"RemoveAllSnapshots_Task":      s.removeAllSnapshots,
		"ConsolidateVMDisks_Task":      s.consolidateDisks,
		"RevertToSnapshot_Task":        s.refuseRevert,
		"RevertToCurrentSnapshot_Task": s.refuseRevert,
		"ReconfigVM_Task":              s.reconfigVM,
		"CreateVM_Task":                s.createVM,
		"Destroy_Task":                 s.destroy,
		"PowerOnVM_Task":               s.powerOn,
		"PowerOffVM_Task":              s.powerOff,
		"MoveVirtualDisk_Task":         s.moveDisk,
		"DeleteVirtualDisk_Task":       s.deleteDisk,
		"ImportVApp":                   s.importVApp,
		"ContinueRetrievePropertiesEx": s.continueProperties,
		"CancelRetrievePropertiesEx":   s.cancelProperties,
	}
}

func (s *sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/sdk" || r.URL.Path == "/sdk/vimService":
		s.serveSDK(w, r)
	case r.URL.Path == "/sdk/vimServiceVersions.xml":
		s.model.Service.ServiceVersions(w, r)
	case r.URL.Path == "/folder" || strings.HasPrefix(r.URL.Path, "/folder/"):
		s.serveFolder(w, r)
	case strings.HasPrefix(r.URL.Path, "/nfc/"):
		s.serveUpload(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *sim) serveSDK(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := &call{method: "?", raw: raw, session: sessionKey(r), header: make(http.Header)}
	if m, err := decodeRequest(raw); err == nil {
		c.method, c.this, c.body = m.Name, m.This, m.Body
	}
	s.locked(func() {
		s.sweepSessions()
		s.used(c.session)
		c.rules = s.matching(c.method, s.vmNameOf(c.this), c.this.Value, wantsQuiesce(c.body))
	})
	if s.failEarly(w, c.method, c.rules) {
		return
	}
	if strings.HasPrefix(c.method, "WaitForUpdates") || c.method == "CancelWaitForUpdates" {
		s.forward(c, r)
	} else {
		s.locked(func() { s.perform(c, r) })
	}
	s.locked(func() { s.record(c.method, s.vmNameOf(c.this), c.status) })
	s.send(w, c)
}

func wantsQuiesce(body interface{}) bool {
	switch b := body.(type) {
	case *types.CreateSnapshot_Task:
		return b.Quiesce
	case *types.CreateSnapshotEx_Task:
		return b.QuiesceSpec != nil
	}
	return false
}

// delay waits for as long as a rule says, but ends with the rule.
func (s *sim) delay(r *rule) {
	end := time.After(time.Duration(r.MS) * time.Millisecond)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for is := true; is; {
		select {
		case <-end:
			return
		case <-s.quit:
			return
		case <-look.C:
			is = false
			s.locked(func() {
				for _, other := range s.rules {
					is = is || other == r
				}
			})
		}
	}
}

// failEarly does what rules want before the call has any effect, and tells
// whether that was the end of it.
func (s *sim) failEarly(w http.ResponseWriter, method string, rules []*rule) bool {
	if r := pick(rules, "delay"); r != nil {
		s.delay(r)
	}
	r := pick(rules, "drop-connection", "empty-500", "http-503")
	if r == nil {
		return false
	}
	status := map[string]int{"empty-500": 500, "http-503": 503}[r.Kind]
	s.locked(func() { s.record(method, "", status) })
	switch r.Kind {
	case "drop-connection":
		panic(http.ErrAbortHandler)
	case "empty-500":
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(status)
	case "http-503":
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(status)
		fmt.Fprint(w, "<HTML><BODY><H1>503 Service Unavailable</H1></BODY></HTML>")
	}
	return true
}

// perform runs one call under the world lock.
func (s *sim) perform(c *call, r *http.Request) {
	if pick(c.rules, "session-killed") != nil && c.session != "" {
		if err := killSession(c.session); err != nil {
			log.Printf("session-killed: %v, ignoring", err)
		}
	}
	var res soap.HasFault
	if f := pick(c.rules, "soap-fault", "file-fault"); f != nil {
		res = f.refusal(c.this)
	} else if h := s.handlers()[c.method]; h != nil {
		if w := pick(c.rules, "wrong-sums"); w != nil {
			c.wrongSums = w.Mode
		}
		if !sessionValid(c.session) {
			res = notAuthenticated(c.this)
		} else {
			s.touch(c, r)
			res = h(c)
		}
	}
	if res == nil {
		s.before(c)
		s.forward(c, r)
		s.after(c)
		return
	}
	s.encode(c, res)
}

func (s *sim) encode(c *call, res soap.HasFault) {
	var err error
	if c.status, c.answer, err = encodeAnswer(res); err != nil {
		log.Printf("%s: cannot encode the answer: %v", c.method, err)
		c.status, c.answer = 500, nil
	}
}

func (r *rule) refusal(this moref) soap.HasFault {
	fault, err := faultNamed(r.Fault, "/vmfs/volumes/fault.vmdk")
	if err != nil {
		log.Panic(err) // newRule has tried it
	}
	if na, ok := fault.(*types.NotAuthenticated); ok {
		na.Object, na.PrivilegeId = this, "System.View"
	}
	msg := r.Message
	if msg == "" {
		msg = "Fault on order: " + r.Fault
	}
	return refuse(msg, fault)
}

const currentTime = `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>` +
	`<CurrentTime xmlns="urn:vim25"><_this type="ServiceInstance">ServiceInstance</_this></CurrentTime></Body></Envelope>`

// touch lets the simulator note that a session was used by a call of ours.
func (s *sim) touch(c *call, r *http.Request) {
	s.roundTrip([]byte(currentTime), r)
}

func (s *sim) roundTrip(raw []byte, r *http.Request) *httptest.ResponseRecorder {
	q := r.Clone(r.Context())
	q.URL.Path = "/sdk"
	q.Body = io.NopCloser(bytes.NewReader(raw))
	q.ContentLength = int64(len(raw))
	if key := sessionKey(r); key != "" {
		q.Header.Set("Cookie", soap.SessionCookieName+"="+key)
	}
	rec := httptest.NewRecorder()
	s.model.Service.ServeSDK(rec, q)
	return rec
}

// forward lets VMware's simulator answer.
func (s *sim) forward(c *call, r *http.Request) {
	rec := s.roundTrip(c.raw, r)
	c.status, c.answer = rec.Code, rec.Body.Bytes()
	for k, v := range rec.Header() {
		c.header[k] = v
	}
}

// before and after stand around what the simulator answers itself.
func (s *sim) before(c *call) {
	if bytes.Contains(c.raw, []byte("layoutEx")) {
		s.showNvrams()
	}
	switch req := c.body.(type) {
	case *types.RetrievePropertiesEx:
		s.pollTasks(req.SpecSet)
	case *types.RetrieveProperties:
		s.pollTasks(req.SpecSet)
	}
}

func (s *sim) after(c *call) {
	switch c.method {
	case "RetrievePropertiesEx", "RetrieveProperties":
		s.shapeProperties(c)
	case "ImportVApp":
		s.noteLease(c)
	case "HttpNfcLeaseComplete", "HttpNfcLeaseAbort":
		s.endLease(c)
	case "MarkAsTemplate", "MarkAsVirtualMachine", "RegisterVM_Task", "CloneVM_Task", "UnregisterVM":
		s.adoptAll()
	}
	if c.method == "Logout" {
		s.forgetPages(c.session)
	}
}

var cookieValue = regexp.MustCompile(soap.SessionCookieName + `=([^;]*).*`)

func (s *sim) send(w http.ResponseWriter, c *call) {
	for k, v := range c.header {
		w.Header()[k] = v
	}
	if cookie := w.Header().Get("Set-Cookie"); cookie != "" {
		format := soap.SessionCookieName + `=$1; Path=/; HttpOnly; Secure`
		s.locked(func() {
			if s.setting("quote-cookie") != 0 {
				format = soap.SessionCookieName + `="$1"; Path=/; HttpOnly; Secure`
			}
		})
		w.Header().Set("Set-Cookie", cookieValue.ReplaceAllString(cookie, format))
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	if bad := pick(c.rules, "bad-xml"); bad != nil {
		c.answer, _ = badXML(bad.Mode) // the rule's check knows the mode
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(c.answer)))
	cut := pick(c.rules, "cut-answer")
	if cut != nil && cut.Bytes < 0 {
		panic(http.ErrAbortHandler) // it took effect, and nobody hears of it
	}
	w.WriteHeader(c.status)
	if cut != nil {
		n := int64(len(c.answer) / 2)
		if cut.Bytes > 0 && cut.Bytes < int64(len(c.answer)) {
			n = cut.Bytes
		}
		abortAfter(w, bytes.NewReader(c.answer[:n]))
	}
	if _, err := w.Write(c.answer); err != nil {
		log.Printf("%s: the client went away: %v", c.method, err)
	}
}

// abortAfter sends what it is given and then breaks the connection.
func abortAfter(w http.ResponseWriter, part io.Reader) {
	if _, err := io.Copy(w, part); err != nil {
		log.Printf("cut-answer: %v, ignoring", err)
	}
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	panic(http.ErrAbortHandler)
}

func (s *sim) vmNameOf(ref moref) string {
	switch o := simulator.Map.Get(ref).(type) {
	case *simulator.VirtualMachine:
		return o.Name
	case *simulator.VirtualMachineSnapshot:
		return s.vmNameOf(o.Vm)
	}
	return ""
}

func (s *sim) record(method, vm string, status int) {
	s.calls = append(s.calls, callRecord{len(s.calls) + 1, time.Now(), method, vm, status})
}
