/*
 * viewers: how long a batch takes from S2's acknowledgement to the last of
 * many viewers, and beside it to a bare read session.
 *
 * usage: viewers -n VIEWERS -c COUNT -i MS [-s BYTES] -a APPEND -t TAIL
 *                HOST:PORT PATH
 *
 * Opens VIEWERS connections for PATH (server-sent events), and then COUNT
 * times, MS apart, writes a batch of BYTES to the command APPEND (sh -c),
 * which must answer with a line ":ack". Each batch has a mark in it; who sees
 * it has it. TAIL's output is searched for the marks too, so its records must
 * not be compressed.
 *
 * Prints one line: p50 and p99 in ms from the acknowledgement to TAIL, to the
 * first and to the last viewer, and from TAIL to the last viewer.
 */
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCHES_MAX	100000
#define WAIT_MS		30000	/* for one batch to reach everybody */
#define MARK		"\"mark\":"

/* Somebody who waits for marks. */
struct reader {
	int fd;
	unsigned matched;	/* bytes of MARK just seen */
	int marks;
};

static int nviewers = 1, count = 100, interval = 100, size = 400;
static struct reader *viewers, tail = { .fd = -1 }, acks;
static int append_in = -1;
static double *acked, *tailed, *first, *last;
static int *reached;		/* viewers that have this batch */
static int epoll;

static void __attribute__((noreturn))
die(const char *what)
{
	fprintf(stderr, "viewers: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void
watch(struct reader *r)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = r };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, r->fd, &ev) == -1)
		die("epoll");
}

/* Start a command; in (may be NULL) and out become our ends of its pipes. */
static void
start(const char *command, int *in, int *out)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) == -1 || pipe2(from, O_CLOEXEC) == -1)
		die("pipe");
	switch (fork()) {
	case -1:
		die("fork");
	case 0:
		dup2(to[0], 0);
		dup2(from[1], 1);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	if (in != NULL)
		*in = to[1];
	*out = from[0];
	fcntl(*out, F_SETFL, O_NONBLOCK);
}

static int
connect_to(const struct addrinfo *ai, const char *request)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || connect(fd, ai->ai_addr, ai->ai_addrlen) == -1)
		die("connect");
	if (write(fd, request, strlen(request)) != (ssize_t)strlen(request))
		die("send");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void
see_mark(struct reader *r)
{
	int k = r->marks++;

	if (k >= count)
		return;
	if (r == &tail) {
		tailed[k] = now();
	} else {
		last[k] = now();
		if (reached[k]++ == 0)
			first[k] = last[k];
	}
}

static void
see_bytes(struct reader *r, const char *p, size_t n)
{
	static const char mark[] = MARK;
	const char *end = p + n;

	for (; p < end; p++) {
		if (r->matched == 0 &&
		    (p = memchr(p, mark[0], (size_t)(end - p))) == NULL)
			return;
		if (*p != mark[r->matched]) {
			r->matched = *p == mark[0];
		} else if (++r->matched == sizeof mark - 1) {
			r->matched = 0;
			see_mark(r);
		}
	}
}

/* One round of reading, at most ms long. */
static void
look(int ms)
{
	static char buf[1 << 16];
	struct epoll_event events[256];
	struct reader *r;
	ssize_t got;
	int n, i;

	n = epoll_wait(epoll, events, 256, ms);
	for (i = 0; i < n; i++) {
		r = events[i].data.ptr;
		got = read(r->fd, buf, sizeof buf);
		if (got == -1 && errno == EAGAIN)
			continue;
		if (got <= 0) {
			fprintf(stderr, "viewers: %s ended\n", r == &acks ?
			    "APPEND" : r == &tail ? "TAIL" : "a viewer");
			exit(1);
		}
		if (r == &acks) {
			for (char *p = buf; (p = memchr(p, '\n',
			    (size_t)(buf + got - p))) != NULL; p++)
				if (r->marks < count)
					acked[r->marks++] = now();
		} else {
			see_bytes(r, buf, (size_t)got);
		}
	}
}

static void
write_batch(int k)
{
	static char text[1 << 20];
	int n;

	n = snprintf(text, sizeof text, ":batch tab=1 batch=%d\n"
	    "{\"type\":3,\"data\":{\"mark\":%d,\"pad\":\"%0*d\"},"
	    "\"timestamp\":%lld}\n:end token=%d\n", k + 1, k, size, k,
	    (long long)time(NULL) * 1000, k);
	if (write(append_in, text, (size_t)n) != n)
		die("write to APPEND");
}

static bool
everybody_has(int k)
{
	return acked[k] != 0 && reached[k] == nviewers && tailed[k] != 0;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
print(const char *what, const double *from, const double *to)
{
	double *d = malloc((size_t)count * sizeof *d);
	int i;

	for (i = 0; i < count; i++)
		d[i] = to[i] - from[i];
	qsort(d, (size_t)count, sizeof *d, compare);
	printf(" %s=%.2f/%.2f", what, d[count / 2], d[count * 99 / 100]);
	free(d);
}

int
main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *ai;
	const char *append = NULL, *tail_command = NULL;
	struct rlimit rl;
	char request[1024], *port;
	double start_at, give_up;
	int c, i, k;

	while ((c = getopt(argc, argv, "n:c:i:s:a:t:")) != -1)
		switch (c) {
		case 'n': nviewers = (int)strtol(optarg, NULL, 10); break;
		case 'c': count = (int)strtol(optarg, NULL, 10); break;
		case 'i': interval = (int)strtol(optarg, NULL, 10); break;
		case 's': size = (int)strtol(optarg, NULL, 10); break;
		case 'a': append = optarg; break;
		case 't': tail_command = optarg; break;
		default: return 64;
		}
	if (argc - optind != 2 || append == NULL || tail_command == NULL ||
	    count < 1 ||
	    count > BATCHES_MAX || nviewers < 1 || size > 1 << 19 ||
	    (port = strrchr(argv[optind], ':')) == NULL) {
		fprintf(stderr, "viewers: wrong use; see its source\n");
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n"
	    "Accept: text/event-stream\r\n\r\n", argv[optind + 1],
	    argv[optind]);
	*port++ = '\0';
	if ((c = getaddrinfo(argv[optind], port, &hints, &ai)) != 0) {
		fprintf(stderr, "viewers: %s\n", gai_strerror(c));
		return 1;
	}
	acked = calloc((size_t)count, sizeof *acked);
	tailed = calloc((size_t)count, sizeof *tailed);
	first = calloc((size_t)count, sizeof *first);
	last = calloc((size_t)count, sizeof *last);
	reached = calloc((size_t)count, sizeof *reached);
	viewers = calloc((size_t)nviewers, sizeof *viewers);
	if ((epoll = epoll_create1(EPOLL_CLOEXEC)) == -1)
		die("epoll");
	for (i = 0; i < nviewers; i++) {
		viewers[i].fd = connect_to(ai, request);
		watch(&viewers[i]);
	}
	start(tail_command, NULL, &tail.fd);
	watch(&tail);
	start(append, &append_in, &acks.fd);
	watch(&acks);
	/* Everybody is there. */
	for (give_up = now() + 1500; now() < give_up;)
		look(50);

	start_at = now();
	for (k = 0; k < count; k++) {
		while (now() < start_at + (double)k * interval)
			look((int)(start_at + (double)k * interval - now()) +
			    1);
		write_batch(k);
		give_up = now() + WAIT_MS;
		while (!everybody_has(k)) {
			look(100);
			if (now() > give_up) {
				fprintf(stderr, "viewers: batch %d reached "
				    "%d of %d viewers\n", k, reached[k],
				    nviewers);
				return 1;
			}
		}
	}
	printf("viewers=%d", nviewers);
	print("tail", acked, tailed);
	print("first", acked, first);
	print("last", acked, last);
	print("behind", tailed, last);
	printf("\n");
	return 0;
}
