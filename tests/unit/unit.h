/* unit.h: what cmocka wants included before it, and checks that print what they compared. */
#ifndef CW_TEST_UNIT_H
#define CW_TEST_UNIT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "../../src/base/base.h"

/* A status that must be CW_OK, with the message where it is not. */
#define assert_ok(call, err)                                                                                 \
    do {                                                                                                     \
        cw_status status_ = (call);                                                                          \
        if (status_ != CW_OK) fail_msg("%s: %s: %s", #call, cw_status_name(status_), (err).message);         \
    } while (0)

/* A call that must fail with this status and mention this text. */
#define assert_refused(call, wanted, err, text)                                                              \
    do {                                                                                                     \
        (err).message[0] = '\0';                                                                             \
        cw_status status_ = (call);                                                                          \
        if (status_ != (wanted))                                                                             \
            fail_msg("%s: %s, not %s", #call, cw_status_name(status_), cw_status_name(wanted));              \
        if (!strstr((err).message, (text)))                                                                  \
            fail_msg("\"%s\" does not mention \"%s\"", (err).message, (text));                               \
    } while (0)
#endif
