/* cmd_impls.c: convwise impls [PROBLEM]: lists implementations, and whether each supports a problem. */
#include "cli.h"
#include <string.h>

typedef struct options {
    const char *problem;
    cw_context_options context;
    bool json;
} options;

enum { MAX_ISA = 1000, DEVICE };

static const struct argp_option rows[] = {
    {"max-isa", MAX_ISA, "ISA", 0, CLI_MAX_ISA_HELP, 0},
    {"device", DEVICE, "DEVICE", 0, CLI_DEVICE_HELP, 0},
    {"json", 'j', NULL, 0, "Print one JSON document", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    options *o = state->input;
    if (key == 'j')
        o->json = true;
    else if (key == MAX_ISA)
        o->context.max_isa = arg;
    else if (key == DEVICE)
        o->context.device = arg;
    else if (key == ARGP_KEY_ARG && !o->problem)
        o->problem = arg;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "one problem at a time");
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static const struct argp argp = {rows,
                                 parse,
                                 "[PROBLEM]",
                                 "Lists every implementation; with a problem (as in "
                                 "mb1ic64ih56oc64oh56kh3ph1,u8) whether each supports it, or "
                                 "why not, and which one its library would take by itself.",
                                 NULL,
                                 NULL,
                                 NULL};

static const char *note(const cw_impl_info *info) {
    if (info->library_choice) return "library's choice";
    return info->candidate ? NULL : info->reduced ? "only with --fpmath bf16" : "never chosen";
}

static void print_table(const cw_impl_info *infos, size_t count, bool problem) {
    const char *columns[] = {"IMPLEMENTATION", "FAMILY", problem ? "SUPPORTED" : "NOTE",
                             problem ? "NOTE" : NULL, NULL};
    cli_table *table = cli_table_new(columns);
    size_t supported = 0;
    for (size_t i = 0; i < count; i++) {
        const char *support = infos[i].why_not ? infos[i].why_not : "yes", *remark = note(&infos[i]);
        const char *cells[] = {infos[i].name, cw_family_name(infos[i].family), problem ? support : remark,
                               problem ? remark : NULL};
        cli_table_add(table, cells);
        supported += !infos[i].why_not;
    }
    cli_table_print(table);
    if (problem)
        printf("\n%zu of %zu implementations support it. Times: convwise measure --problem ...\n", supported,
               count);
}

static int print_json(const cw_impl_info *infos, size_t count, const char *problem) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const cw_impl_info *info = &infos[i];
        json_t *row =
            json_pack("{s:s, s:s, s:s, s:b, s:b, s:b}", "name", info->name, "backend", info->backend,
                      "family", cw_family_name(info->family), "candidate", info->candidate, "reduced",
                      info->reduced, "library_choice", info->library_choice);
        if (problem) {
            json_object_set_new(row, "supported", json_boolean(!info->why_not));
            json_object_set_new(row, "why_not", info->why_not ? json_string(info->why_not) : json_null());
        }
        json_array_append_new(list, row);
    }
    return cli_print_json(json_pack("{s:s?, s:o}", "problem", problem, "implementations", list));
}

int cmd_impls(int argc, char **argv) {
    options o = {0};
    cw_error err = {0};
    cw_problem p;
    char text[CW_PROBLEM_TEXT];
    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (o.problem && cw_problem_parse(o.problem, &p, &err) != CW_OK) return cli_fail(&err);
    int code = o.context.max_isa ? cli_openblas_for(o.context.max_isa, argc, argv) : CLI_DONE;
    if (code != CLI_DONE) return code;
    cw_context *ctx;
    if (cw_context_open_with(&o.context, &ctx, &err) != CW_OK) return cli_fail(&err);
    cw_impl_info *infos = NULL;
    size_t count = 0;
    if (cw_impls(ctx, o.problem ? &p : NULL, &infos, &count, &err) != CW_OK) {
        code = cli_fail(&err);
    } else if (o.json) {
        if (o.problem) cw_problem_format(&p, text, sizeof text);
        code = print_json(infos, count, o.problem ? text : NULL);
    } else {
        print_table(infos, count, o.problem != NULL);
    }
    cw_free(infos);
    cw_context_close(ctx);
    return code;
}
