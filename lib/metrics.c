#include "metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "listen.h"

#define CONNECTIONS	16
#define SECONDS		10	/* for a request to arrive */
#define HEAD_MAX	4096
#define CONTENT		"text/plain; version=0.0.4; charset=utf-8"

static const unsigned bounds[METRICS_BUCKETS] = { 1, 2, 5, 10, 20, 50, 100,
    200, 500, 1000, 2000, 5000, 30000 };	/* ms */

void
histogram_add(struct histogram *h, uint64_t ms)
{
	size_t i = 0;

	while (i < METRICS_BUCKETS && ms > bounds[i])
		i++;
	h->counts[i]++;
	h->sum += ms;
}

static int
write_head(struct buf *b, const char *name, const char *help,
    const char *type)
{
	return buf_addf(b, "# HELP %s %s.\n# TYPE %s %s\n", name, help, name,
	    type);
}

int
metrics_write(struct buf *b, const struct metric *m, size_t n, size_t stride)
{
	static const char *const types[] = { "counter", "gauge" };
	const char *last = "";

	for (; n > 0; n--, m = (const struct metric *)(const void *)
	    ((const char *)m + stride)) {
		if (strcmp(m->name, last) != 0 && write_head(b, m->name,
		    m->help, types[m->type]) == -1)
			return -1;
		last = m->name;
		if (buf_addf(b, m->labels == NULL ? "%s%s %llu\n" :
		    "%s{%s} %llu\n", m->name, m->labels == NULL ? "" :
		    m->labels, (unsigned long long)m->value) == -1)
			return -1;
	}
	return 0;
}

int
histogram_write(struct buf *b, const struct histogram *h)
{
	unsigned long long sum = 0;

	if (write_head(b, h->name, h->help, "histogram") == -1)
		return -1;
	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		sum += h->counts[i];
		if (buf_addf(b, "%s_bucket{le=\"%g\"} %llu\n", h->name,
		    bounds[i] / 1000.0, sum) == -1)
			return -1;
	}
	sum += h->counts[METRICS_BUCKETS];
	return buf_addf(b, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.3f\n"
	    "%s_count %llu\n", h->name, sum, h->name,
	    (double)h->sum / 1000, h->name, sum);
}

/* ---- the server ---- */

struct metrics_server {
	struct http *http;
	unsigned n;
	int fd[METRICS_LISTEN_MAX];
	const char *spec[METRICS_LISTEN_MAX];
	int (*write)(void *, struct buf *);
	void *arg;
	struct buf text;
};

static void
begin(struct http_request *r)
{
	struct metrics_server *s = r->arg;
	static const struct http_header headers[] = {
		{ "Cache-Control", "no-store" }, { NULL, NULL },
	};

	if (!http_segment_is(r, 0, "metrics") || r->nsegments != 1) {
		http_reply(r, 404, "text/plain", "see /metrics\n", 13, NULL);
		return;
	}
	if (r->method != HTTP_GET && r->method != HTTP_HEAD) {
		http_reply(r, 405, "text/plain", "only GET\n", 9, NULL);
		return;
	}
	buf_clear(&s->text);
	if (s->write(s->arg, &s->text) == -1)
		http_reply(r, 500, "text/plain", "no memory\n", 10, NULL);
	else
		http_reply(r, 200, CONTENT, buf_bytes(&s->text),
		    buf_size(&s->text), headers);
}

static void
ignore_body(struct http_request *r, const void *bytes, size_t n)
{
	(void)r;
	(void)bytes;
	(void)n;
}

static void
ignore(struct http_request *r)
{
	(void)r;
}

struct metrics_server *
metrics_new(int (*write)(void *arg, struct buf *), void *arg)
{
	const struct http_limits limits = { .connections = CONNECTIONS,
	    .idle = SECONDS, .receive = SECONDS, .head = HEAD_MAX };
	struct metrics_server *s = calloc(1, sizeof(*s));
	const struct http_program program = { begin, ignore_body, ignore,
	    ignore, s };

	if (s == NULL)
		return NULL;
	s->write = write;
	s->arg = arg;
	s->text.max = METRICS_TEXT_MAX;
	if ((s->http = http_new(&program, &limits)) != NULL)
		return s;
	free(s);
	return NULL;
}

int
metrics_listen(struct metrics_server *s, const char *spec, const char **why)
{
	int fd, e;

	errno = 0;
	*why = "so many places are not served";
	if (s->n == METRICS_LISTEN_MAX)
		return -1;
	if ((fd = listen_open(spec, false, why)) == -1)
		return -1;
	if (!listen_is_local(fd)) {
		*why = "other machines would reach it; use a loopback "
		    "address or a socket file";
		errno = 0;
	} else if (http_listen(s->http, fd) == -1) {
		*why = "cannot serve it";
	} else {
		s->fd[s->n] = fd;
		s->spec[s->n++] = spec;
		return 0;
	}
	e = errno;
	listen_close(fd, spec);
	errno = e;
	return -1;
}

int
metrics_fd(const struct metrics_server *s)
{
	return http_fd(s->http);
}

int
metrics_timeout(const struct metrics_server *s)
{
	return http_timeout(s->http);
}

void
metrics_run(struct metrics_server *s)
{
	http_run(s->http);
}

void
metrics_free(struct metrics_server *s)
{
	if (s == NULL)
		return;
	http_free(s->http);
	while (s->n > 0) {
		s->n--;
		listen_close(s->fd[s->n], s->spec[s->n]);
	}
	buf_release(&s->text);
	free(s);
}
