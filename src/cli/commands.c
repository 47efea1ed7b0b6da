#include "cli/cli.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

#define BIT(name) OPTION_BIT(OPTION_##name)
#define OPTIONS_INPUTS (BIT(INPUT) | BIT(OUTPUT) | BIT(DIRECTORY) | BIT(SHA256) | BIT(SIZE))

const struct command commands[] = {
        { "get", "URL...", "fetch files and wait for them",
          "One job with all the URLs. It goes on in the service whatever happens to this program; Ctrl-C suspends it, and the\n"
          "same command again goes on with it. A file appears under its name only when it is complete.\n",
          OPTIONS_INPUTS | BIT(REPLACE) | BIT(BACKGROUND) | BIT(DETACH) | BIT(QUIET) | BIT(REMOTE_TIME), 0, -1, command_get },
        { "create", "NAME", "make an empty, suspended job and print its id", "Then: add, resume, and complete when it is transferred.\n",
          BIT(DESCRIPTION) | BIT(PRIORITY) | BIT(FAMILY) | BIT(COMPLETE) | BIT(REPLACE) | BIT(REMOTE_TIME) |
                  BIT(NO_PROGRESS_TIMEOUT) | BIT(MINIMUM_RETRY_DELAY),
          1, 1, command_create },
        { "add", "ID [URL...]", "add files to a job", NULL, OPTIONS_INPUTS, 1, -1, command_add },
        { "resume", "ID...", "start jobs, or let them go on", NULL, 0, 1, -1, command_resume },
        { "suspend", "ID...", "stop jobs until they are resumed", NULL, 0, 1, -1, command_suspend },
        { "complete", "ID...", "give the files that are there to their owner and end the jobs",
          "Files that are not complete are dropped with the job.\n", 0, 1, -1, command_complete },
        { "cancel", "ID...", "end jobs and remove what they fetched", NULL, 0, 1, -1, command_cancel },
        { "list", "", "show the live jobs", NULL, BIT(FAMILY), 0, 0, command_list },
        { "show", "ID...", "show everything about jobs and their files", NULL, 0, 1, -1, command_show },
        { "watch", "[ID]", "follow a job until it ends, or all jobs",
          "With --json one object is written on a line of its own for each change.\n", 0, 0, 1, command_watch },
        { "set", "ID KEY=VALUE...", "change properties of a job",
          "Keys: name description priority notify_flags minimum_retry_delay no_progress_timeout life_time\n"
          "complete_when_transferred replace remote_time. Switches take yes and no, times are in seconds.\n",
          0, 2, -1, command_set },
        { "history", "", "show finished jobs, newest first", NULL, BIT(LINES), 0, 0, command_history },
        { "config", "", "show the configuration of the service and where it comes from", NULL, 0, 0, 0, command_config },
        { "service", "", "show what the service says about itself", NULL, 0, 0, 0, command_service },
        { "completion", "", "print the completion script for bash", NULL, 0, 0, 0, command_completion },
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
                fprintf(f, "  %-11s%-16s %s\n", commands[i].name, commands[i].operands, commands[i].text);
        fputs("\n  dosvc VERB --help    the options of a verb\n  dosvc --version\n\n"
              "ID may be shortened while it is unique. Exit codes: 0 done, 1 other, 2 usage, 3 no such job, 4 denied, 5 no service,\n"
              "6 remote, 7 local file, 8 digest or size, 130 suspended by Ctrl-C.\n",
              f);
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
}

/* The script knows nothing by itself: everything in it comes from the two tables. */
int command_completion(const struct arguments *arguments) {
        (void) arguments;
        fputs("# bash completion for dosvc; made by \"dosvc completion\".\n_dosvc() {\n"
              "        local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]}\n"
              "        if [ \"$COMP_CWORD\" -eq 1 ]; then\n                COMPREPLY=($(compgen -W \"",
              stdout);
        for (size_t i = 0; i < n_commands; i++)
                printf("%s ", commands[i].name);
        fputs("--help --version\" -- \"$cur\"))\n                return\n        fi\n        case $prev in\n"
              "        --input | -i | --output | -o) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
              "        --directory | -d) COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n        esac\n        case $verb in\n",
              stdout);
        for (size_t i = 0; i < n_commands; i++) {
                printf("        %s) COMPREPLY=($(compgen -W \"", commands[i].name);
                for (int id = 0; id < _OPTION_MAX; id++)
                        if ((commands[i].options | OPTIONS_COMMON) & OPTION_BIT(id))
                                printf("--%s ", option_rows[id].name);
                if (strncmp(commands[i].operands, "ID", 2) == 0 || strncmp(commands[i].operands, "[ID", 3) == 0)
                        fputs("$(dosvc list 2>/dev/null | awk 'NR > 1 { print $1 }')", stdout);
                puts("\" -- \"$cur\")) ;;");
        }
        fputs("        esac\n}\ncomplete -o default -F _dosvc dosvc\n", stdout);
        return fflush(stdout) == 0 ? EXIT_DONE : EXIT_OTHER;
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
                return EXIT_DONE;
        }
        return command->run(&arguments);
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
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
                command = argc > 2 ? find_command(argv[2]) : NULL;
                if (command)
                        print_command_help(command);
                else
                        print_overview(stdout);
                return EXIT_DONE;
        }
        if (strcmp(word, "--version") == 0) {
                puts("dosvc " DOSVC_VERSION);
                return EXIT_DONE;
        }
        command = find_command(word);
        if (!command) {
                report(word[0] == '-' ? "the verb comes first, then options such as %s; see \"dosvc --help\""
                                      : "there is no verb \"%s\"; see \"dosvc --help\"",
                       word);
                return EXIT_USAGE;
        }
        return run_command(command, argc - 1, argv + 1);
}
