#include "cli/cli.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

#define BIT(name) OPTION_BIT(OPTION_##name)
#define OPTIONS_INPUTS (BIT(INPUT) | BIT(OUTPUT) | BIT(DIRECTORY) | BIT(SHA256) | BIT(MIRROR) | BIT(SIZE) | BIT(INTEGRITY) | \
                        BIT(INTEGRITY_OPTIONAL) | BIT(KEY_FILE))

const struct command commands[] = {
        { "get", "URL...", "fetch files and wait for them",
          "One job with all the URLs. It goes on in the service whatever happens to this program; Ctrl-C suspends it, and the\n"
          "same command again goes on with it. A file appears under its name only when it is complete.\n",
          OPTIONS_INPUTS | BIT(REPLACE) | BIT(BACKGROUND) | BIT(DETACH) | BIT(QUIET) | BIT(REMOTE_TIME) | BIT(NO_PROGRESS_TIMEOUT) |
                  BIT(LIMIT_RATE),
          0, -1, command_get },
        { "create", "NAME", "make an empty, suspended job and print its id", "Then: add, resume, and complete when it is transferred.\n",
          BIT(DESCRIPTION) | BIT(PRIORITY) | BIT(FAMILY) | BIT(COMPLETE) | BIT(REPLACE) | BIT(REMOTE_TIME) |
                  BIT(NO_PROGRESS_TIMEOUT) | BIT(MINIMUM_RETRY_DELAY) | BIT(LIMIT_RATE),
          1, 1, command_create },
        { "add", "ID [URL...]", "add files to a job", NULL, OPTIONS_INPUTS, 1, -1, command_add },
        { "resume", "ID...", "start jobs, or let them go on", NULL, 0, 1, -1, command_resume },
        { "suspend", "ID...", "stop jobs until they are resumed", NULL, 0, 1, -1, command_suspend },
        { "complete", "ID...", "give the files that are there to their owner and end the jobs",
          "Files that are not complete are dropped with the job.\n", 0, 1, -1, command_complete },
        { "cancel", "ID...", "end jobs and remove what they fetched", NULL, 0, 1, -1, command_cancel },
        { "take", "ID...", "take over jobs of other users; for administrators",
          "The jobs begin anew, suspended: what was fetched was the old owner's and is removed.\n", 0, 1, -1, command_take },
        { "list", "", "show the live jobs", NULL, BIT(FAMILY) | BIT(ALL_USERS), 0, 0, command_list },
        { "show", "ID...", "show jobs and their files",
          "With --all every property, as KEY=VALUE; those with a star can be set.\n", BIT(ALL), 1, -1, command_show },
        { "watch", "[ID]", "follow a job until it ends, or all jobs",
          "With --json one object is written on a line of its own for each change.\n", 0, 0, 1, command_watch },
        { "set", "ID KEY=VALUE...", "change properties of a job, all or none",
          "KEY@FILE takes the value from a file, KEY@- from stdin: secrets come no other way. file.N.KEY is one of file N (the\n"
          "first is 0).\n",
          0, 2, -1, command_set },
        { "rebase", "ID OLD NEW", "give URLs that begin with OLD the beginning NEW",
          "Of all files that are still to be fetched. Prints how many there were.\n", 0, 3, 3, command_rebase },
        { "history", "", "show finished jobs, newest first", NULL, BIT(LINES), 0, 0, command_history },
        { "stats", "[ID...]", "show bytes by source, rates, counts and times", NULL, 0, 0, -1, command_stats },
        { "top", "", "show jobs as they move, each second anew; q leaves", NULL, BIT(ONCE) | BIT(FAMILY), 0, 0, command_top },
        { "hash", "FILE...", "make piece hash files, for whoever serves the files",
          "FILE.pieces.json gets the hashes; what is printed goes to \"get --integrity\".\n",
          BIT(OUTPUT) | BIT(PIECE_SIZE) | BIT(URL) | BIT(REPLACE), 1, -1, command_hash },
        { "encrypt", "FILE...", "encrypt files, for whoever serves them",
          "FILE.enc gets the encrypted file, for \"get --key-file\". One key will do for many files.\n",
          BIT(OUTPUT) | BIT(KEY_FILE) | BIT(NEW_KEY) | BIT(MODE) | BIT(REPLACE), 1, -1, command_encrypt },
        { "decrypt", "FILE...", "decrypt files that were fetched as they are",
          "FILE.enc becomes FILE. What the service fetches with a key it decrypts by itself.\n", BIT(OUTPUT) | BIT(KEY_FILE) | BIT(REPLACE), 1, -1,
          command_decrypt },
        { "config", "", "show the configuration of the service and where it comes from",
          "With --reload it is read again instead, and what that changed is counted.\n", BIT(RELOAD), 0, 0, command_config },
        { "service", "", "show what the service says about itself", NULL, 0, 0, 0, command_service },
        { "completion", "[SHELL]", "print the completion script for bash (default) or zsh", NULL, 0, 0, 1, command_completion },
};
const size_t n_commands = ELEMENTSOF(commands);

static const struct command *find_command(const char *name) {
        for (size_t i = 0; i < n_commands; i++)
                if (strcmp(commands[i].name, name) == 0)
                        return &commands[i];
        return NULL;
}

static void print_overview(FILE *f) {
        fputs("usage: dosvc VERB [OPTION...] [...]\n\nA background download service: files are fetched by a service that survives what happens "
              "to programs,\nnetworks and machines.\n\n",
              f);
        for (size_t i = 0; i < n_commands; i++)
                fprintf(f, "  %-12s%-16s %s\n", commands[i].name, commands[i].operands, commands[i].text);
        fputs("\n  dosvc VERB --help    the options of a verb\n  dosvc --version\n\n"
              "ID may be shortened while it is unique. Exit codes: 0 done, 1 other, 2 usage, 3 no such job, 4 denied, 5 no service,\n"
              "6 remote, 7 local file, 8 digest or size, 130 suspended by Ctrl-C.\n",
              f);
}

static int print_key(const dosvc_property_info *property, const char *value, void *userdata) {
        _cleanup_(freep) char *name = NULL;
        bool *is_first = userdata;

        (void) value;
        if (!property->settable)
                return 0;
        fputs(*is_first ? "\nKeys:\n" : "", stdout);
        *is_first = false;
        name = must_printf("%s%s", strcmp(property->object, "file") == 0 ? "file.N." : "", property->key);
        printf("  %-31s %s\n", name, property->text);
        return 0;
}

static void print_command_help(const struct command *command) {
        printf("usage: dosvc %s [OPTION...]%s%s\n\n%s\n", command->name, *command->operands ? " " : "", command->operands, command->text);
        if (command->details)
                printf("\n%s", command->details);
        putchar('\n');
        for (int id = 0; id < _OPTION_MAX; id++) {
                const struct option_row *row = &option_rows[id];
                _cleanup_(freep) char *left = NULL;
                char letter[5] = "    ";

                if (!((command->options | OPTIONS_COMMON) & OPTION_BIT(id)))
                        continue;
                if (row->letter)
                        snprintf(letter, sizeof(letter), "-%c, ", row->letter);
                left = must_printf("%s--%s%s%s", letter, row->name, row->argument ? " " : "", row->argument ? row->argument : "");
                printf("  %-36s %s\n", left, row->text);
        }
        if (command->run == command_set) {
                bool is_first = true;

                (void) dosvc_list_properties(print_key, &is_first);
        }
}

static int run_command(const struct command *command, int argc, char *argv[]) {
        _cleanup_(freep) char *problem = NULL;
        struct arguments arguments;

        if (options_parse(command, argc, argv, &arguments, &problem) < 0) {
                report("%s: %s; see \"dosvc %s --help\"", command->name, problem, command->name);
                return EXIT_USAGE;
        }
        if (option_given(&arguments, OPTION_HELP)) {
                print_command_help(command);
                return finish_output();
        }
        return command->run(&arguments);
}

static int refuse_verb(const char *word) {
        report(word[0] == '-' ? "the verb comes first, then options such as %s; see \"dosvc --help\""
                              : "there is no verb \"%s\"; see \"dosvc --help\"",
               word);
        return EXIT_USAGE;
}

static int show_help(const char *verb) {
        const struct command *command = verb ? find_command(verb) : NULL;

        if (verb && !command)
                return refuse_verb(verb);
        if (command)
                print_command_help(command);
        else
                print_overview(stdout);
        return finish_output();
}

int cli_main(int argc, char *argv[]) {
        const struct command *command;
        const char *word = argc > 1 ? argv[1] : NULL;
        const char *locale = setlocale(LC_CTYPE, "");

        /* Only for the width of characters on a terminal; nothing else here depends on a locale. */
        if (!locale || strcmp(locale, "C") == 0 || strcmp(locale, "POSIX") == 0)
                (void) setlocale(LC_CTYPE, "C.UTF-8");
        if (!word) {
                print_overview(stderr);
                return EXIT_USAGE;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
                return show_help(argc > 2 ? argv[2] : NULL);
        if (strcmp(word, "--version") == 0) {
                puts("dosvc " DOSVC_VERSION);
                return finish_output();
        }
        command = find_command(word);
        return command ? run_command(command, argc - 1, argv + 1) : refuse_verb(word);
}
