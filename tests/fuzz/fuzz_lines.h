/* fuzz_lines.h: bytes as lines, each in memory of its own, so that reading past its end is seen. */
#ifndef CW_FUZZ_LINES_H
#define CW_FUZZ_LINES_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline void fuzz_lines(const uint8_t *data, size_t size, void (*check)(char *text)) {
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end ? (size_t)(end - data) : size;
        char *text = malloc(length + 1);
        if (!text) return;
        memcpy(text, data, length);
        text[length] = '\0';
        check(text);
        free(text);
        length += end != NULL;
        data += length;
        size -= length;
    }
}
#endif
