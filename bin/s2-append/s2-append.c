/*
 * s2-append: appends the records on standard input, rr-records(5), to S2 and
 * writes what came of them, rr-lines(5), to standard output.
 *
 * This file has the options and the main loop; one.c appends to one stream,
 * many.c to many.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <jv.h>

#include "lines.h"
#include "log.h"
#include "options.h"
#include "s2-append.h"

#define PIPE_BYTES	(1u << 20)	/* asked for our pipes */
#define CONNS_DEFAULT	4
#define PATIENCE_DEFAULT	30	/* s */
#define PATIENCE_MAX	86400
#define WINDOW_DEFAULT	(5u << 20)
#define WINDOW_MIN	(2 * S2_METERED_MAX)
#define WINDOW_MAX	(256u << 20)
#define LINGER		1000000	/* ns that a crowd is let grow */

struct buf out = BUF_INIT(OUT_MAX);

static volatile sig_atomic_t stopping;

/* ---- Standard output ---- */

static void
out_failed(void)
{
	log_die(EXIT_OTHER, "cannot keep what is to be written: %s",
	    strerror(errno));
}

void
out_ack(const char *token, size_t n, uint64_t seq, uint64_t count,
    uint64_t time)
{
	if (buf_addf(&out, ":ack") == -1 ||
	    directive_add(&out, "token", token, n) == -1 ||
	    buf_addf(&out, " seq=%llu count=%llu time=%llu\n",
	    (unsigned long long)seq, (unsigned long long)count,
	    (unsigned long long)time) == -1)
		out_failed();
}

void
out_nak(const char *token, size_t n, const char *reason, int status,
    const char *extra)
{
	if (buf_addf(&out, ":nak") == -1 ||
	    directive_add(&out, "token", token, n) == -1 ||
	    buf_addf(&out, " reason=%s", reason) == -1 ||
	    (status != 0 && buf_addf(&out, " status=%d", status) == -1) ||
	    (extra[0] != '\0' && buf_addf(&out, " %s", extra) == -1) ||
	    buf_add(&out, "\n", 1) == -1)
		out_failed();
}

const char *
nak_reason(const struct s2_error *e)
{
	if (e->fenced)
		return "fenced";
	if (e->mismatch)
		return "mismatch";
	if (e->status == 404 ||
	    strcmp(e->code, "stream_deletion_pending") == 0 ||
	    strcmp(e->code, "basin_deletion_pending") == 0)
		return "missing";
	if (e->status == 401 || e->status == 403)
		return "denied";
	return e->retryable || e->status == 0 ? "unavailable" : "refused";
}

int
nak_exit(const struct s2_error *e)
{
	return strcmp(nak_reason(e), "missing") == 0 ? EXIT_MISSING : e->exit;
}

const char *
nak_extra(const struct s2_error *e, char *text, size_t size)
{
	jv v;

	text[0] = '\0';
	if (e->mismatch) {
		snprintf(text, size, "{\"seq\":%llu}",
		    (unsigned long long)e->seq);
	} else if (e->fenced) {
		v = jv_object_set(jv_object(), jv_string("fence"),
		    jv_string_sized(e->fence, (int)e->fence_len));
		v = jv_dump_string(v, 0);
		strlcpy(text, jv_string_value(v), size);
		jv_free(v);
	}
	return text;
}

/* ---- Options ---- */

static const char usage_text[] =
    "usage: s2-append [-cv] [-s SEQ|tail] [-T SECONDS] [-t TOKEN] [-w BYTES]\n"
    "                 s2://BASIN/STREAM\n"
    "       s2-append -m [-Sv] [-n CONNECTIONS] [-T SECONDS] s2://BASIN\n"
    "Append the records on standard input to an S2 stream, or to many.\n"
    "  -c              create the stream, unless it exists\n"
    "  -m              the input names the stream of each unit\n"
    "  -n CONNECTIONS  use so many, 1 to 16 (4)\n"
    "  -S              print as :stat lines what S2 was asked\n"
    "  -s SEQ|tail     the first record must get this number, or the next one;\n"
    "                  those that are there already count as appended\n"
    "  -T SECONDS      give up when nothing was acknowledged for so long (30)\n"
    "  -t TOKEN        append with this fencing token\n"
    "  -v              say what is tried again; acknowledge each append\n"
    "  -w BYTES        keep so many that are not acknowledged (5 MiB)\n";

static void
set_match(struct options *opt, const char *text)
{
	char *end;

	opt->has_match = true;
	if (strcmp(text, "tail") == 0) {
		opt->match_tail = true;
		return;
	}
	errno = 0;
	opt->match = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || *text < '0' || *text > '9')
		log_die(EXIT_USAGE, "-s '%s' is neither a sequence number "
		    "nor 'tail'", text);
}

/* True for many streams. */
static bool
get_options(int argc, char **argv, struct options *opt)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	bool mflag = false, nflag = false, one = false;
	const char *why;
	int c;

	opt->patience = PATIENCE_DEFAULT * 1000;
	opt->window = WINDOW_DEFAULT;
	opt->conns = CONNS_DEFAULT;
	while ((c = getopt_long(argc, argv, "cmn:Ss:T:t:vw:", longs,
	    NULL)) != -1) {
		switch (c) {
		case 'c':
			one = opt->create = true;
			break;
		case 'm':
			mflag = true;
			break;
		case 'n':
			nflag = true;
			opt->conns = (unsigned)option_number("-n", optarg, 1,
			    S2_CONNS_MAX);
			break;
		case 'S':
			opt->tell = true;
			break;
		case 's':
			one = true;
			set_match(opt, optarg);
			break;
		case 'T':
			opt->patience = 1000 * option_number("-T", optarg, 1,
			    PATIENCE_MAX);
			break;
		case 't':
			one = true;
			opt->fence = optarg;
			break;
		case 'v':
			opt->verbose = true;
			log_set_level(LOG_LEVEL_INFO);
			break;
		case 'w':
			one = true;
			opt->window = (size_t)option_number("-w", optarg,
			    WINDOW_MIN, WINDOW_MAX);
			break;
		case 'h':
			fputs(usage_text, stdout);
			log_exit_flushed(EXIT_OK);
		case 'V':
			puts("s2-append " RR_VERSION);
			log_exit_flushed(EXIT_OK);
		default:
			exit(EXIT_USAGE);
		}
	}
	if (argc - optind != 1)
		option_wrong("one s2://BASIN/STREAM is needed, or with -m one "
		    "s2://BASIN");
	if (mflag && one)
		option_wrong("-m goes with none of -c, -s, -t and -w");
	if (!mflag && (nflag || opt->tell))
		option_wrong("-n and -S go with -m only");
	if (opt->fence != NULL && strlen(opt->fence) > S2_FENCE_MAX)
		log_die(EXIT_USAGE, "-t '%s' is longer than %d bytes",
		    opt->fence, S2_FENCE_MAX);
	if (s2_uri_parse(argv[optind], &opt->uri, &why) == -1)
		log_die(EXIT_USAGE, "'%s' is no s2:// URI: %s", argv[optind],
		    why);
	if (mflag && opt->uri.stream[0] != '\0')
		log_die(EXIT_USAGE, "'%s' names a stream; with -m give the "
		    "basin alone, as in s2://%s", argv[optind],
		    opt->uri.basin);
	if (!mflag && opt->uri.stream[0] == '\0')
		log_die(EXIT_USAGE, "'%s' names no stream; give "
		    "s2://BASIN/STREAM, or -m for many streams",
		    argv[optind]);
	return mflag;
}

/* ---- The main loop ---- */

static void
stop(int sig)
{
	(void)sig;
	stopping = 1;
}

static void
catch_signals(sigset_t *waiting)
{
	struct sigaction sa = { .sa_handler = stop }, old;
	sigset_t block;

	sigemptyset(&sa.sa_mask);
	sigaction(SIGTERM, &sa, NULL);
	/* Ignored in rr-ingest, where Ctrl-C is for the collector. */
	sigaction(SIGINT, NULL, &old);
	if (old.sa_handler != SIG_IGN)
		sigaction(SIGINT, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Only taken while waiting, so that none comes too early to count. */
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGINT);
	sigprocmask(SIG_BLOCK, &block, waiting);
	sigdelset(waiting, SIGTERM);
	sigdelset(waiting, SIGINT);
}

static int stdout_flags;

static void
restore_stdout(void)
{
	fcntl(STDOUT_FILENO, F_SETFL, stdout_flags);
}

/*
 * A pipe must not block us while S2 waits.  The flag is the pipe's, not ours
 * alone: who writes into it after us gets it as it was.
 */
static void
set_up_pipes(void)
{
	struct stat st;

	fcntl(STDIN_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
	if (fstat(STDOUT_FILENO, &st) == -1)
		log_die(EXIT_OTHER, "cannot use standard output: %s",
		    strerror(errno));
	if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
		return;
	stdout_flags = fcntl(STDOUT_FILENO, F_GETFL);
	if (stdout_flags == -1 || atexit(restore_stdout) != 0 ||
	    fcntl(STDOUT_FILENO, F_SETFL, stdout_flags | O_NONBLOCK) == -1)
		log_die(EXIT_OTHER, "cannot set up standard output: %s",
		    strerror(errno));
}

/* Write what there is; false if nobody reads it any more. */
static bool
flush_out(void)
{
	while (buf_size(&out) > 0)
		if (buf_write(&out, STDOUT_FILENO) == -1) {
			if (errno == EAGAIN)
				return true;
			if (errno == EPIPE)
				return false;
			log_die_of_output();
		}
	return true;
}

/* Take all fields that are here.  0, or the exit status. */
static int
take_fields(const struct mode *mode, struct input *in)
{
	struct pb_field f;
	const char *why;
	size_t size;
	int got;

	while ((got = input_next(in, &f, &size, &why)) == 1)
		if (mode->field(&f, size, &why) == -1) {
			got = -1;
			break;
		}
	if (got == 0)
		return 0;
	log_err("standard input, byte %llu: %s",
	    (unsigned long long)in->place, why);
	return EXIT_INPUT;
}

static int
min_timeout(int a, int b)
{
	return a == -1 || (b != -1 && b < a) ? b : a;
}

static int
loop(const struct mode *mode, struct s2 *s2, const sigset_t *waiting)
{
	struct input in = INPUT_INIT(STDIN_FILENO);
	struct pollfd p[3];
	const struct timespec linger = { 0, LINGER };
	struct timespec t;
	bool ended = false, reader = true;
	int bad = 0, status = EXIT_OK, ms;

	while (!mode->finished(&status)) {
		p[0].fd = !ended && buf_size(&out) < OUT_ENOUGH &&
		    mode->hungry() ? STDIN_FILENO : -1;
		p[0].events = POLLIN;
		p[1].fd = reader ? STDOUT_FILENO : -1;
		p[1].events = buf_size(&out) > 0 ? POLLOUT : 0;
		p[2].fd = s2_fd(s2);
		p[2].events = POLLIN;
		ms = min_timeout(s2_timeout(s2), mode->timeout());
		t.tv_sec = ms / 1000;
		t.tv_nsec = ms % 1000 * 1000000L;
		if (ppoll(p, 3, ms == -1 ? NULL : &t, waiting) == -1) {
			if (errno != EINTR)
				log_die(EXIT_OTHER, "cannot wait: %s",
				    strerror(errno));
			p[0].revents = p[1].revents = 0;
		}
		/*
		 * With 512 units in flight this takes a sixth off the time
		 * that each costs here, and lets more go into one append.
		 */
		if (mode->crowded())
			nanosleep(&linger, NULL);
		if (p[0].fd != -1 && p[0].revents != 0 &&
		    input_fill(&in) == -1 && errno != EAGAIN)
			log_die(EXIT_OTHER, "cannot read standard input: %s",
			    strerror(errno));
		if (p[1].fd != -1 && (p[1].revents & (POLLERR | POLLHUP)))
			reader = false;
		if (!ended && p[0].fd != -1 && p[0].revents != 0) {
			bad = take_fields(mode, &in);
			ended = bad != 0 || in.eof;
			mode->drained(ended);
		}
		if (!ended && (stopping || !reader)) {
			ended = true;
			mode->drained(true);
		}
		if (!reader && mode->unread != NULL)
			mode->unread();
		s2_run(s2);
		mode->run();
		if (reader)
			reader = flush_out();
		if (!reader)
			buf_clear(&out);
	}
	while (reader && buf_size(&out) > 0) {
		p[1].events = POLLOUT;
		p[1].fd = STDOUT_FILENO;
		poll(&p[1], 1, -1);
		reader = flush_out();
	}
	buf_release(&in.buf);
	if (status == EXIT_OK)
		status = bad != 0 ? bad : reader ? EXIT_OK : EXIT_OTHER;
	return status;
}

int
main(int argc, char **argv)
{
	const struct mode *mode;
	struct settings settings;
	struct options opt = { 0 };
	struct s2_conf conf;
	struct s2 *s2;
	sigset_t waiting;
	bool many;
	int status;

	log_init("s2-append", LOG_LEVEL_WARN);
	many = get_options(argc, argv, &opt);
	if (settings_load(&settings) == -1 ||
	    s2_conf_load(&conf, &settings) == -1)
		log_die(EXIT_CONFIG, "%s", settings.why);
	catch_signals(&waiting);
	set_up_pipes();
	s2 = s2_new(&conf, many ? opt.conns : 1);
	if (s2 == NULL)
		log_die(EXIT_OTHER, "cannot start: %s", strerror(errno));
	mode = many ? &many_mode : &one_mode;
	if (many)
		many_init(&opt, s2);
	else
		one_init(&opt, s2);
	status = loop(mode, s2, &waiting);
	s2_free(s2);
	settings_release(&settings);
	return status;
}
