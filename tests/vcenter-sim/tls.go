// SPDX-License-Identifier: LGPL-2.1-or-later

// The peer's own certificate authority and server certificate, made at start
// and kept in memory but for the public ca.pem and server.pem. The spoilt ones
// (expired, another name, self-signed) are for tests of what a client refuses.

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

var certKinds = []string{"good", "expired", "other-name", "self-signed"}

type serverCert struct {
	pair         tls.Certificate
	sha1, sha256 string // fingerprints, AA:BB:…
}

func template(cn string, from, to time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{SerialNumber: serial, NotBefore: from, NotAfter: to,
		Subject:               pkix.Name{CommonName: cn, Organization: []string{"vcenter-sim"}},
		BasicConstraintsValid: true}, nil
}

// makeCert writes ca.pem and server.pem into dir and returns the key pair.
// The good one is for localhost and for every name and address of san.
func makeCert(dir, kind string, san []string) (*serverCert, error) {
	caDER, ca, caKey, err := makeCA()
	if err != nil {
		return nil, err
	}
	leaf, parent, err := leafFor(kind, san, ca)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	signer := caKey
	if parent == leaf {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	for name, raw := range map[string][]byte{"ca.pem": caDER, "server.pem": der} {
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
		if err := os.WriteFile(filepath.Join(dir, name), text, 0600); err != nil {
			return nil, err
		}
	}
	one, two := sha1.Sum(der), sha256.Sum256(der)
	return &serverCert{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		fingerprint(one[:]), fingerprint(two[:])}, nil
}

func makeCA() (der []byte, ca *x509.Certificate, key *ecdsa.PrivateKey, err error) {
	now := time.Now()
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return
	}
	if ca, err = template("vcenter-sim test CA", now.Add(-time.Hour), now.Add(24*time.Hour)); err != nil {
		return
	}
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	der, err = x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	return
}

// leafFor describes the server's certificate and tells who signs it.
func leafFor(kind string, san []string, ca *x509.Certificate) (leaf, parent *x509.Certificate, err error) {
	now := time.Now()
	if leaf, err = template("localhost", now.Add(-time.Hour), now.Add(24*time.Hour)); err != nil {
		return nil, nil, err
	}
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.DNSNames, leaf.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	for _, name := range san {
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else if name != "" {
			leaf.DNSNames = append(leaf.DNSNames, name)
		}
	}
	switch kind {
	case "good":
	case "expired":
		leaf.NotBefore, leaf.NotAfter = now.Add(-48*time.Hour), now.Add(-24*time.Hour)
	case "other-name":
		leaf.Subject.CommonName, leaf.DNSNames, leaf.IPAddresses = "other.example", []string{"other.example"}, nil
	case "self-signed":
		return leaf, leaf, nil
	default:
		return nil, nil, fmt.Errorf("-cert %s: it is one of %s", kind, strings.Join(certKinds, ", "))
	}
	return leaf, ca, nil
}

func fingerprint(sum []byte) string {
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}
