/* A getaddrinfo() for dosvc-resolve in which a name says what addresses it has: each label but the last ("test") is the answer to one
 * look-up, the last of them to all later ones, and each letter of a label is one address, in that order. "p.pl.test" is public at first,
 * and then public and loopback. "hang.test" is never answered. Linked with --wrap into the real program. */
#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "flipping_names.h"

#define NAMES_MAX 64

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **ret);
void __wrap_freeaddrinfo(struct addrinfo *list);
bool __wrap_address_redirect_is_allowed(bool from_public, const struct sockaddr *to);

/* What was asked for before counts the look-ups of a name. */
static unsigned count_lookup(const char *host) {
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        static struct {
                char host[256];
                unsigned n;
        } names[NAMES_MAX];
        unsigned n = 0;

        (void) pthread_mutex_lock(&lock);
        for (size_t i = 0; i < NAMES_MAX; i++) {
                if (names[i].n == 0)
                        (void) strncpy(names[i].host, host, sizeof(names[i].host) - 1);
                if (strcmp(names[i].host, host) == 0) {
                        n = names[i].n++;
                        break;
                }
        }
        (void) pthread_mutex_unlock(&lock);
        return n;
}

static struct addrinfo *make_info(char letter) {
        struct {
                struct addrinfo info; /* first member: what is freed */
                struct sockaddr_storage address;
        } *both = calloc(1, sizeof(*both));

        for (size_t i = 0; both && i < ELEMENTSOF(flipping_addresses); i++) {
                if (flipping_addresses[i].letter != letter)
                        continue;
                if (address_parse_host(flipping_addresses[i].text, 0, &both->address, &both->info.ai_addrlen) != 1)
                        break;
                both->info.ai_addr = (struct sockaddr *) &both->address;
                both->info.ai_family = both->address.ss_family;
                return &both->info;
        }
        free(both);
        return NULL;
}

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **ret) {
        const char *label = host, *dot = strchr(host, '.');
        struct addrinfo **end = ret;
        static sem_t never;

        *ret = NULL;
        while (strcmp(host, "hang.test") == 0)
                (void) sem_wait(&never);
        for (unsigned n = count_lookup(host); dot && n > 0 && strcmp(dot, ".test") != 0; n--) {
                label = dot + 1;
                dot = strchr(label, '.');
        }
        for (const char *letter = label; dot && letter < dot; letter++) {
                *end = make_info(*letter);
                if (!*end)
                        return EAI_FAIL;
                end = &(*end)->ai_next;
        }
        return *ret ? 0 : EAI_NONAME;
}

void __wrap_freeaddrinfo(struct addrinfo *list) {
        for (struct addrinfo *next; list; list = next) {
                next = list->ai_next;
                free(list);
        }
}

/* Linked into the second program only: one that was taken over, and lets every address pass. */
bool __wrap_address_redirect_is_allowed(bool from_public, const struct sockaddr *to) {
        return true;
}
