/* learn.c: the options that train and validate share, and loading the rows they ask for. */
#include "cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FEATURES = 2000,
    PRECISION,
    THREADS,
    SEED,
    ABSENT,
    MASK,
    TUNE,
    TRAIN_THREADS,
    NO_HARM,
    MACHINE,
    FREE_REORDERS,
    DIRECTION,
    CACHE,
    DIMS,
    AT_LEAST,
    FAMILIES,
    BASE,
    FPMATH,
#define X(type, field, option, least, most, help) SETTING_##field,
    CW_SETTINGS(X)
#undef X
};

static const struct argp_option table[] = {
    {"store", 's', "FILE", 0, "Measurements that 'convwise measure' made (default convwise.db)", 0},
    {"learner", 'l', "NAME", 0, NULL, 0} /* help: names_of_learners */,
    {"features", FEATURES, "SET", 0,
     "engineered (default), raw, pooled: engineered and the machine's numbers, or seed: the ten columns of "
     "docs/seed.md",
     0},
    {"precision", PRECISION, "P", 0, "Only rows of f32, u8 or bf16 (default: all)", 0},
    {"threads", 't', "N", 0, "Only rows measured with N threads (default: all)", 0},
    {"cache", CACHE, "STATE", 0, "Only rows of hot (default) or cold caches; or all", 0},
    {"direction", DIRECTION, "D", 0, "Only rows of fwd (default), bwd_d or bwd_w; or all", 0},
    {"dims", DIMS, "N", 0, "Only rows of 2 or 3 dimensions (default: all)", 0},
    {"at-least", AT_LEAST, "N", 0, "Only problems with N or more timed implementations (default 1)", 0},
    {"families", FAMILIES, NULL, 0, "Choose among families, not implementations", 0},
    {"machine", MACHINE, "FINGERPRINT", 0,
     "Only rows of this machine, or all: a row is a problem on a machine (default: the machine with most "
     "rows)",
     0},
    {"base", BASE, "MODEL", 0,
     "Go on from another machine's model, where few layers are measured: boosted trees correct its sum of "
     "trees (docs/few-shot.md)",
     0},
    {"fpmath", FPMATH, "MODE", 0, CLI_FPMATH_HELP, 0},
    {"free-reorders", FREE_REORDERS, NULL, 0, "Do not charge changes of layout to an implementation", 0},
#define X(type, field, option, least, most, help) {option, SETTING_##field, "N", 0, help, 1},
    CW_SETTINGS(X)
#undef X
        {"absent", ABSENT, "HOW", 0,
         "An implementation without a time where others of its kind have one was no choice (masked, default) "
         "or lost (slow)",
         0},
    {"mask", MASK, "HOW", 0,
     "Held-out layers choose among what has a time in their record (record, default) or had one in training "
     "on such "
     "a kernel (kind)",
     0},
    {"tune", TUNE, NULL, 0, "Choose settings by cross-validation inside the rows that are learned from", 0},
    {"train-threads", TRAIN_THREADS, "N", 0,
     "Threads that train (default 1); the result does not depend on it", 0},
    {"no-harm", NO_HARM, "MARGIN", OPTION_ARG_OPTIONAL,
     "Where held-out rows of a group of shapes show the learner slower than the static order by more than "
     "this share, "
     "the static order chooses instead (train: 0.01, validate: off); --no-harm=off: not looked for",
     0},
    {"seed", SEED, "N", 0, "Of all that is random (default 0)", 0},
    {0},
};

int64_t cli_whole(struct argp_state *state, const char *name, const char *text, int64_t least, int64_t most) {
    char *end;
    long long value = strtoll(text, &end, 10);
    if (!*text || *end || value < least || value > most)
        argp_error(state, "--%s: '%.60s' is not a whole number from %lld to %lld", name, text,
                   (long long)least, (long long)most);
    return value;
}

/* "tree, bayes" */
static char *names_of_learners(char *text, size_t size) {
    text[0] = 0;
    for (const char *const *name = cw_learners(); *name; name++)
        snprintf(text + strlen(text), size - strlen(text), "%s%s", *text ? ", " : "", *name);
    return text;
}

/* argp's: the help of an option, to be freed by argp where it is not `text`. */
static char *help(int key, const char *text, void *input) {
    char names[400], line[500];
    (void)input;
    if (key != 'l') return (char *)(uintptr_t)text;
    snprintf(line, sizeof line, "%s (train: ensemble, with --base boost; validate: all)",
             names_of_learners(names, sizeof names));
    return strdup(line);
}

static void set_direction(cli_learn *learn, struct argp_state *state, const char *name) {
    static const cw_dir dirs[] = {CW_FWD, CW_BWD_D, CW_BWD_W};
    learn->data.dir = -1;
    if (strcmp(name, "all") == 0) return;
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        if (strcmp(cw_dir_name(dirs[i]), name) == 0) learn->data.dir = (int32_t)dirs[i];
    if (learn->data.dir < 0) argp_error(state, "--direction: '%s' is none of fwd, bwd_d, bwd_w, all", name);
}

static void set_cache(cli_learn *learn, struct argp_state *state, const char *name) {
    static const cw_cache caches[] = {CW_HOT, CW_COLD};
    learn->data.cache = -1;
    if (strcmp(name, "all") == 0) return;
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++)
        if (strcmp(cw_cache_name(caches[i]), name) == 0) learn->data.cache = (int32_t)caches[i];
    if (learn->data.cache < 0) argp_error(state, "--cache: '%s' is none of hot, cold, all", name);
}

static void add_learner(cli_learn *learn, struct argp_state *state, const char *name) {
    const char *const *known = cw_learners();
    size_t i = 0, count = 0;
    while (known[i] && strcmp(known[i], name) != 0) i++;
    char names[400];
    if (!known[i])
        argp_error(state, "'%.60s' is not a learner: %s", name, names_of_learners(names, sizeof names));
    for (; learn->learners[count]; count++)
        if (strcmp(learn->learners[count], name) == 0) return;
    if (count + 1 < sizeof learn->learners / sizeof *learn->learners) learn->learners[count] = name;
}

static void set_precision(cli_learn *learn, struct argp_state *state, const char *name) {
    learn->prec_given = true;
    for (int prec = CW_F32; prec < CW_PREC_COUNT; prec++) {
        learn->data.prec = prec;
        if (strcmp(name, cw_prec_name((cw_prec)prec)) == 0) return;
    }
    argp_error(state, "'%.60s' is not a precision: f32, u8, bf16", name);
}

static double setting(struct argp_state *state, const char *name, const char *text, double least, double most,
                      bool is_whole) {
    char *end;
    double value = strtod(text, &end);
    if (!*text || *end || !(value > 0 && value >= least && value <= most) ||
        (is_whole && value != floor(value)))
        argp_error(state, "--%s: '%.60s' is not a %snumber from %g to %g%s", name, text,
                   is_whole ? "whole " : "", least, most, least > 0 ? "" : ", above 0");
    return value;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    cli_learn *learn = state->input;
    switch (key) {
    case 's':
        learn->store = arg;
        return 0;
    case 'l':
        add_learner(learn, state, arg);
        return 0;
    case FEATURES:
        if (strcmp(arg, "raw") != 0 && strcmp(arg, "engineered") != 0 && strcmp(arg, "pooled") != 0 &&
            strcmp(arg, "seed") != 0)
            argp_error(state, "'%.60s' is not a feature set: engineered, raw, pooled, seed", arg);
        learn->data.features = arg;
        return 0;
    case PRECISION:
        set_precision(learn, state, arg);
        return 0;
    case 't':
        learn->data.threads = (int32_t)cli_whole(state, "threads", arg, 1, 1024);
        return 0;
    case MACHINE:
        learn->data.fingerprint = arg;
        return 0;
    case CACHE:
        set_cache(learn, state, arg);
        return 0;
    case DIRECTION:
        set_direction(learn, state, arg);
        return 0;
    case DIMS:
        learn->data.dims = (int32_t)cli_whole(state, "dims", arg, 2, 3);
        return 0;
    case AT_LEAST:
        learn->data.least = (int32_t)cli_whole(state, "at-least", arg, 1, 1000);
        return 0;
    case FAMILIES:
        learn->data.families = true;
        return 0;
    case BASE:
        learn->base_path = arg;
        return 0;
    case FPMATH:
        learn->data.fpmath = cli_fpmath(state, arg);
        return 0;
    case FREE_REORDERS:
        learn->data.free_reorders = true;
        return 0;
#define X(type, field, option, least, most, help)                                                            \
    case SETTING_##field:                                                                                    \
        learn->train.field =                                                                                 \
            (type)setting(state, option, arg, least, most, sizeof(type) == sizeof(int32_t));                 \
        return 0;
        CW_SETTINGS(X)
#undef X
    case ABSENT:
        if (strcmp(arg, "masked") != 0 && strcmp(arg, "slow") != 0)
            argp_error(state, "--absent: '%.60s' is neither masked nor slow", arg);
        learn->train.absent = *arg == 's' ? CW_ABSENT_SLOW : CW_ABSENT_MASKED;
        return 0;
    case MASK:
        if (strcmp(arg, "record") != 0 && strcmp(arg, "kind") != 0)
            argp_error(state, "--mask: '%.60s' is neither record nor kind", arg);
        learn->train.mask = *arg == 'k' ? CW_MASK_KIND : CW_MASK_RECORD;
        return 0;
    case TUNE:
        learn->train.tune = true;
        return 0;
    case NO_HARM:
        learn->train.no_harm = !arg                      ? CLI_MARGIN
                               : strcmp(arg, "off") == 0 ? 0
                                                         : setting(state, "no-harm", arg, 0, 1, false);
        learn->no_harm_given = true;
        return 0;
    case TRAIN_THREADS:
        learn->train.threads = (int32_t)cli_whole(state, "train-threads", arg, 1, 1024);
        return 0;
    case SEED:
        learn->train.seed = (uint64_t)cli_whole(state, "seed", arg, 0, INT64_MAX);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_learn_argp = {table, parse, NULL, NULL, NULL, help, NULL};

cw_status cli_learn_load(cli_learn *learn, cw_dataset **out, cw_error *err) {
    cw_dataset_options options = learn->data;
    if (!learn->prec_given) options.prec = -1;
    cw_store *store;
    cw_status status = learn->base_path ? cw_model_load(learn->base_path, &learn->base, err) : CW_OK;
    if (status == CW_OK && learn->base && !options.features)
        options.features = cw_model_features(learn->base);
    if (status == CW_OK)
        status = cw_store_open(learn->store ? learn->store : "convwise.db", CW_STORE_READ, &store, err);
    if (status != CW_OK) return status;
    learn->train.base = learn->base;
    status = cw_dataset_load(store, &options, out, err);
    cw_store_close(store);
    return status;
}
