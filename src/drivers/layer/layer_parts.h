// The inside of a layer: its files as the kernel knows them, and the replies that wait.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "drivers/layer/layer.h"
#include "drivers/layer/layer_rule.h"

struct lp_layer_shadow;

enum { LP_LAYER_HANDLE_BYTES = 64, LP_LAYER_COOKIE_BYTES = 48 };

struct lp_layer_inode { // its address is what the kernel calls it by; the root is FUSE_ROOT_ID
    struct lp_layer_inode *next; // of its bucket
    dev_t dev;
    ino_t ino;
    int fd; // O_PATH; -1: opened by its handle when it is needed
    int handle_type;
    uint32_t handle_bytes;
    unsigned char handle[LP_LAYER_HANDLE_BYTES];
    uint64_t lookups; // that the kernel has not forgotten
    struct lp_layer_shadow *shadow;
    bool is_look;   // the file through which the effect is looked at
    bool is_hashed; // false: its number belongs to another file by now
};

struct lp_layer_inodes {
    struct lp_layer_inode **buckets; // heap; a power of two
    size_t bucket_count, count, fd_count, fd_max;
    struct lp_layer_inode root;
    int base_fd; // the folder itself
};

struct lp_layer_parked; // a reply that waits for its time

struct lp_layer_helper { // a child that looks at an effect or takes a mount away
    int pidfd;           // -1: none
    int fd;              // its word comes here
    struct lp_layer_answer answer;
};

struct lp_layer_aio { // syncs go on while others are served
    unsigned long context;
    int event_fd; // -1: this kernel has none of it
};

struct lp_layer {
    const struct lp_layer_spec *spec;
    struct fuse_session *session;
    struct lp_layer_inodes inodes;
    struct lp_layer_rules rules;
    struct lp_layer_parked *parked; // in the order of their time
    struct lp_layer_aio aio;
    // One for each fault, and one that takes the mount away.
    struct lp_layer_helper helpers[LP_LAYER_KINDS + 1];
    char cookie[LP_LAYER_COOKIE_BYTES]; // name of the file to look through
    uint32_t connection;                // lp_layer_connection
    bool is_ending;                     // no new orders; it ends with the last open file
    int epoll_fd, timer_fd, listen_fd, fuse_fd;
};

// layer_inode.c
LP_MUST_CHECK int lp_layer_inodes_open(struct lp_layer_inodes *inodes, int base_fd,
                                       struct lp_err *err);
struct lp_layer_inode *lp_layer_inode_of(struct lp_layer *layer, fuse_ino_t ino);
fuse_ino_t lp_layer_ino_of(const struct lp_layer *layer, const struct lp_layer_inode *inode);
// Its O_PATH handle; *ret_owned is closed by the caller, or -1. -1 and errno.
int lp_layer_inode_fd(struct lp_layer *layer, const struct lp_layer_inode *inode, int *ret_owned);
// Open it anew, through /proc. -1 and errno.
int lp_layer_inode_open(struct lp_layer *layer, const struct lp_layer_inode *inode, int flags);
// Take an O_PATH handle in (it is closed or kept): the file it is of, known once more. NULL and
// errno.
struct lp_layer_inode *lp_layer_inode_add(struct lp_layer *layer, int fd, struct stat *ret_facts);
void lp_layer_inode_forget(struct lp_layer *layer, struct lp_layer_inode *inode, uint64_t count);
// A file without a name on the folder's file system, owned by who owns the folder: where owners are
// shifted, root may be nobody. -1 and errno.
int lp_layer_nameless_open(struct lp_layer *layer);
// As fstat(2) of it, its shadow counted in. 0 or an errno.
int lp_layer_inode_stat(struct lp_layer *layer, const struct lp_layer_inode *inode,
                        struct stat *ret_facts);
// Its shadow, opened when it has none yet. NULL and errno.
struct lp_layer_shadow *lp_layer_inode_shadow(struct lp_layer *layer, struct lp_layer_inode *inode);
void lp_layer_shadows_drop(struct lp_layer *layer);
// The kernel is to forget what it keeps of the files' content. In a child: it may wait for us.
// keeps_held: not of files of which a slow read is under way, as it would wait for that long.
void lp_layer_caches_drop(struct lp_layer *layer, bool keeps_held);

// layer_name.c and layer_file.c: the operations.
extern const struct fuse_lowlevel_ops lp_layer_operations_of_kernel;
void lp_layer_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void lp_layer_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                        struct fuse_file_info *info);
void lp_layer_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at,
                      struct fuse_file_info *info);
void lp_layer_op_write(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *data, off_t at,
                       struct fuse_file_info *info);
void lp_layer_op_sync(fuse_req_t req, fuse_ino_t ino, int is_data_only,
                      struct fuse_file_info *info);
void lp_layer_op_allocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t at, off_t count,
                          struct fuse_file_info *info);
void lp_layer_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
// 0 or an errno.
int lp_layer_file_truncate(struct lp_layer *layer, struct lp_layer_inode *inode, off_t size);
void lp_layer_entry_reply(fuse_req_t req, struct lp_layer *layer, int fd);
void lp_layer_entry_fill(struct lp_layer *layer, const struct lp_layer_inode *inode,
                         const struct stat *facts, struct fuse_entry_param *ret_entry);
// What is made belongs to who asked: 0 0 is us again.
void lp_layer_owner_set(uid_t uid, gid_t gid);

// layer_reply.c: replies at their time, and syncs beside everything else.
struct lp_layer_result {
    int error; // errno; 0: bytes or count counts
    enum { LP_LAYER_REPLY_ERROR, LP_LAYER_REPLY_WRITTEN, LP_LAYER_REPLY_BYTES } kind;
    char *bytes; // heap, taken over
    size_t count;
    const struct lp_layer_inode *read_of; // whose pages the kernel holds until then; or NULL
};
bool lp_layer_is_read_held(const struct lp_layer *layer, const struct lp_layer_inode *inode);
void lp_layer_reply(struct lp_layer *layer, fuse_req_t req, uint32_t delay_us,
                    const struct lp_layer_result *result);
void lp_layer_replies_send(struct lp_layer *layer);  // what is due
void lp_layer_replies_hurry(struct lp_layer *layer); // all of it, now
void lp_layer_aio_open(struct lp_layer_aio *aio);
// Force it to the disk and reply; delay_us after that.
void lp_layer_sync_begin(struct lp_layer *layer, fuse_req_t req, int fd, bool is_data_only,
                         uint32_t delay_us);
void lp_layer_syncs_collect(struct lp_layer *layer);

// layer_helper.c: what must not be done by the process that the kernel waits for.
void lp_layer_look_begin(struct lp_layer *layer, const struct lp_layer_fault *fault);
void lp_layer_drop_begin(struct lp_layer *layer, uint32_t kind); // the kernel's caches
void lp_layer_detach_begin(struct lp_layer *layer, pid_t pid);
void lp_layer_helper_collect(struct lp_layer *layer, struct lp_layer_helper *helper);
void lp_layer_helper_end(struct lp_layer *layer, struct lp_layer_helper *helper);

// layer_order.c: orders.
void lp_layer_orders_take(struct lp_layer *layer);
