/* cmd_demo.c: the main job end to end on this machine, as the commands a user would type: each is printed and
 * run. */
#include "cli.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const networks = "squeezenet1_1,googlenet,resnet18";
static const char *const asked = "mb1ic128ih28oc128oh28kh3ph1"; /* a layer of ResNet-18, and of many others */

/* Runs a program and waits; argv[0] is what it is called on the screen. */
static int run(const char *program, const char *const *argv) {
    fputs("\n$", stdout);
    for (size_t i = 0; argv[i]; i++) printf(strpbrk(argv[i], " ,*") && i > 2 ? " '%s'" : " %s", argv[i]);
    putchar('\n');
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execvp(program, (char *const *)(uintptr_t)argv);
        fprintf(stderr, "convwise: cannot start %s: %s\n", program, strerror(errno));
        _exit(127);
    }
    int status;
    while (child > 0 && waitpid(child, &status, 0) < 0)
        if (errno != EINTR) child = -1;
    if (child < 0) {
        fprintf(stderr, "convwise: cannot start %s: %s\n", program, strerror(errno));
        return CLI_FAILED;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILED;
}

#define CONVWISE(...) run("/proc/self/exe", (const char *const[]){"convwise", __VA_ARGS__, NULL})

/* A program of a user's that asks the emitted file, to show that nothing else is needed. */
static int write_caller(const char *path) {
    static const char text[] =
        "/* Asks the emitted choice for one layer. Build: cc ask.c choice.c -o ask */\n"
        "#include \"choice.h\"\n"
        "#include <stdio.h>\n\n"
        "int main(void) {\n"
        "    choice_problem p = {.mb = 1, .g = 1, .ic = 128, .ih = 28, .iw = 28, .oc = 128, .kh = 3, .kw = "
        "3,\n"
        "                        .sh = 1, .sw = 1, .pt = 1, .pl = 1, .pb = 1, .pr = 1, .threads = 1};\n"
        "    const char *name = \"nothing\";\n"
        "    choice_choose(&p, NULL, &name);\n"
        "    printf(\"3x3, 128 to 128 channels, 28x28: %s\\n\", name);\n"
        "    return 0;\n"
        "}\n";
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
        fprintf(stderr, "convwise: %s: %s\n", path, strerror(errno));
        return CLI_FAILED;
    }
    return CLI_DONE;
}

static void title(int step, const char *text) {
    printf("\n%d. %s\n", step, text);
    fflush(stdout);
}

static int emit_and_ask(void) {
    title(4, "Emit the tree as C that needs nothing, compile it, ask it");
    int code = CONVWISE("emit", "--model", "tree.json", "--prefix", "choice", "-o", "choice.c");
    if (code == CLI_DONE)
        code = CONVWISE("emit", "--model", "tree.json", "--prefix", "choice", "--header", "-o", "choice.h");
    if (code == CLI_DONE) code = write_caller("ask.c");
    if (code != CLI_DONE) return code;
    static const char *const compilers[] = {"cc", "gcc", "clang"};
    code = 127;
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers && code == 127; i++)
        code = run(compilers[i], (const char *const[]){compilers[i], "-std=c99", "-O2", "-Wall", "-Wextra",
                                                       "-pedantic", "ask.c", "choice.c", "-o", "ask", NULL});
    return code == CLI_DONE ? run("./ask", (const char *const[]){"./ask", NULL}) : code;
}

static int steps(const char *budget) {
    title(1, "Measure: every implementation on every layer of three networks, f32 and u8");
    int code = CONVWISE("measure", "--net", networks, "--precision", "f32,u8", "--store", "demo.db",
                        "--budget", budget);
    if (code != CLI_DONE) return code;
    title(2, "Validate: learn from two networks, choose for the third; beside what you would pick by hand");
    code = CONVWISE("validate", "--store", "demo.db", "--split", "network");
    if (code != CLI_DONE) return code;
    title(3, "Train on all three, with both learners");
    code = CONVWISE("train", "--store", "demo.db", "--learner", "tree", "-o", "tree.json");
    if (code == CLI_DONE)
        code = CONVWISE("train", "--store", "demo.db", "--learner", "bayes", "-o", "bayes.json");
    if (code == CLI_DONE) code = emit_and_ask();
    if (code != CLI_DONE) return code;
    title(5, "The same question to the library, with the ranking and the reason");
    return CONVWISE("choose", asked, "--model", "tree.json", "--top", "5", "--explain");
}

typedef struct options {
    const char *folder, *budget;
} options;

static error_t parse(int key, char *arg, struct argp_state *state) {
    options *o = state->input;
    switch (key) {
    case 'o':
        o->folder = arg;
        return 0;
    case 'b':
        o->budget = arg;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected \"%.60s\"", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_demo(int argc, char **argv) {
    static const struct argp_option table[] = {
        {"output", 'o', "FOLDER", 0, "Where all files go (default convwise-demo)", 0},
        {"budget", 'b', "SECONDS", 0, "Longest time to measure (default 120)", 0},
        {0},
    };
    static const struct argp argp = {
        table,
        parse,
        "",
        "The main job end to end on this machine, in about three minutes: measures three small "
        "networks, learns, validates, emits C. A second start goes on from what is measured.",
        0,
        0,
        0};
    options o = {"convwise-demo", "120"};
    if (argp_parse(&argp, argc, argv, 0, NULL, &o)) return CLI_USAGE;
    if ((mkdir(o.folder, 0755) != 0 && errno != EEXIST) || chdir(o.folder) != 0) {
        fprintf(stderr, "convwise: %s: %s\n", o.folder, strerror(errno));
        return CLI_FAILED;
    }
    int code = steps(o.budget);
    if (code != CLI_DONE) {
        fprintf(stderr, "convwise: the demo ended early; what was measured is kept in %s/demo.db\n",
                o.folder);
        return code;
    }
    printf("\nAll files are in %s/: demo.db (every measurement; sqlite3 opens it), tree.json and bayes.json "
           "(models), choice.c and choice.h (the\n"
           "choice as C), ask.c (how to call it). Next: 'convwise measure --net all' for sixteen networks, "
           "'convwise measure --layers\n"
           "FILE' for your own, 'convwise validate --help'; docs/embedding.md to put choice.c or the library "
           "into your program.\n",
           o.folder);
    return CLI_DONE;
}
