/* Every size that comes from outside meets one of these names. Beside each: the reason, or the source of the rule. */
#pragma once

#define LIMIT_DISPLAY_NAME 256      /* code points; BITS: CreateJob */
#define LIMIT_DESCRIPTION 1024      /* code points; BITS: SetDescription */
#define LIMIT_URL_COM 2200          /* code points; BITS: AddFile. The COM face only */
#define LIMIT_URL 8192              /* bytes; everywhere else and for redirect targets: what servers commonly take (RFC 9110 4.1 asks for 8000) */
#define LIMIT_ORIGIN (LIMIT_URL + 16) /* bytes of a URL, with the port that it did not name and its host as curl writes it */
#define LIMIT_FILE_ID 8192          /* bytes; such a name is often a URL. The COM face takes 2200 code points, too */
#define LIMIT_PATH 4095             /* bytes without NUL; PATH_MAX */
#define LIMIT_NAME 255              /* bytes of one path component; NAME_MAX */
#define LIMIT_RANGES_PER_FILE 500   /* default of MaxRangesPerFile; BITS policy of that name */
#define LIMIT_REDIRECTS 5           /* of one request; more is a circle or somebody who plays */
#define LIMIT_RESPONSE_HEADER_BYTES (300 * 1024) /* all headers of one answer; as libcurl >= 8.3 */
#define LIMIT_RESPONSE_HEADERS 5000 /* of one answer: each costs us work, however short it is */
#define LIMIT_KEPT_HEADERS 8192    /* bytes of an answer's headers that are kept to be shown; whole lines */
#define LIMIT_VALIDATOR 1024        /* bytes of an ETag or date that we keep; a longer one is treated as absent */
#define LIMIT_CUSTOM_HEADERS 16384  /* BITS: SetCustomHeaders */
#define LIMIT_HTTP_METHOD 32        /* bytes; the longest that is registered has 17 (RFC 9110 section 16.1) */
#define LIMIT_MIRRORS 16            /* of one file, given and learned: more than anybody has tried in one go */
#define LIMIT_MIRRORS_TEXT (LIMIT_MIRRORS * (LIMIT_URL + 1)) /* bytes of all of them, one a line */
#define LIMIT_LYING_HOSTS (1024 * 260) /* bytes of the hosts that a job does not ask again, one a line: 1024 of the longest names, with ports */
#define LIMIT_GIVING_HOSTS (64 * 260)  /* bytes of the hosts, beside its own server, that gave a file its bytes: 64 of the longest names */
#define LIMIT_LINKS 8192            /* bytes of the Link fields of one answer that are looked at; fields behind that are ignored */
#define LIMIT_OFFERED_MIRRORS_TEXT 16384 /* bytes of the mirrors that answers offered, one a line; those that do not fit are ignored */
#define LIMIT_USER_NAME 300         /* code points; BITS: BG_BASIC_CREDENTIALS */
#define LIMIT_PASSWORD 65536        /* bytes and so code points, too; as above */
#define LIMIT_CREDENTIALS (4 * LIMIT_USER_NAME + 1 + LIMIT_PASSWORD) /* bytes of "user:password" */
#define LIMIT_CERTIFICATE 32768     /* bytes, PEM, with those between it and its authority */
#define LIMIT_CERTIFICATE_KEY 16384 /* bytes, PEM: RSA of 16384 bits has 12.7 KiB */
#define LIMIT_CERTIFICATE_STORE 64  /* bytes of a store's name, a word */
#define LIMIT_CERTIFICATE_SUBJECT 1024 /* bytes of a subject or common name */
#define LIMIT_CERTIFICATES 1000     /* that are looked through in one store */
#define LIMIT_SERVER_CERTIFICATE (64 * 1024) /* bytes of DER; OpenSSL takes 100 KiB for all that a server sends */
#define LIMIT_SERVER_CERTIFICATES (128 * 1024) /* bytes: PKCS #7 with all of them */
#define LIMIT_ACCEPTED_CERTIFICATES 16 /* of one job, remembered: servers behind one name, and those that it redirects to */
#define LIMIT_PROXY_LIST 4000       /* BITS: SetProxySettings */
#define LIMIT_PROXY_ENVIRONMENT 16384 /* bytes of a client's proxy variables */
#define LIMIT_INTEGRITY_INFO 16384  /* bytes of JSON: a URL of LIMIT_URL, escaped, and two hashes */
#define LIMIT_DECRYPTION_INFO 4096  /* bytes of JSON: a key and three words */
#define LIMIT_PIECE_HASH_FILE (16 * 1024 * 1024) /* bytes; parsed in memory */
#define LIMIT_PIECES 350000         /* of one file; about what a piece hash file of that size holds */
#define LIMIT_PIECE_BYTES_MIN 1024  /* less is more hash than content */
#define LIMIT_PIECE_BYTES (64 * 1024 * 1024) /* what a bad byte costs to fetch again, and what no checkpoint covers yet */
#define LIMIT_STREAM_WINDOW (8 * 1024 * 1024) /* bytes that a program which takes a stream may lag behind, +- one buffer. At least two pieces */
#define LIMIT_STREAMS 64            /* of one owner at once: each has a window */
#define LIMIT_ENCRYPTION_BUFFER_MIN 1024 /* bytes; less is more tag than content */
#define LIMIT_ENCRYPTION_BUFFER (16 * 1024 * 1024) /* bytes; two of them are in memory while a file is decrypted */
#define LIMIT_NOTIFY_PARAMETERS 4000 /* code points; BITS: SetNotifyCmdLine. The program's path has LIMIT_PATH */
#define LIMIT_NOTIFY_COMMANDS 4     /* that run at once for one owner; BITS: notifications at once for one user */
#define LIMIT_NOTIFY_COMMANDS_ALL 64 /* that run at once for all owners */
#define LIMIT_NOTIFY_TRIES 50       /* of one command for one event; 6 to 8 hours, then only a callback is told */
#define LIMIT_FILES_PER_CALL 1000   /* files in one AddFiles/CreateJob message; larger jobs take several calls */
#define LIMIT_PAGE 100              /* rows in one page of a list */
#define LIMIT_PAGE_VALUES 1500      /* in one page, counting each property of a row and each range: a millisecond, which everybody else waits. One row always fits */
#define LIMIT_ERROR_TEXT 512        /* bytes of a detail text that travels with an error */
#define LIMIT_MESSAGE_BYTES (1024 * 1024) /* one D-Bus message at the socket of the service: some files with everything that they may have, or a thousand usual ones */
#define LIMIT_MESSAGE_DESCRIPTORS 253 /* that come with it; what the kernel passes at once (SCM_MAX_FD) */
#define LIMIT_UNCLOSED_DESCRIPTORS 1024 /* of one user: that clients passed, and that the kernel has not closed yet. More are not let in */
#define LIMIT_LOST_DESCRIPTORS 65536 /* of one user, with what is no message: sd-bus (252) never frees its list of them, four bytes for each */
#define LIMIT_HANDSHAKE_LINE 512    /* bytes of a line before the first message */
#define LIMIT_SUBSCRIPTIONS 4096    /* per client */
#define LIMIT_CLIENTS_ON_A_BUS 256  /* dbus-daemon has 512 match rules for one connection, and each client takes one */
#define LIMIT_METRICS_BACKLOG 16     /* who asks for the metrics is answered and hung up on at once; more than this need not wait */
#define LIMIT_METRICS_TEXT (256 * 1024) /* bytes that dosvc-metrics takes; there are 5 KiB, and the service writes no more than a socket holds */
#define LIMIT_METRICS_REQUEST (16 * 1024) /* bytes of a request and the headers of its answer; Prometheus' have 500 */
#define LIMIT_METRICS_CONNECTIONS 16 /* to one of its sockets at once; others wait */
#define LIMIT_METRICS_LISTENERS 4    /* sockets that its unit may hand over: two families, and a port more */
#define LIMIT_OUTGOING_MESSAGES 4096 /* signals queued to a client that does not read; then it is cut off */
#define LIMIT_TRANSFER_MEMORY (UINT64_C(3) << 30) /* bytes of one dosvc-transfer, whatever servers send. 4096 connections, the most that can be
                                                   * configured, take 0.45 GiB (docs/benchmarks-many.md) and 2 GiB with the largest buffers */
#define LIMIT_LIFE_TIME UINT64_C(3153600000) /* seconds, a hundred years: no job has more, and sums of times stay far from their end */
#define LIMIT_FILE_SIZE (UINT64_C(1) << 62) /* no file is larger; sums of these are overflow-checked */
