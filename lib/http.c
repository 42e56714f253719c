#include "http.h"

#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "listen.h"

#define ACCEPT_MAX	64	/* connections taken from a socket a run */
#define BUCKETS		4096	/* addresses are counted by their hash */
#define TRUST_MAX	64	/* proxies and networks that are trusted */
#define FORWARDED_MAX	8	/* X-Forwarded-For headers of a request */
#define STREAM_BLOCK	16384	/* bytes asked of fill() at a time */
#define LENGTH_DIGITS	19	/* of a Content-Length */
#define SWEEP_MS	1000	/* how often late requests are looked for */
#define GRACE_MS	500	/* for a request to come, before the end */

struct http_conn {
	LIST_ENTRY(http_conn) link;
	int fd;
	bool local;			/* came over a socket file */
	bool counted;
	unsigned bucket;
	struct http_address peer;
	uint64_t since;			/* ms: waits for a request since */
	uint64_t sending;		/* ms: sends since; 0: it does not */
	uint64_t taken;			/* bytes the client had taken then */
	struct http_request *request;
};

struct network {
	struct http_address address;
	unsigned bits;
};

struct http {
	struct MHD_Daemon *daemon;
	struct http_program program;
	struct http_limits limits;
	int epoll;			/* the daemon's epoll and our sockets */
	int listeners[LISTEN_MAX];
	int nlisteners;
	bool listening;			/* the listeners are in epoll */
	bool quiet;
	bool trust_unix;
	int ntrusted;
	struct network trusted[TRUST_MAX];
	LIST_HEAD(, http_conn) conns;
	unsigned nconns;
	unsigned nrequests;
	struct http_conn *adding;	/* for the daemon's notice of it */
	uint64_t swept;
	uint64_t seed[2];
	uint16_t counts[BUCKETS];
};

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- addresses ---- */

static void
address_v4(struct http_address *a, const struct in_addr *in)
{
	memset(a->ip, 0, 10);
	a->ip[10] = a->ip[11] = 0xff;
	memcpy(a->ip + 12, in, 4);
}

static void
address_of(const struct sockaddr_storage *ss, struct http_address *a)
{
	memset(a, 0, sizeof(*a));
	if (ss->ss_family == AF_INET)
		address_v4(a, &((const struct sockaddr_in *)ss)->sin_addr);
	else if (ss->ss_family == AF_INET6)
		memcpy(a->ip, &((const struct sockaddr_in6 *)ss)->sin6_addr,
		    16);
}

/* Read an address, with or without brackets and a port.  True if it is one. */
static bool
address_parse(const char *p, size_t n, struct http_address *a)
{
	char text[INET6_ADDRSTRLEN + 8];
	struct in_addr in;
	char *end;

	if (n == 0 || n >= sizeof(text))
		return false;
	memcpy(text, p, n);
	text[n] = '\0';
	if (text[0] == '[') {
		if ((end = strchr(text, ']')) == NULL)
			return false;
		*end = '\0';
		return inet_pton(AF_INET6, text + 1, a->ip) == 1;
	}
	if (inet_pton(AF_INET6, text, a->ip) == 1)
		return true;
	if ((end = strchr(text, ':')) != NULL)
		*end = '\0';
	if (inet_pton(AF_INET, text, &in) != 1)
		return false;
	address_v4(a, &in);
	return true;
}

bool
http_address_is_local(const struct http_address *a)
{
	static const unsigned char v4[13] = { [10] = 0xff, 0xff, 127 };
	const struct in6_addr *v6 = (const struct in6_addr *)a->ip;

	return memcmp(a->ip, v4, 13) == 0 || IN6_IS_ADDR_LOOPBACK(v6) ||
	    IN6_IS_ADDR_UNSPECIFIED(v6);
}

bool
http_same_client(const struct http_request *a, const struct http_request *b)
{
	bool v4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)a->client.ip);

	return memcmp(a->client.ip, b->client.ip, v4 ? 16 : 8) == 0;
}

static bool
network_has(const struct network *n, const struct http_address *a)
{
	unsigned bytes = n->bits / 8, rest = n->bits % 8;

	if (memcmp(n->address.ip, a->ip, bytes) != 0)
		return false;
	return rest == 0 ||
	    ((n->address.ip[bytes] ^ a->ip[bytes]) >> (8 - rest)) == 0;
}

static bool
is_trusted(const struct http *h, const struct http_address *a)
{
	for (int i = 0; i < h->ntrusted; i++)
		if (network_has(&h->trusted[i], a))
			return true;
	return false;
}

int
http_trust(struct http *h, const char *spec)
{
	struct network n;
	const char *slash = strchr(spec, '/'), *errstr;
	size_t len = slash != NULL ? (size_t)(slash - spec) : strlen(spec);
	unsigned shift;

	if (strcmp(spec, "unix") == 0) {
		h->trust_unix = true;
		return 0;
	}
	if (h->ntrusted == TRUST_MAX ||
	    !address_parse(spec, len, &n.address))
		return -1;
	n.bits = 128;
	if (slash != NULL) {
		shift = memchr(spec, ':', len) == NULL ? 96 : 0;
		n.bits = shift + (unsigned)strtonum(slash + 1, 0, 128 - shift,
		    &errstr);
		if (errstr != NULL)
			return -1;
	}
	h->trusted[h->ntrusted++] = n;
	return 0;
}

const char *
http_address_text(const struct http_address *a, char text[HTTP_ADDRESS_MAX])
{
	static const struct http_address none;

	if (memcmp(a, &none, sizeof(none)) == 0)
		return memcpy(text, "-", 2);
	if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)a->ip))
		inet_ntop(AF_INET, a->ip + 12, text, HTTP_ADDRESS_MAX);
	else
		inet_ntop(AF_INET6, a->ip, text, HTTP_ADDRESS_MAX);
	return text;
}

/* Each bit of the result depends on all bits of x. */
static uint64_t
mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

uint64_t
http_address_hash(const struct http_address *a, const uint64_t seed[2])
{
	uint64_t high, low = 0;

	memcpy(&high, a->ip, 8);
	if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)a->ip))
		memcpy(&low, a->ip + 8, 8);
	return mix(mix(high + seed[0]) ^ (low + seed[1]));
}

static unsigned
bucket_of(const struct http *h, const struct http_address *a)
{
	return (unsigned)(http_address_hash(a, h->seed) % BUCKETS);
}

struct forwarded {
	int n;
	const char *values[FORWARDED_MAX];
};

static enum MHD_Result
see_forwarded(void *arg, enum MHD_ValueKind kind, const char *key,
    const char *value)
{
	struct forwarded *f = arg;

	(void)kind;
	if (value != NULL && strcasecmp(key, "X-Forwarded-For") == 0) {
		if (f->n == FORWARDED_MAX) {
			memmove(f->values, f->values + 1,
			    sizeof(f->values) - sizeof(f->values[0]));
			f->n--;
		}
		f->values[f->n++] = value;
	}
	return MHD_YES;
}

bool
http_from_proxy(const struct http_request *r)
{
	const struct http_conn *c = r->conn;

	return c->local ? r->http->trust_unix : is_trusted(r->http, &c->peer);
}

/*
 * Who sent it: behind trusted proxies, the last address in X-Forwarded-For
 * that is none of theirs, since what stands left of it is the client's word.
 */
static void
find_client(struct http_request *r)
{
	struct http_conn *c = r->conn;
	struct forwarded f = { .n = 0 };
	struct http_address a;
	const char *start, *end, *item, *p;

	r->client = c->peer;
	if (!http_from_proxy(r))
		return;
	MHD_get_connection_values(r->connection, MHD_HEADER_KIND,
	    see_forwarded, &f);
	while (f.n-- > 0) {
		start = f.values[f.n];
		end = start + strlen(start);
		do {
			for (p = end; p > start && p[-1] != ','; p--)
				;
			item = p + strspn(p, " \t");
			if (!address_parse(item, strcspn(item, ", \t"), &a))
				return;
			r->client = a;
			if (!is_trusted(r->http, &a))
				return;
			end = p - 1;		/* the comma */
		} while (p > start);
	}
}

/* ---- connections ---- */

static void
listeners_watch(struct http *h, bool on)
{
	struct epoll_event ev = { .events = EPOLLIN };

	if (on == h->listening)
		return;
	for (int i = 0; i < h->nlisteners; i++) {
		ev.data.fd = h->listeners[i];
		epoll_ctl(h->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
		    h->listeners[i], &ev);
	}
	h->listening = on;
}

/*
 * One more for this address; false if it has as many as it may.  This machine
 * and proxies may have any number: then *counted stays false.
 */
static bool
count_address(struct http *h, const struct http_address *a, unsigned *bucket,
    bool *counted)
{
	if (h->limits.per_address == 0 || http_address_is_local(a) ||
	    is_trusted(h, a))
		return true;
	*bucket = bucket_of(h, a);
	if (h->counts[*bucket] >= h->limits.per_address)
		return false;
	h->counts[*bucket]++;
	*counted = true;
	return true;
}

static void
conn_free(struct http *h, struct http_conn *c)
{
	if (c->counted)
		h->counts[c->bucket]--;
	LIST_REMOVE(c, link);
	h->nconns--;
	free(c);
	if (!h->quiet)
		listeners_watch(h, h->nconns < h->limits.connections);
}

/* The daemon has taken a connection, or is done with it. */
static void
see_connection(void *arg, struct MHD_Connection *connection, void **context,
    enum MHD_ConnectionNotificationCode code)
{
	struct http *h = arg;

	(void)connection;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = h->adding;
		h->adding = NULL;
	} else if (*context != NULL) {
		conn_free(h, *context);
		*context = NULL;
	}
}

static void
conn_add(struct http *h, int fd, const struct sockaddr_storage *ss,
    socklen_t len)
{
	struct http_conn *c;

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		close(fd);
		return;
	}
	c->fd = fd;
	c->local = ss->ss_family == AF_UNIX;
	c->since = now_ms();
	address_of(ss, &c->peer);
	if (!c->local && !count_address(h, &c->peer, &c->bucket,
	    &c->counted)) {
		close(fd);
		free(c);
		return;
	}
	LIST_INSERT_HEAD(&h->conns, c, link);
	h->nconns++;
	h->adding = c;
	/* On failure it closes fd, and has told see_connection() or not. */
	if (MHD_add_connection(h->daemon, fd, (const struct sockaddr *)ss,
	    len) == MHD_NO && h->adding != NULL)
		conn_free(h, c);
	h->adding = NULL;
}

/* Take connections that wait. */
static void
accept_some(struct http *h, int listener)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd;

	for (int i = 0; i < ACCEPT_MAX &&
	    h->nconns < h->limits.connections; i++) {
		len = sizeof(ss);
		memset(&ss, 0, sizeof(ss));
		fd = accept4(listener, (struct sockaddr *)&ss, &len,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd == -1) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			/* Without descriptors or memory it is tried again
			 * when a connection ends, or in a while. */
			if (errno != EAGAIN)
				listeners_watch(h, false);
			break;
		}
		conn_add(h, fd, &ss, len);
	}
	if (h->nconns >= h->limits.connections)
		listeners_watch(h, false);
}

/*
 * Before the end: who has just come, or was just answered, may have a request
 * on its way.  Of the others, what has arrived is still read, then its end.
 */
static void
shut_idle(struct http *h, uint64_t now)
{
	struct http_conn *c;

	LIST_FOREACH(c, &h->conns, link)
		if (c->request == NULL && now - c->since >= GRACE_MS)
			shutdown(c->fd, SHUT_RD);
}

/* Bytes that the client has acknowledged; -1 if that is not to be known. */
static int64_t
bytes_taken(const struct http_conn *c)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (c->local || getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info,
	    &len) == -1 || len < offsetof(struct tcp_info, tcpi_bytes_acked) +
	    sizeof(info.tcpi_bytes_acked))
		return -1;
	return (int64_t)info.tcpi_bytes_acked;
}

/* True if there is something to send and the client takes next to nothing. */
static bool
is_slow(struct http_conn *c, uint64_t now, uint64_t allowed)
{
	int64_t taken;

	if (c->request == NULL || !c->request->replied ||
	    c->request->sleeping || (taken = bytes_taken(c)) == -1) {
		c->sending = 0;
	} else if (c->sending == 0 ||
	    (uint64_t)taken >= c->taken + HTTP_SEND_MIN) {
		c->sending = now;
		c->taken = (uint64_t)taken;
	}
	return c->sending != 0 && now - c->sending > allowed;
}

/*
 * Once a second: cut connections whose request does not arrive, or whose
 * answer is not taken, and listen again if accept() failed.
 */
static void
sweep(struct http *h, uint64_t now)
{
	struct http_conn *c;
	uint64_t allowed = (uint64_t)h->limits.receive * 1000;

	if (now - h->swept < SWEEP_MS)
		return;
	h->swept = now;
	if (!h->quiet && h->nconns < h->limits.connections)
		listeners_watch(h, true);
	if (allowed == 0)
		return;
	LIST_FOREACH(c, &h->conns, link)
		if ((c->since != 0 && now - c->since > allowed) ||
		    is_slow(c, now, allowed))
			shutdown(c->fd, SHUT_RDWR);
}

/* ---- requests ---- */

/* Hand the response over.  MHD_NO closes the connection. */
static enum MHD_Result
request_queue(struct http_request *r)
{
	enum MHD_Result ok;

	if (r->response == NULL)
		return MHD_NO;
	ok = MHD_queue_response(r->connection, r->status, r->response);
	MHD_destroy_response(r->response);
	r->response = NULL;
	return ok;
}

static bool
is_chunked(struct MHD_Connection *c)
{
	return MHD_lookup_connection_value(c, MHD_HEADER_KIND,
	    MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
}

struct framing {
	unsigned hosts;
	unsigned lengths;
	unsigned codings;
	bool bad;
};

static enum MHD_Result
see_framing(void *arg, enum MHD_ValueKind kind, const char *key, size_t nkey,
    const char *value, size_t nvalue)
{
	struct framing *f = arg;

	(void)kind;
	for (size_t i = 0; i < nkey; i++)
		if (key[i] <= ' ' || key[i] > '~')
			f->bad = true;
	for (size_t i = 0; i < nvalue; i++)
		if (((unsigned char)value[i] < ' ' && value[i] != '\t') ||
		    value[i] == 0x7f)
			f->bad = true;
	if (strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0)
		f->hosts++;
	else if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
		f->lengths++;
		/* The daemon takes 2^64-1 for a length that is not known. */
		f->bad |= nvalue > LENGTH_DIGITS;
	} else if (strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		f->codings++;
		if (value == NULL || strcasecmp(value, "chunked") != 0)
			f->bad = true;
	}
	return MHD_YES;
}

/*
 * False if a proxy before us may see another end of the request, or another
 * host, than we do: then somebody could hide a request in the body of one.
 * Source: RFC 9112, 3.2, 5.1, 6.1 and 6.3; the daemon lets these pass.
 */
static bool
head_is_clear(struct MHD_Connection *c, const char *version)
{
	struct framing f = { 0 };

	MHD_get_connection_values_n(c, MHD_HEADER_KIND, see_framing, &f);
	return !f.bad && f.hosts <= 1 && f.lengths + f.codings <= 1 &&
	    (f.codings == 0 ||
	    strcmp(version, MHD_HTTP_VERSION_1_1) == 0);
}

/* Answer it, without asking the program, and close the connection. */
static enum MHD_Result
refuse_head(struct MHD_Connection *c)
{
	static char text[] = "the request's head is malformed\n";
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    sizeof(text) - 1, text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result ok;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
	    "text/plain");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	ok = MHD_queue_response(c, MHD_HTTP_BAD_REQUEST, response);
	MHD_destroy_response(response);
	return ok;
}

static void
split_path(struct http_request *r)
{
	const char *p = r->path, *end;

	while (*p == '/') {
		p++;
		end = strchrnul(p, '/');
		if (r->nsegments == HTTP_SEGMENTS_MAX) {
			r->nsegments = -1;
			return;
		}
		r->segments[r->nsegments].p = p;
		r->segments[r->nsegments++].len = (size_t)(end - p);
		p = end;
	}
}

static struct http_request *
request_new(struct http *h, struct MHD_Connection *connection,
    const char *path, const char *method)
{
	static const struct {
		const char *name;
		enum http_method method;
	} methods[] = {
		{ "POST", HTTP_POST }, { "GET", HTTP_GET },
		{ "HEAD", HTTP_HEAD }, { "OPTIONS", HTTP_OPTIONS },
		{ "DELETE", HTTP_DELETE }, { "PUT", HTTP_PUT },
	};
	const union MHD_ConnectionInfo *info;
	struct http_request *r;
	const char *length;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return NULL;
	r->http = h;
	r->arg = h->program.arg;
	r->connection = connection;
	r->path = path;
	r->method = HTTP_OTHER;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(method, methods[i].name) == 0) {
			r->method = methods[i].method;
			break;
		}
	split_path(r);
	length = http_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
	if (is_chunked(connection))
		r->length = HTTP_LENGTH_UNKNOWN;
	else if (length != NULL)
		r->length = strtoull(length, NULL, 10);
	info = MHD_get_connection_info(connection,
	    MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	r->conn = info->socket_context;
	r->conn->request = r;
	find_client(r);
	if (http_from_proxy(r))
		r->crowded = !count_address(h, &r->client, &r->bucket,
		    &r->counted);
	h->nrequests++;
	return r;
}

/* A reply from begin(): send it now and close, or after the body. */
static bool
must_refuse_early(const struct http_request *r)
{
	if (r->length == 0)
		return false;
	return (r->length != HTTP_LENGTH_UNKNOWN &&
	    r->length > HTTP_DRAIN_MAX) ||
	    http_header(r, MHD_HTTP_HEADER_EXPECT) != NULL;
}

/*
 * The daemon's one call: first with the head, then with pieces of the body,
 * at last with none.  A response given in the first call makes it close the
 * connection, so that waits for the last one if it can.
 */
static enum MHD_Result
serve(void *arg, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *data, size_t *size,
    void **context)
{
	struct http *h = arg;
	struct http_request *r = *context;

	if (r == NULL) {
		if (!head_is_clear(connection, version))
			return refuse_head(connection);
		if ((r = request_new(h, connection, path, method)) == NULL)
			return MHD_NO;
		*context = r;
		h->program.begin(r);
		if (r->replied && must_refuse_early(r))
			return request_queue(r);
		return MHD_YES;
	}
	if (*size != 0) {
		if (!r->replied)
			h->program.body(r, data, *size);
		else if ((r->drained += *size) > HTTP_DRAIN_MAX)
			return MHD_NO;
		*size = 0;
		return MHD_YES;
	}
	r->conn->since = 0;
	if (!r->replied) {
		r->complete = true;
		h->program.end(r);
	}
	if (r->replied)
		return request_queue(r);
	r->sleeping = true;
	MHD_suspend_connection(connection);
	return MHD_YES;
}

static void
request_done(void *arg, struct MHD_Connection *connection, void **context,
    enum MHD_RequestTerminationCode code)
{
	struct http *h = arg;
	struct http_request *r = *context;

	(void)connection;
	(void)code;
	if (r == NULL)
		return;
	*context = NULL;
	h->program.done(r);
	if (r->response != NULL)
		MHD_destroy_response(r->response);
	if (r->counted)
		h->counts[r->bucket]--;
	r->conn->request = NULL;
	r->conn->since = now_ms();
	h->nrequests--;
	free(r);
}

bool
http_segment_is(const struct http_request *r, int i, const char *word)
{
	size_t n = strlen(word);

	return i < r->nsegments && r->segments[i].len == n &&
	    memcmp(r->segments[i].p, word, n) == 0;
}

static const char *
lookup(const struct http_request *r, enum MHD_ValueKind kind, const char *key)
{
	const char *value;
	size_t n;

	if (MHD_lookup_connection_value_n(r->connection, kind, key,
	    strlen(key), &value, &n) == MHD_NO || value == NULL ||
	    strlen(value) != n)
		return NULL;
	return value;
}

const char *
http_query(const struct http_request *r, const char *key)
{
	return lookup(r, MHD_GET_ARGUMENT_KIND, key);
}

const char *
http_header(const struct http_request *r, const char *name)
{
	return lookup(r, MHD_HEADER_KIND, name);
}

bool
http_is_crowded(const struct http_request *r)
{
	return r->crowded;
}

int
http_socket(const struct http_request *r)
{
	return r->conn->fd;
}

/* ---- answers ---- */

/* Add the headers and, if it can go now, send it. */
static void
reply(struct http_request *r, unsigned status, const char *type,
    struct MHD_Response *response, const struct http_header *headers)
{
	int n = 0;

	r->replied = true;
	r->status = status;
	r->response = response;
	if (response != NULL) {
		if (type != NULL)
			MHD_add_response_header(response,
			    MHD_HTTP_HEADER_CONTENT_TYPE, type);
		for (; headers != NULL && headers->name != NULL &&
		    n < HTTP_HEADERS_MAX; headers++, n++)
			MHD_add_response_header(response, headers->name,
			    headers->value);
		MHD_add_response_header(response, "X-Content-Type-Options",
		    "nosniff");
		MHD_add_response_header(response, "Referrer-Policy",
		    "no-referrer");
		if (r->http->quiet)
			MHD_add_response_header(response,
			    MHD_HTTP_HEADER_CONNECTION, "close");
	}
	if (!r->sleeping)
		return;			/* serve() queues it */
	r->sleeping = false;
	request_queue(r);		/* without a response serve() closes */
	MHD_resume_connection(r->connection);
}

void
http_reply(struct http_request *r, unsigned status, const char *type,
    const void *body, size_t n, const struct http_header *headers)
{
	reply(r, status, type, MHD_create_response_from_buffer(n,
	    (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY), headers);
}

static ssize_t
stream_fill(void *arg, uint64_t pos, char *p, size_t max)
{
	struct http_request *r = arg;
	ssize_t n = r->fill(r, p, max);

	(void)pos;
	switch (n) {
	case HTTP_SLEEP:
		r->sleeping = true;
		MHD_suspend_connection(r->connection);
		return 0;
	case HTTP_END:
		return MHD_CONTENT_READER_END_OF_STREAM;
	case HTTP_ABORT:
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	return n;
}

void
http_reply_stream(struct http_request *r, unsigned status, const char *type,
    const struct http_header *headers,
    ssize_t (*fill)(struct http_request *, char *, size_t))
{
	r->fill = fill;
	reply(r, status, type,
	    MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK,
	    stream_fill, r, NULL), headers);
}

void
http_wake(struct http_request *r)
{
	if (!r->sleeping || !r->replied)
		return;
	r->sleeping = false;
	MHD_resume_connection(r->connection);
}

/* ---- files ---- */

static const char *
file_type(const char *name)
{
	static const char *const types[][2] = {
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".mjs", "text/javascript; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".html", "text/html; charset=utf-8" },
		{ ".json", "application/json" },
		{ ".map", "application/json" },
		{ ".svg", "image/svg+xml" },
		{ ".png", "image/png" },
		{ ".ico", "image/x-icon" },
		{ ".woff2", "font/woff2" },
		{ ".txt", "text/plain; charset=utf-8" },
		{ ".ts", "text/plain; charset=utf-8" },
	};
	const char *end = strrchr(name, '.');

	for (size_t i = 0; end != NULL &&
	    i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(end, types[i][0]) == 0)
			return types[i][1];
	return "application/octet-stream";
}

/* Only words of plain characters that do not start with a dot. */
static bool
file_name_is_safe(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t n;

	for (;;) {
		n = strspn(name, plain);
		if (n == 0 || name[0] == '.')
			return false;
		if (name[n] == '\0')
			return true;
		if (name[n] != '/')
			return false;
		name += n + 1;
	}
}

static bool
file_name_has_hash(const char *name)
{
	size_t n;

	for (; (name = strchr(name, '.')) != NULL; name++) {
		n = strspn(name + 1, "0123456789abcdef");
		if (n >= 8 && n <= 64 && name[n + 1] == '.')
			return true;
	}
	return false;
}

bool
http_takes_gzip(const struct http_request *r)
{
	const char *p = http_header(r, MHD_HTTP_HEADER_ACCEPT_ENCODING);

	if (p == NULL || (p = strcasestr(p, "gzip")) == NULL)
		return false;
	p += strlen("gzip");
	p += strspn(p, " \t");
	return strncmp(p, ";q=0", 4) != 0 || (p[4] == '.' && p[5] != '0');
}

/* Open a plain file.  A link out of the directory is not followed. */
static int
file_open(int dirfd, const char *name, struct stat *st)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK);

	if (fd == -1)
		return -1;
	if (fstat(fd, st) == -1 || !S_ISREG(st->st_mode)) {
		close(fd);
		return -1;
	}
	return fd;
}

bool
http_reply_file(struct http_request *r, int dirfd, const char *name,
    const char *cache, const struct http_header *headers)
{
	struct http_header all[HTTP_HEADERS_MAX + 1];
	struct MHD_Response *response;
	struct stat st;
	char packed[512], etag[64];
	const char *known;
	bool gzip = false;
	int fd = -1, n = 0;

	if (!file_name_is_safe(name))
		return false;
	if (http_takes_gzip(r) && (size_t)snprintf(packed, sizeof(packed), "%s.gz",
	    name) < sizeof(packed))
		gzip = (fd = file_open(dirfd, packed, &st)) != -1;
	if (fd == -1 && (fd = file_open(dirfd, name, &st)) == -1)
		return false;

	snprintf(etag, sizeof(etag), "\"%llx-%llx%s\"",
	    (unsigned long long)st.st_size,
	    (unsigned long long)st.st_mtim.tv_sec * 1000000000 +
	    (unsigned long long)st.st_mtim.tv_nsec, gzip ? "-gz" : "");
	all[n++] = (struct http_header){ MHD_HTTP_HEADER_ETAG, etag };
	all[n++] = (struct http_header){ MHD_HTTP_HEADER_CACHE_CONTROL,
	    file_name_has_hash(name) ? "public, max-age=31536000, immutable" :
	    cache };
	all[n++] = (struct http_header){ MHD_HTTP_HEADER_VARY,
	    "Accept-Encoding" };
	if (gzip)
		all[n++] = (struct http_header){
		    MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip" };
	for (; headers != NULL && headers->name != NULL &&
	    n < HTTP_HEADERS_MAX; headers++)
		all[n++] = *headers;
	all[n].name = NULL;

	known = http_header(r, MHD_HTTP_HEADER_IF_NONE_MATCH);
	if (known != NULL && strstr(known, etag) != NULL) {
		close(fd);
		http_reply(r, MHD_HTTP_NOT_MODIFIED, NULL, "", 0, all);
		return true;
	}
	response = MHD_create_response_from_fd((size_t)st.st_size, fd);
	if (response == NULL)
		close(fd);
	reply(r, MHD_HTTP_OK, file_type(name), response, all);
	return true;
}

/* ---- the server ---- */

struct http *
http_new(const struct http_program *program, const struct http_limits *limits)
{
	const union MHD_DaemonInfo *info;
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = -1 };
	struct http *h;

	signal(SIGPIPE, SIG_IGN);
	if ((h = calloc(1, sizeof(*h))) == NULL)
		return NULL;
	h->program = *program;
	h->limits = *limits;
	h->listening = true;
	LIST_INIT(&h->conns);
	if (getrandom(h->seed, sizeof(h->seed), 0) != sizeof(h->seed) ||
	    (h->epoll = epoll_create1(EPOLL_CLOEXEC)) == -1) {
		free(h);
		return NULL;
	}
	h->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
	    MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, serve, h,
	    MHD_OPTION_NOTIFY_COMPLETED, request_done, h,
	    MHD_OPTION_NOTIFY_CONNECTION, see_connection, h,
	    MHD_OPTION_CONNECTION_LIMIT, limits->connections + 1,
	    MHD_OPTION_CONNECTION_TIMEOUT, limits->idle,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits->head,
	    MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
	    MHD_OPTION_END);
	if (h->daemon == NULL)
		goto fail;
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL ||
	    epoll_ctl(h->epoll, EPOLL_CTL_ADD, info->epoll_fd, &ev) == -1) {
		MHD_stop_daemon(h->daemon);
		goto fail;
	}
	return h;
fail:
	close(h->epoll);
	free(h);
	return NULL;
}

int
http_listen(struct http *h, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (h->nlisteners == LISTEN_MAX) {
		errno = ENOSPC;
		return -1;
	}
	if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
		return -1;
	h->listeners[h->nlisteners++] = fd;
	return 0;
}

int
http_fd(const struct http *h)
{
	return h->epoll;
}

int
http_timeout(struct http *h)
{
	unsigned long long ms;

	if (MHD_get_timeout(h->daemon, &ms) == MHD_NO || ms > SWEEP_MS)
		return h->nconns == 0 && h->listening ? -1 : SWEEP_MS;
	return (int)ms;
}

void
http_run(struct http *h)
{
	struct epoll_event events[LISTEN_MAX + 1];
	int n = epoll_wait(h->epoll, events, LISTEN_MAX + 1, 0);

	for (int i = 0; i < n; i++)
		if (events[i].data.fd != -1)
			accept_some(h, events[i].data.fd);
	MHD_run(h->daemon);
	if (h->quiet)
		shut_idle(h, now_ms());
	sweep(h, now_ms());
}

void
http_quiesce(struct http *h)
{
	if (h->quiet)
		return;
	for (int i = 0; i < h->nlisteners; i++)
		accept_some(h, h->listeners[i]);
	listeners_watch(h, false);
	h->nlisteners = 0;
	h->quiet = true;
	shut_idle(h, now_ms());
}

unsigned
http_connections(const struct http *h)
{
	return h->nconns;
}

unsigned
http_requests(const struct http *h)
{
	return h->nrequests;
}

void
http_free(struct http *h)
{
	struct http_conn *c;

	listeners_watch(h, false);
	h->quiet = true;
	LIST_FOREACH(c, &h->conns, link)
		if (c->request != NULL && c->request->sleeping) {
			c->request->sleeping = false;
			MHD_resume_connection(c->request->connection);
		}
	MHD_stop_daemon(h->daemon);
	close(h->epoll);
	free(h);
}
