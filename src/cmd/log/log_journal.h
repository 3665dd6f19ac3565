// The journal of systemd, as journalctl tells it: a child whose output `limpet log watch` follows.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct lp_log_journal { // {0}: none
    pid_t child;
    char cursor[1024], next[1024]; // of the last whole entry, and of the one that is being read
};
// path: NULL for this machine's journal, a folder of journal files or one of them. cursor: begin
// behind this entry; empty: with what comes now, or from the start. Returns the pipe to read from,
// or LP_EIO, LP_EINPUT.
LP_MUST_CHECK int lp_log_journal_open(struct lp_log_journal *journal, const char *path,
                                      bool from_start, struct lp_err *err);
// A line of its output was taken: which entry is that?
void lp_log_journal_note(struct lp_log_journal *journal, const char *line, size_t bytes);
// End the child. LP_EIO: it had ended by itself, and not well; is_over: then nobody minds.
LP_MUST_CHECK int lp_log_journal_close(struct lp_log_journal *journal, bool is_over,
                                       struct lp_err *err);
