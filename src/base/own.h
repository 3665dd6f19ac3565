// Handles that close themselves at the end of their scope.
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void lp_own_fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
static inline void lp_own_file_close(FILE **file)
{
    if (*file)
        fclose(*file);
}
static inline void lp_own_dir_close(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}
static inline void lp_own_text_free(char **text)
{
    free(*text);
}

#define LP_OWNS_FD   __attribute__((cleanup(lp_own_fd_close)))
#define LP_OWNS_FILE __attribute__((cleanup(lp_own_file_close)))
#define LP_OWNS_DIR  __attribute__((cleanup(lp_own_dir_close)))
#define LP_OWNS_TEXT __attribute__((cleanup(lp_own_text_free)))
// An arena, a string: LP_OWNS_ARENA struct lp_arena arena = {0};
#define LP_OWNS_ARENA __attribute__((cleanup(lp_arena_release)))
#define LP_OWNS_STR   __attribute__((cleanup(lp_str_release)))

// Give the handle away: returns it and leaves -1 behind.
static inline int lp_fd_take(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}
