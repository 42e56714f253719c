/*
 * gen_units: makes units for s2-append -m (rr-records(5)), and measures.
 *
 *	gen_units [options] > FILE		write the units
 *	gen_units [options] -- COMMAND ...	feed them to a command, so many in
 *						flight, and time their acks
 *
 *	-s N	streams (200), named PREFIX/1 ... in turn
 *	-p P	their prefix ("bench")
 *	-k N	units in flight (512)
 *	-n N	units in all (100000)
 *	-b N	bytes of a record's body (700)
 *	-c	each stream's first unit creates it
 *	-t SEC	stop after so many seconds
 *
 * The bodies do not compress.  Prints the rate, latencies and the CPU time of
 * the command a unit.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "lines.h"
#include "log.h"
#include "record.h"

#define UNIT_ROOM	4096	/* bytes of a unit beside its body */
#define BODY_MAX	1000000

static long streams = 200, window = 512, units = 100000, body = 700;
static long seconds;
static const char *prefix = "bench";
static bool create;

static unsigned char *noise;
static int64_t *began, *took;
static long made, acked, naked;

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static long
number(const char *text)
{
	const char *why;
	long v = (long)strtonum(text, 1, 1000000000, &why);

	if (why != NULL)
		log_die(EXIT_FAILURE, "'%s' is %s", text, why);
	return v;
}

static void
make_unit(struct buf *b)
{
	struct record_head h = { .kind = RECORD_BATCH, .tab = 1, .count = 5 };
	char text[256];
	long i = made++;
	int n;

	n = snprintf(text, sizeof text, "%s/%ld", prefix, i % streams);
	pb_add_bytes(b, PIPE_STREAM, text, n);
	if (create && i < streams)
		pb_add_bytes(b, PIPE_CREATE, "", 0);
	h.batch = (uint32_t)(i / streams + 1);
	h.checksum = (uint32_t)i;
	if (record_add(b, &h, noise + i % 997, body) == -1)
		log_die(EXIT_FAILURE, "out of memory");
	n = snprintf(text, sizeof text, "%ld", i);
	pb_add_bytes(b, PIPE_TOKEN, text, n);
	if (began != NULL)
		began[i] = now_us();
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void
take_line(const char *line, size_t len)
{
	char text[64];
	struct directive d;
	const char *why;
	long i;

	if (directive_parse(line, len, &d, &why) == -1 ||
	    directive_value(&d, "token", text, sizeof text, &why) == -1)
		log_die(EXIT_FAILURE, "what is '%.*s'?", (int)len, line);
	i = strtol(text, NULL, 10);
	if (directive_is(&d, "ack")) {
		took[acked++] = now_us() - began[i];
	} else {
		if (naked++ == 0)
			log_warn("first nak: %.*s", (int)len, line);
	}
}

static pid_t
start(char **argv, int *to, int *from)
{
	int in[2], outp[2];
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) == -1 || pipe2(outp, O_CLOEXEC) == -1)
		log_die(EXIT_FAILURE, "pipe: %s", strerror(errno));
	fcntl(in[1], F_SETPIPE_SZ, 1 << 20);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(outp[1], 1);
		execvp(argv[0], argv);
		log_die(127, "%s: %s", argv[0], strerror(errno));
	}
	close(in[0]);
	close(outp[1]);
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	*to = in[1];
	*from = outp[0];
	return pid;
}

static void
report(int64_t us, int status)
{
	struct rusage ru;
	double cpu;

	getrusage(RUSAGE_CHILDREN, &ru);
	cpu = ru.ru_utime.tv_sec + ru.ru_stime.tv_sec +
	    (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
	qsort(took, acked, sizeof *took, by_size);
	printf("streams=%ld in_flight=%ld body=%ld acked=%ld naked=%ld "
	    "seconds=%.2f rate=%.0f/s p50=%.1fms p99=%.1fms max=%.1fms "
	    "cpu=%.1fus rss=%ldKiB status=%d\n", streams, window, body, acked,
	    naked, us / 1e6, acked / (us / 1e6),
	    acked > 0 ? took[acked / 2] / 1e3 : 0,
	    acked > 0 ? took[acked * 99 / 100] / 1e3 : 0,
	    acked > 0 ? took[acked - 1] / 1e3 : 0,
	    acked > 0 ? cpu * 1e6 / acked : 0, ru.ru_maxrss, status);
}

static int
drive(char **argv)
{
	struct buf b = BUF_INIT(UNIT_ROOM + BODY_MAX + (4u << 20));
	struct pollfd p[2];
	int64_t begin, until;
	int to, from, status;
	pid_t pid = start(argv, &to, &from);
	struct lines l = LINES_INIT(from, 65536);
	const char *line;
	size_t len;

	begin = now_us();
	until = seconds > 0 ? begin + seconds * 1000000 : INT64_MAX;
	while (acked + naked < made || (made < units && now_us() < until)) {
		while (made < units && made - acked - naked < window &&
		    buf_size(&b) < (1u << 20) && now_us() < until)
			make_unit(&b);
		p[0].fd = buf_size(&b) > 0 ? to : -1;
		p[0].events = POLLOUT;
		p[1].fd = from;
		p[1].events = POLLIN;
		poll(p, 2, -1);
		if (p[0].fd != -1 && p[0].revents != 0 &&
		    buf_write(&b, to) == -1 && errno != EAGAIN)
			log_die(EXIT_FAILURE, "write: %s", strerror(errno));
		if (p[1].revents != 0) {
			if (lines_fill(&l) <= 0)
				break;
			while (lines_next(&l, &line, &len) == 1)
				take_line(line, len);
		}
	}
	begin = now_us() - begin;
	close(to);
	waitpid(pid, &status, 0);
	report(begin, WIFEXITED(status) ? WEXITSTATUS(status) : 128);
	return acked == made ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct buf b = BUF_INIT(UNIT_ROOM + BODY_MAX);
	uint64_t x = 88172645463325252u;
	long i;
	int c;

	log_init("gen_units", LOG_LEVEL_WARN);
	while ((c = getopt(argc, argv, "s:p:k:n:b:ct:")) != -1)
		switch (c) {
		case 's': streams = number(optarg); break;
		case 'p': prefix = optarg; break;
		case 'k': window = number(optarg); break;
		case 'n': units = number(optarg); break;
		case 'b': body = number(optarg); break;
		case 'c': create = true; break;
		case 't': seconds = number(optarg); break;
		default: return EXIT_FAILURE;
		}
	if (body > BODY_MAX)
		log_die(EXIT_FAILURE, "-b is more than %d", BODY_MAX);
	signal(SIGPIPE, SIG_IGN);
	noise = malloc(body + 1000);
	for (i = 0; i < body + 1000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		noise[i] = (unsigned char)x;
	}
	if (optind < argc) {
		began = calloc(units, sizeof *began);
		took = calloc(units, sizeof *took);
		return drive(argv + optind);
	}
	while (made < units) {
		make_unit(&b);
		if (buf_flush(&b, STDOUT_FILENO) == -1)
			log_die(EXIT_FAILURE, "write: %s", strerror(errno));
	}
	return EXIT_SUCCESS;
}
