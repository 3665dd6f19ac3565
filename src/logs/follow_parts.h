// Inside the following of files: what is known of each, for the files of this floor that read them
// and that keep where they stopped.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include "base/str.h"
#include "logs/logs.h"

enum { LP_LOG_BLOCK_BYTES = 64 * 1024, LP_LOG_FOLDERS_MAX = 4096, LP_LOG_RETIRED_MAX = 256 };

struct lp_log_inode {
    dev_t dev;
    ino_t ino;
};

struct lp_log_part { // of a file that had the name earlier: what is still to be read
    ino_t ino;
    uint64_t offset;
    bool is_skipping;
};

struct lp_log_file {
    char *path;
    int fd; // -1: not there
    bool is_pipe, is_in_folder, has_ended;
    bool is_new; // what has the name is read from its start
    struct lp_log_inode here;
    uint64_t offset, done;     // done: behind the last line that was given out
    struct lp_str rest;        // of a line that has no end yet
    bool is_skipping;          // up to the next newline
    struct lp_log_part *parts; // [part_count] to be read first, the oldest first
    size_t part_count, part_at;
};

struct lp_log_folder {
    char *path;
    bool was_followed; // before a restart
    bool is_kin;       // with the others that are
};

struct lp_log_retired { // a file that was rotated away, to its end; not to be taken for a new one
    struct lp_log_inode inode;
    uint64_t size; // a smaller file of this inode is another one
};

struct lp_log_follow {
    struct lp_log_follow_config config;
    int inotify_fd;
    struct lp_log_file *files;
    size_t count, capacity;
    struct lp_log_folder *folders;
    size_t folder_count;
    int64_t since_ms; // when the places were kept: what is older is not new to a folder
    struct lp_log_retired retired[LP_LOG_RETIRED_MAX]; // a ring
    size_t retired_count;
    bool has_begun, is_full;
    size_t current; // whose bytes are in the block
    size_t quiet;   // files in a row that had nothing
    size_t at, end; // of block
    bool is_rest_out;
    char block[LP_LOG_BLOCK_BYTES];
};

// LP_EFULL: too many.
LP_MUST_CHECK int lp_log_file_add(struct lp_log_follow *follow, const struct lp_log_file *file,
                                  const char *path, struct lp_err *err);
// Read-only; -1 for what is no regular file. In folders no link is followed.
int lp_log_file_open(const char *path, bool is_in_folder, struct stat *ret_kind);
// The file of this inode in the folder that `path` lies in, whatever its name.
bool lp_log_part_find(const char *path, ino_t ino, struct lp_str *ret_path);
// What lp_log_follow_resume reads: LP_ECORRUPT changes nothing.
LP_MUST_CHECK int lp_log_follow_resume_text(struct lp_log_follow *follow, const struct lp_str *text,
                                            struct lp_log_follow_kept *ret_kept,
                                            struct lp_str *ret_unseen, struct lp_err *err);
