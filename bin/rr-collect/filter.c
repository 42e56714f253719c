#include "filter.h"

#include <sys/epoll.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter_child.h"
#include "jqprog.h"
#include "log.h"
#include "record.h"
#include "scan.h"

#define READ	65536	/* bytes at a time */
#define PIPE	1048576	/* bytes, if they can be had */
#define END_MS	5000	/* until a process that was killed is gone */

struct filter {
	struct filters *filters;	/* once it took a post */
	struct buf program;	/* with its NUL */
	struct post_list posts;	/* the first is being done, if begun */
	unsigned nposts;
	struct filter_child *child;	/* or NULL */
	bool waits;		/* in filters.waiting */
	bool retired;
	/* of the first post: */
	bool begun;
	size_t next;		/* where in its text the event is that the */
				/* child is at, */
	size_t sent;		/* and how much of it the child has */
	struct buf kept;
	unsigned faults;
	const char *why;
	uint64_t until;		/* ms */
	TAILQ_ENTRY(filter) wait;
};

/* ---- processes ---- */

/* Which descriptor of which child an event is about. */
enum which { CHILD_EXIT, CHILD_TAKES, CHILD_SAYS, WHICH };

static int
watch(struct filters *fs, const struct filter_child *c, int fd,
    enum which which, uint32_t events)
{
	struct epoll_event ev = { .events = events,
	    .data.u32 = (uint32_t)(c - fs->children) * WHICH + which };

	return epoll_ctl(fs->epoll, EPOLL_CTL_ADD, fd, &ev);
}

static int
add_head(struct filter_child *c, uint32_t what, size_t len)
{
	const struct filter_head head = { what, (uint32_t)len };

	return buf_add(&c->say, &head, sizeof(head));
}

/* It is dealt with once more: when it has exited. */
static void
child_end(struct filter_child *c)
{
	child_kill(&c->child, SIGKILL);
	child_close(&c->child);
	buf_release(&c->say);
	buf_release(&c->heard);
	if (c->filter != NULL)
		c->filter->child = NULL;
	c->filter = NULL;
}

/* For f.  0, or -1 with errno. */
static int
start(struct filters *fs, struct filter_child *c, struct filter *f)
{
	static char name[] = "/proc/self/exe", option[] = "--filter";
	char *const argv[] = { name, option, NULL };

	if (child_start(&c->child, argv, CHILD_IN | CHILD_OUT) == -1)
		return -1;
	c->filter = f;
	c->ready = false;
	f->child = c;
	if (fcntl(c->child.in, F_SETFL, O_NONBLOCK) == -1 ||
	    watch(fs, c, c->child.pidfd, CHILD_EXIT, EPOLLIN) == -1 ||
	    watch(fs, c, c->child.in, CHILD_TAKES, EPOLLOUT | EPOLLET) == -1 ||
	    watch(fs, c, c->child.out, CHILD_SAYS, EPOLLIN) == -1 ||
	    add_head(c, 0, buf_size(&f->program)) == -1 ||
	    buf_add(&c->say, buf_bytes(&f->program),
	    buf_size(&f->program)) == -1) {
		child_end(c);
		return -1;
	}
	fcntl(c->child.in, F_SETPIPE_SZ, PIPE);
	return 0;
}

/* One that nobody has; or, of one that has nothing to do, its end. */
static struct filter_child *
find_child(struct filters *fs)
{
	struct filter_child *c, *idle = NULL;
	bool ending = false;

	for (c = fs->children; c < fs->children + FILTER_CHILDREN; c++) {
		if (c->child.pid == 0)
			return c;
		if (c->filter == NULL)
			ending = true;
		else if (c->filter->nposts == 0)
			idle = c;
	}
	if (idle != NULL && !ending)
		child_end(idle);
	return NULL;
}

/* ---- posts ---- */

static void go_on(struct filters *, struct filter *);

static void
filter_free(struct filter *f)
{
	if (f->child != NULL)
		child_end(f->child);
	if (f->waits)
		TAILQ_REMOVE(&f->filters->waiting, f, wait);
	buf_release(&f->program);
	buf_release(&f->kept);
	free(f);
}

static struct post *
take_first(struct filter *f)
{
	struct post *p = TAILQ_FIRST(&f->posts);

	TAILQ_REMOVE(&f->posts, p, line);
	p->filter = NULL;
	f->nposts--;
	f->begun = false;
	return p;
}

/*
 * The first post is done; what was kept of it is its text.  The next one is
 * begun; if there is none, f may be gone.
 */
static void
finish(struct filter *f, enum filter_outcome outcome)
{
	struct filters *fs = f->filters;
	struct post *p = take_first(f);
	const char *why = f->why;

	if (outcome == FILTER_DONE && body_replace(&p->body, &f->kept) == -1)
		outcome = FILTER_NO_MEMORY;
	else if (outcome != FILTER_DONE)
		buf_release(&f->kept);
	f->kept = (struct buf)BUF_INIT(0);
	if (f->nposts > 0)
		go_on(fs, f);
	else if (f->retired)
		filter_free(f);
	fs->done(fs->arg, p, outcome, why);
}

/* What there is of the event that the child is at; NULL: there is none. */
static const char *
event_at(struct filter *f, size_t *len)
{
	const struct buf *b = &TAILQ_FIRST(&f->posts)->body.text;
	const char *p = (const char *)buf_bytes(b), *eol;

	while (f->next < buf_size(b) && p[f->next] == '\n')
		f->next++;
	if (f->next == buf_size(b))
		return NULL;
	p += f->next;
	eol = memchr(p, '\n', buf_size(b) - f->next);
	*len = (size_t)(eol - p);
	return p;
}

/* The rest of the first post goes to the child. */
static void
send_batch(struct filter *f)
{
	struct filter_child *c = f->child;
	const struct buf *b = &TAILQ_FIRST(&f->posts)->body.text;
	ssize_t n;

	while (buf_size(&c->say) > 0)
		if (buf_write(&c->say, c->child.in) == -1)
			return;
	if (!f->begun)
		return;
	while (f->sent < buf_size(b)) {
		n = write(c->child.in, buf_bytes(b) + f->sent,
		    buf_size(b) - f->sent);
		if (n == -1)
			return;
		f->sent += (size_t)n;
	}
}

/*
 * Go on with the first post, or begin with it, in a child; if there is none,
 * once there is.
 */
static void
go_on(struct filters *fs, struct filter *f)
{
	const struct buf *b = &TAILQ_FIRST(&f->posts)->body.text;
	struct filter_child *c = f->child;

	if (fs->stopped) {
		finish(f, FILTER_STOPPED);
		return;
	}
	if (c == NULL && (f->waits || (c = find_child(fs)) == NULL)) {
		if (!f->waits)
			TAILQ_INSERT_TAIL(&fs->waiting, f, wait);
		f->waits = true;
		return;
	}
	if (!f->begun) {
		f->begun = true;
		f->next = 0;
		f->kept.max = b->max;
		f->faults = 0;
		f->why = NULL;
		f->until = fs->now + FILTER_MS +
		    buf_size(b) / 1000 * FILTER_MB_MS / 1000;
	}
	f->sent = f->next;
	if ((f->child == NULL && start(fs, c, f) == -1) ||
	    add_head(c, (uint32_t)b->max, buf_size(b) - f->sent) == -1) {
		log_warn("cannot run a key's program: %s", strerror(errno));
		if (f->child != NULL)
			child_end(c);
		finish(f, FILTER_NO_CHILD);
		return;
	}
	send_batch(f);
}

/* Those that wait get what is free; one that has nothing to do is ended. */
static void
serve_waiting(struct filters *fs)
{
	struct filter *f;
	struct filter_child *c;

	while ((f = TAILQ_FIRST(&fs->waiting)) != NULL) {
		if ((c = find_child(fs)) == NULL)
			return;
		TAILQ_REMOVE(&fs->waiting, f, wait);
		f->waits = false;
		go_on(fs, f);
	}
}

/* The event that the child was at is left out, or with 'all' the rest. */
static void
leave_out(struct filter *f, bool all)
{
	struct post *p = TAILQ_FIRST(&f->posts);
	size_t len;

	while (event_at(f, &len) != NULL) {
		p->failed++;
		f->next += len + 1;
		if (!all)
			break;
	}
}

/* The child has ended, or is to be: another one does what remains. */
static void
replace_child(struct filters *fs, struct filter *f, bool all)
{
	size_t len;

	child_end(f->child);
	leave_out(f, all || ++f->faults >= FILTER_FAULTS);
	if (event_at(f, &len) != NULL) {
		go_on(fs, f);
		return;
	}
	finish(f, FILTER_DONE);
}

/* ---- what a child says ---- */

static const char *
signal_text(uint32_t sig)
{
	switch (sig) {
	case SIGPROF:
		return "it takes too long";
	case SIGABRT:
		return "it needs too much memory";
	default:
		return "jq crashed";
	}
}

static int
keep(struct filter *f, const void *text, size_t len)
{
	size_t before = f->kept.len;

	if (buf_add(&f->kept, text, len) == 0 &&
	    buf_add(&f->kept, "\n", 1) == 0)
		return 0;
	/* To ask for the batch again would not make it shorter. */
	f->kept.len = before;
	if (errno != ENOBUFS)
		return -1;
	TAILQ_FIRST(&f->posts)->failed++;
	return 0;
}

/* A result for the event that the child is at.  -1: no memory. */
static int
take_result(struct filter *f, const char *event, size_t len, uint32_t what,
    const char *text, size_t text_len)
{
	struct scan scan;
	int r = 0;

	f->next += len + 1;
	if (what == JQPROG_SAME) {
		r = keep(f, event, len);
	} else if (what == JQPROG_FAILED) {
		log_debug("a key's program failed on an event: %.*s",
		    (int)text_len, text);
		TAILQ_FIRST(&f->posts)->failed++;
	} else if (what == JQPROG_CHANGED) {
		/* jq writes what is too deep for us. */
		if (scan_event(text, text_len, &scan) == -1)
			TAILQ_FIRST(&f->posts)->failed++;
		else
			r = keep(f, text, text_len);
	}
	return r;
}

/* One word of it.  False once the child is not listened to any more. */
static bool
take_word(struct filters *fs, struct filter_child *c,
    const struct filter_head *head, const char *text)
{
	struct filter *f = c->filter;
	const char *event;
	size_t len;

	if (!c->ready && head->what == FILTER_END) {
		c->ready = true;
		return true;
	}
	event = c->ready && f->begun ? event_at(f, &len) : NULL;
	if (event == NULL && f->begun && head->what == FILTER_END) {
		/* Others may wait for a child longer than our next post. */
		if (!TAILQ_EMPTY(&fs->waiting))
			child_end(c);
		finish(f, FILTER_DONE);
	} else if (event == NULL || head->what == FILTER_END) {
		child_end(c);
		if (f->begun)
			finish(f, FILTER_NO_CHILD);
	} else if (head->what == FILTER_GAVE_UP) {
		f->why = signal_text(head->len);
		replace_child(fs, f, false);
	} else if (take_result(f, event, len, head->what, text,
	    head->len) == -1) {
		child_end(c);
		finish(f, FILTER_NO_MEMORY);
	} else {
		return true;
	}
	return c->filter == f;
}

/* It has ended without a word. */
static void
lost(struct filters *fs, struct filter_child *c)
{
	struct filter *f = c->filter;

	if (f->nposts == 0) {
		child_end(c);
	} else if (!c->ready) {
		child_end(c);
		log_warn("cannot run a key's program: its process ended");
		finish(f, FILTER_NO_CHILD);
	} else {
		f->why = "its process was killed";
		replace_child(fs, f, true);
	}
}

/* What there is to read of it.  False if that is nothing, for now. */
static bool
hear(struct filters *fs, struct filter_child *c)
{
	struct filter_head head;
	size_t len;
	ssize_t n = buf_read(&c->heard, c->child.out, READ);

	if (n == -1 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		lost(fs, c);
		return true;
	}
	while (buf_size(&c->heard) >= sizeof(head)) {
		memcpy(&head, buf_bytes(&c->heard), sizeof(head));
		len = head.what == JQPROG_CHANGED ||
		    head.what == JQPROG_FAILED ? head.len : 0;
		if (buf_size(&c->heard) < sizeof(head) + len)
			break;
		buf_take(&c->heard, sizeof(head));
		if (!take_word(fs, c, &head, (char *)buf_bytes(&c->heard)))
			break;
		buf_take(&c->heard, len);
	}
	return true;
}

/* ---- the collector's side ---- */

int
filters_init(struct filters *fs)
{
	memset(fs, 0, sizeof(*fs));
	TAILQ_INIT(&fs->waiting);
	for (int i = 0; i < FILTER_CHILDREN; i++)
		fs->children[i] = (struct filter_child){ .child = CHILD_INIT,
		    .say = BUF_INIT(JQPROG_MAX * 2),
		    .heard = BUF_INIT(RECORD_TEXT_MAX) };
	fs->epoll = epoll_create1(EPOLL_CLOEXEC);
	return fs->epoll == -1 ? -1 : 0;
}

void
filters_free(struct filters *fs)
{
	struct pollfd gone = { .events = POLLIN };
	struct filter_child *c;
	int status;

	for (c = fs->children; c < fs->children + FILTER_CHILDREN; c++) {
		if (c->child.pid == 0)
			continue;
		child_end(c);
		gone.fd = c->child.pidfd;
		poll(&gone, 1, END_MS);
		child_reap(&c->child, &status);
	}
	close(fs->epoll);
}

int
filters_timeout(const struct filters *fs)
{
	const struct filter *f;
	uint64_t until = UINT64_MAX;

	for (int i = 0; i < FILTER_CHILDREN; i++) {
		f = fs->children[i].filter;
		if (f != NULL && f->begun && f->until < until)
			until = f->until;
	}
	if (until == UINT64_MAX)
		return -1;
	return until <= fs->now ? 0 : (int)(until - fs->now);
}

static void
take_event(struct filters *fs, const struct epoll_event *ev)
{
	struct filter_child *c = &fs->children[ev->data.u32 / WHICH];
	int status;

	switch (ev->data.u32 % WHICH) {
	case CHILD_EXIT:
		/* First its last words. */
		while (c->filter != NULL && hear(fs, c))
			continue;
		if (c->filter != NULL)
			lost(fs, c);
		/*
		 * A child that is just being started may still have a copy,
		 * with which closing it would not take it from the epoll; of
		 * its pipes nothing is heard that would do harm.
		 */
		epoll_ctl(fs->epoll, EPOLL_CTL_DEL, c->child.pidfd, NULL);
		child_reap(&c->child, &status);
		serve_waiting(fs);
		break;
	case CHILD_TAKES:
		if (c->filter != NULL)
			send_batch(c->filter);
		break;
	case CHILD_SAYS:
		if (c->filter != NULL)
			hear(fs, c);
		break;
	}
}

void
filters_run(struct filters *fs)
{
	struct epoll_event events[FILTER_CHILDREN * WHICH];
	struct filter *f;
	int n = epoll_wait(fs->epoll, events, FILTER_CHILDREN * WHICH, 0);

	for (int i = 0; i < n; i++)
		take_event(fs, &events[i]);
	for (int i = 0; i < FILTER_CHILDREN; i++) {
		f = fs->children[i].filter;
		if (f != NULL && f->begun && f->until <= fs->now) {
			f->why = "it takes too long";
			replace_child(fs, f, true);
		}
	}
}

void
filters_refuse_all(struct filters *fs)
{
	struct filter *f;

	fs->stopped = true;
	for (int i = 0; i < FILTER_CHILDREN; i++) {
		f = fs->children[i].filter;
		if (f == NULL || f->nposts == 0)
			continue;
		child_end(&fs->children[i]);
		go_on(fs, f);
	}
	while ((f = TAILQ_FIRST(&fs->waiting)) != NULL) {
		TAILQ_REMOVE(&fs->waiting, f, wait);
		f->waits = false;
		go_on(fs, f);
	}
}

struct filter *
filter_new(const char *text)
{
	struct filter *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	TAILQ_INIT(&f->posts);
	f->program.max = JQPROG_MAX * 2;
	if (buf_add(&f->program, text, strlen(text) + 1) == 0)
		return f;
	filter_free(f);
	return NULL;
}

void
filter_retire(struct filter *f)
{
	if (f == NULL)
		return;
	f->retired = true;
	if (f->nposts == 0)
		filter_free(f);
}

int
filter_take(struct filters *fs, struct filter *f, struct post *p)
{
	if (f->nposts == FILTER_WAITING)
		return -1;
	f->filters = fs;
	p->filter = f;
	TAILQ_INSERT_TAIL(&f->posts, p, line);
	if (f->nposts++ == 0)
		go_on(fs, f);
	return 0;
}

void
filter_forget(struct post *p)
{
	struct filter *f = p->filter;

	if (f == NULL)
		return;
	if (f->begun && p == TAILQ_FIRST(&f->posts)) {
		if (f->child != NULL)
			child_end(f->child);
		buf_release(&f->kept);
		f->begun = false;
	}
	p->filter = NULL;
	TAILQ_REMOVE(&f->posts, p, line);
	if (--f->nposts > 0 && !f->begun)
		go_on(f->filters, f);
	else if (f->nposts == 0 && f->waits) {
		TAILQ_REMOVE(&f->filters->waiting, f, wait);
		f->waits = false;
	}
	if (f->nposts == 0 && f->retired)
		filter_free(f);
}
