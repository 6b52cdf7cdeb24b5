#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands before a node's HTTP API and lets all through but what its options name. Each request is noted in LOG.
node_peer of e2e.bash starts it.

    node-peer.py [--without FEATURE] [--results FILE] [--task FILE] LISTEN-PORT API-PORT LOG

--without takes a feature out of its health, as a node of an older version would be without it. --results answers the question for the sums
of a disk: the file has a status in its first line and the body in the rest; while it is away the node answers. --task: what the node tells of a task gets the members of the
object in FILE while that is there."""
import argparse
import http.client
import http.server
import json
import os
import re

parser = argparse.ArgumentParser()
parser.add_argument("--without")
parser.add_argument("--results", default="")
parser.add_argument("--task", default="")
parser.add_argument("listen", type=int)
parser.add_argument("api", type=int)
parser.add_argument("log")
options = parser.parse_args()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def ask_node(self, body):
        node = http.client.HTTPConnection("127.0.0.1", options.api, timeout=60)
        node.request(self.command, self.path, body, dict(self.headers))
        answer = node.getresponse()
        text = answer.read()
        if options.without and self.path == "/api/v1/health" and answer.status == 200:
            health = json.loads(text)
            health["features"].remove(options.without)
            text = json.dumps(health).encode()
        if re.fullmatch(r"/api/v1/backup/\d+", self.path) and answer.status == 200 and os.path.exists(options.task):
            with open(options.task, encoding="utf-8") as members:
                text = json.dumps({**json.loads(text), **json.load(members)}).encode()
        return answer.status, text

    def go_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(options.log, "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.path}\n")
        if "/result/" in self.path and os.path.exists(options.results):
            with open(options.results, "rb") as answer:
                status, text = int(answer.readline()), answer.read()
        else:
            status, text = self.ask_node(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = go_on


http.server.ThreadingHTTPServer(("127.0.0.1", options.listen), Handler).serve_forever()
