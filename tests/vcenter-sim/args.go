// SPDX-License-Identifier: LGPL-2.1-or-later

// The parameters of a control call: key=value pairs, from a form or from JSON,
// read strictly. A key that nobody asked for, and a value that does not parse,
// are errors, so that a test cannot arm something that never happens.

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sort"
	"strconv"
	"strings"
)

type args struct {
	values map[string]string
	used   map[string]bool
	errs   *[]string
}

func newArgs(values map[string]string) args {
	return args{values, make(map[string]bool), new([]string)}
}

// readArgs takes the query of the URL and, unless the body is raw, the body.
func readArgs(r *http.Request, rawBody bool) (args, error) {
	values := make(map[string]string)
	for k, v := range r.URL.Query() {
		values[k] = v[len(v)-1]
	}
	if rawBody || r.Body == nil {
		return newArgs(values), nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == "application/json" {
		var m map[string]interface{}
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&m); err != nil {
			return args{}, fmt.Errorf("the JSON cannot be read: %v", err)
		}
		for k, v := range m {
			if f, ok := v.(float64); ok {
				values[k] = strconv.FormatFloat(f, 'f', -1, 64)
			} else {
				values[k] = fmt.Sprint(v)
			}
		}
		return newArgs(values), nil
	}
	if err := r.ParseForm(); err != nil {
		return args{}, err
	}
	for k, v := range r.PostForm {
		values[k] = v[len(v)-1]
	}
	return newArgs(values), nil
}

func (a args) bad(format string, v ...interface{}) {
	*a.errs = append(*a.errs, fmt.Sprintf(format, v...))
}

func (a args) has(key string) bool {
	_, ok := a.values[key]
	return ok
}

func (a args) text(key, otherwise string) string {
	a.used[key] = true
	if v, ok := a.values[key]; ok {
		return v
	}
	return otherwise
}

func (a args) need(key string) string {
	v := a.text(key, "")
	if v == "" {
		a.bad("%s= is missing", key)
	}
	return v
}

// number understands K, M, G, T (powers of 1024), true and false.
func (a args) number(key string, otherwise int64) int64 {
	v := a.text(key, "")
	if v == "" {
		return otherwise
	}
	n, err := parseSize(v)
	if err != nil {
		a.bad("%s=%s: %v", key, v, err)
	}
	return n
}

func (a args) flag(key string, otherwise bool) bool {
	var n int64
	if otherwise {
		n = 1
	}
	return a.number(key, n) != 0
}

func parseSize(v string) (int64, error) {
	switch v {
	case "true", "on", "yes":
		return 1, nil
	case "false", "off", "no":
		return 0, nil
	}
	shift := uint(0)
	if v != "" {
		if i := strings.IndexByte("KMGT", v[len(v)-1]); i >= 0 {
			shift = uint(10 * (i + 1))
			v = v[:len(v)-1]
		}
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n<<shift>>shift != n {
		return 0, fmt.Errorf("not a number")
	}
	return n << shift, nil
}

// done reports what was wrong, and every key that nothing asked for.
func (a args) done() error {
	errs := *a.errs
	for k := range a.values {
		if !a.used[k] {
			errs = append(errs, "unknown parameter "+k+"=")
		}
	}
	if len(errs) == 0 {
		return nil
	}
	sort.Strings(errs)
	return fmt.Errorf("%s", strings.Join(errs, "; "))
}
