// SPDX-License-Identifier: LGPL-2.1-or-later

// SOAP as bytes: decoding a request far enough to know what it asks, and
// encoding the answers that do not come from VMware's simulator, in the same
// envelope. The front uses it; it knows no state.

package main

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

var vimType = types.TypeFunc()

// requestType finds a Go type for an element, whatever prefix the client used.
func requestType(name string) (reflect.Type, bool) {
	if t, ok := vimType(name); ok {
		return t, true
	}
	if i := strings.IndexByte(name, ':'); i >= 0 {
		return vimType(name[i+1:])
	}
	return nil, false
}

func decodeRequest(data []byte) (*simulator.Method, error) {
	return simulator.UnmarshalBody(requestType, data)
}

type envelope struct {
	XMLName xml.Name    `xml:"soapenv:Envelope"`
	Enc     string      `xml:"xmlns:soapenc,attr"`
	Env     string      `xml:"xmlns:soapenv,attr"`
	XSD     string      `xml:"xmlns:xsd,attr"`
	XSI     string      `xml:"xmlns:xsi,attr"`
	Body    interface{} `xml:"soapenv:Body"`
}

type faultElement struct {
	XMLName xml.Name    `xml:"soapenv:Fault"`
	Code    string      `xml:"faultcode"`
	String  string      `xml:"faultstring"`
	Detail  faultDetail `xml:"detail"`
}

type faultDetail struct {
	fault types.AnyType
}

// MarshalXML names the element after the fault's type, as vCenter does.
func (d faultDetail) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	kind := reflect.TypeOf(d.fault).Elem().Name()
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	inner := xml.StartElement{Name: xml.Name{Local: kind + "Fault"}, Attr: []xml.Attr{
		{Name: xml.Name{Local: "xmlns"}, Value: "urn:vim25"},
		{Name: xml.Name{Local: "xsi:type"}, Value: kind},
	}}
	if err := e.EncodeElement(d.fault, inner); err != nil {
		return err
	}
	return e.EncodeToken(start.End())
}

type answerBody struct {
	res interface{}
}

func (b answerBody) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	inner := xml.StartElement{Name: xml.Name{Space: "urn:vim25", Local: reflect.TypeOf(b.res).Elem().Name()}}
	if err := e.EncodeElement(b.res, inner); err != nil {
		return err
	}
	return e.EncodeToken(start.End())
}

// encodeAnswer gives the HTTP status and the bytes of an answer.
func encodeAnswer(res soap.HasFault) (int, []byte, error) {
	env := envelope{
		Enc: "http://schemas.xmlsoap.org/soap/encoding/",
		Env: "http://schemas.xmlsoap.org/soap/envelope/",
		XSD: "http://www.w3.org/2001/XMLSchema",
		XSI: "http://www.w3.org/2001/XMLSchema-instance",
	}
	status := 200
	if f := res.Fault(); f != nil {
		status = 500
		env.Body = struct{ Fault faultElement }{faultElement{
			Code: f.Code, String: f.String, Detail: faultDetail{f.Detail.Fault},
		}}
	} else {
		v := reflect.ValueOf(res).Elem().FieldByName("Res")
		if !v.IsValid() || v.IsNil() {
			return 0, nil, fmt.Errorf("%T has neither an answer nor a fault", res)
		}
		env.Body = answerBody{v.Interface()}
	}
	var out bytes.Buffer
	out.WriteString(xml.Header)
	if err := xml.NewEncoder(&out).Encode(&env); err != nil {
		return 0, nil, err
	}
	return status, out.Bytes(), nil
}

// faultAnswer is an answer that is nothing but a fault.
type faultAnswer struct {
	fault *soap.Fault
}

func (f *faultAnswer) Fault() *soap.Fault { return f.fault }

func refuse(msg string, fault types.BaseMethodFault) soap.HasFault {
	return &faultAnswer{simulator.Fault(msg, fault)}
}

// decodeAnswer reads an answer of the simulator back into body (a *XxxBody).
func decodeAnswer(data []byte, body soap.HasFault) error {
	env := soap.Envelope{Body: body}
	dec := xml.NewDecoder(bytes.NewReader(data))
	dec.TypeFunc = requestType
	return dec.Decode(&env)
}
