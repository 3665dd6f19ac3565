// The inside of the load generator, shared by its files.
#pragma once

#include <netinet/in.h>
#include <regex.h>

#include "base/str.h"
#include "drivers/load/load.h"
#include "drivers/load/load_reply.h"

enum {
    LP_LOAD_ID_BYTES = 17,                            // "89abcdef-00000042"
    LP_LOAD_ENDPOINTS_MAX = 2 * LP_LOAD_REQUESTS_MAX, // of requests and of readings back
    LP_LOAD_NONE = -1,
};

struct lp_load_text { // with the places of the id in it
    struct lp_str text;
    size_t *places;
    size_t place_count;
};

struct lp_load_judge { // of a reply
    const struct lp_load_expect *expect;
    struct lp_load_text contains;
    regex_t regex;
    bool has_regex;
};

struct lp_load_form { // one request of the plan, or the reading back of its writes, ready to send
    struct lp_load_text text;
    struct lp_load_judge judge;
    size_t endpoint;
    bool is_head, is_made;
};

struct lp_load_waiting { // for a connection
    int64_t scheduled_us;
    uint64_t number;
};

struct lp_load_endpoint { // an address, with its connections and who waits for one
    struct sockaddr_in address;
    int32_t idle; // a list of connections, the last used first
    uint32_t open_count;
    struct lp_load_waiting *ring;
    size_t ring_start, ring_count;
};

enum lp_load_state { LP_LOAD_CLOSED, LP_LOAD_CONNECTING, LP_LOAD_IDLE, LP_LOAD_BUSY };

struct lp_load_connection {
    int fd;
    enum lp_load_state state;
    uint32_t life; // counts its openings, so that old events are told apart
    int32_t next;  // in a list
    size_t endpoint;
    struct lp_sample sample; // of the request that it carries
    const struct lp_load_form *form;
    int64_t deadline_us;
    int64_t job;       // of reading back; LP_LOAD_NONE: an arrival of the plan
    struct lp_str own; // the request with its id in it
    const char *out;   // what is sent
    size_t out_bytes, out_sent;
    struct lp_reply reply;
    struct lp_reply_body body;
};

struct lp_load_job { // an acknowledged write that is to be read back
    uint32_t write;
    uint8_t request;
    uint8_t ending; // of its last reading
    struct lp_sample sample;
};

enum lp_load_phase {
    LP_LOAD_ARRIVING,
    LP_LOAD_DRAINING, // no more arrivals; those outstanding end
    LP_LOAD_READING,  // back
    LP_LOAD_DONE,
};

struct lp_load_run {
    const struct lp_load *load;
    enum lp_load_phase phase;
    bool is_cut;      // stopped for the second time
    int64_t start_us; // monotonic
    struct lp_load_header header;
    struct lp_load_file file;
    struct lp_err file_err; // what became of the file
    int epoll_fd;

    struct lp_load_form forms[LP_LOAD_REQUESTS_MAX], reads[LP_LOAD_REQUESTS_MAX];
    struct lp_load_endpoint endpoints[LP_LOAD_ENDPOINTS_MAX];
    size_t endpoint_count;
    struct lp_load_connection *connections;
    size_t connection_count, connection_capacity;
    int32_t free_list;

    struct lp_load_arrivals arrivals;
    uint8_t round[LP_LOAD_SHARES_MAX];
    size_t round_length;
    bool has_next;
    int64_t next_us; // of the next arrival
    uint64_t due, outstanding, good, failed;

    struct lp_sample *samples;
    size_t sample_count, sample_capacity;
    int64_t looked_us, flushed_us; // deadlines; file

    struct lp_load_job *jobs; // of reading back
    size_t job_count;         // all of them; those left are jobs[0..job_count - job_gone)
    size_t job_gone, job_next, job_settled;
    uint32_t jobs_under_way;
    int64_t reading_us, heard_us, pause_until_us;
};

// load_form.c: texts made ready once.
LP_MUST_CHECK int lp_load_forms_make(struct lp_load_run *run, struct lp_err *err);
void lp_load_forms_release(struct lp_load_run *run);
void lp_load_id_print(const struct lp_load_run *run, uint32_t write,
                      char ret_id[LP_LOAD_ID_BYTES + 1]);
// The text with the id in its places; lent from own, or from the form when it has no places.
const char *lp_load_text_fill(const struct lp_load_text *text, const char *id, struct lp_str *own);
// LP_END_GOOD, LP_END_STATUS or LP_END_BODY.
enum lp_ending lp_load_judge(const struct lp_load_judge *judge, const char *id,
                             const struct lp_reply *reply, const struct lp_reply_body *body);

// load_connection.c: one request on one connection.
// A connection of the endpoint that can carry a request now, open or being opened; LP_LOAD_NONE:
// all are busy.
int32_t lp_load_connection_take(struct lp_load_run *run, size_t endpoint);
// Send what was put into sample, form and job of a connection that was taken.
void lp_load_connection_send(struct lp_load_run *run, int32_t at);
void lp_load_connection_event(struct lp_load_run *run, int32_t at, uint32_t events);
// The request of a connection ends so. The connection is closed unless it can carry another one.
void lp_load_connection_finish(struct lp_load_run *run, int32_t at, enum lp_ending ending);
void lp_load_connections_release(struct lp_load_run *run);

// load.c
void lp_load_sample_add(struct lp_load_run *run, const struct lp_sample *sample);
// A request has ended and its connection is free, or gone: serve who waits.
void lp_load_endpoint_serve(struct lp_load_run *run, size_t endpoint);

// load_read_back.c
void lp_load_read_begin(struct lp_load_run *run);
// Read what can be read now. When all is settled the run is done.
void lp_load_read_turn(struct lp_load_run *run);
void lp_load_read_ended(struct lp_load_run *run, const struct lp_load_connection *connection);
