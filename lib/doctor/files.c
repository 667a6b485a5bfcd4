/*
 * The configuration as nginx loaded it, and the files that it names: rights, owners, room on the
 * disk, ends of certificates. Looks at each file by itself, also when the configuration as a whole
 * cannot be loaded.
 */
#include <errno.h>
#include <grp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "doctor/doctor.h"

enum {
    MIB = 1024 * 1024,
    ROOM_LEAST_MIB = 100,
    ROOM_GOOD_MIB = 1024,
    INODES_LEAST = 100,
    DAYS_SOON = 14,
    USER_TEXT = 64
};

/* linux/magic.h has not all of them */
static const struct {
    unsigned long magic;
    const char *name;
} remote_file_systems[] = {
    {0x6969, "NFS"}, {0x517B, "SMB"}, {0xFF534D42, "CIFS"}, {0xFE534D42, "SMB"}, {0x01021997, "9P"},
};


static const char *
user_of(uid_t uid, char out[USER_TEXT])
{
    const struct passwd *row = getpwuid(uid);

    if (row != NULL) {
        snprintf(out, USER_TEXT, "%s", row->pw_name);
    } else {
        snprintf(out, USER_TEXT, "user %u", (unsigned) uid);
    }
    return out;
}


static unsigned
mode_of(const struct stat *st)
{
    return (unsigned) st->st_mode & 07777;
}


/* --- the configuration --- */

void
abdm_examine_configuration(abdm_doctor_t *d)
{
    char seen[ABDM_DOCTOR_TEXT], at[ABDM_TIME_TEXT];
    const char *version = abdm_description_version(d->description);
    bool same = strcmp(version, abdm_version()) == 0;

    d->area = "configuration";
    abdm_time_format(abdm_description_time(d->description), at);
    abdm_doctor_text(seen, "%s %s, loaded by nginx with version %s%s%s, not changed since %s",
                     d->config->n_facility == 1 ? "one facility," : "several facilities,",
                     d->config->gateway.preset == ABDM_GATEWAY_PRODUCTION ? "production"
                     : d->config->gateway.preset == ABDM_GATEWAY_SANDBOX  ? "sandbox"
                                                                          : "custom gateway",
                     version, same ? "" : ", while this is ", same ? "" : abdm_version(), at);
    abdm_doctor_tell(d, "description", "", same ? ABDM_FINDING_OK : ABDM_FINDING_WARN, seen,
                     same ? "" : "restart nginx, so that it takes the version that is installed");
    if (d->config->n_push_allow > 0) {
        abdm_doctor_text(seen, "records may be pushed to %s%s, which is not a public address",
                         d->config->push_allow[0], d->config->n_push_allow > 1 ? ", ..." : "");
        abdm_doctor_tell(d, "push_allow", "", ABDM_FINDING_WARN, seen,
                         "remove abdm_push_allow, unless the requesters are in a closed network");
    }
}


/* --- secrets --- */

static bool
look(abdm_doctor_t *d, const char *check, const char *path, mode_t type, struct stat *st)
{
    char remedy[ABDM_DOCTOR_TEXT];
    const char *fault = NULL;

    if (path == NULL) {
        return false; /* told by "loads" */
    }
    if (stat(path, st) != 0) {
        fault = strerror(errno);
    } else if ((st->st_mode & S_IFMT) != type) {
        fault = type == S_IFDIR ? "it is no directory" : "it is no file";
    }
    if (fault != NULL) {
        abdm_doctor_tell(d, check, path, ABDM_FINDING_FAIL, fault,
                         abdm_doctor_text(remedy, "put it there, or correct its name%s",
                                          geteuid() != 0 ? ", or run abdm doctor as root" : ""));
    }
    return fault == NULL;
}


/* Who may write to the directory could put another secret there. */
static bool
is_in_safe_place(abdm_doctor_t *d, const char *check, const char *path)
{
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT];
    const char *slash = strrchr(path, '/');
    char *dir = strndup(path, slash == path ? 1 : slash != NULL ? (size_t) (slash - path) : 0);
    struct stat st;
    bool safe = true;

    if (dir != NULL && dir[0] != '\0' && stat(dir, &st) == 0 && (st.st_mode & S_IWOTH) != 0
        && (st.st_mode & S_ISVTX) == 0) {
        safe = false;
        abdm_doctor_tell(d, check, path, ABDM_FINDING_FAIL,
                         abdm_doctor_text(seen, "everybody may write to its directory"),
                         abdm_doctor_text(remedy, "chmod o-w %.400s", dir));
    }
    free(dir);
    return safe;
}


static void
look_at_secret(abdm_doctor_t *d, const char *check, const char *path, uid_t worker)
{
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT], user[USER_TEXT];
    struct stat st;

    if (!look(d, check, path, S_IFREG, &st) || !is_in_safe_place(d, check, path)) {
        return;
    }
    abdm_doctor_text(seen, "mode %03o, of %s", mode_of(&st), user_of(st.st_uid, user));
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        abdm_doctor_tell(d, check, path, ABDM_FINDING_FAIL,
                         abdm_doctor_text(seen, "mode %03o: others than its owner can read it",
                                          mode_of(&st)),
                         abdm_doctor_text(remedy, "chmod 600 %.400s; if others may have read it, "
                                                  "renew the secret", path));
    } else if (st.st_uid != 0 && st.st_uid == worker && geteuid() == 0) {
        abdm_doctor_tell(
            d, check, path, ABDM_FINDING_WARN, seen,
            abdm_doctor_text(remedy, "the workers need no right to it: chown root %.400s", path));
    } else {
        abdm_doctor_tell(d, check, path, ABDM_FINDING_OK, seen, "");
    }
}


/* --- the store and what is spooled beside it --- */

static void
look_at_store_files(abdm_doctor_t *d, const char *path, const struct stat *store)
{
    static const char *const suffixes[] = {"-wal", "-shm"};
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT], user[USER_TEXT];
    struct stat st;

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        abdm_doctor_text(seen, "%.500s%s", path, suffixes[i]);
        if (stat(seen, &st) == 0 && st.st_uid != store->st_uid) {
            abdm_doctor_text(remedy, "chown --reference=%.250s %.250s%s", path, path, suffixes[i]);
            abdm_doctor_text(seen, "its %s file is of %s: the workers cannot work with it",
                             suffixes[i], user_of(st.st_uid, user));
            abdm_doctor_tell(d, "store", path, ABDM_FINDING_FAIL, seen, remedy);
            return;
        }
    }
    if ((store->st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        abdm_doctor_tell(d, "store", path, ABDM_FINDING_WARN,
                         abdm_doctor_text(seen, "mode %03o: others than the workers can read it",
                                          mode_of(store)),
                         abdm_doctor_text(remedy, "chmod 600 %.400s", path));
        return;
    }
    abdm_doctor_tell(d, "store", path, ABDM_FINDING_OK,
                     abdm_doctor_text(seen, "mode %03o, of %s", mode_of(store),
                                      user_of(store->st_uid, user)), "");
}


static bool
may_write(const struct stat *dir, const struct stat *store)
{
    mode_t wanted = dir->st_uid == store->st_uid   ? S_IWUSR | S_IXUSR
                    : dir->st_gid == store->st_gid ? S_IWGRP | S_IXGRP
                                                   : S_IWOTH | S_IXOTH;

    return store->st_uid == 0 || (dir->st_mode & wanted) == wanted;
}


static void
look_at_directory(abdm_doctor_t *d, const char *dir, const struct stat *store)
{
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT], user[USER_TEXT], worker[USER_TEXT];
    struct statfs fs;
    struct stat st;

    if (!look(d, "directory", dir, S_IFDIR, &st)) {
        return;
    }
    user_of(store->st_uid, worker);
    if (!may_write(&st, store)) {
        abdm_doctor_tell(d, "directory", dir, ABDM_FINDING_FAIL,
                         abdm_doctor_text(seen, "mode %03o, of %s: the workers (%s) cannot write",
                                          mode_of(&st), user_of(st.st_uid, user), worker),
                         abdm_doctor_text(remedy, "chown %s %.300s; chmod 750 %.200s", worker, dir,
                                          dir));
        return;
    }
    if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0) {
        abdm_doctor_tell(
            d, "directory", dir, ABDM_FINDING_FAIL,
            abdm_doctor_text(seen, "mode %03o: everybody may write to it", mode_of(&st)),
            abdm_doctor_text(remedy, "chmod 750 %.400s", dir));
        return;
    }
    for (size_t i = 0; statfs(dir, &fs) == 0
                       && i < sizeof(remote_file_systems) / sizeof(remote_file_systems[0]); i++) {
        if (((unsigned long) fs.f_type & 0xFFFFFFFF) == remote_file_systems[i].magic) {
            abdm_doctor_tell(d, "directory", dir, ABDM_FINDING_FAIL,
                             abdm_doctor_text(seen, "on a network file system (%s)",
                                              remote_file_systems[i].name),
                             "the store must be on a local disk: SQLite's locks do not hold there");
            return;
        }
    }
    abdm_doctor_tell(d, "directory", dir, ABDM_FINDING_OK,
                     abdm_doctor_text(seen, "mode %03o, of %s", mode_of(&st),
                                      user_of(st.st_uid, user)), "");
}


static void
look_at_room(abdm_doctor_t *d, const char *dir)
{
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT];
    uint64_t room, good = ROOM_GOOD_MIB, record = d->config->record_max / MIB;
    abdm_finding_state_t state = ABDM_FINDING_OK;
    struct statvfs fs;

    if (statvfs(dir, &fs) != 0) {
        return; /* told by "directory" */
    }
    room = (uint64_t) fs.f_bavail * fs.f_frsize / MIB;
    good = 2 * record > good ? 2 * record : good;
    abdm_doctor_text(seen, "%llu MB are free", (unsigned long long) room);
    abdm_doctor_text(remedy, "make room: callbacks are refused when the store cannot grow, and "
                             "records of up to %llu MB (abdm_record_max) are spooled there",
                     (unsigned long long) record);
    if (room < ROOM_LEAST_MIB || (fs.f_files > 0 && fs.f_favail < INODES_LEAST)) {
        state = ABDM_FINDING_FAIL;
    } else if (room < good) {
        state = ABDM_FINDING_WARN;
    }
    abdm_doctor_tell(d, "disk", dir, state, seen, state == ABDM_FINDING_OK ? "" : remedy);
}


/* --- the trusted bundle --- */

static void
look_at_certificates(abdm_doctor_t *d, const char *path)
{
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT], name[128] = "";
    int n = 0, expired = 0, soonest = 0, days, seconds;
    FILE *f = fopen(path, "re");
    X509 *cert;

    if (f == NULL) {
        abdm_doctor_tell(d, "trusted_certificate", path, ABDM_FINDING_FAIL, strerror(errno),
                         "put the PEM file there, or remove trusted_certificate");
        return;
    }
    while ((cert = PEM_read_X509(f, NULL, NULL, NULL)) != NULL) {
        if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) == 1) {
            expired += days < 0 || seconds < 0;
            if (n == 0 || days < soonest) {
                soonest = days;
                X509_NAME_oneline(X509_get_subject_name(cert), name, sizeof(name));
            }
        }
        n++;
        X509_free(cert);
    }
    fclose(f);
    abdm_doctor_text(remedy, "put the present certificate of \"%s\" into it", name);
    if (n == 0) {
        abdm_doctor_tell(d, "trusted_certificate", path, ABDM_FINDING_FAIL,
                         "no certificate is in it", "PEM is expected: -----BEGIN CERTIFICATE-----");
    } else if (expired > 0) {
        abdm_doctor_tell(d, "trusted_certificate", path,
                         expired == n ? ABDM_FINDING_FAIL : ABDM_FINDING_WARN,
                         abdm_doctor_text(seen, "%d of %d have expired", expired, n), remedy);
    } else {
        abdm_doctor_tell(d, "trusted_certificate", path,
                         soonest < DAYS_SOON ? ABDM_FINDING_WARN : ABDM_FINDING_OK,
                         abdm_doctor_text(seen, "certificates: %d; the first ends in %d days", n,
                                          soonest), soonest < DAYS_SOON ? remedy : "");
    }
}


void
abdm_examine_files(abdm_doctor_t *d)
{
    const char *path = d->config->store != NULL ? strchr(d->config->store, '/') : NULL;
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    struct stat store = {.st_uid = geteuid(), .st_gid = getegid()};
    char *dir;

    d->area = "files";
    if (look(d, "store", path, S_IFREG, &store)) {
        look_at_store_files(d, path, &store);
    }
    dir = slash != NULL ? strndup(path, slash == path ? 1 : (size_t) (slash - path)) : NULL;
    if (dir != NULL) {
        look_at_directory(d, dir, &store);
        look_at_room(d, dir);
    }
    free(dir);
    look_at_secret(d, "secret_key", d->config->secret_key_file, store.st_uid);
    look_at_secret(d, "client_secret", d->config->gateway.client_secret_file, store.st_uid);
    if (d->config->gateway.trusted_certificate != NULL) {
        look_at_certificates(d, d->config->gateway.trusted_certificate);
    }
}
