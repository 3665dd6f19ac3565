// The wire between limpet-init and its clients: frames on a byte stream (a Unix socket in a
// container, virtio-serial in a VM), so nothing else than bytes ever crosses it.
// A frame: u32 payload length, u16 type, u16 application index, all little endian; the payload.
// The payload is raw bytes (STDIN, STDOUT, STDERR) or fields: "key=value" texts, each ended by NUL.
// Unknown fields are skipped, so that either side may be the newer one.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct lp_pairs;
struct lp_str;
struct lp_texts;

enum {
    LP_WIRE_VERSION = 1,
    LP_WIRE_HEADER_BYTES = 8,
    LP_WIRE_PAYLOAD_MAX = 1024 * 1024,
    LP_WIRE_RAW_CHUNK = 16 * 1024, // senders put at most this much into one raw frame
    LP_WIRE_STATUS_SIGNAL = 256,   // a status of 256 + N: killed by signal N
};

// Which fields each one has: docs/limpet-init.md. Numbers never change their meaning.
enum lp_wire_type {
    // The first frame of a connection says what it is for.
    LP_WIRE_CONTROL = 1, // version: take over as the one that gives orders; answered by HELLO
    LP_WIRE_EXEC = 2,    // arg.., env.., cwd, user, tty, rows, columns, timeout_ms
    // Control, client to limpet-init.
    LP_WIRE_START_APP = 16,  // run, name, kind, arg.., env.., cwd, user, creates, mark, timeout_ms,
                             // stop_signal, log_bytes -> STARTED [EXITED] | FAILED
    LP_WIRE_STOP_APP = 17,   // run, signal, grace_ms -> EXITED
    LP_WIRE_KILL_APP = 18,   // run -> EXITED
    LP_WIRE_SIGNAL_APP = 19, // run, signal; no reply
    LP_WIRE_STOP_ALL = 20,   // grace_ms: stop all applications, then power off
    LP_WIRE_LIST = 21,       // -> STATE of each application that was ever started, then SYNCED
    // Exec, client to limpet-init.
    LP_WIRE_STDIN = 32,     // raw
    LP_WIRE_STDIN_EOF = 33, // empty
    LP_WIRE_RESIZE = 34,    // rows, columns
    // limpet-init to client.
    LP_WIRE_HELLO = 48,   // version, boot, node, incarnation
    LP_WIRE_STATE = 49,   // run, phase, pid, status, at_ms, text
    LP_WIRE_STARTED = 50, // run, pid, at_ms
    LP_WIRE_EXITED = 51,  // run, status, at_ms
    LP_WIRE_FAILED = 52,  // run, code, text: could not be started; the answer to EXEC too
    LP_WIRE_SYNCED = 53,  // empty
    LP_WIRE_STDOUT = 64,  // raw
    LP_WIRE_STDERR = 65,  // raw
    LP_WIRE_EXIT = 66,    // status: the exec'd command ended, all of its output was sent
};

// How far an application of a node is, as limpet-init sees it.
enum lp_init_phase {
    LP_INIT_IDLE,     // never started in this life of the node
    LP_INIT_STARTING, // forked, not executed yet
    LP_INIT_RUNNING,
    LP_INIT_ENDING,   // ended or being stopped; descendants are being killed: EXITED follows
    LP_INIT_ENDED,    // status, at_ms
    LP_INIT_UNSTARTED // could not be started: text
};
// The word of a phase in STATE frames, and back; LP_ECORRUPT: no such word.
const char *lp_init_phase_word(enum lp_init_phase phase);
LP_MUST_CHECK int lp_init_phase_parse(const char *word, enum lp_init_phase *ret_phase);

struct lp_wire_frame { // lent: points into the bytes that were parsed
    uint16_t type;     // enum lp_wire_type, or one that is not known here
    uint16_t app;
    const char *payload;
    size_t bytes;
};

struct lp_wire_field {
    const char *key; // key_bytes of it
    size_t key_bytes;
    const char *value; // ends with NUL
};

// Begin a frame of fields at the end of out; returns where it stands, for lp_wire_seal.
size_t lp_wire_head(struct lp_str *out, uint16_t type, uint16_t app);
void lp_wire_add(struct lp_str *out, const char *key, const char *value); // NULL adds nothing
void lp_wire_add_number(struct lp_str *out, const char *key, int64_t number);
// argv as "arg" fields, the environment as "env" fields ("env=KEY=value").
void lp_wire_add_command(struct lp_str *out, const struct lp_texts *argv,
                         const struct lp_pairs *environment);
// End the frame that began at `at`. LP_EFULL when it is too long: out is then as before its head.
LP_MUST_CHECK int lp_wire_seal(struct lp_str *out, size_t at, struct lp_err *err);
// A whole raw frame; count is at most LP_WIRE_PAYLOAD_MAX (a bug otherwise).
void lp_wire_add_raw(struct lp_str *out, uint16_t type, const void *bytes, size_t count);

// The frame that stands at the front of bytes. Returns its length in bytes, 0 when it is not
// complete yet, LP_ECORRUPT when it is longer than a frame may be.
long lp_wire_parse(const char *bytes, size_t count, struct lp_wire_frame *ret_frame);
// Walk the fields; *cursor is 0 at the start. Returns 1 with a field, 0 at the end, LP_ECORRUPT
// when the payload is not made of fields.
int lp_wire_next(const struct lp_wire_frame *frame, size_t *cursor,
                 struct lp_wire_field *ret_field);
bool lp_wire_is(const struct lp_wire_field *field, const char *key);
// A decimal number within [low, high], or LP_ECORRUPT.
LP_MUST_CHECK int lp_wire_number(const struct lp_wire_field *field, int64_t low, int64_t high,
                                 int64_t *ret_number);
