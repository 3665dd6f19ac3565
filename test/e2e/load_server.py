#!/usr/bin/env python3
"""A small HTTP server for load.t. usage: load_server.py PORT

GET /ok says ok; /bad says 500; /silent never answers; /half ends in the middle, /slow takes a second
over its body, /huge says 50 MB. POST and PUT /items/ID store; POST /forget/ID only says that it did;
GET /items/ID says what was stored, DELETE removes it.
"""
import http.server
import sys
import threading
import time

stored = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one reply, one packet

    def say(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        if self.path == "/silent":
            threading.Event().wait()
        elif self.path == "/ok":
            self.say(200, "ok")
        elif self.path in ("/half", "/slow", "/huge"):
            self.say_oddly()
        elif self.path in stored:
            self.say(200, stored[self.path])
        else:
            self.say(500 if self.path == "/bad" else 404, "no")

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()

    def say_oddly(self):
        size = 50000000 if self.path == "/huge" else 20
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.path == "/half":
            self.wfile.write(b"x" * 10)
            self.close_connection = True
        elif self.path == "/huge":
            for _ in range(size // 1000000):
                self.wfile.write(b"x" * 1000000)
        else:
            for _ in range(size):
                self.wfile.write(b"x")
                time.sleep(0.05)

    def do_DELETE(self):
        self.say(200 if stored.pop(self.path, None) else 404, "")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path.startswith("/items/"):
            stored[self.path] = body
        self.say(201, "stored")

    do_PUT = do_POST

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
