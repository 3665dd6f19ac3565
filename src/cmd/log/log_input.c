// Reading logs: packed ones through the program that unpacks them, and a word about what is no
// text.
#include "cmd/log/log_input.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"

enum { MAGIC_BYTES = 8, LOOKED_AT = 4096, NO_TEXT_SHARE = 20, NO_PROGRAM = 127 };

struct packing {
    const char *magic, *program;
};

// How such files begin. Sources: RFC 1952, RFC 8878, the formats of xz and bzip2.
static const struct packing packings[] = {
    {"\x1f\x8b", "gzip"},
    {"\x28\xb5\x2f\xfd", "zstd"},
    {"\xfd\x37zXZ", "xz"},
    {"BZh", "bzip2"},
    {0},
};

static const struct packing *packing_of(const char *bytes, size_t count)
{
    for (const struct packing *packing = packings; packing->magic; packing++)
        if (count >= strlen(packing->magic) &&
            memcmp(bytes, packing->magic, strlen(packing->magic)) == 0)
            return packing;
    return NULL;
}

// Becomes the program; does not come back. It finds the file where it stands at its standard input.
static void child_run(const char *program, int from, int to)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (dup2(from, STDIN_FILENO) < 0 || dup2(to, STDOUT_FILENO) < 0)
        _exit(1);
    execlp(program, program, "-dcq", (char *)NULL);
    _exit(NO_PROGRAM);
}

LP_MUST_CHECK static int unpack(struct lp_log_input *input, const char *program, struct lp_err *err)
{
    int ends[2];
    if (pipe(ends) < 0)
        return lp_err_set(err, LP_EIO, "pipe: %s", strerror(errno));
    LP_OWNS_FD int out = ends[0];
    LP_OWNS_FD int in = ends[1];
    if (fcntl(out, F_SETFD, FD_CLOEXEC) < 0 || fcntl(in, F_SETFD, FD_CLOEXEC) < 0)
        return lp_err_set(err, LP_EIO, "fcntl: %s", strerror(errno));
    fflush(stdout); // or the child might write it again
    input->child = fork();
    if (input->child < 0)
        return lp_err_set(err, LP_EIO, "fork: %s", strerror(errno));
    if (input->child == 0)
        child_run(program, input->fd, in);
    close(input->fd);
    input->fd = lp_fd_take(&out);
    input->program = program;
    return 0;
}

int lp_log_input_open(struct lp_log_input *input, const char *path, bool may_be_binary,
                      struct lp_err *err)
{
    bool is_standard = strcmp(path, "-") == 0;
    char magic[MAGIC_BYTES];
    *input = (struct lp_log_input){.fd = -1, .path = path, .may_be_binary = may_be_binary};
    input->fd =
        is_standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0)
        return lp_err_set(err, errno == ENOENT || errno == ENOTDIR ? LP_EINPUT : LP_EIO, "%s: %s",
                          path, strerror(errno));
    ssize_t count = pread(input->fd, magic, sizeof(magic), 0); // of a pipe nothing
    const struct packing *packing =
        count > 0 && lseek(input->fd, 0, SEEK_CUR) == 0 ? packing_of(magic, (size_t)count) : NULL;
    return packing ? unpack(input, packing->program, err) : 0;
}

// Every second byte is 0: 0 or 1, at which of the two; else -1.
static int wide_order(const char *bytes, size_t count)
{
    size_t zeros[2] = {0};
    for (size_t i = 0; i < count; i++)
        zeros[i % 2] += bytes[i] == '\0';
    for (int i = 0; i < 2; i++)
        if (count >= 8 && zeros[i] * 8 > count * 3 && zeros[1 - i] * 20 < count)
            return i;
    return -1;
}

static bool is_text(const char *bytes, size_t count)
{
    size_t controls = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        controls += (byte < ' ' && !strchr("\t\n\v\f\r\033", byte)) || byte == 0 || byte == 127;
    }
    return controls * NO_TEXT_SHARE <= count;
}

// What to do with what is no text.
LP_MUST_CHECK static int first_check(const struct lp_log_input *input, const char *bytes,
                                     size_t count, struct lp_err *err)
{
    const char *path = input->path;
    const struct packing *packing = packing_of(bytes, count);
    if (count > LOOKED_AT)
        count = LOOKED_AT;
    int wide = wide_order(bytes, count);
    if (packing)
        return lp_err_set(err, LP_EINPUT, "%s: this is packed: %s -dc | limpet log ...", path,
                          packing->program);
    if (wide >= 0)
        return lp_err_set(err, LP_EINPUT,
                          "%s: this is UTF-16: iconv -f UTF-16%s -t UTF-8 makes text of it", path,
                          wide ? "LE" : "BE");
    if (count >= MAGIC_BYTES && memcmp(bytes, "LPKSHHRH", MAGIC_BYTES) == 0)
        return lp_err_set(err, LP_EINPUT,
                          "%s: this is a file of the journal: journalctl -o export --file=... | "
                          "limpet log ... - reads it, and limpet log watch --journal=...",
                          path);
    if (count >= MAGIC_BYTES && memcmp(bytes, "limpet", 6) == 0)
        return lp_err_set(err, LP_EINPUT, "%s: this is a model, no log: -m is for models", path);
    if (!input->may_be_binary && !is_text(bytes, count))
        return lp_err_set(err, LP_EINPUT,
                          "%s: this is no text; with --format free it is read all the same", path);
    return 0;
}

int lp_log_input_read(struct lp_log_input *input, char *bytes, size_t room, size_t *ret_count,
                      struct lp_err *err)
{
    ssize_t count;
    do
        count = read(input->fd, bytes, room);
    while (count < 0 && errno == EINTR);
    if (count < 0 && errno == EISDIR)
        return lp_err_set(err, LP_EINPUT, "%s: this is a folder; name its files", input->path);
    if (count < 0)
        return lp_err_set(err, LP_EIO, "%s: %s", input->path, strerror(errno));
    if (!input->is_begun && first_check(input, bytes, (size_t)count, err) < 0)
        return err->code;
    if (!input->is_begun && count > 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        count -= 3; // UTF-8 says that it is UTF-8
        memmove(bytes, bytes + 3, (size_t)count);
    }
    input->is_begun = true;
    *ret_count = (size_t)count;
    return 0;
}

int lp_log_input_close(struct lp_log_input *input, struct lp_err *err)
{
    int status = 0;
    if (input->fd >= 0)
        close(input->fd);
    input->fd = -1;
    if (input->child <= 0)
        return 0;
    if (!err) // nobody reads the rest
        kill(input->child, SIGTERM);
    while (waitpid(input->child, &status, 0) < 0 && errno == EINTR)
        ;
    input->child = 0;
    if (!err || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_PROGRAM)
        return lp_err_set(err, LP_EINPUT, "%s: this is packed, and there is no %s to read it",
                          input->path, input->program);
    return lp_err_set(err, LP_EINPUT, "%s: %s cannot read it: it is damaged", input->path,
                      input->program);
}
