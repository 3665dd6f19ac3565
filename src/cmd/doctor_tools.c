// Programs that Limpet uses: are they there, and do containers really run?
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/doctor.h"
#include "drivers/child.h"

enum { TOOL_MS = 10000 };

// Run it and keep the first line of what it says. Returns its status; -1: it is not there.
static int tool_run(const char *const *argv, struct lp_str *ret_line, bool has_own_mounts)
{
    struct lp_child_spec spec = {
        .argv = argv, .output_max = 4096, .timeout_ms = TOOL_MS, .has_own_mounts = has_own_mounts};
    LP_OWNS_STR struct lp_str output = {0};
    struct lp_err err;
    int status = 0;
    if (lp_child_run(&spec, &status, &output, &err) < 0) {
        lp_str_add(ret_line, err.text);
        return -1;
    }
    const char *text = lp_str_text(&output);
    lp_str_add_n(ret_line, text, strcspn(text, "\n"));
    return status;
}

// Say the version; false when the tool is missing.
static bool tool_find(struct lp_finding *finding, const char *tool)
{
    const char *const argv[] = {tool, "--version", NULL};
    LP_OWNS_STR struct lp_str line = {0};
    int status = tool_run(argv, &line, false);
    if (status < 0)
        lp_finding_set(finding, LP_FINDING_MISSING, "%s is not installed", tool);
    else if (status != 0)
        lp_finding_set(finding, LP_FINDING_CANNOT, "%s: %.300s", tool, lp_str_text(&line));
    else
        lp_finding_set(finding, LP_FINDING_OK, "%.300s", lp_str_text(&line));
    return status == 0;
}

static const char config[] =
    "{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":false,\"user\":{\"uid\":0,\"gid\":0},"
    "\"args\":[\"/bin/true\"],\"env\":[\"PATH=/bin:/usr/bin\"],\"cwd\":\"/\","
    "\"noNewPrivileges\":true},\"root\":{\"path\":\"root\",\"readonly\":true},"
    "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}],"
    "\"linux\":{\"cgroupsPath\":\"/limpet-doctor-%d\",\"namespaces\":[{\"type\":\"pid\"},"
    "{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"network\"}]}}";

// A bundle whose root is this machine's own, under a layer that is thrown away.
static bool bundle_make(const char *folder, struct lp_finding *finding)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const char *names[] = {"root", "upper", "work", "state"};
    for (size_t i = 0; i < 4; i++) {
        if (mkdir(lp_arena_printf(&arena, "%s/%s", folder, names[i]), 0755) < 0) {
            lp_finding_set(finding, LP_FINDING_CANNOT, "%s: %s", folder, strerror(errno));
            return false;
        }
    }
    const char *text = lp_arena_printf(&arena, config, (int)getpid());
    const char *root = lp_arena_printf(&arena, "%s/root", folder);
    if (lp_file_write(lp_arena_printf(&arena, "%s/config.json", folder), text, strlen(text), 0644,
                      NULL) < 0 ||
        mount("overlay", root, "overlay", 0,
              lp_arena_printf(&arena, "lowerdir=/,upperdir=%s/upper,workdir=%s/work", folder,
                              folder)) < 0) {
        lp_finding_set(finding, LP_FINDING_CANNOT, "a root for a trial container: %s",
                       strerror(errno));
        return false;
    }
    return true;
}

// Run `true` in a container.
static void runtime_probe(struct lp_finding *finding, const char *folder, const char *runtime)
{
    if (!tool_find(finding, runtime) || !bundle_make(folder, finding))
        return;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str line = {0};
    LP_OWNS_STR struct lp_str unused = {0};
    const char *state = lp_arena_printf(&arena, "%s/state", folder);
    const char *name = lp_arena_printf(&arena, "limpet-doctor-%d", (int)getpid());
    const char *const run[] = {runtime, "--root", state, "run", "--bundle", folder, name, NULL};
    const char *const clear[] = {runtime, "--root", state, "delete", "-f", name, NULL};
    int status = tool_run(run, &line, true);
    (void)tool_run(clear, &unused, true);
    (void)umount2(lp_arena_printf(&arena, "%s/root", folder), MNT_DETACH);
    if (status == 0)
        lp_finding_set(finding, LP_FINDING_OK, "%s; ran a container",
                       lp_arena_text(&arena, finding->detail));
    else
        lp_finding_set(finding, LP_FINDING_CANNOT, "%s runs no container: %.300s", runtime,
                       lp_str_text(&line));
}

void lp_probe_crun(struct lp_finding *finding, const char *folder)
{
    runtime_probe(finding, folder, "crun");
}

void lp_probe_runc(struct lp_finding *finding, const char *folder)
{
    runtime_probe(finding, folder, "runc");
}

void lp_probe_qemu(struct lp_finding *finding, const char *folder)
{
    (void)folder;
    (void)tool_find(finding, "qemu-system-x86_64");
}

void lp_probe_criu(struct lp_finding *finding, const char *folder)
{
    (void)folder;
    static const char *const argv[] = {"criu", "check", NULL};
    LP_OWNS_STR struct lp_str line = {0};
    if (!tool_find(finding, "criu"))
        return;
    if (tool_run(argv, &line, false) != 0)
        lp_finding_set(finding, LP_FINDING_CANNOT, "criu check: %.300s", lp_str_text(&line));
}

void lp_probe_dnsmasq(struct lp_finding *finding, const char *folder)
{
    (void)folder;
    (void)tool_find(finding, "dnsmasq");
}

void lp_probe_mmdebstrap(struct lp_finding *finding, const char *folder)
{
    (void)folder;
    (void)tool_find(finding, "mmdebstrap");
}

void lp_probe_skopeo(struct lp_finding *finding, const char *folder)
{
    (void)folder;
    (void)tool_find(finding, "skopeo");
}

void lp_probe_umoci(struct lp_finding *finding, const char *folder)
{
    (void)folder;
    (void)tool_find(finding, "umoci");
}
