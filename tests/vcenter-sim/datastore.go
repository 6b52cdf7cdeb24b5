// SPDX-License-Identifier: LGPL-2.1-or-later

// https://HOST/folder/PATH?dcPath=…&dsName=…: the files of a datastore, whole
// or in ranges, for a session's cookie or for user and password. Without
// either it is 401, and a file that is not there is 404. Only reading and
// plain PUT of new files; rules may act on FolderGet, FolderHead, FolderPut, and
// for the variables of an EFI, which a PUT writes over, on NvramGet and so on.

package main

import (
	"crypto/subtle"
	"fmt"
	"html"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

func (s *sim) serveFolder(w http.ResponseWriter, r *http.Request) {
	method := map[string]string{"GET": "FolderGet", "HEAD": "FolderHead", "PUT": "FolderPut"}[r.Method]
	if method == "" {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if isNvram(r.URL.Path) {
		method = "Nvram" + strings.TrimPrefix(method, "Folder")
	}
	var rules []*rule
	s.locked(func() {
		s.sweepSessions()
		s.used(sessionKey(r))
		rules = s.matching(method, "", r.URL.Path, false)
		if pick(rules, "session-killed") != nil {
			if err := killSession(sessionKey(r)); err != nil {
				log.Printf("session-killed: %v, ignoring", err)
			}
		}
	})
	if s.failEarly(w, method, rules) {
		return
	}
	status := s.folderAnswer(w, r, rules)
	s.locked(func() { s.record(method, "", status) })
}

// isNvram: also one that is still on its way to its name.
func isNvram(file string) bool {
	return strings.HasSuffix(strings.TrimSuffix(file, ".partial"), ".nvram")
}

func (s *sim) folderAnswer(w http.ResponseWriter, r *http.Request, rules []*rule) int {
	if !s.mayRead(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="VMware HTTP server"`)
		w.WriteHeader(http.StatusUnauthorized)
		return http.StatusUnauthorized
	}
	file, err := s.datastoreFile(r.URL)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return http.StatusNotFound
	}
	if r.Method == http.MethodPut {
		return putFile(w, r, file, pick(rules, "cut-upload"))
	}
	f, err := os.Open(file)
	if err != nil {
		http.Error(w, "no such file", http.StatusNotFound)
		return http.StatusNotFound
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return http.StatusInternalServerError
	}
	if info.IsDir() {
		return listFolder(w, f)
	}
	if cut := pick(rules, "cut-answer"); cut != nil {
		w = &cutWriter{ResponseWriter: w, left: cut.Bytes}
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	rec := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	// The time is left out: a live disk has no time that a cache could trust.
	http.ServeContent(rec, r, "", time.Time{}, f)
	return rec.status
}

// mayRead: a living session, or the right user and password.
func (s *sim) mayRead(r *http.Request) bool {
	if u, p, ok := r.BasicAuth(); ok {
		return subtle.ConstantTimeCompare([]byte(u+"\x00"+p), []byte(s.opt.user+"\x00"+s.opt.password)) == 1
	}
	key := sessionKey(r)
	if !sessionValid(key) {
		return false
	}
	s.locked(func() { s.roundTrip([]byte(currentTime), r) })
	return true
}

// datastoreFile finds the file that a /folder URL means.
func (s *sim) datastoreFile(u *url.URL) (string, error) {
	q := u.Query()
	dcPath := strings.Trim(q.Get("dcPath"), "/")
	s.world.Lock()
	f := s.files[dcPath]
	s.world.Unlock()
	if f == nil || f.dirs[q.Get("dsName")] == "" {
		return "", fmt.Errorf("no datastore %q in datacenter %q", q.Get("dsName"), dcPath)
	}
	root := f.dirs[q.Get("dsName")]
	// Join cleans what is rooted, so that no ".." leads out of the datastore.
	return filepath.Join(root, filepath.Join("/", strings.TrimPrefix(u.Path, "/folder"))), nil
}

func putFile(w http.ResponseWriter, r *http.Request, file string, cut *rule) int {
	over := os.O_EXCL
	if isNvram(file) {
		over = os.O_TRUNC
	}
	f, err := os.OpenFile(file, os.O_CREATE|over|os.O_WRONLY, 0600)
	if err != nil {
		http.Error(w, "the file cannot be made", http.StatusConflict)
		return http.StatusConflict
	}
	if cut != nil {
		_, _ = io.CopyN(f, r.Body, cut.Bytes) // what came of it is what stays
		_ = f.Close()
		panic(http.ErrAbortHandler)
	}
	_, err = io.Copy(f, r.Body)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return http.StatusInternalServerError
	}
	w.WriteHeader(http.StatusCreated)
	return http.StatusCreated
}

func listFolder(w http.ResponseWriter, f *os.File) int {
	names, err := f.Readdirnames(-1)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return http.StatusInternalServerError
	}
	sort.Strings(names)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	for _, n := range names {
		fmt.Fprintf(w, "<a href=\"%s\">%s</a>\n", (&url.URL{Path: n}).String(), html.EscapeString(n))
	}
	return http.StatusOK
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// cutWriter breaks the connection after so many bytes of a file.
type cutWriter struct {
	http.ResponseWriter
	left int64
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if int64(len(p)) < w.left {
		w.left -= int64(len(p))
		return w.ResponseWriter.Write(p)
	}
	if w.left > 0 {
		if _, err := w.ResponseWriter.Write(p[:w.left]); err != nil {
			return 0, err
		}
	}
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
	panic(http.ErrAbortHandler)
}
