/*
 * A viewer's double, many times: watches one live session, and compares each
 * event that it gets, byte by byte, with those it should get.
 *
 *	watch [options] FILE HOST:PORT PATH
 *
 * FILE has all the events, a line each; PATH is that of the stream, with its
 * from=.  Who is cut off comes back with Last-Event-ID, and counts only whole
 * messages.  When each viewer has all of FILE they stay for a moment: an event
 * that comes then is one too many.
 *
 *	-n N		viewers (1)
 *	-t SECONDS	for all of it (60)
 *	-z N		of them stop reading at their first event, and read on
 *			when the others have two thirds; then what they get
 *			must be the beginning of FILE, and the end a resync or
 *			a cut.  Each of them then does as a dashboard: reads
 *			all from the last snapshot on, which must be FILE's
 *			from there, and goes on behind that as the others do
 *
 * Prints "ready" when each has caught up once, and at last how often they came
 * back (that nobody listens counts as one with the next try), and how many of
 * -z were cut off.  Exit 0, or 1 with what is wrong.
 */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define VIEWERS_MAX	10000
#define LINE_MAX_	(16u << 20)
#define STAY_MS		300
#define AGAIN_MS	100	/* and as much again at most, to come back */

struct viewer {
	int fd;
	uint64_t again;		/* ms: when to come back; 0: it is there */
	bool head;		/* of the answer: still to come */
	bool ready;
	bool lazy;		/* one of -z, until it has seen its end */
	bool asleep;		/* it does not read */
	bool told;		/* it is to resync */
	enum { LIVE, SNAPSHOT, LINES } phase;	/* what it asks for, */
	char path[256];		/* and where, if not as the others */
	bool far;		/* it has two thirds */
	char *line;		/* the beginning of one */
	size_t len, cap;
	size_t at;		/* in FILE, behind the last whole message */
	size_t next;		/* and behind what there is of this one */
	char id[24], last[24];	/* of this message, of the last whole one */
};

static struct viewer *viewers;
static unsigned nviewers = 1, nlazy, nready, nwhole, nfar;
static unsigned long comebacks, cuts;
static const char *wanted, *host, *path;
static size_t nwanted;
static struct addrinfo *ai;
static int ep;

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
watch(struct viewer *v)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = v };
	char request[1024];
	int n, size = 8192;

	v->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (v->fd == -1)
		err(1, "socket");
	/* So that little is on its way to who does not read. */
	if (v->lazy)
		setsockopt(v->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* As 1.0 it comes without chunks. */
	n = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: %s\r\n"
	    "%s%s%s\r\n", v->path[0] != '\0' ? v->path : path, host, v->last[0] == '\0' ? "" :
	    "Last-Event-ID: ", v->last, v->last[0] == '\0' ? "" : "\r\n");
	v->head = true;
	v->len = 0;
	v->next = v->at;
	v->id[0] = '\0';
	v->again = 0;
	if (connect(v->fd, ai->ai_addr, ai->ai_addrlen) == -1 &&
	    errno == ECONNREFUSED && comebacks > 0) {
		close(v->fd);
		v->fd = -1;
		v->again = now_ms() + AGAIN_MS;
		return;
	}
	if (send(v->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
		err(1, "viewer %zd: cannot connect", v - viewers);
	fcntl(v->fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, v->fd, &ev) == -1)
		err(1, "epoll_ctl");
}

/* It was cut off, and asks for all from the last snapshot on. */
static void
resync(struct viewer *v)
{
	int n = (int)(strstr(path, "/live?") - path);

	cuts += v->at < nwanted;
	snprintf(v->path, sizeof(v->path), "%.*s/lines?from=snapshot", n, path);
	v->lazy = v->told = false;
	v->phase = SNAPSHOT;
	v->last[0] = '\0';
	v->again = now_ms();
}

/* Its answer has ended. */
static void
leave(struct viewer *v)
{
	close(v->fd);
	v->fd = -1;
	if (v->lazy) {
		resync(v);
		return;
	}
	if (v->phase != LIVE)
		errx(1, "viewer %zd: the lines end without a tail",
		    v - viewers);
	if (v->told)
		errx(1, "viewer %zd: it is told to resync at byte %zu",
		    v - viewers, v->at);
	comebacks++;
	v->again = now_ms() + AGAIN_MS + (uint64_t)rand() % AGAIN_MS;
}

static void
take_event(struct viewer *v, const char *p, size_t n)
{
	if (n + 1 > nwanted - v->next || wanted[v->next + n] != '\n' ||
	    memcmp(wanted + v->next, p, n) != 0)
		errx(1, "viewer %zd: not what is at byte %zu: %.*s",
		    v - viewers, v->next, n > 200 ? 200 : (int)n, p);
	v->next += n + 1;
}

static void
end_message(struct viewer *v)
{
	bool had = v->at == nwanted;

	v->at = v->next;
	if (v->id[0] != '\0')
		memcpy(v->last, v->id, sizeof(v->last));
	v->id[0] = '\0';
	if (v->lazy) {
		v->asleep = v->asleep || (v->at > 0 && nfar + nlazy <
		    nviewers);
		return;
	}
	if (v->at == nwanted && !had)
		nwhole++;
	if (!v->far && v->at >= nwanted / 3 * 2) {
		v->far = true;
		nfar++;
	}
}

/* The last place in FILE where that event stands. */
static size_t
place_of(const struct viewer *v, const char *p, size_t n)
{
	const char *line = wanted + nwanted;

	while (line > wanted) {
		for (line--; line > wanted && line[-1] != '\n'; line--)
			;
		if ((size_t)(wanted + nwanted - line) > n && line[n] == '\n' &&
		    memcmp(line, p, n) == 0)
			return (size_t)(line - wanted);
	}
	errx(1, "viewer %zd: not in FILE: %.*s", v - viewers,
	    n > 200 ? 200 : (int)n, p);
}

/* A line of those from the last snapshot on. */
static void
take_plain(struct viewer *v, const char *p, size_t n)
{
	char *end;
	int head;

	if (p[0] == '{' || p[0] == '"') {
		if (v->phase == SNAPSHOT)
			v->next = place_of(v, p, n);
		v->phase = LINES;
		take_event(v, p, n);
	} else if (n > 7 && memcmp(p, ":batch ", 7) == 0) {
		if (v->phase == SNAPSHOT && memmem(p, n, "full", 4) == NULL)
			errx(1, "viewer %zd: it is no snapshot: %.*s",
			    v - viewers, (int)n, p);
	} else if (n == 4 && memcmp(p, ":end", 4) == 0) {
		end_message(v);
	} else if (n > 10 && memcmp(p, ":tail seq=", 10) == 0) {
		head = (int)(strstr(path, "/live?") - path);
		snprintf(v->path, sizeof(v->path), "%.*s/live?from=%lu", head,
		    path, strtoul(p + 10, &end, 10));
		v->phase = LIVE;
		v->again = now_ms();
	} else if (n > 4 && memcmp(p, ":gap", 4) == 0) {
		errx(1, "viewer %zd: a gap at byte %zu", v - viewers, v->at);
	}
}

static void
take_line(struct viewer *v, const char *p, size_t n)
{
	if (v->head) {
		if (n > 9 && memcmp(p, "HTTP/1.", 7) == 0 &&
		    memcmp(p + 9, "200", 3) != 0)
			errx(1, "viewer %zd: %.*s", v - viewers, (int)n, p);
		v->head = n > 1;
	} else if (v->phase != LIVE) {
		take_plain(v, p, n);
	} else if (n == 0) {
		end_message(v);
	} else if (n > 6 && memcmp(p, "data: ", 6) == 0) {
		if (p[6] == '{' || p[6] == '"')
			take_event(v, p + 6, n - 6);
	} else if (n > 4 && n < 4 + sizeof(v->id) && memcmp(p, "id: ", 4) == 0) {
		memcpy(v->id, p + 4, n - 4);
		v->id[n - 4] = '\0';
	} else if (n == 11 && memcmp(p, "event: tail", 11) == 0) {
		nready += !v->ready;
		v->ready = true;
	} else if (n == 13 && memcmp(p, "event: resync", 13) == 0) {
		v->told = true;
	} else if (n == 10 && memcmp(p, "event: gap", 10) == 0) {
		errx(1, "viewer %zd: a gap at byte %zu", v - viewers, v->at);
	}
}

static void
take(struct viewer *v, const char *p, size_t n)
{
	const char *lf;
	size_t part;

	while (n > 0) {
		lf = memchr(p, '\n', n);
		part = lf == NULL ? n : (size_t)(lf - p);
		if (lf == NULL || v->len > 0) {
			if (v->len + part > v->cap) {
				v->cap = 2 * (v->len + part);
				if (v->cap > LINE_MAX_ || (v->line =
				    realloc(v->line, v->cap)) == NULL)
					errx(1, "a line is too long");
			}
			memcpy(v->line + v->len, p, part);
			v->len += part;
		}
		if (lf == NULL)
			return;
		if (v->len > 0)
			take_line(v, v->line, v->len);
		else
			take_line(v, p, part);
		v->len = 0;
		p += part + 1;
		n -= part + 1;
	}
}

static void
receive(struct viewer *v)
{
	static char bytes[1 << 16];
	ssize_t n = recv(v->fd, bytes, v->lazy ? 1024 : sizeof(bytes), 0);

	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		leave(v);
		return;
	}
	take(v, bytes, (size_t)n);
	if (v->again != 0) {
		close(v->fd);
		v->fd = -1;
	} else if (v->asleep)
		epoll_ctl(ep, EPOLL_CTL_DEL, v->fd, NULL);
}

static void
wake_lazy(void)
{
	struct epoll_event ev = { .events = EPOLLIN };

	for (unsigned i = 0; i < nlazy; i++) {
		if (!viewers[i].asleep)
			continue;
		ev.data.ptr = &viewers[i];
		viewers[i].asleep = false;
		if (epoll_ctl(ep, EPOLL_CTL_ADD, viewers[i].fd, &ev) == -1)
			err(1, "epoll_ctl");
	}
}

static void
look(void)
{
	struct epoll_event ev[256];
	uint64_t now;
	int n = epoll_wait(ep, ev, 256, 20);

	for (int i = 0; i < n; i++)
		if (((struct viewer *)ev[i].data.ptr)->fd != -1)
			receive(ev[i].data.ptr);
	now = now_ms();
	for (unsigned i = 0; i < nviewers; i++)
		if (viewers[i].again != 0 && viewers[i].again <= now)
			watch(&viewers[i]);
}

static void
run(uint64_t end)
{
	uint64_t stay = 0;
	bool said = false, woken = false;

	for (;;) {
		look();
		if (!said && nready == nviewers) {
			puts("ready");
			fflush(stdout);
			said = true;
		}
		if (!woken && nfar == nviewers - nlazy) {
			wake_lazy();
			woken = true;
		}
		if (stay == 0 && nwhole == nviewers)
			stay = now_ms() + STAY_MS;
		if (stay != 0 && now_ms() >= stay)
			return;
		if (now_ms() > end)
			errx(1, "of %u viewers %u were ready, %u have all, %lu "
			    "of %u that slept were cut off", nviewers, nready,
			    nwhole, cuts, nlazy);
	}
}

int
main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	unsigned seconds = 60;
	struct rlimit rl;
	struct stat st;
	char *port;
	int c, fd;

	while ((c = getopt(argc, argv, "n:t:z:")) != -1)
		switch (c) {
		case 'n': nviewers = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 't': seconds = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'z': nlazy = (unsigned)strtoul(optarg, NULL, 10); break;
		default: return 64;
		}
	if (argc - optind != 3 || nviewers > VIEWERS_MAX || nlazy >= nviewers ||
	    (port = strrchr(argv[optind + 1], ':')) == NULL)
		errx(64, "wrong use; see the head of watch.c");
	if ((fd = open(argv[optind], O_RDONLY)) == -1 || fstat(fd, &st) == -1)
		err(1, "%s", argv[optind]);
	nwanted = (size_t)st.st_size;
	wanted = mmap(NULL, nwanted, PROT_READ, MAP_PRIVATE, fd, 0);
	if (wanted == MAP_FAILED)
		err(1, "%s", argv[optind]);
	host = strdup(argv[optind + 1]);
	path = argv[optind + 2];
	*port++ = '\0';
	if ((c = getaddrinfo(argv[optind + 1], port, &hints, &ai)) != 0)
		errx(1, "%s", gai_strerror(c));
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	viewers = calloc(nviewers, sizeof(*viewers));
	if (host == NULL || viewers == NULL || (ep = epoll_create1(0)) == -1)
		err(1, "cannot start");
	for (unsigned i = 0; i < nviewers; i++) {
		viewers[i].lazy = i < nlazy;
		watch(&viewers[i]);
	}
	run(now_ms() + 1000ull * seconds);
	printf("viewers=%u comebacks=%lu cut=%lu of %u\n", nviewers, comebacks,
	    cuts, nlazy);
	return 0;
}
