/* match.c: names against lists of patterns. */
#include "base.h"
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

bool cw_matches(const char *patterns, const char *name) {
    char pattern[128];
    for (const char *next = patterns; *next;) {
        size_t length = strcspn(next, ",");
        snprintf(pattern, sizeof pattern, "%.*s", (int)(length < 127 ? length : 127), next);
        if (fnmatch(pattern, name, 0) == 0) return true;
        next += length + (next[length] == ',');
    }
    return false;
}
