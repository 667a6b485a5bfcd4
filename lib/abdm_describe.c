/*
 * The configuration as a file, so that commands work on what nginx last loaded: one table of the
 * members of abdm_config_t, for writing and for reading. Secrets are not in it, their files are. It
 * lies in a directory that the workers may write to, and root's commands believe it, so it belongs
 * to whoever started nginx and is only readable for the workers' group.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abdm_doctor.h"
#include "abdm_internal.h"
#include "core/json.h"
#include "core/time.h"

enum { DESCRIPTION_MAX = 4 * 1024 * 1024, FACILITIES_MAX = 10000 };

typedef enum { TEXT, FLAG, NUMBER, NUMBER_64, SIZE, WORD, LIST, TEXTS } kind_t;

typedef struct {
    const char *name;
    kind_t kind;
    size_t offset;
    size_t count; /* TEXTS: offset of their number; WORD: number of its words */
    const char *const *word;
} member_t;

#define COUNT(a)               (sizeof(a) / sizeof((a)[0]))
#define ROW(type, kind, m)     {#m, kind, offsetof(type, m), 0, NULL}
#define ROW_TEXTS(type, m, n)  {#m, TEXTS, offsetof(type, m), offsetof(type, n), NULL}
#define ROW_WORD(type, m, w)   {#m, WORD, offsetof(type, m), COUNT(w), w}

/* Values of enums. */
static const char *const presets[] = {
    [ABDM_GATEWAY_CUSTOM] = "custom",
    [ABDM_GATEWAY_SANDBOX] = "sandbox",
    [ABDM_GATEWAY_PRODUCTION] = "production",
};
static const char *const new_hosts[] = {
    [ABDM_NEW_HOST_ALLOW] = "allow",
    [ABDM_NEW_HOST_HOLD] = "hold",
    [ABDM_NEW_HOST_DENY] = "deny",
};
static const char *const confirms[] = {
    [ABDM_CONFIRM_OFF] = "off",
    [ABDM_CONFIRM_TRY] = "try",
    [ABDM_CONFIRM_REQUIRE] = "require",
};
static const char *const signatures[] = {
    [ABDM_SIGNATURE_OFF] = "off",
    [ABDM_SIGNATURE_LOG] = "log",
    [ABDM_SIGNATURE_ENFORCE] = "enforce",
};

_Static_assert(sizeof(abdm_preset_t) == sizeof(unsigned)
                   && sizeof(abdm_new_host_t) == sizeof(unsigned)
                   && sizeof(abdm_consent_confirm_t) == sizeof(unsigned)
                   && sizeof(abdm_consent_signature_t) == sizeof(unsigned),
               "enums are read and written as unsigned");

static const member_t config_members[] = {
    ROW(abdm_config_t, TEXT, store),
    ROW(abdm_config_t, TEXT, secret_key_file),
    ROW_TEXTS(abdm_config_t, push_allow, n_push_allow),
    ROW_WORD(abdm_config_t, policy.confirm, confirms),
    ROW_WORD(abdm_config_t, policy.signature, signatures),
    ROW_TEXTS(abdm_config_t, consent_key, n_consent_key),
    ROW_TEXTS(abdm_config_t, consent_kid, n_consent_kid),
    ROW(abdm_config_t, FLAG, policy.break_glass),
    ROW_WORD(abdm_config_t, policy.push_new_host, new_hosts),
    ROW(abdm_config_t, TEXT, callback_prefix),
    ROW(abdm_config_t, SIZE, callback_max_body),
    ROW(abdm_config_t, SIZE, queue),
    ROW(abdm_config_t, NUMBER_64, record_max),
    ROW(abdm_config_t, NUMBER_64, audit_keep_ms),
};

static const member_t gateway_members[] = {
    ROW_WORD(abdm_gateway_config_t, preset, presets),
    ROW(abdm_gateway_config_t, TEXT, client_id),
    ROW(abdm_gateway_config_t, TEXT, client_secret_file),
    ROW(abdm_gateway_config_t, TEXT, url),
    ROW(abdm_gateway_config_t, TEXT, cm_id),
    ROW(abdm_gateway_config_t, LIST, issuer),
    ROW(abdm_gateway_config_t, LIST, caller),
    ROW(abdm_gateway_config_t, TEXT, jwks_url),
    ROW(abdm_gateway_config_t, TEXT, trusted_certificate),
    ROW(abdm_gateway_config_t, NUMBER_64, token_leeway_ms),
};

static const member_t facility_members[] = {
    ROW(abdm_facility_config_t, TEXT, id),
    ROW(abdm_facility_config_t, TEXT, name),
    ROW(abdm_facility_config_t, TEXT, hmis_adapter),
    ROW(abdm_facility_config_t, TEXT, hmis_url),
    ROW(abdm_facility_config_t, TEXT, hmis_mapping),
    ROW(abdm_facility_config_t, TEXT, codes),
    ROW(abdm_facility_config_t, TEXT, fhir),
    ROW(abdm_facility_config_t, TEXT, sms_url),
    ROW(abdm_facility_config_t, TEXT, sms_template),
    ROW(abdm_facility_config_t, NUMBER_64, poll_ms),
    ROW(abdm_facility_config_t, FLAG, deep_link),
    ROW(abdm_facility_config_t, NUMBER, quiet_from),
    ROW(abdm_facility_config_t, NUMBER, quiet_to),
    ROW(abdm_facility_config_t, NUMBER, sms_daily),
    ROW_TEXTS(abdm_facility_config_t, counter, n_counters),
    ROW(abdm_facility_config_t, NUMBER, zone_minutes),
    ROW(abdm_facility_config_t, NUMBER_64, slot_ms),
    ROW(abdm_facility_config_t, NUMBER, discovery_hourly),
    ROW(abdm_facility_config_t, NUMBER_64, otp_life_ms),
};

struct abdm_description_s {
    json_t *json; /* owns all texts of `config` */
    abdm_config_t config;
    abdm_facility_config_t *facility;
    const char ***texts; /* arrays of TEXTS */
    size_t n_texts;
    char *version;
    int64_t written_at;
};


char *
abdm_description_file(const char *store)
{
    const char *path = store != NULL ? strchr(store, '/') : NULL;
    const char *name, *dot;
    abdm_buf_t file = {0};

    if (path == NULL) {
        return NULL;
    }
    name = strrchr(path, '/') + 1;
    dot = strrchr(name, '.');
    abdm_buf_add(&file, path, dot > name ? (size_t) (dot - path) : strlen(path));
    abdm_buf_addz(&file, ".conf.json");
    return abdm_buf_take(&file);
}


/* --- writing --- */

static void
write_texts(abdm_jw_t *w, const char *const *text, size_t n)
{
    abdm_jw_open(w, '[');
    for (size_t i = 0; i < n; i++) {
        abdm_jw_strz(w, text[i]);
    }
    abdm_jw_close(w, ']');
}


static void
write_member(abdm_jw_t *w, const char *object, const member_t *member)
{
    const void *at = object + member->offset;
    const abdm_list_t *list = at;
    const char *text;

    if (member->kind == TEXT) {
        text = *(const char *const *) at;
        if (text != NULL) {
            abdm_jw_kv(w, member->name, text);
        }
        return;
    }
    abdm_jw_key(w, member->name);
    switch (member->kind) {
    case FLAG:
        abdm_jw_bool(w, *(const bool *) at);
        return;
    case NUMBER:
        abdm_jw_int(w, *(const int *) at);
        return;
    case NUMBER_64:
        abdm_jw_int(w, *(const int64_t *) at);
        return;
    case SIZE:
        abdm_jw_int(w, (int64_t) * (const size_t *) at);
        return;
    case WORD:
        abdm_jw_strz(w, member->word[*(const unsigned *) at]);
        return;
    case LIST:
        write_texts(w, list->item, list->n);
        return;
    case TEXTS:
        write_texts(w, *(const char *const *const *) at,
                    *(const size_t *) (const void *) (object + member->count));
        return;
    case TEXT:
        return;
    }
}


static void
write_members(abdm_jw_t *w, const void *object, const member_t *members, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        write_member(w, object, &members[i]);
    }
}


static void
write_config(abdm_buf_t *out, const abdm_config_t *config)
{
    abdm_jw_t w;

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "version", ABDM_VERSION);
    write_members(&w, config, config_members, COUNT(config_members));
    abdm_jw_key(&w, "gateway");
    abdm_jw_open(&w, '{');
    write_members(&w, &config->gateway, gateway_members, COUNT(gateway_members));
    abdm_jw_close(&w, '}');
    abdm_jw_key(&w, "facility");
    abdm_jw_open(&w, '[');
    for (size_t i = 0; i < config->n_facility; i++) {
        abdm_jw_open(&w, '{');
        write_members(&w, &config->facility[i], facility_members, COUNT(facility_members));
        abdm_jw_close(&w, '}');
    }
    abdm_jw_close(&w, ']');
    abdm_jw_close(&w, '}');
    abdm_buf_addz(out, "\n");
}


static bool
read_all(int fd, abdm_buf_t *out)
{
    char piece[4096];
    ssize_t n;

    while ((n = read(fd, piece, sizeof(piece))) > 0 && out->len <= DESCRIPTION_MAX) {
        abdm_buf_add(out, piece, (size_t) n);
    }
    return n == 0 && !out->failed;
}


/* Is it there already, ours, and word for word? */
static bool
is_written(const char *file, abdm_str_t text, gid_t group)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    abdm_buf_t there = {0};
    struct stat st;
    bool same;

    if (fd < 0) {
        return false;
    }
    same = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0640
           && st.st_uid == geteuid() && (group == (gid_t) -1 || st.st_gid == group)
           && read_all(fd, &there) && abdm_str_eq(abdm_buf_str(&there), text);
    close(fd);
    abdm_buf_free(&there);
    return same;
}


static bool
write_all(int fd, abdm_str_t text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.p, text.len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        text.p += n;
        text.len -= (size_t) n;
    }
    return fsync(fd) == 0;
}


static bool
replace(const char *file, abdm_str_t text, gid_t group)
{
    abdm_buf_t name = {0};
    char *temporary;
    bool done;
    int fd, why;

    abdm_buf_addf(&name, "%s.XXXXXX", file);
    temporary = abdm_buf_take(&name);
    if (temporary == NULL) {
        errno = ENOMEM;
        return false;
    }
    fd = mkostemp(temporary, O_CLOEXEC);
    done = fd >= 0 && (group == (gid_t) -1 || fchown(fd, (uid_t) -1, group) == 0)
           && fchmod(fd, 0640) == 0 && write_all(fd, text) && rename(temporary, file) == 0;
    why = errno;
    if (fd >= 0) {
        close(fd);
        if (!done) {
            unlink(temporary);
        }
    }
    free(temporary);
    errno = why;
    return done;
}


abdm_err_t
abdm_describe(const abdm_config_t *config, gid_t group, char problem[ABDM_PROBLEM])
{
    char *file = abdm_description_file(config->store);
    abdm_buf_t text = {0};
    abdm_err_t err = ABDM_NO_ERR;

    write_config(&text, config);
    if (file == NULL || text.failed) {
        snprintf(problem, ABDM_PROBLEM, "no memory");
        err = ABDM_ERR(MEMORY, "description");
    } else if (!is_written(file, abdm_buf_str(&text), group)
               && !replace(file, abdm_buf_str(&text), group)) {
        snprintf(problem, ABDM_PROBLEM, "\"%.300s\", for abdm doctor: %s", file, strerror(errno));
        err = ABDM_ERR(SYSTEM, "description of the configuration");
    }
    abdm_buf_free(&text);
    free(file);
    return err;
}


/* --- reading --- */

static bool
read_texts(abdm_description_t *d, const json_t *value, const char *const **out, size_t *n)
{
    const char **texts, ***grown;
    json_t *item;
    size_t i;

    if (!json_is_array(value)) {
        return false;
    }
    texts = calloc(json_array_size(value) + 1, sizeof(*texts));
    grown = realloc(d->texts, (d->n_texts + 1) * sizeof(*grown));
    if (grown != NULL) {
        d->texts = grown;
    }
    if (texts == NULL || grown == NULL) {
        free(texts);
        return false;
    }
    d->texts[d->n_texts++] = texts;
    json_array_foreach(value, i, item)
    {
        texts[i] = json_string_value(item);
        if (texts[i] == NULL) {
            return false;
        }
    }
    *out = texts;
    *n = json_array_size(value);
    return true;
}


static bool
read_list(const json_t *value, abdm_list_t *out)
{
    json_t *item;
    size_t i;

    if (!json_is_array(value) || json_array_size(value) > ABDM_LIST_MAX) {
        return false;
    }
    json_array_foreach(value, i, item)
    {
        out->item[i] = json_string_value(item);
        if (out->item[i] == NULL) {
            return false;
        }
    }
    out->n = json_array_size(value);
    return true;
}


static bool
read_word(const json_t *value, const member_t *member, unsigned *out)
{
    for (size_t i = 0; json_is_string(value) && i < member->count; i++) {
        if (strcmp(member->word[i], json_string_value(value)) == 0) {
            *out = (unsigned) i;
            return true;
        }
    }
    return false;
}


/* One that is absent keeps its default. */
static bool
read_member(abdm_description_t *d, const json_t *from, const member_t *member, char *object)
{
    const json_t *value = json_object_get(from, member->name);
    json_int_t number = json_integer_value(value);
    void *at = object + member->offset;

    if (value == NULL) {
        return true;
    }
    switch (member->kind) {
    case TEXT:
        *(const char **) at = json_string_value(value);
        return json_is_string(value);
    case FLAG:
        *(bool *) at = json_is_true(value);
        return json_is_boolean(value);
    case NUMBER:
        *(int *) at = (int) number;
        return json_is_integer(value) && number == (int) number;
    case NUMBER_64:
        *(int64_t *) at = number;
        return json_is_integer(value);
    case SIZE:
        *(size_t *) at = (size_t) number;
        return json_is_integer(value) && number >= 0;
    case WORD:
        return read_word(value, member, at);
    case LIST:
        return read_list(value, at);
    case TEXTS:
        return read_texts(d, value, at, (size_t *) (void *) (object + member->count));
    }
    return false;
}


/* The name of the member that cannot be read, or NULL. */
static const char *
read_members(abdm_description_t *d, const json_t *from, const member_t *members, size_t n,
             void *object)
{
    for (size_t i = 0; i < n; i++) {
        if (!read_member(d, from, &members[i], object)) {
            return members[i].name;
        }
    }
    return NULL;
}


static const char *
read_config(abdm_description_t *d)
{
    const json_t *facilities = json_object_get(d->json, "facility");
    const char *version = json_string_value(json_object_get(d->json, "version"));
    const char *fault;
    json_t *facility;
    size_t i, n = json_array_size(facilities);

    if (version == NULL || (d->version = strdup(version)) == NULL) {
        return "version";
    }
    abdm_config_init(&d->config);
    fault = read_members(d, d->json, config_members, COUNT(config_members), &d->config);
    if (fault == NULL) {
        fault = read_members(d, json_object_get(d->json, "gateway"), gateway_members,
                             COUNT(gateway_members), &d->config.gateway);
    }
    d->facility = n <= FACILITIES_MAX ? calloc(n + 1, sizeof(*d->facility)) : NULL;
    if (d->facility == NULL) {
        return "facility";
    }
    json_array_foreach(facilities, i, facility)
    {
        abdm_facility_config_init(&d->facility[i]);
        if (fault == NULL) {
            fault = read_members(d, facility, facility_members, COUNT(facility_members),
                                 &d->facility[i]);
        }
        if (d->facility[i].id == NULL) {
            return "facility.id";
        }
    }
    d->config.facility = d->facility;
    d->config.n_facility = n;
    return fault;
}


static abdm_err_t
refuse(char problem[ABDM_PROBLEM], const char *file, const char *why)
{
    snprintf(problem, ABDM_PROBLEM, "\"%.300s\": %s", file, why);
    return ABDM_ERR(CONFIG, "description of the configuration");
}


static abdm_err_t
open_file(const char *file, char problem[ABDM_PROBLEM], int *fd, struct stat *st)
{
    *fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (*fd < 0 && errno == ENOENT) {
        return refuse(problem, file, "it is not there: nginx writes it beside the store when it "
                                     "starts; name another one with --config, or its store with "
                                     "--store");
    }
    if (*fd < 0 || fstat(*fd, st) != 0) {
        return refuse(problem, file, strerror(errno));
    }
    if (!S_ISREG(st->st_mode)) {
        return refuse(problem, file, "it is no file");
    }
    if ((st->st_uid != 0 && st->st_uid != geteuid()) || (st->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return refuse(problem, file, "others than root and you can write to it, so that its words "
                                     "are not to be trusted: run the command as the user that "
                                     "starts nginx, or remove the file and reload nginx");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
load(abdm_description_t *d, const char *file, char problem[ABDM_PROBLEM])
{
    char text[128];
    const char *fault;
    abdm_buf_t bytes = {0};
    struct stat st;
    int fd = -1;
    abdm_err_t err = open_file(file, problem, &fd, &st);

    if (!abdm_failed(err) && !read_all(fd, &bytes)) {
        err = refuse(problem, file, "it cannot be read");
    }
    if (fd >= 0) {
        close(fd);
    }
    if (!abdm_failed(err)) {
        err = abdm_json_parse(bytes.p, bytes.len, ABDM_JSON_DEPTH, &d->json);
        if (abdm_failed(err)) {
            err = refuse(problem, file, err.what);
        }
    }
    abdm_buf_free(&bytes);
    ABDM_TRY(err);
    d->written_at = (int64_t) st.st_mtime * 1000;
    fault = read_config(d);
    if (fault != NULL) {
        snprintf(text, sizeof(text), "\"%s\" is missing or has the wrong type", fault);
        return refuse(problem, file, text);
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_description_open(const char *file, char problem[ABDM_PROBLEM], abdm_description_t **out)
{
    abdm_description_t *d = calloc(1, sizeof(*d));
    abdm_err_t err;

    *out = NULL;
    problem[0] = '\0';
    if (d == NULL) {
        snprintf(problem, ABDM_PROBLEM, "no memory");
        return ABDM_ERR(MEMORY, "description");
    }
    err = load(d, file, problem);
    if (abdm_failed(err)) {
        abdm_description_close(d);
        return err;
    }
    *out = d;
    return ABDM_NO_ERR;
}


void
abdm_description_close(abdm_description_t *d)
{
    if (d == NULL) {
        return;
    }
    for (size_t i = 0; i < d->n_texts; i++) {
        free(d->texts[i]);
    }
    free(d->texts);
    free(d->facility);
    free(d->version);
    json_decref(d->json);
    free(d);
}


const abdm_config_t *
abdm_description_config(const abdm_description_t *d)
{
    return &d->config;
}


const char *
abdm_description_version(const abdm_description_t *d)
{
    return d->version;
}


int64_t
abdm_description_time(const abdm_description_t *d)
{
    return d->written_at;
}
