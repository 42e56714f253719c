/*
 * S2 over HTTP/2: where it is, requests, and what came of them.
 *
 * struct s2_conf says where S2 is and as whom to speak to it.  struct s2 is an
 * engine of a few connections on which calls run, all in one thread: the
 * program polls s2_fd(), or just calls s2_wait().  A call is one request at a
 * time; it is kept and started again for the next one, on the same
 * connection, which keeps what was sent on one call in order.
 *
 * Callbacks: send() and data() are called from inside libcurl and may call
 * s2_call_resume() and s2_call_start(), but must not end or free a call; done()
 * may call anything.  None is called outside s2_run(), s2_wait() and
 * s2_call_wait().
 *
 * Nothing here prints or exits.  Sources of the protocol: S2's OpenAPI
 * description, s2.proto and s2s.md.
 */
#ifndef S2_H
#define S2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "exits.h"
#include "record.h"
#include "settings.h"

/* S2's limits. */
#define S2_BASIN_MIN	8
#define S2_BASIN_MAX	48
#define S2_STREAM_MAX	512	/* bytes of a stream's name */

/* Our own. */
#define S2_ORIGIN_MAX	300	/* "https://", a host name, a port */
#define S2_PATH_MAX	4096	/* a path with its query */
#define S2_ANSWER_MAX	(8u << 20)	/* bytes of a collected answer */
#define S2_ERROR_BODY_MAX	65536
#define S2_TEXT_MAX	1024	/* bytes of an error's text */
#define S2_CONNS_MAX	16	/* connections of an engine */
#define S2_CONN_CALLS_MAX	190	/* running at once on a connection */

/* ---- Where S2 is ---- */

struct s2_conf {
	char account[S2_ORIGIN_MAX];	/* "https://a.s2.dev" */
	char basin[S2_ORIGIN_MAX];	/* the same; without "{basin}." */
	bool subdomain;		/* the basin goes before its host name */
	bool no_verify;		/* do not check the server's certificate */
	const char *token;	/* NULL: none; points into settings */
};

/*
 * Read S2_ACCOUNT_ENDPOINT, S2_BASIN_ENDPOINT ([scheme://]host[:port], the
 * latter also with "{basin}." before the host), S2_ACCESS_TOKEN and
 * S2_SSL_NO_VERIFY.  The scheme is https unless given, but http for
 * localhost, 127.0.0.1 and [::1]; a path of "/v1" is taken off.  Both
 * endpoints or neither must be set; with neither it is the cloud, which needs
 * a token.  0, or -1 with a whole message in s->why (then exit EXIT_CONFIG).
 */
int s2_conf_load(struct s2_conf *conf, struct settings *s);

/*
 * s2://BASIN/STREAM or s2://BASIN.  All behind the slash is the stream's name
 * as it stands: no '%' is decoded, and '/', '?' and '#' are bytes like any
 * other.
 */
struct s2_uri {
	char basin[S2_BASIN_MAX + 1];
	char stream[S2_STREAM_MAX + 1];	/* "" if the URI names none */
};

/* 0, or -1 with *why a constant text. */
int s2_uri_parse(const char *text, struct s2_uri *uri, const char **why);

/* True if s[0..n) can be the name of a basin, of a stream. */
bool s2_basin_is_valid(const char *s, size_t n);
bool s2_stream_is_valid(const char *s, size_t n);

/* ---- What went wrong ---- */

struct s2_error {
	int status;		/* HTTP's; 0: no answer, or not a whole one */
	char code[48];		/* S2's word for it, or "" */
	char text[S2_TEXT_MAX];	/* for people: everything known, one line */
	bool retryable;		/* the same again may succeed */
	bool no_side_effect;	/* certainly nothing was changed */
	bool aborted;		/* by a callback of ours */
	bool fenced;		/* 412: the fencing token is another one: */
	char fence[S2_FENCE_MAX + 1];
	size_t fence_len;
	bool mismatch;		/* 412: the next sequence number is 'seq' */
	bool unwritten;		/* 416: nothing there; the tail is 'seq' */
	uint64_t seq;
	uint64_t time;		/* of the tail, with 'unwritten' */
	unsigned retry_after;	/* ms the server asks for, 0 if it does not */
	int exit;		/* what a program that gives up exits with */
};

/*
 * Fill *e from an answer of 'status' with this body: a refused request, or a
 * session's terminal frame (s2_frame.h).  'what' goes in front of the text:
 * "append to s2://b/s".
 */
void s2_error_answer(struct s2_error *e, const char *what, int status,
    const void *body, size_t n);

/* Fill *e for a failure of ours (a broken frame, a deadline). */
void s2_error_local(struct s2_error *e, bool retryable, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * How long to wait before the try after 'failed' ones, ms: uniformly random
 * below 100 ms * 2^failed, at most 5 s.
 */
unsigned s2_backoff(unsigned failed);

/* Milliseconds of a clock that does not jump. */
int64_t s2_now(void);

/* ---- The engine ---- */

struct s2;
struct s2_call;

/*
 * An engine of 'conns' connections, opened when first used.  conf is borrowed
 * and must outlive it.  NULL with errno (ENOMEM, EMFILE) on failure.
 */
struct s2 *s2_new(const struct s2_conf *conf, unsigned conns);

/* Ends all calls without calling their done(); frees those as well. */
void s2_free(struct s2 *s2);

/* Poll this for POLLIN ... */
int s2_fd(const struct s2 *s2);
/* ... for at most so many ms (-1: no matter how long), then call s2_run(). */
int s2_timeout(const struct s2 *s2);
void s2_run(struct s2 *s2);

/* Both for a program that waits for nothing else; at most ms (-1: ever). */
void s2_wait(struct s2 *s2, int ms);

/* ---- Calls ---- */

enum s2_type {
	S2_TYPE_NONE,
	S2_JSON,		/* application/json */
	S2_PROTO,		/* application/protobuf */
	S2_SESSION,		/* s2s/proto, both ways */
	S2_EVENTS,		/* text/event-stream */
};

#define S2_SEND_WAIT	(-1)	/* send(): nothing to send for now */
#define S2_SEND_ABORT	(-2)

struct s2_request {
	const char *method;
	const char *basin;	/* NULL: a call of the account API */
	const char *path;	/* "/v1/streams?limit=1"; copied */
	enum s2_type type;	/* of the body; S2_SESSION also on a GET */
	enum s2_type accept;	/* NONE: JSON */
	const char *what;	/* begins error texts; borrowed; or NULL */
	const void *body;	/* borrowed until done() */
	size_t size;
	const char *token;	/* s2-request-token, or NULL */
	bool repeatable;	/* may be sent twice though it is a POST */
	/*
	 * Instead of body: fill p with at most n bytes.  The count, 0 at the
	 * end, S2_SEND_WAIT (then s2_call_resume() when there is more) or
	 * S2_SEND_ABORT.
	 */
	ssize_t (*send)(void *arg, unsigned char *p, size_t n);
	/*
	 * Takes the answer's body, if its status is 200 to 299, as it comes.
	 * 0, or -1 to end the call.  NULL: it is collected in call->body.
	 */
	int (*data)(void *arg, const unsigned char *p, size_t n);
	/*
	 * The call is over.  NULL: s2_call_wait() is used.
	 */
	void (*done)(struct s2_call *call, void *arg);
	void *arg;
	/*
	 * ms until it fails, from its start, 0: none; and s without a byte of
	 * the answer, 0: any (only for calls with data()).
	 */
	unsigned timeout;
	unsigned silence;
	unsigned delay;		/* ms to wait before it starts */
};

/* What a caller may look at, in done() or after s2_call_wait(). */
struct s2_call {
	int status;		/* HTTP's, 0 until it is known */
	struct buf body;	/* the collected answer; its max can be set */
	struct s2_error error;	/* if it failed */
	bool failed;
	unsigned tries;		/* starts of it by s2_call_wait() */
};

/* A call on connection 'conn' (below the number given to s2_new()). */
struct s2_call *s2_call_new(struct s2 *s2, unsigned conn);

/* Ends it, without done(), if it runs.  NULL is fine. */
void s2_call_free(struct s2_call *call);

/* Start it; it must not be running.  What 'req' points to, but for 'body', is
 * copied.  Failures show in done(). */
void s2_call_start(struct s2_call *call, const struct s2_request *req);

/* End it without done(), for example at a deadline or a terminal frame. */
void s2_call_abort(struct s2_call *call);

bool s2_call_is_running(const struct s2_call *call);

/* There is more for send() now. */
void s2_call_resume(struct s2_call *call);

/*
 * Run one request to its end (other calls go on meanwhile), again after a
 * pause if it failed in a way that allows it, until 'patience' ms have passed
 * (0: no retries).  A request is sent again if the error is retryable and it
 * is no POST, is repeatable, or certainly changed nothing.  0, or -1 with
 * call->error.
 */
int s2_call_wait(struct s2_call *call, const struct s2_request *req,
    unsigned patience);

/*
 * Whether a basin that seems to have no streams is there at all: s2-lite lists
 * those of one that is not, as none.  Only a basin that S2 says it has not is
 * missing, then with call->error; what else goes wrong is not told.  Waits at
 * most 'timeout' ms; 'what' as in a request.
 */
bool s2_basin_is_missing(struct s2_call *call, const char *basin,
    const char *what, unsigned timeout);

/*
 * Write the path of a stream to out of S2_PATH_MAX bytes: its name as one
 * escaped segment, then 'rest' ("", "/records", "/records/tail?...").
 */
void s2_stream_path(char *out, const char *stream, const char *rest);

/* Append s, escaped for use in a path segment or query. 0 or -1. */
int s2_escape(struct buf *b, const char *s, size_t n);

/*
 * The number behind "key": in a JSON answer, exactly (a double would round
 * above 2^53).  True if it is there.  For bodies that hold no other text.
 */
bool s2_json_number(const void *json, size_t n, const char *key,
    uint64_t *out);

#endif
