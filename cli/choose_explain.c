/* choose_explain.c: the surroundings of a choice, for `convwise choose --explain`: runner-up and margin, what
 * small changes would flip it, what was measured nearby. */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

enum { NEAREST = 3, FLIPS = 16 };

struct cli_surroundings {
    cw_flip flips[FLIPS];
    size_t flip_count;
    cw_neighbour nearest[NEAREST];
    size_t nearest_count;
    bool has_store;
};

cw_status cli_surroundings_find(const cw_model *model, cw_context *ctx, cw_store *store, const cw_problem *p,
                                const cw_limits *limits, cli_surroundings **out, cw_error *err) {
    cli_surroundings *s = calloc(1, sizeof *s);
    if (!s) return err->status = CW_NO_MEMORY;
    cw_status status = cw_choice_flips(model, ctx, p, limits, s->flips, FLIPS, &s->flip_count, err);
    if (status == CW_OK && store) {
        s->has_store = true;
        status = cw_store_nearest(store, NULL, p, s->nearest, NEAREST, &s->nearest_count, err);
    }
    if (s->nearest_count > NEAREST) s->nearest_count = NEAREST;
    if (status == CW_OK)
        *out = s;
    else
        free(s);
    return status;
}

/* The ranking has at least two that can run. */
static bool has_runner_up(const cw_choice *ranking, size_t count) {
    return count > 1 && !ranking[0].why_not && !ranking[1].why_not;
}

void cli_surroundings_print(const cli_surroundings *s, const cw_choice *ranking, size_t count) {
    if (has_runner_up(ranking, count)) {
        printf("runner-up: %s", ranking[1].impl);
        if (ranking[0].ns > 0 && ranking[1].ns > 0)
            printf(", %+.1f %% time", 100 * (ranking[1].ns / ranking[0].ns - 1));
        printf("\n");
    }
    if (s->flip_count == 0) printf("no change of one thing by a factor of up to 16 flips the choice\n");
    for (size_t i = 0; i < s->flip_count; i++)
        printf("%s %d instead of %d: %s\n", s->flips[i].what, s->flips[i].to, s->flips[i].from,
               s->flips[i].impl);
    if (s->has_store && s->nearest_count == 0) printf("nothing like it was measured\n");
    for (size_t i = 0; i < s->nearest_count; i++) {
        const cw_neighbour *n = &s->nearest[i];
        char text[CW_PROBLEM_TEXT];
        cw_problem_format(&n->problem, text, sizeof text);
        printf("measured at distance %.2f: %s, fastest %s, %.1f us\n", n->distance, text, n->impl,
               n->ns / 1000);
    }
}

void cli_surroundings_json(const cli_surroundings *s, const cw_choice *ranking, size_t count, json_t *out) {
    json_t *flips = json_array(), *nearest = json_array();
    for (size_t i = 0; i < s->flip_count; i++)
        json_array_append_new(flips, json_pack("{s:s, s:i, s:i, s:s}", "what", s->flips[i].what, "from",
                                               s->flips[i].from, "to", s->flips[i].to, "implementation",
                                               s->flips[i].impl));
    for (size_t i = 0; i < s->nearest_count; i++) {
        const cw_neighbour *n = &s->nearest[i];
        char text[CW_PROBLEM_TEXT];
        cw_problem_format(&n->problem, text, sizeof text);
        json_array_append_new(nearest, json_pack("{s:s, s:f, s:s, s:f}", "problem", text, "distance",
                                                 n->distance, "fastest", n->impl, "ns", n->ns));
    }
    bool second = has_runner_up(ranking, count);
    bool timed = second && ranking[0].ns > 0 && ranking[1].ns > 0;
    json_object_set_new(out, "runner_up", second ? json_string(ranking[1].impl) : json_null());
    json_object_set_new(out, "margin", timed ? json_real(ranking[1].ns / ranking[0].ns - 1) : json_null());
    json_object_set_new(out, "flips", flips);
    json_object_set_new(out, "nearest", s->has_store ? nearest : json_null());
    if (!s->has_store) json_decref(nearest);
}
