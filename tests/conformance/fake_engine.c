#include "fake_engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"
#include "fake_origin.h"
#include "transfer/curl_errors.h"
#include "transfer/engine_message.h"
#include "transfer/proxy.h"
#include "transfer/redirect.h"

#define STEP_BYTES (UINT64_C(1) << 20) /* written at once; more only after others had their turn */
#define REFUSING_PORT 1                /* nobody listens there */
#define CERTIFICATE_KIND 1             /* every https server has the same certificate; its digest is all this */

enum stage {
        STAGE_TRY,    /* the next question is to be asked */
        STAGE_ASKED,  /* its answer comes when its delay is over */
        STAGE_BODY,
        STAGE_FINISHED,
};

struct fake_transfer {
        struct fake_engine *engine;
        enum stage stage;
        bool stop_asked;
        uint8_t *frame; /* keeps the strings of spec */
        struct ipc_message start;
        struct engine_request spec;
        struct engine_piece pieces[ENGINE_PIECES_MAX];
        struct engine_pace pace;
        int fd;
        size_t piece;
        uint64_t piece_done;
        bool any_bytes, probe, described, length_unverified;
        struct verdict_known known;
        struct verdict_task task;
        struct verdict_ask ask;
        struct verdict verdict; /* WRITE */
        struct fake_answer answer;
        uint64_t n_body;        /* of this answer */
        char *url;              /* of this hop */
        const char *method;
        unsigned n_followed;
        uint64_t bytes_fetched, local_end;
        struct fake_transfer *next;
};

struct fake_engine {
        struct engine engine; /* first */
        char *directory;
        struct fake_origin *origin;
        int sent_fd;
        uint64_t sent;
        const struct engine_events *events;
        void *userdata;
        struct fake_transfer *transfers;
};

static struct fake_engine *engine_of(struct engine *engine) {
        return CONTAINER_OF(engine, struct fake_engine, engine);
}

static struct fake_transfer *transfer_free(struct fake_transfer *t) {
        if (!t)
                return NULL;
        fake_answer_done(&t->answer);
        fd_close(t->fd);
        free(t->url);
        free(t->frame);
        free(t);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct fake_transfer, transfer_free)

/* ---- the end ---- */

static void finish(struct fake_transfer *t, struct engine_result result) {
        struct fake_engine *engine = t->engine;

        t->stage = STAGE_FINISHED;
        t->fd = fd_close(t->fd);
        result.bytes_fetched = t->bytes_fetched;
        result.text = result.text ?: "";
        engine->events->finished(engine->userdata, t->spec.id, &result);
}

static void fail(struct fake_transfer *t, enum error_code code, enum error_context context, bool transient, uint32_t detail) {
        finish(t, (struct engine_result) {
                .outcome = ENGINE_FAILED, .code = code, .context = context, .transient = transient, .detail = detail });
}

static void fail_errno(struct fake_transfer *t, int error) {
        fail(t, ERROR_UNEXPECTED, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, true, (uint32_t) -error);
}

static void fail_transport(struct fake_transfer *t, CURLcode code) {
        struct transport_error error = transport_error_judge(&(struct transport_facts) { .code = code, .in_head = true, .memory_left = true });

        fail(t, error.code, error.context, error.transient, error.detail);
}

static void fail_verdict(struct fake_transfer *t, const struct verdict *verdict) {
        finish(t, (struct engine_result) {
                .outcome = verdict->action == VERDICT_RESTART ? ENGINE_RESTART : ENGINE_FAILED,
                .code = verdict->code, .context = verdict->context, .transient = verdict->transient, .detail = verdict->detail,
                .retry_after_usec = verdict->retry_after_usec, .text = verdict->text,
        });
}

/* ---- a question ---- */

/* The head as it would go out, for whoever looks. */
static void note_question(struct fake_transfer *t, const struct url_parts *parts, const struct proxy_choice *proxy) {
        const char *path = strchr(strstr(t->url, "://") + 3, '/');
        char file[512], temporary[520];
        FILE *f;

        (void) snprintf(file, sizeof(file), "%s/asked-%u", t->engine->directory, proxy ? proxy->port : parts->port);
        (void) snprintf(temporary, sizeof(temporary), "%s.new", file);
        f = fopen(temporary, "we");
        if (!f)
                return;
        (void) fprintf(f, "%s %s HTTP/1.1\r\nHost: %s:%u\r\n", t->method ?: "GET", proxy ? t->url : path ?: "/", parts->host, parts->port);
        if (t->ask.ranged)
                (void) fprintf(f, "%s\r\n", t->ask.range);
        if (t->ask.has_if_range)
                (void) fprintf(f, "%s\r\n", t->ask.if_range);
        if (t->spec.headers && url_is_same_origin(t->url, t->spec.url))
                (void) fprintf(f, "%s\r\n", t->spec.headers);
        (void) fprintf(f, "\r\n");
        if (fclose(f) == 0)
                (void) rename(temporary, file);
}

/* True: nobody has to be asked about the server, or was. */
static bool certificate_is_accepted(struct fake_transfer *t) {
        struct engine_certificate certificate = { .bytes = "certificate", .n_bytes = 11, .all = "all of them", .n_all = 11 };

        memset(certificate.sha256, CERTIFICATE_KIND, sizeof(certificate.sha256));
        for (size_t i = 0; i < t->spec.n_accepted; i++)
                if (memcmp(t->spec.accepted[i], certificate.sha256, sizeof(certificate.sha256)) == 0)
                        return true;
        if (!t->spec.judge_certificate)
                return true;
        t->engine->events->certificate(t->engine->userdata, t->spec.id, &certificate);
        fail(t, ERROR_CERTIFICATE_NOT_JUDGED, ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK, true, 0);
        return false;
}

static void go_to(struct fake_transfer *t, const char *url) {
        struct proxy_choice proxy = {};
        struct url_parts parts;
        bool by_proxy;
        int r;

        r = strdup_to(&t->url, url);
        if (r == 0)
                r = url_parse(url, &parts);
        if (r == 0)
                r = proxy_choose(t->start.start.proxies, t->start.start.n_proxies, parts.https, parts.host, &proxy);
        if (r < 0)
                return fail_errno(t, r);
        by_proxy = *proxy.url;
        note_question(t, &parts, by_proxy ? &proxy : NULL);
        proxy_choice_done(&proxy);
        if (!by_proxy && parts.port == REFUSING_PORT)
                return fail_transport(t, CURLE_COULDNT_CONNECT);
        if (parts.https && !certificate_is_accepted(t))
                return;
        fake_answer_done(&t->answer);
        r = fake_origin_answer(t->engine->origin, url, &t->ask, &t->answer);
        if (r < 0)
                return fail_errno(t, r);
        t->n_body = 0;
        t->stage = STAGE_ASKED;
}

static void piece_is_done(struct fake_transfer *t, const struct verdict *verdict) {
        t->length_unverified |= verdict && verdict->length_unverified;
        t->local_end = t->pieces[t->piece].local_offset + t->piece_done;
        t->piece++;
        t->piece_done = 0;
        t->probe = false;
        t->stage = STAGE_TRY;
}

/* How long the piece is, as the pace has it now. */
static uint64_t piece_wanted(const struct fake_transfer *t) {
        const struct engine_piece *piece = &t->pieces[t->piece];
        uint64_t end_at = t->pace.end_at;

        if (end_at == 0)
                return piece->length;
        return piece->local_offset < end_at ? MIN(piece->length, end_at - piece->local_offset) : 0;
}

static void next_try(struct fake_transfer *t) {
        unsigned n_short = t->task.n_short;
        struct verdict verdict;

        if (t->piece == t->spec.n_pieces)
                return finish(t, (struct engine_result) {
                        .outcome = ENGINE_DONE, .length_unverified = t->length_unverified, .local_end = t->local_end });
        if (t->piece_done >= piece_wanted(t))
                return piece_is_done(t, NULL);
        verdict_task_from_request(&t->task, &t->spec, t->piece, t->piece_done, t->any_bytes);
        t->task.n_short = n_short;
        t->task.probe = t->probe;
        t->task.no_ranges = t->spec.method;
        verdict = verdict_request(&t->task, &t->known, &t->ask);
        if (verdict.action == VERDICT_DONE)
                return piece_is_done(t, &verdict);
        if (verdict.action != VERDICT_SEND)
                return fail_verdict(t, &verdict);
        t->n_followed = 0;
        t->method = t->spec.method;
        go_to(t, t->spec.url);
}

/* ---- an answer ---- */

static void follow(struct fake_transfer *t, const struct response_facts *facts) {
        _cleanup_free_ char *url = NULL;
        int r;

        if (t->spec.disallow_redirects)
                return fail(t, ERROR_HTTP_STATUS, ERROR_CONTEXT_REMOTE_FILE, false, facts->status);
        r = redirect_resolve(t->url, facts->location, t->n_followed, t->spec.allow_insecure_redirect, &url);
        if (r < 0)
                return fail_errno(t, r);
        if (r > 0)
                return fail(t, (enum error_code) r, ERROR_CONTEXT_REMOTE_FILE, false, facts->status);
        t->n_followed++;
        t->method = redirect_method(facts->status, t->method);
        go_to(t, url);
}

static void tell_metadata(struct fake_transfer *t, const struct response_facts *facts, const struct verdict *verdict, const char *origin) {
        bool refused = verdict->action != VERDICT_WRITE;
        struct engine_metadata metadata;

        if (t->described && !refused)
                return;
        t->described = t->described || !refused;
        verdict_describe(facts, verdict, &t->known, origin, "127.0.0.1", &metadata);
        metadata.redirected_url = t->n_followed > 0 ? t->url : NULL;
        metadata.refused = refused;
        t->engine->events->metadata(t->engine->userdata, t->spec.id, &metadata);
}

static void judge(struct fake_transfer *t, const struct response_facts *facts, const char *origin) {
        struct verdict verdict = verdict_response(&t->task, &t->known, &t->ask, facts, origin, clock_now(&clock_system, CLOCK_ID_REALTIME));

        switch (verdict.action) {
        case VERDICT_WRITE:
                verdict_known_adopt(&t->known, &t->task, &verdict, facts, origin);
                tell_metadata(t, facts, &verdict, origin);
                t->verdict = verdict;
                t->stage = STAGE_BODY;
                return;
        case VERDICT_REDIRECT:
                return follow(t, facts);
        case VERDICT_PROBE:
                t->probe = true;
                t->stage = STAGE_TRY;
                return;
        case VERDICT_DONE:
                return piece_is_done(t, &verdict);
        case VERDICT_FAIL:
                tell_metadata(t, facts, &verdict, origin);
                return fail_verdict(t, &verdict);
        default:
                return fail_verdict(t, &verdict);
        }
}

static void hear(struct fake_transfer *t) {
        _cleanup_free_ struct response_facts *facts = malloc(sizeof(*facts));
        _cleanup_free_ char *origin = NULL;
        int r;

        r = facts ? url_origin(t->url, &origin) : -ENOMEM;
        if (r < 0)
                return fail_errno(t, r);
        response_facts_init(facts);
        for (const char *line = t->answer.head, *end; *line; line = end) {
                end = strstr(line, "\r\n") + 2;
                r = response_facts_add_header(facts, line, (size_t) (end - line));
                if (r < 0)
                        return fail(t, ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, false, 0);
        }
        judge(t, facts, origin);
}

/* ---- its body ---- */

static void body_has_ended(struct fake_transfer *t, enum verdict_ending ending) {
        struct verdict verdict = verdict_end(&t->task, &t->known, &t->verdict, t->n_body, ending);

        if (verdict.action == VERDICT_DONE)
                return piece_is_done(t, &verdict);
        if (verdict.action != VERDICT_CONTINUE)
                return fail_verdict(t, &verdict);
        t->task.n_short++;
        t->stage = STAGE_TRY;
}

/* Up to where the pace lets it come. */
static uint64_t room(const struct fake_transfer *t) {
        uint64_t at = t->pieces[t->piece].local_offset + t->piece_done, n = piece_wanted(t) - MIN(t->piece_done, piece_wanted(t));

        if (t->pace.hold_at > 0)
                n = MIN(n, t->pace.hold_at > at ? t->pace.hold_at - at : 0);
        return n;
}

static int write_body(struct fake_transfer *t, uint64_t n) {
        uint64_t at = t->pieces[t->piece].local_offset + t->piece_done;
        _cleanup_free_ uint8_t *bytes = malloc(n);
        int r;

        if (!bytes)
                return -ENOMEM;
        for (uint64_t i = 0; i < n; i++)
                bytes[i] = fake_answer_byte(&t->answer, t->answer.first + t->n_body + i);
        r = fd_pwrite_all(t->fd, bytes, n, at);
        if (r < 0)
                return r;
        t->n_body += n;
        t->piece_done += n;
        t->any_bytes = true;
        t->bytes_fetched += n;
        t->engine->sent += n;
        t->engine->events->progress(t->engine->userdata, t->spec.id, at, at + n, t->bytes_fetched);
        return 0;
}

/* True: more could come at once. */
static bool receive(struct fake_transfer *t, uint64_t elapsed_usec) {
        uint64_t comes = t->answer.end - t->answer.first, may = MIN(comes, t->verdict.body_limit);
        uint64_t budget = t->answer.rate ? t->answer.rate * elapsed_usec / USEC_PER_SEC : STEP_BYTES;
        uint64_t n = may - t->n_body;
        int r;

        n = MIN(n, budget);
        n = MIN(n, room(t));
        r = n > 0 ? write_body(t, n) : 0;
        if (r < 0) {
                fail(t, error_code_from_errno(-r), ERROR_CONTEXT_LOCAL_FILE, true, (uint32_t) -r);
                return true;
        }
        if (t->n_body < may) {
                if (t->piece_done < piece_wanted(t))
                        return n > 0 && t->answer.rate == 0;
                piece_is_done(t, NULL); /* the rest of the answer is left */
        } else if (t->answer.stalls)
                return false;
        else
                body_has_ended(t, comes > may ? VERDICT_ENDING_TOO_LONG : t->answer.breaks ? VERDICT_ENDING_BROKEN : VERDICT_ENDING_ORDERLY);
        return true;
}

static bool step(struct fake_transfer *t, uint64_t elapsed_usec) {
        if (t->stop_asked) {
                finish(t, (struct engine_result) { .outcome = ENGINE_STOPPED });
                return true;
        }
        switch (t->stage) {
        case STAGE_TRY:
                next_try(t);
                return true;
        case STAGE_ASKED:
                t->answer.delay_usec -= MIN(t->answer.delay_usec, elapsed_usec);
                if (t->answer.delay_usec > 0)
                        return false;
                hear(t);
                return true;
        case STAGE_BODY:
                return receive(t, elapsed_usec);
        default:
                return false;
        }
}

static void drop_finished(struct fake_engine *engine) {
        for (struct fake_transfer **p = &engine->transfers; *p;) {
                struct fake_transfer *t = *p;

                if (t->stage == STAGE_FINISHED) {
                        *p = t->next;
                        transfer_free(t);
                } else
                        p = &t->next;
        }
}

bool fake_engine_step(struct engine *engine, uint64_t elapsed_usec) {
        struct fake_engine *fake = engine_of(engine);
        uint64_t before = fake->sent;
        bool more = false;

        for (struct fake_transfer *t = fake->transfers; t; t = t->next)
                more |= step(t, elapsed_usec);
        drop_finished(fake);
        if (fake->sent != before)
                (void) fd_pwrite_all(fake->sent_fd, &fake->sent, sizeof(fake->sent), 0);
        return more;
}

void fake_engine_forget(struct engine *engine) {
        struct fake_engine *fake = engine_of(engine);

        while (fake->transfers) {
                struct fake_transfer *t = fake->transfers;

                fake->transfers = t->next;
                transfer_free(t);
        }
}

/* ---- engine.h ---- */

static struct engine *fake_free(struct engine *engine) {
        struct fake_engine *fake = engine_of(engine);

        fake_engine_forget(engine);
        fake_origin_free(fake->origin);
        fd_close(fake->sent_fd);
        free(fake->directory);
        free(fake);
        return NULL;
}

static void fake_set_events(struct engine *engine, const struct engine_events *events, void *userdata) {
        engine_of(engine)->events = events;
        engine_of(engine)->userdata = userdata;
}

static int fake_set_limits(struct engine *engine _unused_, const struct engine_limits *limits _unused_) {
        return 0;
}

/* Through the frame that the transfer process would get: it copies everything, and refuses what that one would refuse. */
static int copy_request(struct fake_transfer *t, const struct engine_request *request) {
        const struct ipc_start *start = &t->start.start;
        size_t size;
        int r;

        r = engine_message_new(request, &t->frame, &size);
        if (r < 0)
                return r;
        if (ipc_decode(t->frame, size, &t->start) != (ssize_t) size)
                return -EPROTO;
        for (size_t i = 0; i < start->n_pieces; i++)
                t->pieces[i] = (struct engine_piece) {
                        start->pieces[i].remote_offset, start->pieces[i].length, start->pieces[i].local_offset };
        t->spec = (struct engine_request) {
                .id = start->id, .url = start->url, .pieces = t->pieces, .n_pieces = start->n_pieces,
                .whole_file = start->whole_file, .digest_decides = start->digest_decides,
                .remote_size = start->remote_size, .stated_size = start->stated_size, .max_bytes = start->max_bytes,
                .etag = start->etag, .last_modified = start->last_modified, .encoding = start->encoding, .origin = start->origin,
                .allow_insecure_redirect = start->allow_insecure_redirect, .disallow_redirects = start->disallow_redirects,
                .method = start->method, .headers = start->headers,
                .judge_certificate = start->judge_certificate, .accepted = start->accepted, .n_accepted = start->n_accepted,
        };
        return 0;
}

static int fake_start(struct engine *engine, const struct engine_request *request) {
        struct fake_engine *fake = engine_of(engine);
        _cleanup_(transfer_freep) struct fake_transfer *t = calloc(1, sizeof(*t));
        int r;

        if (!t)
                return -ENOMEM;
        t->engine = fake;
        t->pace = request->pace;
        t->fd = fd_dup(request->fd);
        if (t->fd < 0)
                return t->fd;
        r = copy_request(t, request);
        if (r < 0)
                return r;
        verdict_known_from_request(&t->known, &t->spec);
        t->next = fake->transfers;
        fake->transfers = TAKE_PTR(t);
        return 0;
}

static struct fake_transfer *find(struct engine *engine, uint64_t id) {
        for (struct fake_transfer *t = engine_of(engine)->transfers; t; t = t->next)
                if (t->spec.id == id && t->stage != STAGE_FINISHED)
                        return t;
        return NULL;
}

static void fake_stop(struct engine *engine, uint64_t id) {
        struct fake_transfer *t = find(engine, id);

        if (t)
                t->stop_asked = true;
}

static void fake_set_pace(struct engine *engine, uint64_t id, const struct engine_pace *pace) {
        struct fake_transfer *t = find(engine, id);

        if (t)
                t->pace = *pace;
}

static const struct engine_ops fake_ops = {
        .name = "fake",
        .free = fake_free,
        .set_events = fake_set_events,
        .set_limits = fake_set_limits,
        .start = fake_start,
        .stop = fake_stop,
        .set_pace = fake_set_pace,
};

int fake_engine_new(const char *directory, struct engine **ret) {
        struct fake_engine *fake = calloc(1, sizeof(*fake));
        char path[512];
        int r;

        if (!fake)
                return -ENOMEM;
        fake->engine.ops = &fake_ops;
        (void) snprintf(path, sizeof(path), "%s/sent", directory);
        fake->sent_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        r = fake->sent_fd < 0 ? -errno : strdup_to(&fake->directory, directory);
        if (r == 0)
                r = fd_pwrite_all(fake->sent_fd, &fake->sent, sizeof(fake->sent), 0);
        if (r == 0)
                r = fake_origin_new(directory, &fake->origin);
        if (r < 0) {
                fake_free(&fake->engine);
                return r;
        }
        *ret = &fake->engine;
        return 0;
}
