// The file of a fault, ROOT/faults/f<number>.json: there from before the fault is injected until it
// is undone.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "drivers/fault/fault_parts.h"
#include "drivers/place.h"

enum { FILE_BYTES_MAX = 1024 * 1024, PATH_BYTES = LP_PLACE_TEXT_MAX };

static void folder_path(const struct lp_faults *faults, char ret_path[PATH_BYTES])
{
    snprintf(ret_path, PATH_BYTES, "%s/faults", faults->env.root);
}

static void file_path(const struct lp_faults *faults, uint64_t number, char ret_path[PATH_BYTES])
{
    snprintf(ret_path, PATH_BYTES, "%s/faults/f%llu.json", faults->env.root,
             (unsigned long long)number);
}

int lp_fault_job_save(const struct lp_faults *faults, const struct lp_fault_job *job,
                      struct lp_err *err)
{
    char path[PATH_BYTES];
    folder_path(faults, path);
    if (lp_dir_make(path, 0700, err) < 0)
        return err->code;
    file_path(faults, job->number, path);
    json_t *file =
        json_pack("{s:I, s:I, s:s, s:I, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:O}", "number",
                  (json_int_t)job->number, "slot", (json_int_t)job->slot, "kind",
                  lp_fault_words[job->spec.kind], "flags", (json_int_t)job->spec.flags, "node",
                  (json_int_t)job->mark.node, "infra_name", job->mark.infra_name, "node_name",
                  job->mark.name, "infra", (json_int_t)job->mark.infra, "service",
                  (json_int_t)job->mark.service, "incarnation", (json_int_t)job->mark.incarnation,
                  "app", (json_int_t)job->app, "app_name", job->app_name, "undo", job->undo);
    LP_OWNS_TEXT char *text = file ? json_dumps(file, JSON_COMPACT) : NULL;
    json_decref(file);
    if (!text)
        return lp_err_set(err, LP_EIO, "note the undo of the fault in %s", path);
    return lp_file_write(path, text, strlen(text), 0600, err);
}

static uint32_t id_of(const json_t *file, const char *key)
{
    const json_t *value = json_object_get(file, key);
    return json_is_integer(value) ? (uint32_t)json_integer_value(value) : LP_NONE;
}

static void text_of(const json_t *file, const char *key, char *ret_text, size_t bytes)
{
    const char *text = json_string_value(json_object_get(file, key));
    snprintf(ret_text, bytes, "%s", text ? text : "");
}

static uint32_t kind_of(const json_t *file)
{
    const char *word = json_string_value(json_object_get(file, "kind"));
    for (uint32_t kind = 1; word && kind < LP_FAULT_KINDS; kind++)
        if (strcmp(word, lp_fault_words[kind]) == 0)
            return kind;
    return LP_FAULT_NONE;
}

static struct lp_fault_job *job_of(const json_t *file)
{
    struct lp_fault_job *job = lp_heap_take(sizeof(*job));
    job->number = (uint64_t)json_integer_value(json_object_get(file, "number"));
    job->slot = id_of(file, "slot");
    job->app = id_of(file, "app");
    job->spec.kind = kind_of(file);
    job->spec.flags = id_of(file, "flags");
    job->mark.node = id_of(file, "node");
    job->mark.infra = id_of(file, "infra");
    job->mark.service = id_of(file, "service");
    job->mark.incarnation = id_of(file, "incarnation");
    text_of(file, "infra_name", job->mark.infra_name, sizeof(job->mark.infra_name));
    text_of(file, "node_name", job->mark.name, sizeof(job->mark.name));
    text_of(file, "app_name", job->app_name, sizeof(job->app_name));
    job->as_asked = strdup("{}");
    json_t *undo = json_object_get(file, "undo");
    job->undo = json_is_object(undo) ? json_incref(undo) : json_object();
    job->is_adopted = job->is_found = true;
    job->phase = LP_FAULT_JOB_ACTIVE;
    return job;
}

LP_MUST_CHECK static int job_load(struct lp_faults *faults, const char *name, struct lp_err *err)
{
    char path[PATH_BYTES];
    LP_OWNS_STR struct lp_str text = {0};
    folder_path(faults, path);
    size_t used = strlen(path);
    snprintf(path + used, sizeof(path) - used, "/%s", name);
    if (lp_file_read(path, FILE_BYTES_MAX, &text, err) < 0)
        return err->code;
    json_t *file = json_loadb(lp_str_text(&text), text.bytes, 0, NULL);
    struct lp_fault_job *job = json_is_object(file) ? job_of(file) : NULL;
    json_decref(file);
    if (!job || job->number == 0 || job->spec.kind == LP_FAULT_NONE) {
        if (job)
            lp_fault_job_free(job);
        return lp_err_set(err, LP_ECORRUPT, "%s is not the note of a fault's undo", path);
    }
    job->next = faults->jobs;
    faults->jobs = job;
    return 0;
}

int lp_fault_jobs_load(struct lp_faults *faults, struct lp_err *err)
{
    char path[PATH_BYTES];
    folder_path(faults, path);
    LP_OWNS_DIR DIR *folder = opendir(path);
    struct dirent *entry;
    if (!folder)
        return errno == ENOENT ? 0 : lp_err_set(err, LP_EIO, "open %s: %s", path, strerror(errno));
    while ((entry = readdir(folder)))
        if (lp_text_ends(entry->d_name, ".new")) // a daemon was killed before it was whole
            unlinkat(dirfd(folder), entry->d_name, 0);
        else if (entry->d_name[0] == 'f' && lp_text_ends(entry->d_name, ".json") &&
                 job_load(faults, entry->d_name, err) < 0)
            return err->code;
    return 0;
}

void lp_fault_job_free(struct lp_fault_job *job)
{
    lp_fault_command_drop(job);
    lp_str_release(&job->failed_text);
    lp_str_release(&job->healed_text);
    json_decref(job->undo);
    free(job->as_asked);
    lp_heap_free(job->peers);
    lp_heap_free(job);
}

void lp_fault_job_drop(struct lp_faults *faults, struct lp_fault_job *job)
{
    char path[PATH_BYTES];
    struct lp_fault_job **at = &faults->jobs;
    while (*at && *at != job)
        at = &(*at)->next;
    if (*at)
        *at = job->next;
    file_path(faults, job->number, path);
    unlink(path);
    folder_path(faults, path);
    rmdir(path); // the last one takes the folder along
    lp_fault_job_free(job);
}

const char *lp_fault_option(const struct lp_fault_job *job, const char *name)
{
    // Kept with the notes, so that the text lives as long as the job.
    json_t *asked = json_object_get(job->undo, "as_asked");
    if (!asked) {
        asked = json_loads(job->as_asked, 0, NULL);
        if (!asked)
            return NULL;
        json_object_set_new(job->undo, "as_asked", asked);
    }
    return json_string_value(json_object_get(json_object_get(asked, "options"), name));
}
