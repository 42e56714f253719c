#include "filter_child.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exits.h"
#include "filter.h"
#include "jqprog.h"

/*
 * Results that were not written yet.  'running' is set while jq runs: then
 * 'out' is whole results, and a signal handler may write it.
 */
static unsigned char out[65536];
static volatile size_t out_len;
static volatile sig_atomic_t running;

static void
write_all(const void *data, size_t n)
{
	const unsigned char *p = data;
	ssize_t r;

	while (n > 0) {
		if ((r = write(STDOUT_FILENO, p, n)) == -1) {
			if (errno == EINTR)
				continue;
			_exit(EXIT_OTHER);
		}
		p += r;
		n -= (size_t)r;
	}
}

/* jq takes too long (SIGPROF), has no memory (SIGABRT), or crashed. */
static void
give_up(int sig)
{
	const struct filter_head head = { FILTER_GAVE_UP, (uint32_t)sig };

	if (running) {
		write_all(out, out_len);
		write_all(&head, sizeof(head));
	} else if (sig == SIGPROF) {
		return;
	}
	_exit(EXIT_OTHER);
}

static void
flush(void)
{
	write_all(out, out_len);
	out_len = 0;
}

static void
say(uint32_t what, const void *text, size_t len)
{
	const struct filter_head head = { what, (uint32_t)len };

	if (sizeof(head) + len > sizeof(out) - out_len)
		flush();
	memcpy(out + out_len, &head, sizeof(head));
	out_len += sizeof(head);
	if (len > sizeof(out) - out_len) {
		flush();
		write_all(text, len);
	} else if (len > 0) {
		memcpy(out + out_len, text, len);
		out_len += len;
	}
}

static void
read_all(void *to, size_t n)
{
	unsigned char *p = to;
	ssize_t r;

	while (n > 0) {
		if ((r = read(STDIN_FILENO, p, n)) == -1 && errno == EINTR)
			continue;
		if (r <= 0)
			_exit(r == 0 ? EXIT_OK : EXIT_OTHER);
		p += r;
		n -= (size_t)r;
	}
}

/* What comes next; *head says what it is. */
static const char *
hear(struct filter_head *head, struct buf *b)
{
	read_all(head, sizeof(*head));
	buf_clear(b);
	if (buf_reserve(b, head->len) == NULL)
		_exit(EXIT_OTHER);
	read_all(b->data, head->len);
	return (const char *)b->data;
}

/* It ends with the collector, and can do little harm until then. */
static void
confine(void)
{
	static unsigned char stack[32768];
	const stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	const struct sigaction sa = { .sa_handler = give_up,
	    .sa_flags = SA_ONSTACK };
	static const int fatal[] = { SIGPROF, SIGABRT, SIGSEGV, SIGBUS };
	int oom = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	/* Where memory is short, it is the first to go. */
	if (oom != -1) {
		dprintf(oom, "1000");
		close(oom);
	}
#ifndef __SANITIZE_ADDRESS__
	const struct rlimit memory = { FILTER_MEMORY, FILTER_MEMORY };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	/* What jq says of itself is nothing that the journal needs. */
	if (null != -1)
		dup2(null, STDERR_FILENO);
	close(null);
	setrlimit(RLIMIT_AS, &memory);
#endif
	/* Of a shell, whoever it may be, that did not mean us. */
	close_range(STDERR_FILENO + 1, ~0U, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "rr-filter");
	unsetenv("S2_ACCESS_TOKEN");
	sigaltstack(&ss, NULL);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &sa, NULL);
}

static void
run_event(struct jqprog *program, const char *event, size_t len,
    struct buf *result)
{
	const struct itimerval limit = { .it_value = { FILTER_CPU +
	    (time_t)(len / 1000 * FILTER_CPU_MB / 1000), 0 } };
	int r;

	setitimer(ITIMER_PROF, &limit, NULL);
	running = 1;
	r = jqprog_run(program, event, len, false, result);
	running = 0;
	if (r == -1 && errno == ENOMEM)
		_exit(EXIT_OTHER);
	if (r == -1)
		say(JQPROG_FAILED, "too long", 8);
	else if (r == JQPROG_CHANGED || r == JQPROG_FAILED)
		say((uint32_t)r, buf_bytes(result), buf_size(result));
	else
		say((uint32_t)r, NULL, 0);
}

void
filter_child_main(void)
{
	struct buf text = BUF_INIT(UINT32_MAX), why = BUF_INIT(0);
	struct buf result = BUF_INIT(0);
	struct filter_head head;
	struct jqprog *program;
	const char *line, *end, *eol;

	confine();
	line = hear(&head, &text);
	if ((program = jqprog_new(line, &why)) == NULL)
		_exit(EXIT_CONFIG);
	say(FILTER_END, NULL, 0);
	for (;;) {
		flush();
		line = hear(&head, &text);
		result.max = head.what;
		for (end = line + head.len; line < end; line = eol + 1) {
			eol = memchr(line, '\n', (size_t)(end - line));
			if (eol == NULL)
				_exit(EXIT_INPUT);
			if (eol != line)
				run_event(program, line, (size_t)(eol - line),
				    &result);
		}
		say(FILTER_END, NULL, 0);
	}
}
