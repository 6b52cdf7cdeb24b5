// SPDX-License-Identifier: LGPL-2.1-or-later

// Answers that no vCenter gives: what a client must refuse within its bounds.

package main

import "strings"

var badXMLModes = map[string]func() string{
	// Entities within entities: a few hundred bytes that would become gigabytes.
	"bomb": func() string {
		dtd := `<!ENTITY a0 "ha">`
		for i, prev := 1, "a0"; i < 30; i++ {
			name := "a" + strings.Repeat("x", i)
			dtd += `<!ENTITY ` + name + ` "` + strings.Repeat("&"+prev+";", 10) + `">`
			prev = name
		}
		return `<?xml version="1.0"?><!DOCTYPE x [` + dtd + `]><x>&a` + strings.Repeat("x", 29) + `;</x>`
	},
	"doctype": func() string {
		return `<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><x>&x;</x>`
	},
	"deep": func() string {
		return strings.Repeat("<x>", 100000) + strings.Repeat("</x>", 100000)
	},
	"many": func() string {
		return "<x>" + strings.Repeat("<y/>", 2000000) + "</x>"
	},
	"huge": func() string {
		return "<x>" + strings.Repeat("0123456789abcdef", 5<<20) + "</x>"
	},
	"text": func() string { return "Internal error \x1b[31m\x9b, try again" },
	"empty-envelope": func() string {
		return `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body/></soapenv:Envelope>`
	},
	"control": func() string {
		return `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><soapenv:Fault>` +
			`<faultcode>ServerFaultCode</faultcode><faultstring>red &#x9b;31m` + "\u202e\u2028" + `alert&#13;&#10;second line</faultstring>` +
			`<detail><GenericVmConfigFaultFault xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Odd&#x9b;Fault"/></detail>` +
			`</soapenv:Fault></soapenv:Body></soapenv:Envelope>`
	},
}

func badXML(mode string) ([]byte, bool) {
	f, ok := badXMLModes[mode]
	if !ok {
		return nil, false
	}
	return []byte(f()), true
}

func badXMLNames() string {
	var names []string
	for name := range badXMLModes {
		names = append(names, name)
	}
	return strings.Join(names, "|")
}
