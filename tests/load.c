/*
 * A recorder's double, many times: opens sessions and sends batches, one in
 * flight a connection, each a tab of its own.  What it sends follows from
 * session, tab and batch, so that -V can check what a reader gets.
 *
 *	load [options] http://HOST:PORT ...
 *
 *	-b BYTES	of a batch (4096)
 *	-c N		connections (8)
 *	-n N		batches a connection (as many as fit in the time)
 *	-o FILE		write "ID TAB LAST" of each tab: the last acknowledged
 *	-r		go on whatever happens, until all is acknowledged
 *	-s N		sessions (1)
 *	-t SECONDS	(2, or no end with -n)
 *	-S SEED		of what is random (the time)
 *	-x N		change over to the next URL after N batches
 *
 *	load -V ID TAB=LAST ... < lines of rr-reassemble -d
 *
 * checks that each tab's batches are there once and in order, from 1 to at
 * least LAST, each as it was sent.  Exit 0, or 1 with what is wrong.
 *
 * Several URLs are used in turn, another one after each failure.  SIGTERM: no
 * further batches, but those that were begun to their end.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define URLS_MAX	8
#define CONNS_MAX	4096
#define SESSIONS_MAX	20000
#define BODY_MAX	(1 << 20)
#define ANSWER_MAX	4096
#define EVENTS		5	/* in a batch */
#define LATE_MS		4000	/* no answer for so long is none, with -r */
#define LATENCIES	200000	/* of 10 us each */

struct session {
	char id[32];
	char token[128];
};

struct conn {
	int fd;
	unsigned n;
	struct session *session;
	uint32_t tab;
	uint32_t batch;		/* being sent */
	uint64_t sent;		/* us */
	uint64_t again;		/* us: when to try again; 0: not waiting */
	char *out;
	size_t out_len, out_done;
	char in[ANSWER_MAX];
	size_t in_len;
	bool opening;
	bool finished;
};

static struct {
	const char *host, *port;
	struct addrinfo *ai;
} urls[URLS_MAX];
static int nurls;
static struct session *sessions;
static struct conn *conns;
static unsigned nconns = 8, nsessions = 1, nbatches, nopen;
static size_t nbytes = 4096;
static bool retry;
static int ep;
static uint64_t seed, ended, deadline;
static unsigned change;
static volatile sig_atomic_t stopped;	/* by SIGTERM: send no more batches */
static uint32_t latencies[LATENCIES + 1];
static uint64_t stored, repeats, failures, answers[600];

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t
draw(void)
{
	return mix(seed += 0x9e3779b97f4a7c15u);
}

/* The text of a batch; its length. */
static size_t
make_batch(char *out, const char *id, uint32_t tab, uint32_t batch,
    size_t bytes)
{
	static const char *const words[] = { "div", "class", "button", "price",
	    "add to cart", "margin-top: 4px", "https://shop.example/item/",
	    "active", "textContent", "0.25", "the quick brown fox", "node",
	    "attributes", "removed", "\\u00e9t\\u00e9", "visible" };
	uint64_t x = 0;
	size_t n = 0, each = bytes / EVENTS;

	for (const char *p = id; *p != '\0'; p++)
		x = mix(x + (unsigned char)*p);
	x = mix(x ^ ((uint64_t)tab << 32 | batch));
	for (unsigned i = 0; i < EVENTS; i++) {
		size_t end = n + each - 4;

		n += (size_t)snprintf(out + n, 160, "{\"type\":3,\"timestamp\":"
		    "%llu,\"data\":{\"source\":0,\"of\":\"%s/%x/%u/%u\","
		    "\"text\":\"", 1767225600000ull + batch * 100ull + i, id,
		    tab, batch, i);
		while (n + 24 < end) {
			x = mix(x + 1);
			/* By hand: printf would take a fifth of a core. */
			for (const char *w = words[x & 15]; *w != '\0'; w++)
				out[n++] = *w;
			out[n++] = ' ';
			for (unsigned v = (unsigned)(x >> 56), d = 100; d > 0;
			    d /= 10)
				out[n++] = (char)('0' + v / d % 10);
			out[n++] = ' ';
		}
		memcpy(out + n, "\"}}\n", 4);
		n += 4;
	}
	return n;
}

/* ---- checking ---- */

static int
verify(int argc, char **argv)
{
	struct { uint32_t tab, last, seen; } tabs[64];
	static char want[BODY_MAX];
	char *line = NULL;
	size_t cap = 0, len = 0, at = 0, n;
	ssize_t got;
	int ntabs = 0, i = -1;
	unsigned long tab, batch;

	for (int a = 1; a < argc && ntabs < 64; a++) {
		char *end;

		tabs[ntabs].tab = (uint32_t)strtoul(argv[a], &end, 16);
		tabs[ntabs].last = (uint32_t)strtoul(end + 1, NULL, 10);
		tabs[ntabs++].seen = 0;
	}
	while ((got = getline(&line, &cap, stdin)) > 0) {
		if (line[0] == '{') {
			n = (size_t)got;
			if (at + n > len || memcmp(want + at, line, n) != 0)
				errx(1, "%s: not what was sent, in tab %x "
				    "batch %u: %.200s", argv[0],
				    i == -1 ? 0 : tabs[i].tab,
				    i == -1 ? 0 : tabs[i].seen, line);
			at += n;
			continue;
		}
		if (at != len)
			errx(1, "%s: a batch ends early", argv[0]);
		if (strncmp(line, ":gap", 4) == 0)
			errx(1, "%s: %s", argv[0], line);
		if (sscanf(line, ":batch tab=%lx batch=%lu", &tab,
		    &batch) != 2)
			continue;
		for (i = 0; i < ntabs && tabs[i].tab != tab; i++)
			;
		if (i == ntabs)
			errx(1, "%s: unknown tab %lx", argv[0], tab);
		if (batch != tabs[i].seen + 1)
			errx(1, "%s: tab %lx: batch %lu after %u", argv[0],
			    tab, batch, tabs[i].seen);
		tabs[i].seen = (uint32_t)batch;
		len = make_batch(want, argv[0], (uint32_t)tab,
		    (uint32_t)batch, nbytes);
		at = 0;
	}
	for (i = 0; i < ntabs; i++)
		if (tabs[i].seen < tabs[i].last)
			errx(1, "%s: tab %x: %u was acknowledged, %u is the "
			    "last there", argv[0], tabs[i].tab, tabs[i].last,
			    tabs[i].seen);
	free(line);
	return 0;
}

/* ---- sending ---- */

static void
watch(struct conn *c, uint32_t events, int op)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (epoll_ctl(ep, op, c->fd, &ev) == -1)
		err(1, "epoll_ctl");
}

static void
fail(struct conn *c, const char *what)
{
	if (!retry)
		errx(1, "%s (tab %x, batch %u)", what, c->tab, c->batch);
	failures++;
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	c->again = now_us() + 5000 + draw() % 95000;
}

static void
flush(struct conn *c)
{
	ssize_t n;

	while (c->out_done < c->out_len) {
		n = send(c->fd, c->out + c->out_done, c->out_len - c->out_done,
		    MSG_NOSIGNAL);
		if (n == -1) {
			if (errno == EAGAIN || errno == EINPROGRESS ||
			    errno == ENOTCONN) {
				watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
				return;
			}
			fail(c, strerror(errno));
			return;
		}
		c->out_done += (size_t)n;
	}
	watch(c, EPOLLIN, EPOLL_CTL_MOD);
}

static void
request(struct conn *c)
{
	static char body[BODY_MAX];
	size_t n = 2;
	int head;

	if (c->opening) {
		memcpy(body, "{}", 2);
		head = snprintf(c->out, 512, "POST /v1/sessions?key=dev "
		    "HTTP/1.1\r\nHost: load\r\nContent-Length: 2\r\n\r\n");
	} else {
		n = make_batch(body, c->session->id, c->tab, c->batch, nbytes);
		head = snprintf(c->out, 512, "POST /v1/sessions/%s/lines?"
		    "token=%s&tab=%x&batch=%u HTTP/1.1\r\nHost: load\r\n"
		    "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
		    c->session->id, c->session->token, c->tab, c->batch, n);
	}
	memcpy(c->out + head, body, n);
	c->out_len = (size_t)head + n;
	c->out_done = 0;
	c->in_len = 0;
	c->sent = now_us();
	flush(c);
}

static void
start(struct conn *c)
{
	static int turn;
	struct addrinfo *ai = urls[turn++ % nurls].ai;
	int on = 1;

	c->again = 0;
	c->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd == -1)
		err(1, "socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, ai->ai_addr, ai->ai_addrlen) == -1 &&
	    errno != EINPROGRESS) {
		fail(c, strerror(errno));
		return;
	}
	watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
	request(c);
}

/* The value of a member of a flat JSON object. */
static bool
member(const char *json, const char *name, char *out, size_t size)
{
	char key[32];
	const char *p;
	size_t n;

	snprintf(key, sizeof(key), "\"%s\":\"", name);
	if ((p = strstr(json, key)) == NULL)
		return false;
	p += strlen(key);
	n = strcspn(p, "\"");
	if (n >= size)
		return false;
	memcpy(out, p, n);
	out[n] = '\0';
	return true;
}

static void
finish(struct conn *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	c->finished = true;
	ended++;
}

/* A tab is done when all it should send is acknowledged. */
static void
next(struct conn *c)
{
	if (stopped || (nbatches != 0 && c->batch == nbatches) ||
	    (deadline != 0 && now_us() >= deadline)) {
		finish(c);
		return;
	}
	c->batch++;
	if (change != 0 && c->batch % change == 0) {
		close(c->fd);
		start(c);
		return;
	}
	request(c);
}

static void
on_term(int signo)
{
	(void)signo;
	stopped = 1;
}

static void
answer(struct conn *c, const char *body, unsigned status)
{
	uint64_t us = now_us() - c->sent;
	char verdict[16];

	answers[status < 600 ? status : 0]++;
	if (!member(body, "verdict", verdict, sizeof(verdict)))
		verdict[0] = '\0';
	if (c->opening && strcmp(verdict, "open") == 0) {
		member(body, "id", c->session->id, sizeof(c->session->id));
		member(body, "token", c->session->token,
		    sizeof(c->session->token));
		c->opening = false;
		finish(c);
		return;
	}
	if (strcmp(verdict, "stored") == 0) {
		stored++;
		if (strstr(body, "\"repeat\":true") != NULL)
			repeats++;
		latencies[us / 10 < LATENCIES ? us / 10 : LATENCIES]++;
		next(c);
		return;
	}
	if (strcmp(verdict, "away") == 0 || strcmp(verdict, "slow") == 0) {
		fail(c, body);
		return;
	}
	errx(1, "tab %x, batch %u: %s", c->tab, c->batch, body);
}

static void
receive(struct conn *c)
{
	char *body, *p;
	unsigned status;
	size_t length;
	ssize_t n;

	n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - 1 - c->in_len, 0);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		fail(c, n == 0 ? "the connection was closed" :
		    strerror(errno));
		return;
	}
	c->in_len += (size_t)n;
	c->in[c->in_len] = '\0';
	if ((body = strstr(c->in, "\r\n\r\n")) == NULL)
		return;
	body += 4;
	p = strcasestr(c->in, "\r\nContent-Length:");
	length = p != NULL && p < body ? strtoul(p + 17, NULL, 10) : 0;
	if (c->in_len < (size_t)(body - c->in) + length)
		return;
	if (sscanf(c->in, "HTTP/1.1 %u", &status) != 1)
		errx(1, "no HTTP: %s", c->in);
	answer(c, body, status);
}

static void
run(unsigned n)
{
	struct epoll_event ev[256];
	uint64_t now;
	int k;

	for (ended = 0; ended < n;) {
		k = epoll_wait(ep, ev, 256, retry ? 10 : 1000);
		for (int i = 0; i < k; i++) {
			struct conn *c = ev[i].data.ptr;

			if (c->fd == -1)
				continue;
			if ((ev[i].events & EPOLLOUT) != 0 &&
			    c->out_done < c->out_len)
				flush(c);
			if (c->fd != -1 && (ev[i].events &
			    (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
				receive(c);
		}
		if (!retry)
			continue;
		now = now_us();
		for (unsigned i = 0; i < n; i++) {
			if (conns[i].again != 0 && conns[i].again <= now)
				start(&conns[i]);
			else if (conns[i].fd != -1 &&
			    now - conns[i].sent > LATE_MS * 1000)
				fail(&conns[i], "no answer");
		}
	}
}

static void
add_url(char *url)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char *host = strstr(url, "://"), *port;

	host = host == NULL ? url : host + 3;
	host[strcspn(host, "/")] = '\0';
	if ((port = strrchr(host, ':')) == NULL || nurls == URLS_MAX)
		errx(64, "expected http://HOST:PORT");
	*port++ = '\0';
	if (getaddrinfo(host, port, &hints, &urls[nurls].ai) != 0)
		errx(1, "no such host: %s", host);
	nurls++;
}

static double
percentile(double p)
{
	uint64_t want = (uint64_t)((double)stored * p), n = 0;

	for (unsigned i = 0; i <= LATENCIES; i++)
		if ((n += latencies[i]) > want)
			return i / 100.0;
	return LATENCIES / 100.0;
}

static void
report(uint64_t us, const char *path)
{
	FILE *f;

	printf("batches=%llu repeats=%llu failures=%llu seconds=%.3f "
	    "rate=%.0f p50=%.2f p90=%.2f p99=%.2f\n",
	    (unsigned long long)stored, (unsigned long long)repeats,
	    (unsigned long long)failures, (double)us / 1e6,
	    (double)stored * 1e6 / (double)us, percentile(0.5),
	    percentile(0.9), percentile(0.99));
	if (path == NULL)
		return;
	if ((f = fopen(path, "w")) == NULL)
		err(1, "%s", path);
	for (unsigned i = 0; i < nconns; i++)
		fprintf(f, "%s %x %u\n", conns[i].session->id, conns[i].tab,
		    conns[i].batch);
	fclose(f);
}

int
main(int argc, char **argv)
{
	const char *path = NULL;
	double seconds = 0;
	uint64_t begun;
	int c;

	seed = (uint64_t)time(NULL);
	while ((c = getopt(argc, argv, "b:c:n:o:rs:S:t:Vx:")) != -1)
		switch (c) {
		case 'b': nbytes = strtoul(optarg, NULL, 10); break;
		case 'c': nconns = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'n': nbatches = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'o': path = optarg; break;
		case 'r': retry = true; break;
		case 's': nsessions = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'S': seed = strtoull(optarg, NULL, 10); break;
		case 't': seconds = strtod(optarg, NULL); break;
		case 'x': change = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'V': return verify(argc - optind, argv + optind);
		default: return 64;
		}
	for (int i = optind; i < argc; i++)
		add_url(argv[i]);
	if (nurls == 0 || nconns == 0 || nconns > CONNS_MAX ||
	    nsessions == 0 || nsessions > SESSIONS_MAX ||
	    nbytes > BODY_MAX / 2 || nbytes < 1000)
		errx(64, "wrong use; see the head of load.c");
	if (seconds == 0 && nbatches == 0)
		seconds = 2;
	sessions = calloc(nsessions, sizeof(*sessions));
	conns = calloc(nconns, sizeof(*conns));
	if (sessions == NULL || conns == NULL ||
	    (ep = epoll_create1(0)) == -1)
		err(1, "cannot start");
	for (unsigned i = 0; i < nconns; i++) {
		conns[i].fd = -1;
		if ((conns[i].out = malloc(nbytes + 1024)) == NULL)
			err(1, "malloc");
	}
	/* Open the sessions, nconns at a time. */
	for (nopen = 0; nopen < nsessions;) {
		unsigned n = nsessions - nopen < nconns ? nsessions - nopen :
		    nconns;

		for (unsigned i = 0; i < n; i++) {
			conns[i].session = &sessions[nopen + i];
			conns[i].opening = true;
			conns[i].finished = false;
			start(&conns[i]);
		}
		run(n);
		nopen += n;
	}
	signal(SIGTERM, on_term);
	begun = now_us();
	if (seconds > 0)
		deadline = begun + (uint64_t)(seconds * 1e6);
	for (unsigned i = 0; i < nconns; i++) {
		conns[i].session = &sessions[i % nsessions];
		conns[i].tab = i / nsessions + 1;
		conns[i].batch = 1;
		conns[i].finished = false;
		start(&conns[i]);
	}
	run(nconns);
	report(now_us() - begun, path);
	return 0;
}
