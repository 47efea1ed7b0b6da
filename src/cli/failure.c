#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *must(void *p) {
        if (!p) {
                fputs("dosvc: there is not enough memory\n", stderr);
                exit(EXIT_OTHER);
        }
        return p;
}

char *must_printf(const char *format, ...) {
        va_list ap;
        char *s;
        int n;

        va_start(ap, format);
        n = vasprintf(&s, format, ap);
        va_end(ap);
        return must(n < 0 ? NULL : s);
}

void report(const char *format, ...) {
        _cleanup_(freep) char *text = NULL, *shown = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        must(n < 0 ? NULL : text);
        shown = format_printable(text);
        fprintf(stderr, "dosvc: %s\n", shown);
}

/* Names as on D-Bus; those that are not here are judged by their context. */
static const struct {
        const char *name;
        int code;
} codes[] = {
        { "NotFound", EXIT_NO_SUCH_JOB },
        { "UserNotServed", EXIT_DENIED },
        { "NoService", EXIT_NO_SERVICE },
        { "ShuttingDown", EXIT_NO_SERVICE },
        { "DigestMismatch", EXIT_MISMATCH },
        { "SizeMismatch", EXIT_MISMATCH },
        { "BadPieceHash", EXIT_MISMATCH },
        { "EncryptedFileDamaged", EXIT_MISMATCH },
        { "DecryptionInfoMismatch", EXIT_MISMATCH },
        { "FileEncryptionExpected", EXIT_MISMATCH },
        { "InvalidArgument", EXIT_USAGE },
        { "InvalidUrl", EXIT_USAGE },
        { "ProtocolNotAvailable", EXIT_USAGE },
        { "InvalidName", EXIT_USAGE },
        { "NameTooLong", EXIT_USAGE },
        { "StringTooLong", EXIT_USAGE },
        { "UnknownProperty", EXIT_USAGE },
        { "ReadOnlyProperty", EXIT_USAGE },
        { "WriteOnlyProperty", EXIT_USAGE },
        { "DuplicateDestination", EXIT_USAGE },
        { "DirectoryNotFound", EXIT_LOCAL_FILE },
        { "NotARegularFile", EXIT_LOCAL_FILE },
        { "FileExists", EXIT_LOCAL_FILE },
        { "DirectoryDiffers", EXIT_LOCAL_FILE },
        { "NoSpace", EXIT_LOCAL_FILE },
        { "Quota", EXIT_LOCAL_FILE },
        { "FileTooLarge", EXIT_LOCAL_FILE },
        { "ReadOnlyFileSystem", EXIT_LOCAL_FILE },
        { "DiskError", EXIT_LOCAL_FILE },
        { "DestinationLocked", EXIT_LOCAL_FILE },
        { "DestinationChanged", EXIT_LOCAL_FILE },
        { "TooManyOpenFiles", EXIT_LOCAL_FILE },
        { "LocalFileError", EXIT_LOCAL_FILE },
        { "HttpStatus", EXIT_REMOTE },
        { "FileNotFound", EXIT_REMOTE },
        { "NameNotResolved", EXIT_REMOTE },
        { "ConnectFailure", EXIT_REMOTE },
        { "ConnectionClosed", EXIT_REMOTE },
        { "TimedOut", EXIT_REMOTE },
        { "TlsHandshake", EXIT_REMOTE },
        { "Certificate", EXIT_REMOTE },
        { "AddressRefused", EXIT_REMOTE },
        { "TooManyRedirects", EXIT_REMOTE },
        { "InsecureRedirect", EXIT_REMOTE },
        { "InvalidRedirect", EXIT_REMOTE },
        { "InvalidServerResponse", EXIT_REMOTE },
        { "InsufficientRangeSupport", EXIT_REMOTE },
        { "RemoteFileChanged", EXIT_REMOTE },
        { "NoProgress", EXIT_REMOTE },
        { "NoNetwork", EXIT_REMOTE },
};

int exit_code_of(const dosvc_failure *failure) {
        const char *name = failure->name ? failure->name : "", *context = failure->context ? failure->context : "";

        for (size_t i = 0; i < ELEMENTSOF(codes); i++)
                if (strcmp(name, codes[i].name) == 0)
                        return codes[i].code;
        if (strcmp(context, "local_file") == 0)
                return EXIT_LOCAL_FILE;
        if (strcmp(name, "AccessDenied") == 0)
                return failure->file && *failure->file ? EXIT_LOCAL_FILE : EXIT_DENIED;
        if (strcmp(context, "remote_file") == 0 || strcmp(context, "general_transport") == 0 ||
            strcmp(context, "remote_application") == 0 || strcmp(context, "server_certificate_callback") == 0)
                return EXIT_REMOTE;
        return EXIT_OTHER;
}

char *failure_sentence(const dosvc_failure *failure) {
        const char *text = failure->text && *failure->text ? failure->text : "it failed";
        const char *file = failure->file && *failure->file && !strstr(text, failure->file) ? failure->file : NULL;
        const char *url = failure->url && *failure->url && !strstr(text, failure->url) ? failure->url : NULL;

        return must_printf("%s%s%s%s%s%s (0x%08X)", text, file || url ? " [" : "", file ? file : "", file && url ? " from " : "",
                           url ? url : "", file || url ? "]" : "", (unsigned) failure->hresult);
}

static int add_state(const dosvc_job_info *job, void *userdata) {
        char **sentence = userdata, *longer;
        bool is_ending = job->waiting_reason && strcmp(job->waiting_reason, "publish") == 0;

        longer = must_printf("%s It is %s.", *sentence, is_ending ? "being completed or cancelled" : job->state);
        free(*sentence);
        *sentence = longer;
        return 0;
}

int report_job_failure(dosvc *connection, const char *id, int32_t hresult, const char *what) {
        const dosvc_error *error = dosvc_last_error(connection);
        _cleanup_(freep) char *sentence = NULL;

        if (!error || !error->name || strcmp(error->name, "InvalidState") != 0)
                return report_failure(connection, hresult, what);
        sentence = must_printf("%s", error->text);
        (void) dosvc_get_job(connection, id, add_state, &sentence);
        report("%s: %s (0x%08X)", what, sentence, (unsigned) hresult);
        return EXIT_OTHER;
}

int report_failure(const dosvc *connection, int32_t hresult, const char *what) {
        const dosvc_error *error = dosvc_last_error(connection);
        dosvc_failure failure = { .hresult = hresult };
        _cleanup_(freep) char *sentence = NULL;

        if (error)
                failure = (dosvc_failure) { hresult, error->name, error->context, error->file, error->url, error->text };
        sentence = failure_sentence(&failure);
        report("%s: %s", what, sentence);
        return exit_code_of(&failure);
}
