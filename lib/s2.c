/*
 * The engine: calls on connections, by libcurl's multi_socket interface and
 * epoll.
 *
 * One multi handle is one connection, so that the calls of one stream stay on
 * it and the requests that it carries can be counted.  A connection may take no
 * more requests while it still carries some: S2 said so, or libcurl gave one
 * up.  Then one more is opened, and the first ends with what it carries.
 *
 * Cleartext HTTP/2 needs prior knowledge, and libcurl before 8.0 breaks when
 * a request with it meets a connection that is already there (curl issue
 * 10634).  So only the call that opens a connection asks for it; the others
 * wait until that one is connected, then ask for HTTP/2 as such, which joins
 * an existing connection.  If that connection went away meanwhile, such a
 * call would open one of HTTP/1.1: this is refused when it asks for a socket
 * (open_socket()), and the call starts again as the one that opens.  The same
 * goes for a connection that takes no more.
 */
#include <sys/epoll.h>
#include <sys/queue.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <curl/curl.h>

#include "s2.h"

#define CONNECT_TIMEOUT	5000	/* ms to a connection */
#define KEEPALIVE	15	/* s of silence until TCP asks for a sign */
#define UNACKED		15000	/* ms that sent bytes may stay unacknowledged */
#define REFUSED_END	200	/* ms for the text of a refusal to arrive */
#define REOPEN_DELAY	20	/* ms */
#define LARGE_PIECE	8192	/* bytes of an answer at once */
#define EVENTS_MAX	64	/* sockets looked at in one turn */
#define TURNS_MAX	4	/* turns of s2_run() */
#define SOCKETS_MAX	4	/* of a conn to one origin: old ones that end */

enum state {
	IDLE,
	DELAYED,	/* to be queued when 'due' */
	QUEUED,
	RUNNING,
	FAILED,		/* before it ran; done() is still to be called */
};

TAILQ_HEAD(calls, call);

/* A place to connect to: the account API, or basins. */
struct origin {
	bool cleartext;
	bool opening;		/* a call is about to open a connection */
	bool full;		/* what is open takes no more requests */
	unsigned opened;	/* times that one was opened */
	int sockets;		/* that are open */
	int socket[SOCKETS_MAX];
};

struct conn {
	struct s2 *s2;
	unsigned index;
	CURLM *multi;
	int64_t timer;		/* when libcurl wants to be called, or -1 */
	struct origin origins[2];
	bool unread;		/* libcurl may hold more of an answer */
	bool reading_on;	/* in read_on() */
	unsigned running;
	struct calls queued;
	struct calls failed;
};

struct s2 {
	const struct s2_conf *conf;
	int epfd;
	bool one_origin;	/* both endpoints are the same place */
	bool new_curl;		/* prior knowledge works throughout */
	struct conn conns[S2_CONNS_MAX];
	unsigned nconns;
	struct calls timed;	/* with a 'due' */
	struct calls resumed;	/* for which s2_call_resume() was called */
	struct calls all;
};

struct call {
	struct s2_call pub;	/* first: one is cast to the other */
	struct conn *conn;
	CURL *easy;
	struct curl_slist *headers;
	struct s2_request req;	/* its path and basin are not to be used */
	struct origin *origin;
	enum state state;
	int64_t due;		/* when to start, or to end; -1 */
	bool opens;		/* it opens the connection */
	bool denied;		/* it asked for a connection, and may not */
	unsigned opened;	/* the origin's, when it started */
	bool sent;		/* it was about to go out, at least */
	bool resumed;
	bool too_long;		/* the answer is */
	bool finished;		/* for s2_call_wait() */
	/* What headers and URL were made for. */
	bool is_set_up;
	char basin[S2_BASIN_MAX + 1];
	enum s2_type type;
	enum s2_type accept;
	bool had_token;
	char *path;		/* of the last request */
	char curl_error[CURL_ERROR_SIZE];
	TAILQ_ENTRY(call) queue;
	TAILQ_ENTRY(call) time;
	TAILQ_ENTRY(call) resume;
	TAILQ_ENTRY(call) every;
};

/* ---- libcurl's callbacks ---- */

static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct conn *conn = arg;
	struct epoll_event ev = { 0 };

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(conn->s2->epfd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		ev.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		ev.events |= EPOLLOUT;
	ev.data.u64 = (uint64_t)conn->index << 32 | (uint32_t)fd;
	if (epoll_ctl(conn->s2->epfd, known == NULL ? EPOLL_CTL_ADD :
	    EPOLL_CTL_MOD, fd, &ev) == -1)
		return -1;
	curl_multi_assign(conn->multi, fd, conn);
	return 0;
}

static int
set_timer(CURLM *multi, long ms, void *arg)
{
	struct conn *conn = arg;

	(void)multi;
	conn->timer = ms < 0 ? -1 : s2_now() + ms;
	return 0;
}

static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	const unsigned unacked = UNACKED;
	struct call *c = arg;
	int fd;

	(void)purpose;
	if ((c->origin->cleartext && !c->opens) ||
	    c->origin->sockets == SOCKETS_MAX) {
		c->denied = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	if (fd == -1)
		return CURL_SOCKET_BAD;
	/* Without it a peer that vanished is noticed after a quarter hour. */
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked,
	    sizeof unacked);
	c->origin->socket[c->origin->sockets++] = fd;
	return fd;
}

static int
close_socket(void *arg, curl_socket_t fd)
{
	struct origin *o = arg;
	int i;

	for (i = 0; i < o->sockets; i++)
		if (o->socket[i] == fd) {
			o->socket[i] = o->socket[--o->sockets];
			break;
		}
	return close(fd);
}

/*
 * The connection is there and the request is about to go out on it.  If an old
 * connection breaks without an answer, libcurl would send the request again by
 * itself; but it may have had its effect, so this is for the caller to decide.
 */
static int
connected(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	struct call *c = arg;

	(void)peer;
	(void)local;
	(void)peer_port;
	(void)local_port;
	if (c->sent)
		return CURL_PREREQFUNC_ABORT;
	c->sent = true;
	if (c->opens) {
		c->opens = false;
		c->origin->opening = false;
	}
	return CURL_PREREQFUNC_OK;
}

static void
set_due(struct call *c, int64_t due)
{
	struct s2 *s2 = c->conn->s2;

	if (c->due == -1 && due != -1)
		TAILQ_INSERT_TAIL(&s2->timed, c, time);
	else if (c->due != -1 && due == -1)
		TAILQ_REMOVE(&s2->timed, c, time);
	c->due = due;
}

static int
get_status(struct call *c)
{
	long status = 0;

	if (c->pub.status == 0) {
		curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
		c->pub.status = (int)status;
	}
	return c->pub.status;
}

static size_t
take_body(char *p, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	int status = get_status(c);
	curl_off_t whole;

	n *= size;
	if (n >= LARGE_PIECE || c->conn->reading_on)
		c->conn->unread = true;
	if (c->req.data != NULL && status >= 200 && status < 300) {
		if (c->req.data(c->req.arg, (unsigned char *)p, n) == -1)
			c->pub.error.aborted = true;
		return c->pub.error.aborted ? CURL_WRITEFUNC_ERROR : n;
	}
	if (status >= 300 && buf_size(&c->pub.body) + n > S2_ERROR_BODY_MAX)
		return n;
	if (buf_add(&c->pub.body, p, n) == -1) {
		c->too_long = true;
		return CURL_WRITEFUNC_ERROR;
	}
	if (c->req.send != NULL && status >= 300 && c->due != -1 &&
	    curl_easy_getinfo(c->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
	    &whole) == CURLE_OK && whole == (curl_off_t)buf_size(&c->pub.body))
		set_due(c, 0);
	return n;
}

/*
 * Only for calls with send(): libcurl does not say that the answer has ended
 * while there is nothing to send, so a refusal is given a moment for its
 * text and then ended by us.
 */
static size_t
take_header(char *p, size_t size, size_t n, void *arg)
{
	struct call *c = arg;

	n *= size;
	if (n <= 2 && p[0] == '\r' && c->due == -1) {
		if (get_status(c) >= 300)
			set_due(c, s2_now() + REFUSED_END);
		else if (c->pub.status < 200)
			c->pub.status = 0;
	}
	return n;
}

static size_t
give_body(char *p, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	ssize_t got;

	got = c->req.send(c->req.arg, (unsigned char *)p, size * n);
	if (got == S2_SEND_WAIT)
		return CURL_READFUNC_PAUSE;
	if (got < 0) {
		c->pub.error.aborted = true;
		return CURL_READFUNC_ABORT;
	}
	return got;
}

/* ---- Setting up and starting ---- */

static const char *
type_name(enum s2_type type)
{
	switch (type) {
	case S2_JSON:
		return "application/json";
	case S2_PROTO:
		return "application/protobuf";
	case S2_SESSION:
		return "s2s/proto";
	case S2_EVENTS:
		return "text/event-stream";
	case S2_TYPE_NONE:
		break;
	}
	return NULL;
}

static int
add_header(struct call *c, const char *name, const char *value)
{
	struct curl_slist *list;
	char line[8192];

	if (value == NULL)
		snprintf(line, sizeof line, "%s:", name);
	else if ((size_t)snprintf(line, sizeof line, "%s: %s", name, value) >=
	    sizeof line)
		return -1;
	list = curl_slist_append(c->headers, line);
	if (list == NULL)
		return -1;
	c->headers = list;
	return 0;
}

static int
set_headers(struct call *c, const struct s2_request *req)
{
	const struct s2_conf *conf = c->conn->s2->conf;
	char bearer[8192];

	curl_slist_free_all(c->headers);
	c->headers = NULL;
	if (conf->token != NULL) {
		if ((size_t)snprintf(bearer, sizeof bearer, "Bearer %s",
		    conf->token) >= sizeof bearer ||
		    add_header(c, "Authorization", bearer) == -1)
			return -1;
	}
	if (req->basin != NULL && !conf->subdomain &&
	    add_header(c, "S2-Basin", req->basin) == -1)
		return -1;
	/* Without these libcurl adds a type of its own, and asks to go on. */
	if (add_header(c, "Content-Type", type_name(req->type)) == -1 ||
	    add_header(c, "Accept", type_name(req->accept != S2_TYPE_NONE ?
	    req->accept : req->type == S2_SESSION ? S2_SESSION :
	    S2_JSON)) == -1 || add_header(c, "Expect", NULL) == -1)
		return -1;
	if (req->token != NULL &&
	    add_header(c, "s2-request-token", req->token) == -1)
		return -1;
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
	return 0;
}

static void
set_url(struct call *c, const struct s2_request *req)
{
	const struct s2_conf *conf = c->conn->s2->conf;
	const char *origin = req->basin == NULL ? conf->account : conf->basin;
	const char *host = strstr(origin, "://") + 3;
	char url[S2_ORIGIN_MAX + S2_BASIN_MAX + 8];

	if (req->basin != NULL && conf->subdomain)
		snprintf(url, sizeof url, "%.*s%s.%s/", (int)(host - origin),
		    origin, req->basin, host);
	else
		snprintf(url, sizeof url, "%s/", origin);
	curl_easy_setopt(c->easy, CURLOPT_URL, url);
	c->origin = &c->conn->origins[req->basin != NULL &&
	    !c->conn->s2->one_origin];
	curl_easy_setopt(c->easy, CURLOPT_CLOSESOCKETDATA, c->origin);
}

/* Headers and URL stay as they are from request to request, as a rule. */
static int
set_up(struct call *c, const struct s2_request *req)
{
	const char *basin = req->basin != NULL ? req->basin : "";

	if (c->is_set_up && strcmp(c->basin, basin) == 0 &&
	    c->type == req->type && c->accept == req->accept &&
	    req->token == NULL && !c->had_token)
		return 0;
	c->is_set_up = false;
	set_url(c, req);
	if (set_headers(c, req) == -1)
		return -1;
	strlcpy(c->basin, basin, sizeof c->basin);
	c->type = req->type;
	c->accept = req->accept;
	c->had_token = req->token != NULL;
	c->is_set_up = true;
	return 0;
}

static void
set_method(struct call *c)
{
	const struct s2_request *req = &c->req;
	bool post = strcmp(req->method, "POST") == 0;
	bool has_body = req->body != NULL || req->send != NULL || post;

	curl_easy_setopt(c->easy, has_body ? CURLOPT_POST : CURLOPT_HTTPGET,
	    1L);
	curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, post ||
	    strcmp(req->method, "GET") == 0 ? NULL : req->method);
	if (req->send != NULL) {
		curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, NULL);
		curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)-1);
		curl_easy_setopt(c->easy, CURLOPT_READFUNCTION, give_body);
		curl_easy_setopt(c->easy, CURLOPT_READDATA, c);
		curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, take_header);
		curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
	} else {
		curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, NULL);
		curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, NULL);
		if (has_body) {
			curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS,
			    req->body != NULL ? req->body : "");
			curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE,
			    (curl_off_t)req->size);
		}
	}
	curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)req->timeout);
	curl_easy_setopt(c->easy, CURLOPT_LOW_SPEED_LIMIT,
	    req->silence > 0 ? 1L : 0L);
	curl_easy_setopt(c->easy, CURLOPT_LOW_SPEED_TIME, (long)req->silence);
}

static void
set_version(struct call *c)
{
	struct origin *o = c->origin;
	long version = CURL_HTTP_VERSION_2TLS;

	c->opens = false;
	if (o->cleartext) {
		version = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
		if (o->sockets == 0 || o->full) {
			c->opens = o->opening = true;
			o->full = false;
			o->opened++;
		} else if (!c->conn->s2->new_curl) {
			version = CURL_HTTP_VERSION_2_0;
		}
	}
	c->opened = o->opened;
	curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, version);
	curl_easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, c->opens ? 1L : 0L);
}

/* Over without having run; done() is called by s2_run(). */
static void
fail(struct call *c)
{
	c->state = FAILED;
	c->pub.failed = true;
	TAILQ_INSERT_TAIL(&c->conn->failed, c, queue);
}

/* Take a call that runs off its connection, whatever became of it. */
static void
call_stop(struct call *c)
{
	struct conn *conn = c->conn;

	if (c->resumed) {
		TAILQ_REMOVE(&conn->s2->resumed, c, resume);
		c->resumed = false;
	}
	set_due(c, -1);
	if (c->state == QUEUED) {
		TAILQ_REMOVE(&conn->queued, c, queue);
	} else if (c->state == FAILED) {
		TAILQ_REMOVE(&conn->failed, c, queue);
	} else if (c->state == RUNNING) {
		curl_multi_remove_handle(conn->multi, c->easy);
		conn->running--;
		if (c->opens)
			c->origin->opening = false;
	}
	c->state = IDLE;
}

/* Start what waits, as far as it may. */
static void
start_queued(struct conn *conn)
{
	struct call *c, *next;

	for (c = TAILQ_FIRST(&conn->queued); c != NULL &&
	    conn->running < S2_CONN_CALLS_MAX; c = next) {
		next = TAILQ_NEXT(c, queue);
		if (c->origin->opening)
			continue;
		TAILQ_REMOVE(&conn->queued, c, queue);
		set_version(c);
		c->state = RUNNING;
		conn->running++;
		if (curl_multi_add_handle(conn->multi, c->easy) != CURLM_OK) {
			call_stop(c);
			s2_error_local(&c->pub.error, true,
			    "cannot start a request: out of memory");
			fail(c);
		}
	}
}

static void
enqueue(struct call *c)
{
	c->state = QUEUED;
	c->pub.status = 0;
	c->curl_error[0] = '\0';
	c->denied = c->sent = c->too_long = false;
	buf_clear(&c->pub.body);
	TAILQ_INSERT_TAIL(&c->conn->queued, c, queue);
}

/* ---- Ending ---- */

static void
set_transport_error(struct call *c, const char *what, CURLcode rc)
{
	const struct s2_conf *conf = c->conn->s2->conf;
	struct s2_error *e = &c->pub.error;
	bool aborted = e->aborted;
	const char *why = c->curl_error[0] != '\0' ? c->curl_error :
	    curl_easy_strerror(rc);

	if (c->too_long) {
		s2_error_local(e, false, "%s: the answer is longer than %zu "
		    "bytes", what, c->pub.body.max);
		return;
	}
	if (c->sent && !aborted &&
	    (c->denied || rc == CURLE_ABORTED_BY_CALLBACK))
		why = "the connection broke before an answer came";
	else if (rc == CURLE_COULDNT_CONNECT && !aborted)
		why = "nobody answers there; is S2 up? rr doctor looks";
	s2_error_local(e, true, "%s: %s: %s", what, c->basin[0] == '\0' ?
	    conf->account : conf->basin, why);
	e->aborted = aborted;
	e->no_side_effect = !c->sent;
	if (rc == CURLE_PEER_FAILED_VERIFICATION ||
	    rc == CURLE_SSL_CACERT_BADFILE ||
	    rc == CURLE_UNSUPPORTED_PROTOCOL || rc == CURLE_URL_MALFORMAT) {
		e->retryable = false;
		e->exit = EXIT_CONFIG;
	}
}

static void
set_error(struct call *c, CURLcode rc)
{
	struct curl_header *after;
	char request[16 + S2_PATH_MAX];
	const char *what = c->req.what;
	int status = get_status(c);

	if (what == NULL) {
		snprintf(request, sizeof request, "%s %s", c->req.method,
		    c->path);
		what = request;
	}
	c->pub.failed = true;
	/* A refusal may come before the request has been sent whole. */
	if (status < 300) {
		set_transport_error(c, what, rc);
		return;
	}
	s2_error_answer(&c->pub.error, what, status, buf_bytes(&c->pub.body),
	    buf_size(&c->pub.body));
	if (curl_easy_header(c->easy, "retry-after-ms", 0, CURLH_HEADER, -1,
	    &after) == CURLHE_OK)
		c->pub.error.retry_after = (unsigned)strtoul(after->value,
		    NULL, 10);
}

/* The connection could not be opened: nor could it for those that wait. */
static void
fail_waiting(struct conn *conn, const struct origin *o,
    const struct s2_error *e)
{
	struct call *c, *next;

	for (c = TAILQ_FIRST(&conn->queued); c != NULL; c = next) {
		next = TAILQ_NEXT(c, queue);
		if (c->origin != o)
			continue;
		TAILQ_REMOVE(&conn->queued, c, queue);
		c->pub.error = *e;
		fail(c);
	}
}

static void
call_done(struct call *c)
{
	c->finished = true;
	if (c->req.done != NULL)
		c->req.done(&c->pub, c->req.arg);
}

static void
call_end(struct call *c, CURLcode rc)
{
	bool opened_not = c->opens && rc != CURLE_OK;
	int status = get_status(c);

	call_stop(c);
	if (c->denied && !c->sent) {
		/* Others may still use a connection that takes no more. */
		if (c->opened == c->origin->opened &&
		    c->origin->sockets < SOCKETS_MAX)
			c->origin->full = true;
		c->state = DELAYED;
		set_due(c, s2_now() + (c->origin->sockets > 0 ?
		    REOPEN_DELAY : 0));
		return;
	}
	if (rc != CURLE_OK || status < 200 || status >= 300)
		set_error(c, rc);
	if (opened_not)
		fail_waiting(c->conn, c->origin, &c->pub.error);
	call_done(c);
}

/* ---- The engine ---- */

static int
conn_init(struct s2 *s2, struct conn *conn, unsigned index)
{
	const struct s2_conf *conf = s2->conf;

	conn->s2 = s2;
	conn->index = index;
	conn->timer = -1;
	conn->origins[0].cleartext = strncmp(conf->account, "http:", 5) == 0;
	conn->origins[1].cleartext = strncmp(conf->basin, "http:", 5) == 0;
	TAILQ_INIT(&conn->queued);
	TAILQ_INIT(&conn->failed);
	conn->multi = curl_multi_init();
	if (conn->multi == NULL)
		return -1;
	curl_multi_setopt(conn->multi, CURLMOPT_PIPELINING,
	    (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(conn->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
	    (long)SOCKETS_MAX);
	curl_multi_setopt(conn->multi, CURLMOPT_MAX_CONCURRENT_STREAMS,
	    (long)S2_CONN_CALLS_MAX);
	curl_multi_setopt(conn->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(conn->multi, CURLMOPT_SOCKETDATA, conn);
	curl_multi_setopt(conn->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(conn->multi, CURLMOPT_TIMERDATA, conn);
	return 0;
}

struct s2 *
s2_new(const struct s2_conf *conf, unsigned conns)
{
	struct s2 *s2;
	unsigned i;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
	    (s2 = calloc(1, sizeof *s2)) == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	s2->conf = conf;
	s2->one_origin = !conf->subdomain &&
	    strcmp(conf->account, conf->basin) == 0;
	s2->new_curl =
	    curl_version_info(CURLVERSION_NOW)->version_num >= 0x080000;
	TAILQ_INIT(&s2->timed);
	TAILQ_INIT(&s2->resumed);
	TAILQ_INIT(&s2->all);
	s2->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (s2->epfd == -1) {
		free(s2);
		return NULL;
	}
	for (i = 0; i < conns && i < S2_CONNS_MAX; i++) {
		if (conn_init(s2, &s2->conns[i], i) == -1) {
			s2_free(s2);
			errno = ENOMEM;
			return NULL;
		}
		s2->nconns++;
	}
	return s2;
}

void
s2_free(struct s2 *s2)
{
	struct call *c;
	unsigned i;

	if (s2 == NULL)
		return;
	while ((c = TAILQ_FIRST(&s2->all)) != NULL)
		s2_call_free(&c->pub);
	for (i = 0; i < s2->nconns; i++)
		curl_multi_cleanup(s2->conns[i].multi);
	close(s2->epfd);
	free(s2);
}

int
s2_fd(const struct s2 *s2)
{
	return s2->epfd;
}

int
s2_timeout(const struct s2 *s2)
{
	const struct conn *conn;
	const struct call *c;
	int64_t due = -1, left;
	unsigned i;

	if (!TAILQ_EMPTY(&s2->resumed))
		return 0;
	for (i = 0; i < s2->nconns; i++) {
		conn = &s2->conns[i];
		if (conn->unread || !TAILQ_EMPTY(&conn->failed))
			return 0;
		if (conn->running < S2_CONN_CALLS_MAX)
			TAILQ_FOREACH(c, &conn->queued, queue)
				if (!c->origin->opening)
					return 0;
		if (conn->timer != -1 && (due == -1 || conn->timer < due))
			due = conn->timer;
	}
	TAILQ_FOREACH(c, &s2->timed, time)
		if (due == -1 || c->due < due)
			due = c->due;
	if (due == -1)
		return -1;
	left = due - s2_now();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* Calls whose time has come: to start, or to end after a refusal. */
static void
run_timed(struct s2 *s2)
{
	struct call *c;
	int64_t now;

	if (TAILQ_EMPTY(&s2->timed))
		return;
	now = s2_now();
again:
	TAILQ_FOREACH(c, &s2->timed, time) {
		if (c->due > now)
			continue;
		set_due(c, -1);
		if (c->state == DELAYED)
			enqueue(c);
		else
			call_end(c, CURLE_OK);
		goto again;	/* done() may have changed the list */
	}
}

/*
 * libcurl 7.88 reads up to 32 kB of HTTP/2 from a socket but takes at most 16
 * of them for a call, and leaves the rest until the socket is readable again,
 * which it may not be for a long time.  So after a large piece it is made to
 * look, until there is nothing more.
 */
static void
read_on(struct conn *conn)
{
	const struct origin *o;
	int i, left;

	conn->unread = false;
	conn->reading_on = true;
	for (o = conn->origins; o < conn->origins + 2; o++)
		for (i = 0; i < o->sockets; i++)
			curl_multi_socket_action(conn->multi, o->socket[i],
			    CURL_CSELECT_IN, &left);
	conn->reading_on = false;
}

static void
run_conn(struct conn *conn)
{
	struct call *c;
	CURLMsg *msg;
	CURLcode rc;
	int left;

	start_queued(conn);
	if (conn->unread)
		read_on(conn);
	if (conn->timer != -1 && conn->timer <= s2_now()) {
		conn->timer = -1;
		curl_multi_socket_action(conn->multi, CURL_SOCKET_TIMEOUT, 0,
		    &left);
	}
	while ((msg = curl_multi_info_read(conn->multi, &left)) != NULL) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		rc = msg->data.result;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &c);
		call_end(c, rc);
	}
	while ((c = TAILQ_FIRST(&conn->failed)) != NULL) {
		call_stop(c);
		call_done(c);
	}
}

static void
set_tcp(const struct s2 *s2, int option, int value)
{
	const struct conn *conn;
	const struct origin *o;
	int i;

	for (conn = s2->conns; conn < s2->conns + s2->nconns; conn++)
		for (o = conn->origins; o < conn->origins + 2; o++)
			for (i = 0; i < o->sockets; i++)
				setsockopt(o->socket[i], IPPROTO_TCP, option,
				    &value, sizeof value);
}

void
s2_run(struct s2 *s2)
{
	struct epoll_event ev[EVENTS_MAX];
	struct conn *conn;
	struct call *c;
	int n, i, turn = 0, mask, left;
	unsigned j;

	/*
	 * libcurl sends each small frame by itself.  What one turn sends is
	 * to leave together: with many appends in flight this takes a seventh
	 * off our time and a little off S2's.
	 */
	set_tcp(s2, TCP_CORK, 1);
	n = epoll_wait(s2->epfd, ev, EVENTS_MAX, 0);
	for (i = 0; i < n; i++) {
		conn = &s2->conns[ev[i].data.u64 >> 32];
		mask = 0;
		if (ev[i].events & EPOLLIN)
			mask |= CURL_CSELECT_IN;
		if (ev[i].events & EPOLLOUT)
			mask |= CURL_CSELECT_OUT;
		if (ev[i].events & (EPOLLERR | EPOLLHUP))
			mask |= CURL_CSELECT_ERR;
		curl_multi_socket_action(conn->multi,
		    (curl_socket_t)(ev[i].data.u64 & 0xffffffff), mask,
		    &left);
	}
	do {
		while ((c = TAILQ_FIRST(&s2->resumed)) != NULL) {
			TAILQ_REMOVE(&s2->resumed, c, resume);
			c->resumed = false;
			if (c->state == RUNNING)
				curl_easy_pause(c->easy, CURLPAUSE_CONT);
		}
		run_timed(s2);
		for (j = 0; j < s2->nconns; j++)
			run_conn(&s2->conns[j]);
	} while (++turn < TURNS_MAX && s2_timeout(s2) == 0);
	set_tcp(s2, TCP_CORK, 0);
	/*
	 * s2-lite sends an answer's head and its body apart, under Nagle's
	 * algorithm: the body waits for the acknowledgement of the head, which
	 * the kernel would like to delay by 40 ms.  The option does not last.
	 */
	set_tcp(s2, TCP_QUICKACK, 1);
}

void
s2_wait(struct s2 *s2, int ms)
{
	struct pollfd p = { .fd = s2->epfd, .events = POLLIN };
	int left = s2_timeout(s2);

	if (left == -1 || (ms != -1 && ms < left))
		left = ms;
	poll(&p, 1, left);
	s2_run(s2);
}

/* ---- Calls ---- */

static void
set_fixed_options(struct call *c)
{
	CURL *h = c->easy;
	bool verify = !c->conn->s2->conf->no_verify;

	curl_easy_setopt(h, CURLOPT_PRIVATE, c);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->curl_error);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_USERAGENT, "rrpipe/" RR_VERSION);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT);
	curl_easy_setopt(h, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(h, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE);
	curl_easy_setopt(h, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE / 3);
	curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
	curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, c);
	curl_easy_setopt(h, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(h, CURLOPT_PREREQFUNCTION, connected);
	curl_easy_setopt(h, CURLOPT_PREREQDATA, c);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
	/* A proxy of cleartext HTTP would not speak HTTP/2 by itself. */
	if (c->conn->origins[1].cleartext)
		curl_easy_setopt(h, CURLOPT_PROXY, "");
}

struct s2_call *
s2_call_new(struct s2 *s2, unsigned conn)
{
	struct call *c;

	if (conn >= s2->nconns) {
		errno = EINVAL;
		return NULL;
	}
	c = calloc(1, sizeof *c);
	if (c == NULL || (c->easy = curl_easy_init()) == NULL) {
		free(c);
		errno = ENOMEM;
		return NULL;
	}
	c->conn = &s2->conns[conn];
	c->due = -1;
	c->pub.body.max = S2_ANSWER_MAX;
	set_fixed_options(c);
	TAILQ_INSERT_TAIL(&s2->all, c, every);
	return &c->pub;
}

void
s2_call_free(struct s2_call *call)
{
	struct call *c = (struct call *)call;

	if (c == NULL)
		return;
	call_stop(c);
	TAILQ_REMOVE(&c->conn->s2->all, c, every);
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	buf_release(&c->pub.body);
	free(c->path);
	free(c);
}

void
s2_call_start(struct s2_call *call, const struct s2_request *req)
{
	struct call *c = (struct call *)call;

	c->req = *req;
	c->finished = false;
	c->pub.failed = false;
	memset(&c->pub.error, 0, sizeof c->pub.error);
	free(c->path);
	c->path = strdup(req->path);
	if (c->path == NULL || set_up(c, req) == -1) {
		s2_error_local(&c->pub.error, false, "cannot prepare a "
		    "request: out of memory, or the access token is longer "
		    "than 8000 bytes");
		fail(c);
		return;
	}
	curl_easy_setopt(c->easy, CURLOPT_REQUEST_TARGET, c->path);
	set_method(c);
	if (req->delay > 0) {
		c->state = DELAYED;
		set_due(c, s2_now() + req->delay);
	} else {
		enqueue(c);
	}
}

void
s2_call_abort(struct s2_call *call)
{
	call_stop((struct call *)call);
}

bool
s2_call_is_running(const struct s2_call *call)
{
	return ((const struct call *)call)->state != IDLE;
}

void
s2_call_resume(struct s2_call *call)
{
	struct call *c = (struct call *)call;

	if (c->state == RUNNING && !c->resumed) {
		c->resumed = true;
		TAILQ_INSERT_TAIL(&c->conn->s2->resumed, c, resume);
	}
}

int
s2_call_wait(struct s2_call *call, const struct s2_request *req,
    unsigned patience)
{
	struct call *c = (struct call *)call;
	struct s2_request r = *req;
	const struct s2_error *e = &call->error;
	int64_t until = s2_now() + patience;
	bool safe = req->repeatable || strcmp(req->method, "POST") != 0;

	r.done = NULL;
	for (call->tries = 0;; ) {
		s2_call_start(call, &r);
		while (!c->finished)
			s2_wait(c->conn->s2, -1);
		call->tries++;
		if (!call->failed)
			return 0;
		r.delay = s2_backoff(call->tries - 1);
		if (r.delay < e->retry_after)
			r.delay = e->retry_after;
		if (e->aborted || !e->retryable ||
		    !(safe || e->no_side_effect) ||
		    s2_now() + r.delay >= until)
			return -1;
	}
}

bool
s2_basin_is_missing(struct s2_call *call, const char *basin, const char *what,
    unsigned timeout)
{
	struct s2_request req = { .method = "GET", .what = what,
	    .timeout = timeout };
	char path[sizeof "/v1/basins/" + S2_BASIN_MAX];

	snprintf(path, sizeof path, "/v1/basins/%s", basin);
	req.path = path;
	return s2_call_wait(call, &req, 0) == -1 &&
	    strcmp(call->error.code, "basin_not_found") == 0;
}
