/* probes.c: of the problems that measure was given, those to measure for a model that goes on from a base;
 * and the list of what would be measured. Which are picked is the library's matter (cw_pick_probes). */
#include "probes.h"
#include <math.h>
#include <stdlib.h>

cw_status cli_probes_pick(const char *path, cw_context *ctx, size_t most, cw_problem *problems, size_t *count,
                          cw_probe **out, cw_error *err) {
    cw_model *base = NULL;
    cw_probe *probes = calloc(most, sizeof *probes);
    cw_problem *kept = calloc(most, sizeof *kept);
    size_t picked = 0;
    cw_status status = cw_model_load(path, &base, err);
    if (status == CW_OK && (!probes || !kept)) status = err->status = CW_NO_MEMORY;
    if (status == CW_OK)
        status = cw_pick_probes(base, ctx, problems, NULL, *count, probes, most, &picked, err);
    for (size_t i = 0; status == CW_OK && i < picked; i++) kept[i] = problems[probes[i].index];
    for (size_t i = 0; status == CW_OK && i < picked; i++) problems[i] = kept[i];
    cw_model_free(base);
    free(kept);
    if (status != CW_OK) {
        free(probes);
        return status;
    }
    *count = picked;
    *out = probes;
    return CW_OK;
}

static void percent(char *to, size_t size, double share) {
    snprintf(to, size, isnan(share) ? "?" : "%.1f %%", 100 * share);
}

void cli_probes_print(const cw_problem *problems, const cw_probe *probes, size_t count) {
    static const char *const plain[] = {"problem", NULL};
    static const char *const picked[] = {"problem", ">base expects to lose", ">covers further", NULL};
    cli_table *table = cli_table_new(probes ? picked : plain);
    for (size_t i = 0; i < count; i++) {
        char text[CW_PROBLEM_TEXT], loss[32] = "", gain[32] = "";
        cw_problem_format(&problems[i], text, sizeof text);
        if (probes) percent(loss, sizeof loss, probes[i].loss);
        if (probes) percent(gain, sizeof gain, probes[i].gain);
        cli_table_add(table, (const char *const[]){text, loss, gain});
    }
    cli_table_print(table);
}

json_t *cli_probes_json(const cw_problem *problems, const cw_probe *probes, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        char text[CW_PROBLEM_TEXT];
        cw_problem_format(&problems[i], text, sizeof text);
        json_t *entry = json_pack("{s:s}", "problem", text);
        if (probes) {
            json_object_set_new(entry, "expected_loss",
                                isnan(probes[i].loss) ? json_null() : json_real(probes[i].loss));
            json_object_set_new(entry, "gain", json_real(probes[i].gain));
        }
        json_array_append_new(list, entry);
    }
    return list;
}
