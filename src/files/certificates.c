/* Client certificates of the owner: PLACE/STORE/NAME.pem with the certificate and those between it and its authority, and beside it
 * NAME.key with the private key, which nobody else may read. */
#include <dirent.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"
#include "files/paths.h"
#include "files/request.h"

#define CERTIFICATE_SUFFIX ".pem"
#define KEY_SUFFIX ".key"

struct certificate_request {
        struct request request;
        files_certificate_fn done;
        void *userdata;
        char *folder;
        struct certificate_name name;

        int error;
        char text[256];
        X509 *found; /* the best so far */
        char file[LIMIT_NAME + 1]; /* where it stands, without its suffix */
        char *certificate, *key;
};

static int say(struct certificate_request *self, int error, const char *format, ...) _printf_(3, 4);
static int say(struct certificate_request *self, int error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(self->text, sizeof(self->text), format, ap);
        va_end(ap);
        return error;
}

/* @size of @max bytes and a NUL. -EFBIG, -EBADMSG: a NUL in it. */
static int read_text(int fd, char *ret, size_t max) {
        size_t n = 0;
        ssize_t k;

        while ((k = read(fd, ret + n, max + 1 - n)) > 0)
                n += (size_t) k;
        if (k < 0)
                return -errno;
        if (n > max)
                return -EFBIG;
        ret[n] = 0;
        return strlen(ret) == n ? 0 : -EBADMSG;
}

/* Which kind of file it is shows before it is read; FIFOs and the like would hold us up. */
static int open_regular(int directory, const char *name, int flags, struct stat *ret) {
        _cleanup_close_ int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);

        if (fd < 0 || fstat(fd, ret) < 0)
                return -errno;
        return S_ISREG(ret->st_mode) ? TAKE_FD(fd) : -EBADMSG;
}

/* ---- which one ---- */

static bool text_equals(const char *a, size_t n, const char *b) {
        return strlen(b) == n && strncasecmp(a, b, n) == 0;
}

static bool common_name_is(X509_NAME *subject, const char *wanted) {
        int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
        unsigned char *text = NULL;
        bool same;
        int n;

        if (at < 0)
                return false;
        n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
        same = n >= 0 && text_equals((const char *) text, (size_t) n, wanted);
        OPENSSL_free(text);
        return same;
}

static bool whole_subject_is(X509_NAME *subject, const char *wanted) {
        BIO *bio = BIO_new(BIO_s_mem());
        bool same = false;
        char *text;
        long n;

        if (bio && X509_NAME_print_ex(bio, subject, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
                n = BIO_get_mem_data(bio, &text);
                same = n > 0 && text_equals(text, (size_t) n, wanted);
        }
        BIO_free(bio);
        return same;
}

static bool is_wanted(const struct certificate_name *name, X509 *certificate) {
        unsigned char sha1[EVP_MAX_MD_SIZE];
        unsigned n = 0;

        if (name->by_hash)
                return X509_digest(certificate, EVP_sha1(), sha1, &n) == 1 && n == sizeof(name->sha1) &&
                       memcmp(sha1, name->sha1, n) == 0;
        return common_name_is(X509_get_subject_name(certificate), name->subject) ||
               whole_subject_is(X509_get_subject_name(certificate), name->subject);
}

static bool ends_later(X509 *a, X509 *b) {
        return !b || ASN1_TIME_compare(X509_get0_notAfter(a), X509_get0_notAfter(b)) > 0;
}

/* All certificates of the text and nothing else that stands in it. */
static char *only_certificates(const char *text) {
        BIO *in = BIO_new_mem_buf(text, -1), *out = BIO_new(BIO_s_mem());
        X509 *certificate;
        char *bytes, *ret = NULL;
        bool ok = in && out;
        long n;

        while (ok && (certificate = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
                ok = PEM_write_bio_X509(out, certificate) == 1;
                X509_free(certificate);
        }
        if (ok) {
                n = BIO_get_mem_data(out, &bytes);
                ret = n > 0 && n <= LIMIT_CERTIFICATE ? strndup(bytes, (size_t) n) : NULL;
        }
        BIO_free(in);
        BIO_free(out);
        return ret;
}

static X509 *first_certificate(const char *text) {
        BIO *bio = BIO_new_mem_buf(text, -1);
        X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

        BIO_free(bio);
        return certificate;
}

/* What is no certificate does no harm here: it may be anything of the owner's. */
static void look_at(struct certificate_request *self, int directory, const char *name) {
        char text[LIMIT_CERTIFICATE + 2], *copy;
        _cleanup_close_ int fd = -EBADF;
        X509 *certificate;
        struct stat st;

        fd = open_regular(directory, name, 0, &st);
        if (fd < 0 || read_text(fd, text, LIMIT_CERTIFICATE) < 0)
                return;
        certificate = first_certificate(text);
        if (certificate && is_wanted(&self->name, certificate) && ends_later(certificate, self->found) &&
            (copy = only_certificates(text))) {
                free(self->certificate);
                self->certificate = copy;
                X509_free(self->found);
                self->found = TAKE_PTR(certificate);
                (void) snprintf(self->file, sizeof(self->file), "%.*s", (int) (strlen(name) - strlen(CERTIFICATE_SUFFIX)), name);
        }
        X509_free(certificate);
        explicit_bzero(text, sizeof(text)); /* some keep the key in the same file */
}

static int find(struct certificate_request *self, DIR *folder) {
        struct dirent *entry;
        size_t n = 0;

        while ((entry = readdir(folder))) {
                size_t len = strlen(entry->d_name);

                if (len <= strlen(CERTIFICATE_SUFFIX) || !streq(entry->d_name + len - strlen(CERTIFICATE_SUFFIX), CERTIFICATE_SUFFIX))
                        continue;
                if (++n > LIMIT_CERTIFICATES)
                        return say(self, -ENOKEY, "%s holds more than %d certificates", self->folder, LIMIT_CERTIFICATES);
                look_at(self, dirfd(folder), entry->d_name);
        }
        if (!self->found)
                return say(self, -ENOKEY, "none of the certificates in %s is the one that was named", self->folder);
        if (X509_cmp_current_time(X509_get0_notAfter(self->found)) < 0)
                return say(self, -EKEYREJECTED, "%s/%s" CERTIFICATE_SUFFIX " has expired", self->folder, self->file);
        return 0;
}

/* ---- its key ---- */

static int on_passphrase(char *text, int size, int writing, void *userdata) {
        *(bool *) userdata = true;
        return -1;
}

static int judge_key(struct certificate_request *self, const char *name) {
        BIO *bio = BIO_new_mem_buf(self->key, -1);
        bool encrypted = false;
        EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &encrypted) : NULL;
        int r = 0;

        if (encrypted)
                r = say(self, -EKEYREJECTED, "%s/%s is encrypted, and nobody is there to give its passphrase: keep it without one, "
                        "readable for you alone", self->folder, name);
        else if (!key)
                r = say(self, -EKEYREJECTED, "%s/%s is no private key in PEM form", self->folder, name);
        else if (X509_check_private_key(self->found, key) != 1)
                r = say(self, -EKEYREJECTED, "%s/%s is not the key of the certificate beside it", self->folder, name);
        EVP_PKEY_free(key);
        BIO_free(bio);
        return r;
}

static int load_key(struct certificate_request *self, int directory) {
        char name[LIMIT_NAME + sizeof(KEY_SUFFIX)];
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        (void) snprintf(name, sizeof(name), "%s" KEY_SUFFIX, self->file);
        fd = open_regular(directory, name, O_NOFOLLOW, &st);
        if (fd < 0)
                return say(self, -EKEYREJECTED, "%s/%s: %s", self->folder, name, fd == -EBADMSG ? "no regular file" : strerror(-fd));
        if (st.st_uid != geteuid() || (st.st_mode & 077))
                return say(self, -EKEYREJECTED, "%s/%s is not its owner's alone: chmod 600", self->folder, name);
        self->key = malloc(LIMIT_CERTIFICATE_KEY + 2);
        if (!self->key)
                return -ENOMEM;
        *self->key = 0;
        r = read_text(fd, self->key, LIMIT_CERTIFICATE_KEY);
        if (r == -EFBIG || r == -EBADMSG)
                return say(self, -EKEYREJECTED, "%s/%s is no private key in PEM form", self->folder, name);
        return r < 0 ? r : judge_key(self, name);
}

/* ---- the request ---- */

static void certificate_run(struct request *request) {
        struct certificate_request *self = CONTAINER_OF(request, struct certificate_request, request);
        DIR *folder = opendir(self->folder);

        if (!folder) {
                self->error = say(self, errno == ENOENT ? -ENOKEY : -errno, "%s: %s", self->folder, strerror(errno));
                return;
        }
        self->error = find(self, folder);
        if (self->error == 0)
                self->error = load_key(self, dirfd(folder));
        closedir(folder);
        ERR_clear_error();
}

static void certificate_complete(struct request *request) {
        struct certificate_request *self = CONTAINER_OF(request, struct certificate_request, request);

        self->done(&(struct files_certificate_result) {
                .error = self->error,
                .text = self->text,
                .certificate = self->error == 0 ? self->certificate : NULL,
                .key = self->error == 0 ? self->key : NULL,
        }, self->userdata);
}

static void certificate_destroy(struct request *request) {
        struct certificate_request *self = CONTAINER_OF(request, struct certificate_request, request);

        if (self->key)
                explicit_bzero(self->key, LIMIT_CERTIFICATE_KEY + 2);
        free(self->key);
        free(self->certificate);
        X509_free(self->found);
        free(self->folder);
        free(self);
}

int local_certificate(struct local_files *files, const struct certificate_name *name, files_certificate_fn done, void *userdata) {
        const char *place = name->place == CERTIFICATE_CURRENT_USER   ? files->certificates :
                            name->place == CERTIFICATE_LOCAL_MACHINE ? files->machine_certificates : NULL;
        struct certificate_request *self;

        if (!place)
                return -ENOKEY;
        self = calloc(1, sizeof(*self));
        if (!self)
                return -ENOMEM;
        self->request = (struct request) { .run = certificate_run, .complete = certificate_complete, .destroy = certificate_destroy };
        self->done = done;
        self->userdata = userdata;
        self->name = *name;
        if (asprintf(&self->folder, "%s/%s", place, name->store) < 0) {
                free(self);
                return -ENOMEM;
        }
        request_submit(files, &self->request, NULL);
        return 0;
}
