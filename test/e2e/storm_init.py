"""Many short connections to one limpet-init, with sound and broken frames: storm_init.py SOCKET N.

The same seed each time. It only has to survive: what it answers is read and thrown away.
"""
import random
import socket
import struct
import sys

CONTROL, EXEC, START, STOP, KILL, SIGNAL, LIST, STDIN, STDIN_EOF, RESIZE = 1, 2, 16, 17, 18, 19, 21, 32, 33, 34
chance = random.Random(7)


def frame(kind, app=0, *fields, raw=None):
    payload = raw if raw is not None else b"".join(field.encode() + b"\0" for field in fields)
    return struct.pack("<IHH", len(payload), kind, app) + payload


def order():
    app, run = chance.randrange(3, 34), f"run={chance.randrange(1, 4)}"
    seconds = chance.choice(["0", "0.01", "9"])
    return chance.choice([
        lambda: frame(START, app, run, f"name=storm{app}", chance.choice(["kind=serve", "kind=setup"]),
                      "arg=sleep", f"arg={seconds}", chance.choice(["timeout_ms=0", "timeout_ms=5"])),
        lambda: frame(STOP, app, run, chance.choice(["grace_ms=0", "grace_ms=30"])),
        lambda: frame(KILL, app, run),
        lambda: frame(SIGNAL, app, run, f"signal={chance.randrange(30)}"),
        lambda: frame(LIST),
    ])()


def session():
    words = frame(EXEC, 0, "arg=" + chance.choice(["cat", "true", "no-such", "yes"]),
                  f"tty={chance.randrange(2)}", chance.choice(["timeout_ms=0", "timeout_ms=20"]))
    for _ in range(chance.randrange(5)):
        words += chance.choice([frame(STDIN, raw=b"x" * chance.randrange(5000)), frame(STDIN_EOF),
                                frame(RESIZE, 0, "rows=5", "columns=9")])
    return words


def broken(words):
    words = bytearray(words)
    for _ in range(chance.randrange(1, 4)):
        words[chance.randrange(len(words))] = chance.randrange(256)
    return bytes(words)


def connection(path):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(0.02)
        peer.connect(path)
        try:
            if chance.random() < 0.5:
                peer.sendall(frame(CONTROL, 0, "version=1"))
                parts = [order() for _ in range(chance.randrange(1, 20))]
            else:
                parts = [session()]
            for part in parts:
                peer.sendall(broken(part) if chance.random() < 0.2 else part)
            if chance.random() < 0.5:
                peer.recv(65536)
        except OSError:
            pass  # closed by limpet-init, as it should be


for _ in range(int(sys.argv[2])):
    connection(sys.argv[1])
