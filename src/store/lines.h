/* lines.h: a file as lines, plain or compressed by bzip2, in constant memory. What importers read from. */
#ifndef CW_LINES_H
#define CW_LINES_H

#include "../base/base.h"

enum { CW_LINE_MAX = 1 << 20 }; /* bytes of the longest line that is read, its end not counted */

typedef struct cw_lines cw_lines;

/* A file, pipe or device; one that is compressed is unpacked by a thread until it is closed. Content decides
 * whether it is compressed, not the name; several compressed streams one after the other are one text. A byte
 * order mark of UTF-8 is skipped. CW_IO: a folder, or the system refuses. */
cw_status cw_lines_open(const char *path, cw_lines **out, cw_error *err);
/* The next line without its end (LF, CRLF or CR, mixed as you like; the last may have none), NUL-terminated,
 * valid and the caller's to change until the next call; *text is NULL behind the last line. length may be
 * NULL. CW_FORMAT, with file and line: a line above CW_LINE_MAX, a NUL byte, a compressed file that is
 * damaged or cut short. After an error the next call fails too. */
cw_status cw_lines_next(cw_lines *lines, char **text, size_t *length, cw_error *err);
int64_t cw_lines_number(const cw_lines *lines); /* of the line read last, from 1 */
const char *cw_lines_path(const cw_lines *lines);
/* CW_FORMAT: "path:line: what" for the line read last. */
cw_status cw_lines_fail(const cw_lines *lines, cw_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void cw_lines_close(cw_lines *lines); /* NULL is fine */

#endif
