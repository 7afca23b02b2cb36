/* measure_summary.c: counts states by backend and lists what failed. */
#include "measure_summary.h"
#include <stdlib.h>
#include <string.h>

enum { BACKENDS_MAX = 32, FAILURES_MAX = 64 };

typedef struct line {
    char backend[64];
    int64_t states[CW_STATE_NOT_MEASURED];
} line;

/* Failures of one implementation in one way. */
typedef struct failure {
    char impl[128], problem[CW_PROBLEM_TEXT], detail[240];
    cw_state state;
    int64_t count;
} failure;

struct cli_summary {
    const cw_problem *problems;
    size_t problem_count;
    line lines[BACKENDS_MAX];
    size_t line_count;
    failure failures[FAILURES_MAX];
    size_t failure_count;
};

int cli_compare_problems(const void *a, const void *b) {
    return memcmp(a, b, sizeof(cw_problem));
}

static void add_failure(cli_summary *s, const cw_measurement *m) {
    size_t i = 0;
    while (i < s->failure_count &&
           (strcmp(s->failures[i].impl, m->impl) != 0 || s->failures[i].state != m->state))
        i++;
    if (i == FAILURES_MAX) return;
    failure *f = &s->failures[i];
    if (i == s->failure_count) {
        s->failure_count++;
        snprintf(f->impl, sizeof f->impl, "%s", m->impl);
        snprintf(f->detail, sizeof f->detail, "%s", m->detail);
        cw_problem_format(&m->problem, f->problem, sizeof f->problem);
        f->state = m->state;
    }
    f->count++;
}

static cw_status visit(void *arg, const cw_measurement *m) {
    cli_summary *s = arg;
    if (!bsearch(&m->problem, s->problems, s->problem_count, sizeof m->problem, cli_compare_problems))
        return CW_OK;
    size_t i = 0;
    while (i < s->line_count && strcmp(s->lines[i].backend, m->backend) != 0) i++;
    if (i < BACKENDS_MAX) {
        if (i == s->line_count) snprintf(s->lines[s->line_count++].backend, 64, "%s", m->backend);
        if ((size_t)m->state < CW_STATE_NOT_MEASURED) s->lines[i].states[m->state]++;
    }
    if (m->state == CW_STATE_FAILED || m->state == CW_STATE_WRONG || m->state == CW_STATE_NO_MEMORY)
        add_failure(s, m);
    return CW_OK;
}

bool cli_summary_empty(const cli_summary *s) {
    return s->line_count == 0;
}

cw_status cli_summary_make(cw_store *store, const cw_machine *machine, const cw_problem *problems,
                           size_t count, cli_summary **out, cw_error *err) {
    cli_summary *s = calloc(1, sizeof *s);
    if (!s) return err->status = CW_NO_MEMORY;
    s->problems = problems;
    s->problem_count = count;
    cw_status status = cw_store_each(store, machine->fingerprint, visit, s, err);
    if (status != CW_OK)
        free(s);
    else
        *out = s;
    return status;
}

void cli_summary_free(cli_summary *summary) {
    free(summary);
}

void cli_summary_print(const cli_summary *s) {
    const char *columns[CW_STATE_NOT_MEASURED + 2] = {"BACKEND"};
    char heads[CW_STATE_NOT_MEASURED][32], numbers[CW_STATE_NOT_MEASURED][24];
    int shown[CW_STATE_NOT_MEASURED], count = 0; /* states that occur */
    for (int j = 0; j < CW_STATE_NOT_MEASURED; j++) {
        int64_t total = 0;
        for (size_t i = 0; i < s->line_count; i++) total += s->lines[i].states[j];
        if (total == 0) continue;
        snprintf(heads[count], sizeof heads[count], ">%s", cw_state_name((cw_state)j));
        columns[count + 1] = heads[count];
        shown[count++] = j;
    }
    cli_table *table = cli_table_new(columns);
    int64_t timed = 0, cut = 0;
    for (size_t i = 0; i < s->line_count; i++) {
        const char *cells[CW_STATE_NOT_MEASURED + 1] = {s->lines[i].backend};
        for (int j = 0; j < count; j++) {
            snprintf(numbers[j], sizeof numbers[j], "%lld", (long long)s->lines[i].states[shown[j]]);
            cells[j + 1] = numbers[j];
        }
        cli_table_add(table, cells);
        timed += s->lines[i].states[CW_STATE_OK] + s->lines[i].states[CW_STATE_CUT_OFF];
        cut += s->lines[i].states[CW_STATE_CUT_OFF];
    }
    cli_table_print(table);
    printf("\nCut off as clearly slower than the best: %lld of %lld times (%.0f %%).\n", (long long)cut,
           (long long)timed, timed ? 100.0 * (double)cut / (double)timed : 0.0);
    if (!s->failure_count) puts("Nothing failed, nothing was wrong.");
    for (size_t i = 0; i < s->failure_count; i++) {
        const failure *f = &s->failures[i];
        printf("%s: %s %lld time%s, first on %s: %s\n", f->impl, cw_state_name(f->state), (long long)f->count,
               f->count == 1 ? "" : "s", f->problem, f->detail);
    }
}

json_t *cli_summary_json(const cli_summary *s) {
    json_t *backends = json_array(), *failures = json_array();
    for (size_t i = 0; i < s->line_count; i++) {
        json_t *row = json_pack("{s:s}", "name", s->lines[i].backend);
        for (int j = 0; j < CW_STATE_NOT_MEASURED; j++)
            json_object_set_new(row, cw_state_name((cw_state)j), json_integer(s->lines[i].states[j]));
        json_array_append_new(backends, row);
    }
    for (size_t i = 0; i < s->failure_count; i++) {
        const failure *f = &s->failures[i];
        json_array_append_new(failures, json_pack("{s:s, s:s, s:I, s:s, s:s}", "impl", f->impl, "state",
                                                  cw_state_name(f->state), "count", (json_int_t)f->count,
                                                  "problem", f->problem, "detail", f->detail));
    }
    return json_pack("{s:o, s:o}", "backends", backends, "failed", failures);
}
