/* store.c: opening, closing and locking a store, and what SQLite's errors mean. Not here: what is in it.
 *
 * Why the write-ahead log: readers never hold up the writer nor it them, and a commit is one append. At
 * synchronous = NORMAL a commit is a write without fsync, so that thousands of measurements cost next to
 * nothing: what a killed process committed is with the operating system and survives; only a power cut can
 * take the last commits (never the integrity), and these are measured again. Closing turns the log off, which
 * leaves one plain file that can be read from read-only media. */
#include "store.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 10000, TEXT_MAX = 1 << 20 };
/* A writer's page cache, at most. An import touches its problems' indices at random: in SQLite's 2 MiB each
 * problem costs reads, and pages are written to the log many times over. */
#define CACHE_KIB "32768"

cw_status cw_store_fail(cw_store *store, const char *what, cw_error *err) {
    int code = sqlite3_errcode(store->db) & 0xff, system = sqlite3_system_errno(store->db);
    const char *path = store->path;
    switch (code) {
    case SQLITE_NOMEM:
        return cw_fail_memory(err);
    case SQLITE_FULL:
        return cw_fail(
            err, CW_IO,
            "%.100s: %s: disk full; all that was stored before is safe: free space and start again", path,
            what);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return cw_fail(err, CW_IO, "%.100s: %s: another program is using it: wait until it ends", path, what);
    case SQLITE_READONLY:
        return cw_fail(err, CW_IO, "%.100s: %s: the file or its folder is read-only", path, what);
    case SQLITE_NOTADB:
        return cw_fail(err, CW_FORMAT, "%.150s: is not a store (not an SQLite database)", path);
    case SQLITE_CORRUPT:
        return cw_fail(err, CW_FORMAT, "%.150s: is damaged or cut short", path);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_IOERR:
        if (system == ENOSPC || system == EDQUOT)
            return cw_fail(err, CW_IO,
                           "%.100s: %s: disk full; all that was stored before is safe: free space and start "
                           "again",
                           path, what);
        return cw_fail(err, CW_IO, "%.100s: %s: %.60s", path, what,
                       system ? strerror(system) : sqlite3_errmsg(store->db));
    case SQLITE_CONSTRAINT:
        return cw_fail(err, CW_INVALID, "%.100s: %s: %.80s", path, what, sqlite3_errmsg(store->db));
    default:
        return cw_fail(err, CW_FORMAT, "%.100s: %s: not the tables of a store: %.60s", path, what,
                       sqlite3_errmsg(store->db));
    }
}

cw_status cw_store_bad_row(cw_store *store, const char *table, int64_t rowid, const char *why,
                           cw_error *err) {
    return cw_fail(err, CW_FORMAT, "%.90s: table %s, row %lld is damaged: %.80s", store->path, table,
                   (long long)rowid, why);
}

/* ---- Lock ---- */

/* A file beside the store, locked while a writer is open and removed afterwards. POSIX locks end with the
 * process, also with one that is killed, and are not inherited by the children that measuring forks. Not on
 * the store itself: closing any descriptor of a file drops all of the process's locks on it, SQLite's too. */

static cw_status lock_taken(cw_store *store, int fd, cw_error *err) {
    struct flock other = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int code = errno;
    if (code != EAGAIN && code != EACCES) return cw_fail_errno(err, store->lock_path, "cannot lock");
    long pid = fcntl(fd, F_GETLK, &other) == 0 && other.l_type != F_UNLCK ? (long)other.l_pid : 0;
    return cw_fail(err, CW_IO,
                   "%.90s: another convwise (process %ld) is measuring into it: wait until it ends, or give "
                   "this one another store and merge",
                   store->path, pid);
}

static cw_status take_lock(cw_store *store, cw_error *err) {
    char *real = realpath(store->path, NULL); /* one lock by whatever link the store is reached */
    cw_buf name = {0};
    cw_buf_printf(&name, "%s-lock", real ? real : store->path);
    free(real);
    store->lock_path = cw_buf_take(&name);
    if (!store->lock_path) return cw_fail_memory(err);
    for (;;) {
        int fd = open(store->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0) return cw_fail_errno(err, store->path, "cannot write to its folder");
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(fd, F_SETLK, &whole) != 0) {
            cw_status status = lock_taken(store, fd, err);
            close(fd);
            return status;
        }
        /* The last owner may have removed the file between our open and our lock: then ours locks nothing. */
        struct stat ours, there;
        if (fstat(fd, &ours) == 0 && stat(store->lock_path, &there) == 0 && ours.st_ino == there.st_ino) {
            store->lock = fd;
            return CW_OK;
        }
        close(fd);
    }
}

/* ---- Open and close ---- */

static char *make_uri(const char *path, const char *query) {
    cw_buf uri = {0};
    cw_buf_put(&uri, "file:");
    if (path[0] == '/') cw_buf_put(&uri, "//"); /* an empty authority, or "//a" would be read as one */
    for (; *path; path++)
        cw_buf_printf(&uri, strchr("%?#", *path) ? "%%%02X" : "%c", (unsigned)(unsigned char)*path);
    cw_buf_put(&uri, query);
    return cw_buf_take(&uri);
}

/* The file may come from anywhere: its schema must not run code of its own. */
static void guard(sqlite3 *db) {
    static const struct {
        int option, value;
    } settings[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
    };
    for (size_t i = 0; i < CW_COUNT(settings); i++)
        sqlite3_db_config(db, settings[i].option, settings[i].value, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, TEXT_MAX);
}

static cw_status connect(cw_store *store, const char *query, cw_error *err) {
    char *uri = make_uri(store->path, query);
    if (!uri) return cw_fail_memory(err);
    int code = sqlite3_open_v2(
        uri, &store->db,
        SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
            (store->writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY),
        NULL);
    cw_free(uri);
    if (!store->db) return cw_fail_memory(err);
    if (code != SQLITE_OK) return cw_store_fail(store, "cannot open", err);
    guard(store->db);
    sqlite3_busy_timeout(store->db, BUSY_MS);
    if (store->writable && sqlite3_db_readonly(store->db, "main") == 1)
        return cw_fail(err, CW_IO, "%.150s: cannot write: the file is read-only", store->path);
    return CW_OK;
}

cw_status cw_store_into_memory(cw_store *store, cw_error *err) {
    sqlite3 *memory = NULL;
    int code = sqlite3_open_v2(":memory:", &memory,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    sqlite3_backup *copy = code == SQLITE_OK ? sqlite3_backup_init(memory, "main", store->db, "main") : NULL;
    if (!copy) {
        sqlite3_close(memory);
        return cw_fail_memory(err);
    }
    sqlite3_backup_step(copy, -1);
    code = sqlite3_backup_finish(copy);
    cw_status status = code == SQLITE_OK      ? CW_OK
                       : code == SQLITE_NOMEM ? cw_fail_memory(err)
                                              : cw_fail(err, CW_FORMAT, "%.150s: cannot read: %.60s",
                                                        store->path, sqlite3_errstr(code));
    if (status != CW_OK) {
        sqlite3_close(memory);
        return status;
    }
    sqlite3_close(store->db);
    store->db = memory;
    guard(store->db);
    return CW_OK;
}

static cw_status check_file(const char *path, cw_open_mode mode, cw_error *err) {
    struct stat about;
    if (!*path)
        return cw_fail(err, CW_INVALID, "the store's name is empty"); /* SQLite: a store for this session */
    if (stat(path, &about) != 0) {
        if (errno != ENOENT || mode == CW_STORE_READ) return cw_fail_errno(err, path, "cannot open");
        return CW_OK;
    }
    if (S_ISDIR(about.st_mode)) return cw_fail(err, CW_IO, "%.150s: is a folder, not a store", path);
    if (!S_ISREG(about.st_mode)) return cw_fail(err, CW_IO, "%.150s: is not a regular file", path);
    if (about.st_size == 0 && mode == CW_STORE_READ)
        return cw_fail(err, CW_FORMAT, "%.150s: is empty, not a store", path);
    /* SQLite's smallest page. It takes a file of a few bytes for an empty database, and would overwrite it.
     */
    if (about.st_size > 0 && about.st_size < 512)
        return cw_fail(err, CW_FORMAT, "%.150s: is not a store (not an SQLite database, or cut short)", path);
    return CW_OK;
}

/* Nothing waits in the write-ahead log: the file alone is complete. */
static bool log_is_empty(const char *path) {
    cw_buf name = {0};
    struct stat about;
    cw_buf_printf(&name, "%s-wal", path);
    char *wal = cw_buf_take(&name);
    bool empty = wal && (stat(wal, &about) != 0 || about.st_size == 0);
    cw_free(wal);
    return empty;
}

/* A store whose writer was killed is in log mode, and reading that mode wants to create files beside it. On
 * read-only media nobody can be writing either, so the file may be read as one that never changes. */
static cw_status open_reader(cw_store *store, cw_error *err) {
    cw_status status = connect(store, "?mode=ro", err);
    if (status == CW_OK) status = cw_store_check_schema(store, err);
    int code = store->db ? sqlite3_errcode(store->db) & 0xff : SQLITE_OK;
    if (status == CW_OK || (code != SQLITE_CANTOPEN && code != SQLITE_READONLY) || !log_is_empty(store->path))
        return status;
    sqlite3_close(store->db);
    store->db = NULL;
    status = connect(store, "?mode=ro&immutable=1", err);
    return status == CW_OK ? cw_store_check_schema(store, err) : status;
}

static cw_status open_writer(cw_store *store, cw_error *err) {
    struct stat about;
    cw_status status = take_lock(store, err);
    store->made = status == CW_OK && lstat(store->path, &about) != 0;
    if (status == CW_OK) status = connect(store, "?mode=rwc", err);
    if (status == CW_OK) status = cw_store_check_schema(store, err);
    if (status != CW_OK) return status;
    /* Where the file system cannot do it SQLite keeps its rollback journal, which is as safe but slower. */
    if (sqlite3_exec(
            store->db,
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -" CACHE_KIB, NULL,
            NULL, NULL) != SQLITE_OK)
        return cw_store_fail(store, "cannot write", err);
    store->logged = true;
    return CW_OK;
}

cw_status cw_store_open(const char *path, cw_open_mode mode, cw_store **out, cw_error *err) {
    cw_status status = check_file(path, mode, err);
    if (status != CW_OK) return status;
    cw_store *store = cw_alloc(sizeof *store);
    if (!store) return cw_fail_memory(err);
    bool fresh = access(path, F_OK) != 0;
    store->lock = -1;
    store->writable = mode == CW_STORE_WRITE;
    store->path = cw_strdup(path);
    if (!store->path)
        status = cw_fail_memory(err);
    else
        status = store->writable ? open_writer(store, err) : open_reader(store, err);
    if (status == CW_OK) {
        *out = store;
        return CW_OK;
    }
    /* A store that could not be begun leaves nothing behind. */
    struct stat about;
    if (fresh && store->lock >= 0 && stat(path, &about) == 0 && about.st_size == 0) unlink(path);
    cw_store_close(store);
    return status;
}

/* A refused import leaves the store as it was: where there was none, none. */
static bool shall_vanish(cw_store *store) {
    int64_t rows = 1;
    return store->made && store->refused &&
           cw_store_int(
               store,
               "SELECT (SELECT count(*) FROM source) + (SELECT count(*) FROM run) + (SELECT count(*) "
               "FROM net) + (SELECT count(*) FROM measurement)",
               &rows, NULL) == CW_OK &&
           rows == 0;
}

void cw_store_close(cw_store *store) {
    if (!store) return;
    bool vanish = shall_vanish(store);
    for (size_t i = 0; i < CW_QUERY_COUNT; i++) sqlite3_finalize(store->statements[i]);
    if (store->logged) {
        /* Fails while a reader is open: then the log stays, and the next writer tidies up. */
        sqlite3_busy_timeout(store->db, 0);
        int code = sqlite3_exec(store->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
        vanish = vanish && code == SQLITE_OK;
    }
    sqlite3_close(store->db);
    if (store->lock >= 0) {
        if (vanish) unlink(store->path); /* while no other writer can have begun */
        unlink(store->lock_path); /* before the lock ends, so that nobody can have locked it meanwhile */
        close(store->lock);
    }
    cw_free(store->lock_path);
    cw_free(store->path);
    cw_free(store);
}
