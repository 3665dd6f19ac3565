// journalctl as a child that ends with us, and where in the journal it is.
#define _GNU_SOURCE // pipe2
#include "cmd/log/log_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"

enum { ARGUMENTS = 16 };

// Becomes journalctl; does not come back.
static void child_run(const struct lp_log_journal *journal, const char *path, bool is_folder,
                      bool from_start)
{
    const char *arguments[ARGUMENTS] = {"journalctl", "-o", "export", "-f", "-n"};
    size_t count = 5;
    arguments[count++] = from_start || journal->cursor[0] ? "all" : "0";
    if (journal->cursor[0]) {
        arguments[count++] = "--after-cursor";
        arguments[count++] = journal->cursor;
    }
    if (path) {
        arguments[count++] = is_folder ? "--directory" : "--file";
        arguments[count++] = path;
    }
    execvp("journalctl", (char *const *)(uintptr_t)arguments);
    fprintf(stderr, "limpet log watch: journalctl: %s\n", strerror(errno));
    _exit(127);
}

int lp_log_journal_open(struct lp_log_journal *journal, const char *path, bool from_start,
                        struct lp_err *err)
{
    int ends[2];
    struct stat is = {0};
    if (path && stat(path, &is) < 0)
        return lp_err_set(err, LP_EINPUT, "--journal: %s: %s", path, strerror(errno));
    if (pipe2(ends, O_CLOEXEC) < 0)
        return lp_err_set(err, LP_EIO, "pipe: %s", strerror(errno));
    LP_OWNS_FD int out = ends[0];
    LP_OWNS_FD int in = ends[1];
    pid_t parent = getpid();
    journal->child = fork();
    if (journal->child < 0)
        return lp_err_set(err, LP_EIO, "fork: %s", strerror(errno));
    if (journal->child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent || dup2(in, STDOUT_FILENO) < 0)
            _exit(1);
        child_run(journal, path, S_ISDIR(is.st_mode), from_start);
    }
    return lp_fd_take(&out);
}

void lp_log_journal_note(struct lp_log_journal *journal, const char *line, size_t bytes)
{
    static const char field[] = "__CURSOR=";
    size_t skip = sizeof field - 1;
    if (bytes == 0 && journal->next[0]) {
        memcpy(journal->cursor, journal->next, sizeof journal->cursor);
        journal->next[0] = '\0';
    } else if (bytes > skip && bytes - skip < sizeof journal->next &&
               memcmp(line, field, skip) == 0) {
        memcpy(journal->next, line + skip, bytes - skip);
        journal->next[bytes - skip] = '\0';
    }
}

int lp_log_journal_close(struct lp_log_journal *journal, bool is_over, struct lp_err *err)
{
    int status = 0;
    if (journal->child <= 0)
        return 0;
    kill(journal->child, SIGTERM); // of one that has ended it changes nothing
    waitpid(journal->child, &status, 0);
    journal->child = 0;
    if (is_over || !WIFEXITED(status) || WEXITSTATUS(status) == 0)
        return 0;
    return lp_err_set(err, LP_EIO, "journalctl ended with %d", WEXITSTATUS(status));
}
