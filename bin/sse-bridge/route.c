/*
 * A request served by a command: started when there is room, its output sent
 * as it comes, ended when the client leaves.
 *
 * Nothing is buffered here: the pipe is read, through gzip for lines, into what
 * the HTTP server sends, when that has room.  The first output makes the
 * status 200; without any, the exit status decides.  An answer whose command
 * fails later is cut off, so that the client sees that it is not whole.
 */
#include <sys/epoll.h>

#include <errno.h>
#include <unistd.h>

#include "counts.h"
#include "exits.h"
#include "gzip.h"
#include "log.h"
#include "server.h"

#define ROUTE_NAME_MAX	64	/* bytes of a file's name, with NUL */

enum stage {
	WAITING,	/* in the queue */
	RUNNING,
	EXITED,		/* with 'status' */
};

struct run {
	struct patron patron;
	TAILQ_ENTRY(run) link;	/* WAITING or RUNNING */
	struct queue *queue;
	enum stage stage;
	bool bulk;
	bool alone;		/* one at a time of its session */
	bool answered;
	bool left;		/* the client has */
	struct child child;
	struct watch out, exit;
	struct gzip *gzip;	/* through which the answer goes, or NULL */
	int status;
	void (*answer)(struct http_request *, int, char *);	/* or NULL */
	size_t nsaid;		/* for it */
	char said[ROUTE_SAID_MAX + 1];
	const char *name;	/* of the route */
	const char *type;
	char disposition[ROUTE_NAME_MAX + 32];	/* empty: none */
	char path[1024];
	char args[SERVER_ARGS_MAX][SERVER_ARG_MAX];
	char *argv[SERVER_ARGS_MAX + 2];
};

struct queue {
	const struct server *server;
	TAILQ_HEAD(runs, run) waiting, runs;
	unsigned nwaiting;
	unsigned running;
	unsigned bulk;		/* of them */
};

static bool
succeeded(const struct run *run)
{
	return run->status == EXIT_OK || run->status == EXIT_GAPS;
}

static void
wait_for_output(struct run *run)
{
	loop_watch(run->queue->server->loop, &run->out, run->child.out,
	    EPOLLIN | EPOLLONESHOT);
}

static void
close_output(struct run *run)
{
	loop_unwatch(run->queue->server->loop, &run->out);
	child_close(&run->child);
}

static ssize_t
read_output(struct run *run, char *p, size_t max)
{
	ssize_t n;

	if (run->gzip != NULL)
		return gzip_read(run->gzip, run->child.out, p, max);
	do
		n = read(run->child.out, p, max);
	while (n == -1 && errno == EINTR);
	return n;
}

static ssize_t
run_fill(struct http_request *r, char *p, size_t max)
{
	struct run *run = r->state;
	ssize_t n;

	if (run->left)
		return HTTP_ABORT;
	if (run->child.out != -1) {
		n = read_output(run, p, max);
		if (n > 0)
			return n;
		if (n == -1 && errno == EAGAIN) {
			wait_for_output(run);
			return HTTP_SLEEP;
		}
		close_output(run);
	}
	if (run->stage != EXITED)
		return HTTP_SLEEP;
	if (!succeeded(run))
		return HTTP_ABORT;
	n = run->gzip == NULL ? 0 : (ssize_t)gzip_finish(run->gzip, p, max);
	return n > 0 ? n : HTTP_END;
}

/* What it has written yet: the start of the answer, or all of it. */
static void
answer(struct run *run, bool whole)
{
	struct http_request *r = run->patron.request;
	struct http_header headers[] = {
		server_api_headers[0], server_api_headers[1],
		{ NULL, NULL }, { NULL, NULL }, { NULL, NULL },
	};

	if (run->disposition[0] != '\0') {
		headers[2] = (struct http_header){ "Content-Disposition",
		    run->disposition };
	} else if (run->bulk) {
		/* Without memory for it, it goes as it is. */
		if (!whole && http_takes_gzip(r))
			run->gzip = gzip_new();
		headers[2] = (struct http_header){ "Vary", "Accept-Encoding" };
		if (run->gzip != NULL)
			headers[3] = (struct http_header){ "Content-Encoding",
			    "gzip" };
	}
	if (whole)
		http_reply(r, 200, run->type, "", 0, headers);
	else
		http_reply_stream(r, 200, run->type, headers, run_fill);
}

/* The session that it is of, or NULL. */
static const char *
session_of(const struct run *run)
{
	const char *id = run->argv[1];

	return id != NULL && session_id_is_valid(id, strlen(id)) ? id : NULL;
}

/* It has exited and closed its output, maybe without a word. */
static void
finish(struct run *run)
{
	struct http_request *r = run->patron.request;

	if (run->answered) {
		http_wake(r);
		return;
	}
	run->answered = true;
	if (run->answer != NULL)
		run->answer(r, run->status, run->said);
	else if (succeeded(run))
		answer(run, true);
	else if (run->status == EXIT_MISSING && session_of(run) == NULL)
		server_error(r, 404, "there is no such basin: is RR_BASIN the "
		    "one of the collector, which makes it when it starts?");
	else
		server_command_error(r, run->status);
}

/* What is for 'answer' alone; true when nothing more of it is wanted. */
static bool
keep_said(struct run *run)
{
	size_t room = ROUTE_SAID_MAX - run->nsaid;
	ssize_t n;

	/* One that says too much is to fail by its closed output. */
	if (room == 0)
		return true;
	n = read(run->child.out, run->said + run->nsaid, room);
	if (n > 0)
		run->nsaid += (size_t)n;
	return n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR);
}

static void
out_ready(void *arg, uint32_t events)
{
	struct run *run = arg;

	if (run->answer != NULL && !keep_said(run)) {
		wait_for_output(run);
		return;
	}
	if (run->answered) {
		http_wake(run->patron.request);
	} else if (run->answer == NULL && (events & EPOLLIN) != 0) {
		run->answered = true;
		answer(run, false);
	} else {
		close_output(run);
		if (run->stage == EXITED)
			finish(run);
	}
}

static void
begins_to_run(struct run *run)
{
	TAILQ_INSERT_TAIL(&run->queue->runs, run, link);
	run->queue->running++;
	run->queue->bulk += run->bulk;
}

static void
runs_no_more(struct run *run)
{
	TAILQ_REMOVE(&run->queue->runs, run, link);
	run->queue->running--;
	run->queue->bulk -= run->bulk;
}

/* Of these, those of the client of 'of'; this machine has none. */
static unsigned
count_client(const struct runs *runs, const struct http_request *of, bool bulk)
{
	const struct run *run;
	unsigned n = 0;

	if (http_address_is_local(&of->client))
		return 0;
	TAILQ_FOREACH(run, runs, link)
		n += (run->bulk || !bulk) && http_same_client(of,
		    run->patron.request);
	return n;
}

static void start_waiting(struct queue *q);

static void
exit_ready(void *arg, uint32_t events)
{
	struct run *run = arg;

	(void)events;
	loop_unwatch(run->queue->server->loop, &run->exit);
	if (child_reap(&run->child, &run->status) != 1)
		run->status = EXIT_OTHER;
	if (!succeeded(run))
		log_about(LOG_LEVEL_INFO, session_of(run), NULL,
		    "%s %s ended with status %d", run->argv[0],
		    run->argv[1] == NULL ? "" : run->argv[1], run->status);
	run->stage = EXITED;
	count_command(run->name, succeeded(run));
	runs_no_more(run);
	if (run->child.out == -1)
		finish(run);
	start_waiting(run->queue);
}

static int
run_start(struct run *run)
{
	struct loop *loop = run->queue->server->loop;

	if (child_start(&run->child, run->argv, CHILD_OUT) == -1)
		return -1;
	run->stage = RUNNING;
	begins_to_run(run);
	wait_for_output(run);
	return loop_watch(loop, &run->exit, run->child.pidfd, EPOLLIN);
}

static void
run_or_refuse(struct run *run)
{
	if (run_start(run) == 0)
		return;
	log_err("cannot start '%s': %s", run->path, strerror(errno));
	count_command(run->name, false);
	run->answered = true;
	server_error(run->patron.request, 500, "the command of this route "
	    "cannot be started; see the log");
}

static bool
has_another(const struct queue *q, const struct run *run)
{
	const struct run *other;

	TAILQ_FOREACH(other, &q->runs, link)
		if (other->alone && strcmp(other->argv[1], run->argv[1]) == 0)
			return true;
	return false;
}

static struct run *
first_that_may(struct queue *q)
{
	struct run *run;

	TAILQ_FOREACH(run, &q->waiting, link)
		if (!run->bulk || (q->bulk < SERVER_BULK_MAX &&
		    count_client(&q->runs, run->patron.request, true) <
		    SERVER_BULK_EACH && !(run->alone && has_another(q, run))))
			break;
	return run;
}

static void
start_waiting(struct queue *q)
{
	struct run *run;

	while (q->running < SERVER_COMMANDS_MAX &&
	    (run = first_that_may(q)) != NULL) {
		TAILQ_REMOVE(&q->waiting, run, link);
		q->nwaiting--;
		run->stage = EXITED;	/* until it is started */
		run_or_refuse(run);
	}
}

/* End the command, or its wait. */
static void
run_stop(struct run *run)
{
	struct queue *q = run->queue;

	switch (run->stage) {
	case WAITING:
		TAILQ_REMOVE(&q->waiting, run, link);
		q->nwaiting--;
		break;
	case RUNNING:
		runs_no_more(run);
		break;
	case EXITED:
		break;
	}
	run->stage = EXITED;
	run->status = EXIT_OTHER;
	close_output(run);
	loop_unwatch(q->server->loop, &run->exit);
	reaper_take(q->server->reaper, &run->child);
}

static void
run_left(struct patron *p)
{
	struct run *run = (struct run *)p;

	run->left = true;
	run_stop(run);
	if (run->answered)
		http_wake(p->request);
	else
		server_busy(p->request, "you left");
	run->answered = true;
	start_waiting(run->queue);
}

static void
run_done(struct patron *p)
{
	struct run *run = (struct run *)p;
	struct queue *q = run->queue;

	run_stop(run);
	gzip_free(run->gzip);
	free(run);
	start_waiting(q);
}

static int
set_arguments(struct run *run, const char *name, const char *const args[])
{
	int i, n;

	n = snprintf(run->path, sizeof run->path, "%s/%s",
	    run->queue->server->routes, name);
	if (n < 0 || (size_t)n >= sizeof run->path)
		return -1;
	run->argv[0] = run->path;
	for (i = 0; args[i] != NULL; i++) {
		if (i == SERVER_ARGS_MAX || strlcpy(run->args[i], args[i],
		    sizeof run->args[i]) >= sizeof run->args[i])
			return -1;
		run->argv[i + 1] = run->args[i];
	}
	return 0;
}

static void
start(struct http_request *r, const char *name, const char *const args[],
    const char *type, enum route_kind kind, const char *file,
    void (*ask)(struct http_request *, int, char *))
{
	const struct server *s = r->arg;
	struct queue *q = s->queue;
	struct run *run;

	if (q->nwaiting == SERVER_QUEUE_MAX ||
	    count_client(&q->waiting, r, false) >= SERVER_QUEUE_EACH) {
		server_busy(r, "too many requests wait");
		return;
	}
	if ((run = calloc(1, sizeof *run)) == NULL) {
		server_busy(r, "no memory");
		return;
	}
	run->queue = q;
	run->child = (struct child)CHILD_INIT;
	run->out = (struct watch)WATCH_INIT(out_ready, run);
	run->exit = (struct watch)WATCH_INIT(exit_ready, run);
	run->name = name;
	run->type = type;
	run->bulk = kind != ROUTE_SHORT;
	run->alone = kind == ROUTE_ALONE;
	run->answer = ask;
	if (file != NULL)
		snprintf(run->disposition, sizeof run->disposition,
		    "attachment; filename=\"%s\"", file);
	if (set_arguments(run, name, args) == -1) {
		free(run);
		server_error(r, 400, "an argument is too long");
		return;
	}
	TAILQ_INSERT_TAIL(&q->waiting, run, link);
	q->nwaiting++;
	patron_init(&run->patron, r, run_left, run_done);
	start_waiting(q);
}

void
route_start(struct http_request *r, const char *name,
    const char *const args[], const char *type, enum route_kind kind)
{
	start(r, name, args, type, kind, NULL, NULL);
}

void
route_download(struct http_request *r, const char *name,
    const char *const args[], const char *type, const char *file)
{
	start(r, name, args, type, ROUTE_BULK, file, NULL);
}

void
route_ask(struct http_request *r, const char *name,
    const char *const args[],
    void (*ask)(struct http_request *, int, char *))
{
	start(r, name, args, NULL, ROUTE_BULK, NULL, ask);
}

struct queue *
queue_new(const struct server *s)
{
	struct queue *q;

	if ((q = calloc(1, sizeof *q)) == NULL)
		return NULL;
	q->server = s;
	TAILQ_INIT(&q->waiting);
	TAILQ_INIT(&q->runs);
	return q;
}

void
queue_figures(const struct queue *q, unsigned *running, unsigned *waiting)
{
	*running = q->running;
	*waiting = q->nwaiting;
}

void
queue_free(struct queue *q)
{
	free(q);
}
