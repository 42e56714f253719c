/*
 * An HTTP/1.1 server on one thread, over libmicrohttpd, for a program with an
 * event loop of its own: wait until http_fd() is readable or http_timeout()
 * has passed, then call http_run(), which makes all the calls below.
 *
 * A request goes through these calls of the program, in this order:
 *
 *	begin	its head is here
 *	body	some of its body, any number of times
 *	end	it is complete
 *	done	it is over, however it ended; its struct is gone afterwards
 *
 * It is answered once, by http_reply() or one of its kin, from begin, body or
 * end, or at any time after end, which may return without: the connection
 * sleeps until then.  After a reply from begin or body what remains of the
 * request's body is read and dropped, if that is little, and the connection
 * is closed if it is much; body and end are not called any more.
 *
 * A request whose head leaves it in doubt where its body ends, or which holds
 * control characters, is answered with 400, and the program not asked.
 *
 * While a connection sleeps nobody notices that the client left: a sleeping
 * request is done only after its reply or http_free().
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct MHD_Connection;
struct http;

#define HTTP_SEGMENTS_MAX	8	/* parts of a path; longer ones: 404 */
#define HTTP_HEADERS_MAX	8	/* given to one reply */
#define HTTP_DRAIN_MAX		(64u << 20)	/* bytes of a refused body */
#define HTTP_LENGTH_UNKNOWN	UINT64_MAX
#define HTTP_SEND_MIN		65536	/* bytes; see 'receive' */

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_OTHER,
};

/* A part of the request's head. */
struct http_slice {
	const char *p;
	size_t len;
};

/* A client's address: IPv6, or IPv4 as ::ffff:a.b.c.d; 0 if it has none. */
struct http_address {
	unsigned char ip[16];
};

struct http_request {
	enum http_method method;
	const char *path;		/* decoded, starts with '/' */
	int nsegments;			/* -1: more than there is room for */
	struct http_slice segments[HTTP_SEGMENTS_MAX];	/* of path, at '/' */
	uint64_t length;		/* Content-Length, or unknown */
	struct http_address client;	/* through proxies that are trusted */
	void *state;			/* the program's; NULL at first */
	void *arg;			/* http_program's */

	/* http.c's own: */
	struct http *http;
	struct MHD_Connection *connection;
	struct http_conn *conn;
	void *response;			/* queued as soon as it may be */
	ssize_t (*fill)(struct http_request *, char *, size_t);
	unsigned status;
	uint64_t drained;		/* bytes of a refused body */
	unsigned bucket;		/* its client is counted in, if so */
	bool counted;
	bool crowded;
	bool replied;
	bool complete;			/* end was called */
	bool sleeping;
};

struct http_program {
	void (*begin)(struct http_request *);
	void (*body)(struct http_request *, const void *, size_t);
	void (*end)(struct http_request *);
	void (*done)(struct http_request *);
	void *arg;
};

struct http_limits {
	unsigned connections;	/* at once; more wait in the kernel */
	unsigned per_address;	/* of them from one address; 0: any number */
	unsigned idle;		/* seconds without a byte: closed */
	unsigned receive;	/* seconds for a whole request to arrive, and */
				/* for HTTP_SEND_MIN of an answer to be taken */
	size_t head;		/* bytes of request line and headers */
};

#define HTTP_LIMITS_DEFAULT {						\
	.connections = 4096, .per_address = 256, .idle = 30,		\
	.receive = 120, .head = 16384					\
}

/*
 * A server; NULL with errno.  *program is copied.  Ignores SIGPIPE for the
 * process.
 */
struct http *http_new(const struct http_program *program,
    const struct http_limits *limits);

/* Serve a listening socket too.  It stays the caller's.  0 or -1 with errno. */
int http_listen(struct http *, int fd);

/*
 * Believe X-Forwarded-For if it comes from spec: an address, a network
 * (10.0.0.0/8) or "unix", whoever connects to a socket file.  0, or -1: not
 * understood, or too many.
 */
int http_trust(struct http *, const char *spec);

/* Readable when http_run() has work. */
int http_fd(const struct http *);

/* In how many ms http_run() must be called though there is none; -1: never. */
int http_timeout(struct http *);

/*
 * Do what can be done without waiting.  When the program has just answered
 * requests, calling this sends the answers.
 */
void http_run(struct http *);

/*
 * Take no new connections, but those that wait already, and close each one
 * after its present request, or if none comes within half a second.  The
 * listening sockets are the caller's again, to be closed.
 */
void http_quiesce(struct http *);

/* Connections there are, and requests being served. */
unsigned http_connections(const struct http *);
unsigned http_requests(const struct http *);

/* Cut all connections (done is called for each request), free everything. */
void http_free(struct http *);

/* ---- what a request says ---- */

/* True if segment i of the path is this word. */
bool http_segment_is(const struct http_request *, int i, const char *word);

/*
 * The decoded value of a query key or a header, NUL-terminated and good until
 * the request is done; NULL if there is none, or it holds a NUL.
 */
const char *http_query(const struct http_request *, const char *key);
const char *http_header(const struct http_request *, const char *name);

/* True if it says that it takes an answer in gzip. */
bool http_takes_gzip(const struct http_request *);

/* The client's address as text, "-" if it has none.  Returns text. */
#define HTTP_ADDRESS_MAX	46
const char *http_address_text(const struct http_address *,
    char text[HTTP_ADDRESS_MAX]);

/*
 * The connection's socket: to be watched for EPOLLRDHUP while the request
 * sleeps, and not to be read, written or closed.
 */
int http_socket(const struct http_request *);

/*
 * True if it came through a proxy, for a client that has as many requests
 * under way there as one address may have connections: to be refused.
 */
bool http_is_crowded(const struct http_request *);

/* True if it came from where http_trust() said. */
bool http_from_proxy(const struct http_request *);

/*
 * True if both are of one client: an IPv4 address, or the network of 64 bits
 * of an IPv6 one.
 */
bool http_same_client(const struct http_request *, const struct http_request *);

/*
 * A hash of such a client; what it is without knowing the seed, 16 random
 * bytes, nobody can tell.
 */
uint64_t http_address_hash(const struct http_address *,
    const uint64_t seed[2]);

/* True if it is this machine's own: loopback, or a socket file without one. */
bool http_address_is_local(const struct http_address *);

/* ---- answers ---- */

struct http_header {
	const char *name;
	const char *value;
};

/*
 * Answer with these headers (a NULL name ends them; 'headers' may be NULL) and
 * a copy of body.  X-Content-Type-Options and Referrer-Policy are added to
 * every answer.  type may be NULL if there is no body.  When there is no
 * memory the connection is closed instead.
 */
void http_reply(struct http_request *, unsigned status, const char *type,
    const void *body, size_t n, const struct http_header *headers);

/*
 * Answer with a body that is made as the client takes it.  fill() puts up to
 * max bytes at p and returns how many, or one of these.  It must not reply or
 * wake.
 */
#define HTTP_SLEEP	0	/* nothing now: wait for http_wake() */
#define HTTP_END	(-1)	/* that was all */
#define HTTP_ABORT	(-2)	/* close, so that the client sees it was cut */
void http_reply_stream(struct http_request *, unsigned status,
    const char *type, const struct http_header *headers,
    ssize_t (*fill)(struct http_request *, char *p, size_t max));

/* Call fill() again.  Does nothing if the request does not sleep in it. */
void http_wake(struct http_request *);

/*
 * Answer GET or HEAD with the file 'name' (of segments of [A-Za-z0-9._-] that
 * do not start with a dot) below the directory dirfd.  The type follows from
 * the name's end; NAME.gz is sent in its place to who takes gzip; ETag and
 * If-None-Match are served.  A name that carries a hash (a part of 8 to 64
 * hex digits between dots, rr.0a1b2c3d.js) may be kept for a year, any other
 * as 'cache' (a Cache-Control value) says.  True if it replied, false if
 * there is no such file: then the request is as it was.
 */
bool http_reply_file(struct http_request *, int dirfd, const char *name,
    const char *cache, const struct http_header *headers);

#endif
