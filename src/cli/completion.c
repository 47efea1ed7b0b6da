#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

/* The scripts know nothing by themselves: verbs and options come from the two tables, keys and their words from the library. */

#define JOBS_OF_DOSVC "dosvc list 2>/dev/null | awk 'NR > 1 { print $1 }'"

static bool takes_ids(const struct command *command) {
        return strncmp(command->operands, "ID", 2) == 0 || strncmp(command->operands, "[ID", 3) == 0;
}

static bool takes(const struct command *command, int id) {
        return (command->options | OPTIONS_COMMON) & OPTION_BIT(id);
}

/* "priority=high priority=low": a word for each that can be set; @end stands behind each. */
struct keys {
        const char *end;
};

static int print_key(const dosvc_property_info *property, const char *value, void *userdata) {
        const struct keys *keys = userdata;
        _cleanup_(freep) char *words = NULL;
        char *rest;

        (void) value;
        if (!property->settable || strcmp(property->object, "job") != 0)
                return 0;
        if (property->secret) {
                printf("%s@%s", property->key, keys->end);
                return 0;
        }
        words = text(strcmp(property->form, "switch") == 0 ? "yes no" : strcmp(property->form, "word") == 0 ? property->unit : "");
        if (!*words)
                printf("%s=%s", property->key, keys->end);
        rest = words;
        for (char *word; (word = strsep(&rest, " "));)
                if (*word)
                        printf("%s=%s%s", property->key, word, keys->end);
        return 0;
}

static void print_keys(const char *end) {
        struct keys keys = { end };

        (void) dosvc_list_properties(print_key, &keys);
}

/* ---- bash ---- */

static void print_bash(void) {
        fputs("# bash completion for dosvc; made by \"dosvc completion bash\".\n_dosvc() {\n"
              "        local cur prev words cword verb\n"
              "        # \"=\" breaks words: they are put together again where bash-completion is there.\n"
              "        if declare -F _get_comp_words_by_ref >/dev/null; then\n"
              "                _get_comp_words_by_ref -n = cur prev words cword\n        else\n"
              "                cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=(\"${COMP_WORDS[@]}\") cword=$COMP_CWORD\n"
              "        fi\n        verb=${words[1]}\n        if [ \"$cword\" -eq 1 ]; then\n                COMPREPLY=($(compgen -W \"",
              stdout);
        for (size_t i = 0; i < n_commands; i++)
                printf("%s ", commands[i].name);
        fputs("--help --version\" -- \"$cur\"))\n                return\n        fi\n        case $prev in\n"
              "        # Names are left to bash, which knows how to quote them.\n"
              "        --input | -i | --output | -o | --key-file | --integrity) return ;;\n"
              "        --directory | -d) compopt -o dirnames +o default; return ;;\n"
              "        --priority) COMPREPLY=($(compgen -W \"foreground high normal low\" -- \"$cur\")); return ;;\n"
              "        --family) COMPREPLY=($(compgen -W \"do bits $([[ $verb != create ]] && echo download)\" -- \"$cur\")); return ;;\n"
              "        --mode) COMPREPLY=($(compgen -W \"gcm cbc\" -- \"$cur\")); return ;;\n        esac\n        case $verb in\n",
              stdout);
        for (size_t i = 0; i < n_commands; i++) {
                printf("        %s) COMPREPLY=($(compgen -W \"", commands[i].name);
                for (int id = 0; id < _OPTION_MAX; id++)
                        if (takes(&commands[i], id))
                                printf("--%s ", option_rows[id].name);
                if (strcmp(commands[i].name, "set") == 0)
                        print_keys(" ");
                if (strcmp(commands[i].name, "completion") == 0)
                        fputs("bash zsh", stdout);
                if (takes_ids(&commands[i]))
                        fputs("$(" JOBS_OF_DOSVC ")", stdout);
                puts("\" -- \"$cur\")) ;;");
        }
        fputs("        esac\n        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
              "        # bash replaces only what stands behind the last break of words.\n"
              "        [[ $cur == *=* && $COMP_WORDBREAKS == *=* ]] && COMPREPLY=(\"${COMPREPLY[@]#*=}\")\n        return 0\n"
              "}\ncomplete -o default -F _dosvc dosvc\n",
              stdout);
}

/* ---- zsh ---- */

/* A word of _describe: its text may hold no quote and no colon. */
static void print_described(const char *prefix, const char *name, const char *what) {
        printf("'%s%s:", prefix, name);
        for (const char *p = what; *p; p++)
                putchar(*p == '\'' || *p == ':' ? ' ' : *p);
        fputs("' ", stdout);
}

static void print_zsh(void) {
        fputs("#compdef dosvc\n# zsh completion for dosvc; made by \"dosvc completion zsh\".\n_dosvc() {\n"
              "        local -a verbs options jobs keys\n        verbs=(",
              stdout);
        for (size_t i = 0; i < n_commands; i++)
                print_described("", commands[i].name, commands[i].text);
        fputs(")\n        if (( CURRENT == 2 )); then\n                _describe verb verbs\n                return\n        fi\n"
              "        case $words[CURRENT-1] in\n        (--input|-i|--output|-o|--key-file|--integrity) _files; return ;;\n        (--directory|-d) _files -/; return ;;\n"
              "        (--priority) compadd foreground high normal low; return ;;\n        (--family) compadd do bits; [[ $words[2] != create ]] && compadd download; return ;;\n        (--mode) compadd gcm cbc; return ;;\n        esac\n"
              "        case $words[2] in\n",
              stdout);
        for (size_t i = 0; i < n_commands; i++) {
                printf("        (%s) options=(", commands[i].name);
                for (int id = 0; id < _OPTION_MAX; id++)
                        if (takes(&commands[i], id))
                                print_described("--", option_rows[id].name, option_rows[id].text);
                putchar(')');
                if (takes_ids(&commands[i]))
                        fputs("; jobs=(${(f)\"$(" JOBS_OF_DOSVC ")\"})", stdout);
                if (strcmp(commands[i].name, "set") == 0) {
                        fputs("; keys=(", stdout);
                        print_keys(" ");
                        putchar(')');
                }
                if (strcmp(commands[i].name, "completion") == 0)
                        fputs("; keys=(bash zsh)", stdout);
                puts(" ;;");
        }
        fputs("        esac\n        (( $#jobs )) && compadd -a jobs\n        (( $#keys )) && compadd -S '' -a keys\n"
              "        [[ $PREFIX == -* ]] && _describe -o option options\n        [[ $words[2] == (get|add) ]] && _urls\n        [[ $words[2] == (hash|encrypt|decrypt) ]] && _files\n        return 0\n}\n"
              "_dosvc \"$@\"\n",
              stdout);
}

int command_completion(const struct arguments *arguments) {
        const char *shell = arguments->n_operands > 0 ? arguments->operands[0] : "bash";

        if (strcmp(shell, "bash") == 0)
                print_bash();
        else if (strcmp(shell, "zsh") == 0)
                print_zsh();
        else {
                report("completion: there is a script for bash and one for zsh, none for \"%s\"", shell);
                return EXIT_USAGE;
        }
        return finish_output();
}
