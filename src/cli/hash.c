/* dosvc hash: makes piece hash files. */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIECE_SIZE_DEFAULT (1024 * 1024)

struct hash {
        const struct arguments *arguments;
        const char *file;
        char *output;
        json_t *results; /* NULL: for people */
};

/* Whole or not at all. */
static int write_output(const struct hash *hash, const dosvc_piece_hash_file_info *info) {
        FILE *f = fopen(hash->output, option_given(hash->arguments, OPTION_REPLACE) ? "we" : "wxe");
        bool failed;

        if (!f) {
                report("hash: cannot write %s: %m%s", hash->output, errno == EEXIST ? "; remove it, or ask for --replace" : "");
                return EXIT_LOCAL_FILE;
        }
        failed = fwrite(info->text, 1, info->text_size, f) != info->text_size;
        failed = fclose(f) != 0 || failed;
        if (!failed)
                return EXIT_DONE;
        report("hash: cannot write %s: %m", hash->output);
        (void) unlink(hash->output);
        return EXIT_LOCAL_FILE;
}

static int show_hashes(const dosvc_piece_hash_file_info *info, void *userdata) {
        const struct hash *hash = userdata;
        json_t *object, *integrity_info;
        char hex[65];
        int code = write_output(hash, info);

        if (code)
                return code;
        for (size_t i = 0; i < 32; i++)
                sprintf(hex + 2 * i, "%02x", info->sha256[i]);
        if (!hash->results) {
                printf("%s: %" PRIu64 " pieces of %" PRIu64 " bytes\n%14s: %s\n%14s: %s\n", hash->output, info->pieces, info->piece_size,
                       "sha256", hex, "integrity", info->integrity_info);
                return EXIT_DONE;
        }
        object = must(json_object());
        integrity_info = must(json_loads(info->integrity_info, 0, NULL));
        json_object_set_new(object, "file", json_of_text(hash->file));
        json_object_set_new(object, "piece_hash_file", json_of_text(hash->output));
        json_object_set_new(object, "content_length", json_integer((json_int_t) info->content_length));
        json_object_set_new(object, "piece_size", json_integer((json_int_t) info->piece_size));
        json_object_set_new(object, "pieces", json_integer((json_int_t) info->pieces));
        json_object_set_new(object, "sha256", must(json_string(hex)));
        json_object_set_new(object, "integrity_info", integrity_info);
        json_array_append_new(hash->results, object);
        return EXIT_DONE;
}

static int hash_one(const struct arguments *arguments, const char *file, uint64_t piece_size, json_t *results) {
        const char *url = option_given(arguments, OPTION_URL) ? arguments->values[OPTION_URL] : "";
        _cleanup_(freep) char *output = option_given(arguments, OPTION_OUTPUT) ? must_printf("%s", arguments->values[OPTION_OUTPUT])
                                                                               : must_printf("%s.pieces.json", file);
        struct hash hash = { arguments, file, output, results };
        int32_t hr = dosvc_make_piece_hash_file(file, piece_size, url, show_hashes, &hash);
        _cleanup_(freep) char *what = NULL;

        if (hr >= 0)
                return hr; /* what show_hashes() answered */
        what = must_printf("hash %s", file);
        return report_failure(NULL, hr, what);
}

int command_hash(const struct arguments *arguments) {
        uint64_t piece_size = PIECE_SIZE_DEFAULT;
        json_t *results = option_given(arguments, OPTION_JSON) ? must(json_array()) : NULL;
        int code = EXIT_DONE;

        if (option_given(arguments, OPTION_PIECE_SIZE) && option_number(arguments, OPTION_PIECE_SIZE, &piece_size) < 0)
                code = EXIT_USAGE;
        if (code == EXIT_DONE && arguments->n_operands > 1 && (option_given(arguments, OPTION_OUTPUT) || option_given(arguments, OPTION_URL))) {
                report("hash: --output and --url want exactly one file, there are %d", arguments->n_operands);
                code = EXIT_USAGE;
        }
        for (int i = 0; i < arguments->n_operands && code == EXIT_DONE; i++)
                code = hash_one(arguments, arguments->operands[i], piece_size, results);
        if (!results)
                return code;
        if (code == EXIT_DONE)
                return json_print(results, false);
        json_decref(results);
        return code;
}
