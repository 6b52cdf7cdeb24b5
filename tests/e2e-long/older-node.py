#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands before a node's HTTP API and takes one feature out of its health, as a node of an older version would be without it:

    older-node.py LISTEN-PORT API-PORT FEATURE LOG

All else goes on as it is. Each request is noted in LOG. Called by tests/e2e-long/tls.sh."""
import http.client
import http.server
import json
import sys

LISTEN, API, FEATURE, LOG = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def go_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(LOG, "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.path}\n")
        node = http.client.HTTPConnection("127.0.0.1", API, timeout=60)
        node.request(self.command, self.path, body, dict(self.headers))
        answer = node.getresponse()
        text = answer.read()
        if self.path == "/api/v1/health" and answer.status == 200:
            health = json.loads(text)
            health["features"].remove(FEATURE)
            text = json.dumps(health).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = go_on


http.server.ThreadingHTTPServer(("127.0.0.1", LISTEN), Handler).serve_forever()
