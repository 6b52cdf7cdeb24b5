#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands before a node's HTTP API and answers the question for the sums of a disk as ANSWER-FILE says:

    sums-peer.py LISTEN-PORT API-PORT ANSWER-FILE LOG

The file has a status in its first line and the body in the rest; without it all goes on as it is. Each request is noted in LOG."""
import http.client
import http.server
import os
import sys

LISTEN, API, ANSWER, LOG = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def ask_node(self, body):
        node = http.client.HTTPConnection("127.0.0.1", API, timeout=60)
        node.request(self.command, self.path, body, dict(self.headers))
        answer = node.getresponse()
        return answer.status, answer.read()

    def go_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(LOG, "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.path}\n")
        if "/result/" in self.path and os.path.exists(ANSWER):
            with open(ANSWER, "rb") as answer:
                status, text = int(answer.readline()), answer.read()
        else:
            status, text = self.ask_node(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = go_on


http.server.ThreadingHTTPServer(("127.0.0.1", LISTEN), Handler).serve_forever()
