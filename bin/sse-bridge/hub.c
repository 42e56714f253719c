#include <sys/epoll.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "counts.h"
#include "exits.h"
#include "hub.h"
#include "lines.h"
#include "log.h"

#define RETRY_MIN_MS	500	/* clients that were cut come back between */
#define RETRY_SPREAD_MS	1500	/* these, each at a time of its own */
#define GAPS_MAX	65536	/* bytes of gaps that wait for a message */
#define BACK		8	/* records before what a first viewer asks for */
#define SCAN_MS		1000	/* how often viewers are looked at for pings */

struct message {
	TAILQ_ENTRY(message) link;
	uint64_t seq;		/* its first record */
	unsigned readers;	/* viewers whose 'at' it is */
	size_t len;
	char data[];
};

enum state {
	RUNNING,		/* the pipeline runs */
	DOWN,			/* it is to be started again */
	ENDED,			/* the session has ended: 'why' */
};

struct tab {
	uint32_t tab;
	uint32_t last;		/* number of its last batch */
};

struct channel {
	TAILQ_ENTRY(channel) link;
	struct hub *hub;
	char id[SESSION_ID_LEN + 1];
	enum state state;
	const char *why;
	bool begun;		/* a line has come, or it took too long */
	bool caught_up;
	bool fenced;		/* the fence that stops it was seen */
	bool deleted;
	bool behind;		/* give it up */

	TAILQ_HEAD(, viewer) viewers;
	unsigned nviewers;
	uint64_t touched;	/* when its file was */

	TAILQ_HEAD(, message) messages;
	size_t bytes;		/* of all of them */
	struct buf gaps;	/* found; they go with the next message */
	uint64_t base;		/* the ring is whole from here on */
	uint64_t owed;		/* the least that a viewer asked for */
	uint64_t next;		/* where the pipeline would go on */
	uint64_t seen;		/* 1 + the last first record of a message */
	uint64_t time;		/* of S2, ms */

	struct child child;
	struct watch out, exit;
	struct lines in;
	struct sse sse;
	uint64_t due;		/* RUNNING, not begun: begin anyway; DOWN: */
				/* start again; else 0 */
	uint64_t start, since;	/* where, when the pipeline was started */
	unsigned delay;		/* ms to wait after the next failure */
	uint64_t idle_until;	/* without viewers: then it is freed */

	unsigned ntabs;		/* seen; the table keeps the last ones */
	struct tab tabs[HUB_TABS_MAX];
};

struct hub {
	struct loop *loop;
	struct reaper *reaper;
	const char *routes;
	int watched;		/* directory, or -1 */
	struct hub_limits limits;
	TAILQ_HEAD(, channel) channels;
	unsigned nchannels;
	unsigned nviewers;
	size_t bytes;		/* of all messages */
	uint64_t scan;		/* when viewers are looked at next */
};

static void channel_free(struct channel *ch);
static void untouch(struct channel *ch);

/* ---- viewers ---- */

static void
viewer_wake(struct viewer *v)
{
	if (v->begun)
		v->wake(v->arg);
}

/* Give up its place in the ring. */
static void
viewer_unplace(struct viewer *v)
{
	if (v->at != NULL)
		v->at->readers--;
	v->at = NULL;
	v->off = 0;
}

/* Put it at m or, if that is not for it, the first one after that is. */
static void
viewer_place(struct viewer *v, struct message *m)
{
	viewer_unplace(v);
	while (m != NULL && m->seq < v->from)
		m = TAILQ_NEXT(m, link);
	v->at = m;
	if (m != NULL)
		m->readers++;
}

static void __attribute__((format(printf, 2, 3)))
viewer_note(struct viewer *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	v->note_len = vsnprintf(v->note, sizeof v->note, fmt, ap);
	va_end(ap);
	v->note_off = 0;
}

/* It missed something: say so, if that can be said at this place. */
static void
viewer_resync(struct viewer *v)
{
	if (v->last)
		return;
	if (v->off > 0 || (v->note_off > 0 && v->note_off < v->note_len)) {
		v->cut = true;
		count_add(COUNT_CUT, 1);
	} else {
		viewer_note(v, "event: resync\ndata: resync\n\n");
		count_add(COUNT_RESYNC, 1);
	}
	v->last = true;
	viewer_unplace(v);
	viewer_wake(v);
}

/* At the end of the ring: what there is to tell.  False if nothing. */
static bool
viewer_tell(struct viewer *v)
{
	const struct channel *ch = v->channel;

	if (ch->caught_up && !v->told_tail && ch->next >= v->from) {
		v->told_tail = true;
		viewer_note(v, "event: tail\ndata: :tail seq=%llu time=%llu\n"
		    "id: %llu\n\n", (unsigned long long)ch->next,
		    (unsigned long long)ch->time,
		    (unsigned long long)ch->next);
		return true;
	}
	if (ch->state == ENDED) {
		viewer_note(v, "event: end\ndata: %s\n\n", ch->why);
		v->last = true;
		return true;
	}
	return false;
}

static size_t
copy(char *p, size_t max, const char *from, size_t len, size_t *off)
{
	size_t n = len - *off < max ? len - *off : max;

	memcpy(p, from + *off, n);
	*off += n;
	return n;
}

ssize_t
viewer_fill(struct viewer *v, char *p, size_t max)
{
	size_t n = 0;

	if (v->cut)
		return -2;
	while (n < max) {
		if (v->off == 0 && v->note_off < v->note_len) {
			n += copy(p + n, max - n, v->note, v->note_len,
			    &v->note_off);
		} else if (v->last) {
			break;
		} else if (v->at != NULL) {
			n += copy(p + n, max - n, v->at->data, v->at->len,
			    &v->off);
			if (v->off == v->at->len) {
				count_add(COUNT_SENT, 1);
				viewer_place(v, TAILQ_NEXT(v->at, link));
			}
		} else if (!viewer_tell(v)) {
			break;
		}
	}
	if (n == 0)
		return v->last ? -1 : 0;
	v->sent = loop_now();
	count_add(COUNT_SENT_BYTES, n);
	return n;
}

/* ---- the ring ---- */

static size_t
message_bytes(const struct message *m)
{
	return sizeof *m + m->len;
}

static void
message_remove(struct channel *ch, struct message *m)
{
	struct viewer *v;

	if (m->readers > 0) {
		TAILQ_FOREACH(v, &ch->viewers, link)
			if (v->at == m)
				viewer_resync(v);
	}
	if (ch->base <= m->seq)
		ch->base = m->seq + 1;
	if (!ch->caught_up && m->seq >= ch->owed)
		ch->behind = true;
	TAILQ_REMOVE(&ch->messages, m, link);
	ch->bytes -= message_bytes(m);
	ch->hub->bytes -= message_bytes(m);
	free(m);
}

/* Forget everything: all viewers resync. */
static void
channel_forget(struct channel *ch)
{
	struct message *m;
	struct viewer *v;

	TAILQ_FOREACH(v, &ch->viewers, link)
		viewer_resync(v);
	while ((m = TAILQ_FIRST(&ch->messages)) != NULL)
		message_remove(ch, m);
}

static struct channel *
idle_channel(struct hub *h, const struct channel *but)
{
	struct channel *ch;

	TAILQ_FOREACH(ch, &h->channels, link)
		if (ch != but && ch->nviewers == 0)
			return ch;
	return NULL;
}

static struct channel *
largest_channel(struct hub *h)
{
	struct channel *ch, *largest = TAILQ_FIRST(&h->channels);

	TAILQ_FOREACH(ch, &h->channels, link)
		if (ch->bytes > largest->bytes)
			largest = ch;
	return largest;
}

/* Keep to the limits after a message was added to ch. */
static void
trim(struct channel *ch)
{
	struct hub *h = ch->hub;
	struct channel *other;
	struct message *m;

	while (m = TAILQ_FIRST(&ch->messages), TAILQ_NEXT(m, link) != NULL &&
	    ch->bytes - message_bytes(m) >= h->limits.ring)
		message_remove(ch, m);
	while (h->bytes > h->limits.total) {
		if ((other = idle_channel(h, ch)) != NULL) {
			channel_free(other);
			continue;
		}
		other = largest_channel(h);
		m = TAILQ_FIRST(&other->messages);
		if (TAILQ_NEXT(m, link) != NULL)
			message_remove(other, m);
		else
			channel_forget(other);
	}
}

static struct message *
message_new(struct channel *ch, const struct sse_message *from, uint64_t seq)
{
	struct message *m;
	size_t gaps = buf_size(&ch->gaps);

	if (from->data == NULL ||
	    (m = malloc(sizeof *m + gaps + from->len)) == NULL)
		return NULL;
	m->seq = seq;
	m->readers = 0;
	m->len = gaps + from->len;
	if (gaps > 0)
		memcpy(m->data, buf_bytes(&ch->gaps), gaps);
	memcpy(m->data + gaps, from->data, from->len);
	return m;
}

static void
append(struct channel *ch, const struct sse_message *from, uint64_t seq)
{
	struct message *m = message_new(ch, from, seq);
	struct viewer *v;

	buf_clear(&ch->gaps);
	if (seq >= ch->seen)
		ch->seen = seq + 1;
	if (m == NULL) {
		log_about(LOG_LEVEL_WARN, ch->id, NULL, "a message of session "
		    "%s is over %u bytes, or there is no memory: its viewers "
		    "resync", ch->id, HUB_MESSAGE_MAX);
		channel_forget(ch);
		ch->base = ch->seen;
		return;
	}
	count_add(COUNT_MADE, 1);
	TAILQ_INSERT_TAIL(&ch->messages, m, link);
	ch->bytes += message_bytes(m);
	ch->hub->bytes += message_bytes(m);
	TAILQ_FOREACH(v, &ch->viewers, link) {
		if (v->at != NULL || v->last)
			continue;
		viewer_place(v, m);
		if (v->at != NULL)
			viewer_wake(v);
	}
	trim(ch);
}

/* ---- the reader rule ---- */

static struct tab *
tab_find(struct channel *ch, uint32_t tab)
{
	unsigned i, n = ch->ntabs < HUB_TABS_MAX ? ch->ntabs : HUB_TABS_MAX;

	for (i = 0; i < n; i++)
		if (ch->tabs[i].tab == tab)
			return &ch->tabs[i];
	return NULL;
}

/*
 * A pipeline that was started again reads from where nothing is missed, so
 * maybe something twice, and does not know what was lost before.
 */
static bool
is_repeat(struct channel *ch, const struct sse_message *m)
{
	struct tab *t;

	if (!m->numbered)
		return m->has_seq && m->seq < ch->seen;
	if ((t = tab_find(ch, m->tab)) == NULL) {
		t = &ch->tabs[ch->ntabs++ % HUB_TABS_MAX];
		t->tab = m->tab;
		t->last = m->last;
		return false;
	}
	if (m->last <= t->last)
		return true;
	if (m->kind == SSE_BATCH && m->first > t->last + 1)
		buf_addf(&ch->gaps, "event: gap\n"
		    "data: :gap tab=%x batch=%u-%u cause=lost\n\n",
		    m->tab, t->last + 1, m->first - 1);
	t->last = m->last;
	return false;
}

/* ---- the pipeline ---- */

static void
pipeline_stop(struct channel *ch)
{
	struct loop *loop = ch->hub->loop;

	loop_unwatch(loop, &ch->out);
	loop_unwatch(loop, &ch->exit);
	reaper_take(ch->hub->reaper, &ch->child);
	buf_release(&ch->in.buf);
	sse_reset(&ch->sse);
}

static int
pipeline_start(struct channel *ch)
{
	struct loop *loop = ch->hub->loop;
	char path[1024], from[sizeof "from=18446744073709551615"];
	char *argv[] = { path, ch->id, from, NULL };
	int e;

	snprintf(path, sizeof path, "%s/live", ch->hub->routes);
	snprintf(from, sizeof from, "from=%llu", (unsigned long long)ch->next);
	if (child_start(&ch->child, argv, CHILD_OUT) == -1)
		return -1;
	ch->in = (struct lines)LINES_INIT(ch->child.out, LINE_MAX_BYTES);
	count_add(COUNT_STARTS, 1);
	ch->state = RUNNING;
	ch->start = ch->next;
	ch->since = loop_now();
	ch->due = ch->begun ? 0 : loop_now() + HUB_START_MS;
	if (loop_watch(loop, &ch->out, ch->child.out, EPOLLIN) == -1 ||
	    loop_watch(loop, &ch->exit, ch->child.pidfd, EPOLLIN) == -1) {
		e = errno;
		pipeline_stop(ch);
		errno = e;
		return -1;
	}
	return 0;
}

static void
begin_viewers(struct channel *ch)
{
	struct viewer *v;

	if (ch->begun)
		return;
	ch->begun = true;
	ch->due = 0;
	TAILQ_FOREACH(v, &ch->viewers, link) {
		v->begun = true;
		v->begin(v->arg, 0);
	}
}

static void
channel_end(struct channel *ch, const char *why)
{
	struct viewer *v;

	pipeline_stop(ch);
	ch->state = ENDED;
	ch->why = why;
	ch->due = 0;
	begin_viewers(ch);
	TAILQ_FOREACH(v, &ch->viewers, link)
		viewer_wake(v);
}

/* The pipeline broke: again, later. */
static void
channel_down(struct channel *ch)
{
	pipeline_stop(ch);
	count_add(COUNT_RESTARTS, 1);
	/* What always ends at the same place is tried ever more seldom. */
	if (ch->next > ch->start || loop_now() - ch->since > HUB_RESTART_MAX_MS)
		ch->delay = HUB_RESTART_MS;
	log_about(LOG_LEVEL_WARN, ch->id, NULL, "live %s is started again in "
	    "%u ms", ch->id, ch->delay);
	ch->state = DOWN;
	ch->due = loop_now() + ch->delay;
	ch->delay = ch->delay * 2 < HUB_RESTART_MAX_MS ? ch->delay * 2 :
	    HUB_RESTART_MAX_MS;
}

/* It never began: its viewers are told why, and it is gone. */
static void
channel_fail(struct channel *ch, int status)
{
	struct viewer *v;

	while ((v = TAILQ_FIRST(&ch->viewers)) != NULL) {
		TAILQ_REMOVE(&ch->viewers, v, link);
		v->channel = NULL;
		viewer_unplace(v);
		ch->nviewers--;
		ch->hub->nviewers--;
		v->begin(v->arg, status);
	}
	untouch(ch);
	channel_free(ch);
}

static void
take_message(void *arg, const struct sse_message *m)
{
	struct channel *ch = arg;
	struct viewer *v;

	if (m->time > ch->time)
		ch->time = m->time;
	if (m->kind == SSE_TAIL || m->kind == SSE_NEXT) {
		if (m->has_next && m->next > ch->next)
			ch->next = m->next;
		if (m->kind == SSE_NEXT || ch->caught_up)
			return;
		ch->caught_up = true;
		TAILQ_FOREACH(v, &ch->viewers, link)
			viewer_wake(v);
		return;
	}
	if (is_repeat(ch, m))
		return;
	if (m->kind == SSE_GAP && !m->has_seq &&
	    buf_add(&ch->gaps, m->data, m->len) == 0)
		return;
	append(ch, m, m->has_seq ? m->seq :
	    ch->seen > 0 ? ch->seen - 1 : ch->base);
	if (m->has_next && m->next > ch->next)
		ch->next = m->next;
	ch->fenced = ch->fenced || m->stopped;
	if (m->kind == SSE_STOP && ch->fenced) {
		ch->state = ENDED;
		ch->why = "stopped";
	}
}

/* All lines that are here.  -1 if they are none, or nothing more is wanted. */
static int
take_lines(struct channel *ch)
{
	const char *line, *why;
	size_t len;
	int got;

	while ((got = lines_next(&ch->in, &line, &len)) == 1) {
		/* A last line without its LF was cut. */
		if (ch->in.pending == len)
			break;
		begin_viewers(ch);
		if (sse_line(&ch->sse, line, len, &why) == -1) {
			log_about(LOG_LEVEL_ERR, ch->id, NULL, "live %s wrote "
			    "a bad line %llu: %s", ch->id,
			    (unsigned long long)ch->in.number, why);
			return -1;
		}
		if (ch->behind || ch->state == ENDED)
			return -1;
	}
	if (got == -1) {
		log_about(LOG_LEVEL_ERR, ch->id, NULL, "live %s wrote a line "
		    "of over %u bytes", ch->id, LINE_MAX_BYTES);
		return -1;
	}
	sse_pause(&ch->sse);
	/* The memory of a large line is not kept. */
	if (buf_size(&ch->in.buf) == 0 && ch->in.buf.cap > 4 * LINES_READ)
		buf_release(&ch->in.buf);
	return ch->behind ? -1 : 0;
}

/* What take_lines() stopped for. */
static void
settle(struct channel *ch)
{
	if (ch->behind) {
		channel_forget(ch);
		ch->state = ENDED;
		ch->why = "resync";
		pipeline_stop(ch);
	} else if (ch->state == ENDED) {
		channel_end(ch, ch->why);
	} else {
		channel_down(ch);
	}
}

static void
out_ready(void *arg, uint32_t events)
{
	struct channel *ch = arg;

	(void)events;
	if (lines_fill(&ch->in) == -1) {
		if (errno == EAGAIN)
			return;
		log_about(LOG_LEVEL_ERR, ch->id, NULL, "cannot read from live "
		    "%s: %s", ch->id, strerror(errno));
		channel_down(ch);
		return;
	}
	if (take_lines(ch) == -1)
		settle(ch);
	else if (ch->in.eof)
		loop_unwatch(ch->hub->loop, &ch->out);
}

static void
exit_ready(void *arg, uint32_t events)
{
	struct channel *ch = arg;
	int status;
	bool ended;

	(void)events;
	loop_unwatch(ch->hub->loop, &ch->exit);
	if (child_reap(&ch->child, &status) != 1)
		status = EXIT_OTHER;
	count_command("live", status == EXIT_OK || status == EXIT_GAPS);
	/* What it had written before. */
	while (!ch->in.eof && lines_fill(&ch->in) > 0)
		;
	if (take_lines(ch) == -1) {
		settle(ch);
		return;
	}
	log_about(LOG_LEVEL_INFO, ch->id, NULL, "live %s ended with status %d",
	    ch->id, status);
	ended = status == EXIT_OK || status == EXIT_GAPS;
	if (ended && ch->fenced) {
		channel_end(ch, "stopped");
	} else if (ended || (ch->begun && status == EXIT_MISSING)) {
		ch->deleted = true;
		channel_end(ch, "deleted");
	} else if (!ch->begun) {
		channel_fail(ch, status);
	} else {
		channel_down(ch);
	}
}

/* ---- channels ---- */

static struct channel *
channel_find(struct hub *h, const char *id)
{
	struct channel *ch;

	TAILQ_FOREACH(ch, &h->channels, link)
		if (!ch->behind && strcmp(ch->id, id) == 0)
			return ch;
	return NULL;
}

static struct channel *
channel_new(struct hub *h, const char *id, uint64_t from)
{
	struct channel *ch;

	if (h->nchannels >= h->limits.channels) {
		if ((ch = idle_channel(h, NULL)) == NULL) {
			errno = EBUSY;
			return NULL;
		}
		channel_free(ch);
	}
	if ((ch = calloc(1, sizeof *ch)) == NULL)
		return NULL;
	ch->hub = h;
	strlcpy(ch->id, id, sizeof ch->id);
	TAILQ_INIT(&ch->viewers);
	TAILQ_INIT(&ch->messages);
	/* Those who were cut off with it may have had a little less. */
	ch->base = ch->next = from > BACK ? from - BACK : 0;
	ch->owed = from;
	ch->gaps = (struct buf)BUF_INIT(GAPS_MAX);
	ch->child = (struct child)CHILD_INIT;
	ch->out = (struct watch)WATCH_INIT(out_ready, ch);
	ch->exit = (struct watch)WATCH_INIT(exit_ready, ch);
	ch->sse = (struct sse)SSE_INIT(HUB_MESSAGE_MAX, take_message, ch);
	ch->delay = HUB_RESTART_MS;
	TAILQ_INSERT_TAIL(&h->channels, ch, link);
	h->nchannels++;
	if (pipeline_start(ch) == -1) {
		channel_free(ch);
		return NULL;
	}
	return ch;
}

/* It has no viewers. */
static void
channel_free(struct channel *ch)
{
	struct hub *h = ch->hub;
	struct message *m;
	int e = errno;

	pipeline_stop(ch);
	sse_release(&ch->sse);
	buf_release(&ch->gaps);
	while ((m = TAILQ_FIRST(&ch->messages)) != NULL)
		message_remove(ch, m);
	TAILQ_REMOVE(&h->channels, ch, link);
	h->nchannels--;
	free(ch);
	errno = e;
}

/* ---- who is watched ---- */

static void
touch(struct channel *ch, uint64_t now)
{
	int fd;

	ch->touched = now;
	if (ch->hub->watched == -1)
		return;
	fd = openat(ch->hub->watched, ch->id, O_WRONLY | O_CREAT | O_NOFOLLOW |
	    O_CLOEXEC, 0644);
	if (fd == -1 || futimens(fd, NULL) == -1)
		log_about(LOG_LEVEL_WARN, ch->id, NULL, "cannot touch the file "
		    "for watched session %s: %s", ch->id, strerror(errno));
	if (fd != -1)
		close(fd);
}

static void
untouch(struct channel *ch)
{
	if (ch->hub->watched != -1)
		unlinkat(ch->hub->watched, ch->id, 0);
}

/* ---- the hub ---- */

struct hub *
hub_new(struct loop *loop, struct reaper *reaper, const char *routes,
    int watched, const struct hub_limits *limits)
{
	struct hub *h;

	if ((h = calloc(1, sizeof *h)) == NULL)
		return NULL;
	h->loop = loop;
	h->reaper = reaper;
	h->routes = routes;
	h->watched = watched;
	h->limits = *limits;
	TAILQ_INIT(&h->channels);
	return h;
}

void
hub_free(struct hub *h)
{
	struct channel *ch;

	while ((ch = TAILQ_FIRST(&h->channels)) != NULL)
		channel_free(ch);
	free(h);
}

int
hub_join(struct hub *h, struct viewer *v, const char *id, uint64_t from)
{
	struct channel *ch;

	if (h->nviewers >= h->limits.viewers) {
		errno = EBUSY;
		return -1;
	}
	if ((ch = channel_find(h, id)) == NULL &&
	    (ch = channel_new(h, id, from)) == NULL)
		return -1;
	if (ch->deleted) {
		errno = EIDRM;
		return -1;
	}
	v->channel = ch;
	v->from = from;
	v->at = NULL;
	v->off = 0;
	v->begun = v->told_tail = v->last = v->cut = false;
	v->sent = loop_now();
	TAILQ_INSERT_TAIL(&ch->viewers, v, link);
	if (ch->nviewers++ == 0)
		touch(ch, v->sent);
	h->nviewers++;
	count_add(COUNT_JOINED, 1);
	if (from < ch->base) {
		viewer_note(v, "event: resync\ndata: resync\n\n");
		v->last = true;
		count_add(COUNT_RESYNC, 1);
	} else {
		if (from < ch->owed)
			ch->owed = from;
		viewer_note(v, "retry: %u\n\n",
		    RETRY_MIN_MS + arc4random_uniform(RETRY_SPREAD_MS));
		viewer_place(v, TAILQ_FIRST(&ch->messages));
	}
	if (ch->begun) {
		v->begun = true;
		v->begin(v->arg, 0);
	}
	return 0;
}

void
hub_leave(struct viewer *v)
{
	struct channel *ch = v->channel;

	if (ch == NULL)
		return;
	viewer_unplace(v);
	v->channel = NULL;
	TAILQ_REMOVE(&ch->viewers, v, link);
	ch->hub->nviewers--;
	if (--ch->nviewers > 0)
		return;
	untouch(ch);
	if (ch->caught_up && !ch->behind)
		ch->idle_until = loop_now() + ch->hub->limits.linger;
	else
		channel_free(ch);
}

/* A comment for those who have not heard for long, so that both ends see. */
static void
ping(struct channel *ch, uint64_t now)
{
	struct viewer *v;

	TAILQ_FOREACH(v, &ch->viewers, link) {
		if (!v->begun || v->at != NULL || v->last ||
		    v->note_off < v->note_len || now < v->sent + HUB_PING_MS)
			continue;
		viewer_note(v, ":\n\n");
		viewer_wake(v);
	}
}

void
hub_figures(const struct hub *h, struct hub_figures *f)
{
	const struct channel *ch;

	*f = (struct hub_figures){ .viewers = h->nviewers,
	    .bytes = h->bytes };
	TAILQ_FOREACH(ch, &h->channels, link) {
		f->watched += ch->nviewers > 0;
		f->pipelines += ch->child.pid != 0;
	}
}

int
hub_timeout(const struct hub *h, uint64_t now)
{
	const struct channel *ch;
	uint64_t due = UINT64_MAX;

	TAILQ_FOREACH(ch, &h->channels, link) {
		if (ch->nviewers > 0 && ch->due != 0 && ch->due < due)
			due = ch->due;
		if (ch->nviewers == 0 && ch->idle_until < due)
			due = ch->idle_until;
	}
	if (h->nviewers > 0 && h->scan < due)
		due = h->scan;
	if (due == UINT64_MAX)
		return -1;
	return due <= now ? 0 : (int)(due - now);
}

void
hub_tick(struct hub *h, uint64_t now)
{
	struct channel *ch, *next;
	bool scan = now >= h->scan;

	if (scan)
		h->scan = now + SCAN_MS;
	TAILQ_FOREACH_SAFE(ch, &h->channels, link, next) {
		if (ch->nviewers == 0) {
			if (ch->idle_until <= now)
				channel_free(ch);
			continue;
		}
		if (scan)
			ping(ch, now);
		if (now >= ch->touched + HUB_TOUCH_MS)
			touch(ch, now);
		if (ch->due == 0 || ch->due > now)
			continue;
		if (ch->state == RUNNING) {
			begin_viewers(ch);
		} else if (pipeline_start(ch) == -1) {
			log_about(LOG_LEVEL_ERR, ch->id, NULL, "cannot start "
			    "live %s: %s", ch->id, strerror(errno));
			channel_down(ch);
		}
	}
}
