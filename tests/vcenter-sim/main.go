// SPDX-License-Identifier: LGPL-2.1-or-later

// vcenter-sim: VMware's own vCenter simulator (Debian's govmomi package) as a
// peer that a backup program can be tested against: over TLS, with disks that
// have content, change tracking, frozen snapshots, and ways to misbehave.
// Started by simctl; ready when it prints the JSON that is also in CTL/ready.
// SIGTERM ends it and removes its data.

package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/vmware/govmomi/simulator"
)

type options struct {
	listen, ctl, user, password, cert, san string
	parent                                 int
	zoo, empty                             bool
	settings                               map[string]int64
}

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	log.SetPrefix("vcenter-sim: ")
	var opt options
	var passwordFile, hashFile string
	var list bool
	opt.settings = make(map[string]int64)
	flag.StringVar(&opt.listen, "l", "127.0.0.1:0", "address and port to listen on")
	flag.StringVar(&opt.ctl, "ctl", "", "control folder (made if missing)")
	flag.StringVar(&opt.user, "user", "administrator@vsphere.local", "the one user who may log in")
	flag.StringVar(&passwordFile, "password-file", "", "its password, first line (default: one is made)")
	flag.StringVar(&opt.cert, "cert", "good", "server certificate: "+strings.Join(certKinds, ", "))
	flag.StringVar(&opt.san, "san", "", "further names and addresses of the certificate, with commas")
	flag.IntVar(&opt.parent, "parent", 0, "end when the process of this id has ended")
	flag.BoolVar(&opt.zoo, "zoo", false, "add one machine of every odd kind")
	flag.BoolVar(&opt.empty, "empty", false, "do without pgtest1")
	flag.Func("datastore", "the name of a further datastore in each datacenter", func(name string) error {
		datastoreNames = append(datastoreNames, name)
		return nil
	})
	flag.BoolVar(&list, "list-switches", false, "print every switch and end")
	flag.StringVar(&hashFile, "hash", "", "print the extent-aware hash of a raw file and end")
	flag.Func("set", "NAME=NUMBER, a setting that reset keeps", func(v string) error {
		name, value, _ := strings.Cut(v, "=")
		n, err := parseSize(value)
		if sw, ok := switches[name]; !ok || sw.kind != asSetting || err != nil || n < 0 {
			return fmt.Errorf("not a setting and a number")
		}
		opt.settings[name] = n
		return nil
	})
	flag.Parse()
	var err error
	switch {
	case flag.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flag.Arg(0))
	case list:
		printSwitches()
	case hashFile != "":
		err = printHash(hashFile)
	case opt.ctl == "":
		err = fmt.Errorf("-ctl FOLDER is missing")
	default:
		err = run(opt, passwordFile)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// printHash reads a whole raw image; holes cost nothing but the reading of zeroes.
func printHash(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	sum, err := hashRaw(f)
	if err != nil {
		return err
	}
	fmt.Println(sum)
	return nil
}

func run(opt options, passwordFile string) (err error) {
	if err := os.MkdirAll(opt.ctl, 0700); err != nil {
		return err
	}
	// A unix socket's path must be short, so everything is relative to the folder.
	if err := os.Chdir(opt.ctl); err != nil {
		return err
	}
	if opt.ctl, err = os.Getwd(); err != nil {
		return err
	}
	if err := lockFolder(); err != nil {
		return err
	}
	if opt.password, err = password(passwordFile); err != nil {
		return err
	}
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	if opt.parent != 0 {
		if err := watchParent(opt.parent, stop); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", opt.listen)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return err
	}
	cert, err := makeCert(".", opt.cert, append(strings.Split(opt.san, ","), host))
	if err != nil {
		return err
	}
	if err := os.Remove("ctl"); err != nil && !os.IsNotExist(err) { // left by one that was killed
		return err
	}
	ctl, err := net.Listen("unix", "ctl")
	if err != nil {
		l.Close()
		return err
	}
	s := newSim(opt)
	for name, v := range opt.settings {
		s.settings[name] = v
	}
	if err := s.build(l.Addr().String()); err != nil {
		return err
	}
	return s.serve(l, ctl, cert, stop)
}

// password is read, or made: with characters that XML, URLs and shells mind.
func password(file string) (string, error) {
	if file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		line, _, _ := strings.Cut(string(raw), "\n")
		if line == "" {
			return "", fmt.Errorf("%s: the first line is empty", file)
		}
		return line, os.WriteFile("password", []byte(line+"\n"), 0600)
	}
	var b [12]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	line := `p&<"'ü` + hex.EncodeToString(b[:])
	return line, os.WriteFile("password", []byte(line+"\n"), 0600)
}

// build makes the simulator and its inventory.
func (s *sim) build(addr string) error {
	s.tmp = filepath.Join(s.opt.ctl, "data")
	if err := os.RemoveAll(s.tmp); err != nil {
		return err
	}
	if err := os.Mkdir(s.tmp, 0700); err != nil {
		return err
	}
	m := simulator.VPX()
	m.Datacenter, m.Portgroup, m.Host, m.Cluster, m.ClusterHost = 0, 0, 0, 0, 0
	m.Pool, m.App, m.Datastore, m.Machine = 0, 0, 0, 0
	if err := m.Create(); err != nil {
		return err
	}
	s.model = m
	m.Service.Listen = &url.URL{Host: addr, User: url.UserPassword(s.opt.user, s.opt.password)}
	m.Service.RegisterSDK(simulator.Map)
	simulator.Map.SessionManager().ServiceHostName = addr
	if err := s.buildInventory(context.Background()); err != nil {
		return err
	}
	return s.populate()
}

func (s *sim) serve(l, ctl net.Listener, cert *serverCert, stop chan os.Signal) error {
	front := &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert.pair}, MinVersion: tls.VersionTLS12,
			NextProtos: []string{"http/1.1"}},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	control := &http.Server{Handler: s.control()}
	failed := make(chan error, 2)
	go func() { failed <- front.ServeTLS(l, "", "") }()
	go func() { failed <- control.Serve(ctl) }()
	s.url = "https://" + l.Addr().String() + "/sdk"
	s.locked(func() { _, s.port, _ = net.SplitHostPort(l.Addr().String()); s.sha1 = cert.sha1 })
	err := s.writeReady(l.Addr().String(), cert)
	if err == nil {
		select {
		case <-stop:
		case err = <-failed:
		}
	}
	close(s.quit)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, srv := range []*http.Server{front, control} {
		if srv.Shutdown(ctx) != nil {
			srv.Close()
		}
	}
	for _, name := range []string{"ready", "password", "ca.pem", "server.pem"} {
		if rerr := os.Remove(name); rerr != nil && err == nil {
			err = rerr
		}
	}
	if rerr := os.RemoveAll(s.tmp); rerr != nil && err == nil {
		err = rerr
	}
	return err
}

// writeReady tells the world where we are: in a file, and on stdout.
func (s *sim) writeReady(addr string, cert *serverCert) error {
	type datastore struct {
		DC   string `json:"dc"`
		Name string `json:"name"`
		Dir  string `json:"dir"`
	}
	var stores []datastore
	for dc, f := range s.files {
		for name, dir := range f.dirs {
			stores = append(stores, datastore{dc, name, dir})
		}
	}
	file := func(name string) string { return filepath.Join(s.opt.ctl, name) }
	raw, err := json.Marshal(map[string]interface{}{
		"url": s.url, "address": addr, "user": s.opt.user, "password_file": file("password"),
		"ca": file("ca.pem"), "server_cert": file("server.pem"), "sha1": cert.sha1, "sha256": cert.sha256,
		"ctl": file("ctl"), "pid": os.Getpid(), "datastores": stores,
	})
	if err != nil {
		return err
	}
	raw = append(raw, '\n')
	if err := os.WriteFile("ready.new", raw, 0600); err != nil {
		return err
	}
	if err := os.Rename("ready.new", "ready"); err != nil {
		return err
	}
	_, err = os.Stdout.Write(raw)
	return err
}
