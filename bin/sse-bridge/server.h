/*
 * The server: files, and the read routes, each of which runs a command.
 *
 * A route's command is ROUTES/NAME, started without a shell; its arguments
 * are checked here, word by word, before it is.  What it writes goes to the
 * client as it comes, no faster than the client takes it.
 */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>

#include "http.h"
#include "hub.h"
#include "login.h"
#include "loop.h"
#include "reaper.h"

#define SERVER_HOSTS_MAX	32	/* names given by -H */
#define SERVER_COMMANDS_MAX	16	/* at once; more wait */
#define SERVER_BULK_MAX		12	/* of them those that may take long */
#define SERVER_BULK_EACH	8	/* of these for one address */
#define SERVER_QUEUE_MAX	256	/* that wait; more are told to retry */
#define SERVER_QUEUE_EACH	64	/* of one address */
#define SERVER_CSP_MAX		4096	/* bytes of csp.txt */

#define SERVER_ARGS_MAX		18	/* arguments of a command */
#define SERVER_ARG_MAX		320	/* bytes of one, with NUL */

struct queue;
struct health;

struct server {
	struct loop *loop;
	struct reaper *reaper;
	struct hub *hub;
	struct queue *queue;
	struct health *health;
	struct login *login;
	const char *routes;		/* directory of commands */
	int webdir;			/* directory of files, or -1 */
	char csp[SERVER_CSP_MAX];	/* for those files */
	bool check_host;		/* some listener is a TCP socket */
	int nhosts;
	const char *hosts[SERVER_HOSTS_MAX];
};

/* http_program's calls; its arg is a struct server. */
void server_begin(struct http_request *r);
void server_body(struct http_request *r, const void *bytes, size_t n);
void server_end(struct http_request *r);
void server_done(struct http_request *r);

/* Read the policy in webdir's csp.txt, if there is one.  0 or -1 with errno. */
int server_read_csp(struct server *s);

/* ---- answers ---- */

/* One line of JSON, {"error":TEXT}; text needs no escapes. */
void server_error(struct http_request *r, unsigned status, const char *text);

/* The same with one more header, of this name and value. */
void server_error_with(struct http_request *r, unsigned status,
    const char *text, const char *name, const char *value);

/* 503, to be tried again. */
void server_busy(struct http_request *r, const char *text);

/* The same for a command that ended with this exit status. */
void server_command_error(struct http_request *r, int status);

/* For what must be asked for anew, and by our own pages only. */
extern const struct http_header server_api_headers[];

/* ---- what serves a request from its end on; 'state' is one of these ---- */

/*
 * A client whose answer is long in coming or has no end.  'left' is called
 * once if it goes away, which is noticed even while its request sleeps;
 * 'done' when the request is over, and frees it.
 */
struct patron {
	struct http_request *request;
	struct watch socket;
	void (*left)(struct patron *);
	void (*done)(struct patron *);
};

/* Make p what request->state is, and watch the client. */
void patron_init(struct patron *p, struct http_request *r,
    void (*left)(struct patron *), void (*done)(struct patron *));

/* Watch a session from this record on; live.c. */
void live_start(struct http_request *r, const char *id, uint64_t from);

/*
 * Run a command with these arguments (copied; a NULL ends them) and send what
 * it writes, as 'type'; route.c.  One that is bulk takes as long as a client
 * takes to read it all: there is always room for others.  One that is alone is
 * bulk, too, and runs when no other that is runs for its first argument.
 */
enum route_kind {
	ROUTE_SHORT,
	ROUTE_BULK,
	ROUTE_ALONE,
};

void route_start(struct http_request *r, const char *name,
    const char *const args[], const char *type, enum route_kind kind);

/*
 * The same, bulk, for the client to save under this name (copied, up to 63
 * bytes of letters, digits and dots) and not to show.
 */
void route_download(struct http_request *r, const char *name,
    const char *const args[], const char *type, const char *file);

/*
 * The same, but what it writes (up to ROUTE_SAID_MAX bytes) is for 'answer',
 * which is called once it has ended, with its exit status, and replies.
 */
#define ROUTE_SAID_MAX	511
void route_ask(struct http_request *r, const char *name,
    const char *const args[],
    void (*answer)(struct http_request *, int status, char *said));

/* The commands that run, and those that wait to; route.c. */
struct queue *queue_new(const struct server *s);
void queue_free(struct queue *q);
void queue_figures(const struct queue *q, unsigned *running,
    unsigned *waiting);

/* Whether S2 answers: serve /health, ask it, what it said last; health.c. */
struct health *health_new(const struct server *s);
void health_free(struct health *h);
void health_start(struct http_request *r);
void health_ask(struct health *h);
bool health_is_good(const struct health *h);

/* True if the request may be served at all; else it was refused; access.c. */
bool access_check(const struct server *s, struct http_request *r);

/* Which links do instead of a role. */
enum by_link {
	LINK_NO,
	LINK_WHOLE,		/* to a whole session */
	LINK_PART,		/* to a part of it too; the route sees to it */
};

/*
 * True if who asks has this role, or a link to the session 'id' (NULL: it is
 * about none) if that is enough; else the request was answered.  A line in the
 * log says who did this; 'what' may be NULL.  A view is many requests: it is
 * told of again when ACCESS_VIEW_MS have passed.
 */
#define ACCESS_VIEW_MS	600000
bool access_permit(struct http_request *r, const char *id, enum role least,
    enum by_link link, const char *what, struct person *p);

/* The cookie for who logs in; false: the request was answered. */
bool access_log_in(struct http_request *r, struct person *p,
    char cookie[COOKIE_MAX]);

/* A line in the log of who logs out, if that is somebody. */
void access_log_out(struct http_request *r);

#endif
