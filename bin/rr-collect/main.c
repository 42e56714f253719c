/*
 * rr-collect: takes recordings over HTTP and hands them down the ring.
 */
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "counts.h"
#include "exits.h"
#include "filter.h"
#include "http.h"
#include "ingest.h"
#include "listen.h"
#include "log.h"
#include "metrics.h"
#include "options.h"
#include "notify.h"
#include "settings.h"

#define LISTEN_DEFAULT	"127.0.0.1:8787"
#define DESCRIPTORS_ELSE 64	/* beside those of connections */
#define STOP_MS		7000	/* requests may take that long at the end, */
#define REFUSE_MS	500	/* and what is told then */
#define WHY_MAX		512
#define SESSIONS_MAX	100000	/* defaults of options */
#define UNITS_MAX	8192
#define MEMORY_MAX	(256u << 20)
#define OPENS_MINUTE	300
#define POSTS_SECOND	200
#define BURST_SECONDS	10
#define LIVE_MS		60000	/* a session is live so long after a word */

struct options {
	const char *listen[LISTEN_MAX];
	int nlisten;
	const char *keys;
	const char *metrics[METRICS_LISTEN_MAX];
	int nmetrics;
	const char *secret;
	const char *web;
	const char *watched;
	bool shared;
	bool check;
	unsigned sessions;
	unsigned units;
	size_t memory;
	size_t body;
	unsigned opens;
	unsigned posts;
	struct http_limits limits;
	const char *proxies[64];
	int nproxies;
};

struct collector {
	struct options options;
	struct ingest ingest;
	struct http *http;
	struct metrics_server *metrics;	/* or NULL */
	int listeners[LISTEN_MAX];
	int epoll;
	int signals;
	bool waiting;		/* for the pipe to take more */
	uint64_t stop;		/* ms: when it must end; 0: not yet */
	bool cut;		/* what was left then has been refused */
	uint64_t tick;
	uint64_t watchdog;	/* ms between signs of life; 0: none wanted */
	uint64_t watchdog_last;
};

static const char usage_text[] =
"usage: rr-collect [-Rv] [-k keys] [-l addr] [-M addr] [-P proxy]\n"
"    [-S secret] [-W dir] [-w dir] [--max-body n] [--max-connections n] [--max-memory n]\n"
"    [--max-per-address n] [--max-sessions n] [--max-stored n] [--max-wait s]\n"
"    [--opens n] [--posts n]\n"
"\n"
"Takes recordings over HTTP, writes them to standard output as lines, and\n"
"reads from standard input what became of them: the upper end of rr-ingest.\n"
"\n"
"      --check          only read the key file, and say what is wrong\n"
"      --filter         run a key's program; for the collector itself\n"
"  -k, --keys FILE      project keys and their origins\n"
"  -l, --listen ADDR    HOST:PORT, unix:PATH or fd:N (" LISTEN_DEFAULT ")\n"
"  -M, --metrics ADDR   serve GET /metrics there, to this machine only\n"
"  -P, --proxy ADDR     believe this proxy's X-Forwarded-For\n"
"  -R, --reuse-port     other processes listen on the same port\n"
"  -S, --secret FILE    signs the tokens; made if there is none\n"
"  -v, --verbose        say more\n"
"  -W, --watched DIR    sessions that have a file there are being watched\n"
"  -w, --web DIR        serve the recorder's scripts from there\n";

enum {
	OPT_CHECK = 256,
	OPT_FILTER,
	OPT_MAX_BODY,
	OPT_MAX_CONNECTIONS,
	OPT_MAX_MEMORY,
	OPT_MAX_PER_ADDRESS,
	OPT_MAX_SESSIONS,
	OPT_MAX_STORED,
	OPT_MAX_WAIT,
	OPT_OPENS,
	OPT_POSTS,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "filter", no_argument, NULL, OPT_FILTER },
	{ "help", no_argument, NULL, 'h' },
	{ "keys", required_argument, NULL, 'k' },
	{ "listen", required_argument, NULL, 'l' },
	{ "max-body", required_argument, NULL, OPT_MAX_BODY },
	{ "max-connections", required_argument, NULL, OPT_MAX_CONNECTIONS },
	{ "max-memory", required_argument, NULL, OPT_MAX_MEMORY },
	{ "max-per-address", required_argument, NULL, OPT_MAX_PER_ADDRESS },
	{ "max-sessions", required_argument, NULL, OPT_MAX_SESSIONS },
	{ "max-stored", required_argument, NULL, OPT_MAX_STORED },
	{ "max-wait", required_argument, NULL, OPT_MAX_WAIT },
	{ "metrics", required_argument, NULL, 'M' },
	{ "opens", required_argument, NULL, OPT_OPENS },
	{ "posts", required_argument, NULL, OPT_POSTS },
	{ "proxy", required_argument, NULL, 'P' },
	{ "reuse-port", no_argument, NULL, 'R' },
	{ "secret", required_argument, NULL, 'S' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "watched", required_argument, NULL, 'W' },
	{ "web", required_argument, NULL, 'w' },
	{ NULL, 0, NULL, 0 },
};

static void
usage(void)
{
	fputs(usage_text, stderr);
	exit(EXIT_USAGE);
}

static void
parse_options(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "hk:l:M:P:RS:vW:w:", long_options,
	    NULL)) != -1) {
		switch (c) {
		case 'h':
			fputs(usage_text, stdout);
			log_exit_flushed(EXIT_OK);
		case OPT_VERSION:
			puts("rr-collect " RR_VERSION);
			log_exit_flushed(EXIT_OK);
		case 'k':
			o->keys = optarg;
			break;
		case 'l':
			if (o->nlisten == LISTEN_MAX)
				log_die(EXIT_USAGE, "-l at most %d times",
				    LISTEN_MAX);
			o->listen[o->nlisten++] = optarg;
			break;
		case 'M':
			if (o->nmetrics == METRICS_LISTEN_MAX)
				log_die(EXIT_USAGE, "-M at most %d times",
				    METRICS_LISTEN_MAX);
			o->metrics[o->nmetrics++] = optarg;
			break;
		case 'P':
			if (o->nproxies == 64)
				log_die(EXIT_USAGE, "-P at most 64 times");
			o->proxies[o->nproxies++] = optarg;
			break;
		case 'R':
			o->shared = true;
			break;
		case 'S':
			o->secret = optarg;
			break;
		case 'v':
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		case 'W':
			o->watched = optarg;
			break;
		case 'w':
			o->web = optarg;
			break;
		case OPT_CHECK:
			o->check = true;
			break;
		case OPT_FILTER:
			filter_child_main();
		case OPT_MAX_BODY:
			o->body = (size_t)option_number(
			    "--max-body", optarg, 1024, RECORD_TEXT_MAX / 2);
			break;
		case OPT_MAX_CONNECTIONS:
			o->limits.connections = (unsigned)option_number(
			    "--max-connections", optarg, 1, 1000000);
			break;
		case OPT_MAX_MEMORY:
			o->memory = (size_t)option_number(
			    "--max-memory", optarg, 1 << 20, 1LL << 40);
			break;
		case OPT_MAX_PER_ADDRESS:
			o->limits.per_address = (unsigned)option_number(
			    "--max-per-address", optarg, 0, UINT16_MAX);
			break;
		case OPT_MAX_SESSIONS:
			o->sessions = (unsigned)option_number(
			    "--max-sessions", optarg, 1, 10000000);
			break;
		case OPT_MAX_STORED:
			o->units = (unsigned)option_number(
			    "--max-stored", optarg, 1, 1000000);
			break;
		case OPT_MAX_WAIT:
			o->limits.receive = (unsigned)option_number(
			    "--max-wait", optarg, 1, 86400);
			break;
		case OPT_OPENS:
			o->opens = (unsigned)option_number(
			    "--opens", optarg, 0, 1000000);
			break;
		case OPT_POSTS:
			o->posts = (unsigned)option_number(
			    "--posts", optarg, 0, 1000000);
			break;
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
	if (o->nlisten == 0)
		o->listen[o->nlisten++] = LISTEN_DEFAULT;
}

static uint64_t
clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
keep_time(struct collector *c)
{
	c->ingest.store.now = clock_ms(CLOCK_MONOTONIC);
	c->ingest.filters.now = c->ingest.store.now;
	c->ingest.clock = clock_ms(CLOCK_REALTIME);
}

/* ---- setting up ---- */

/* Each connection needs a descriptor. */
static void
raise_limit(struct http_limits *l)
{
	struct rlimit r;
	rlim_t need = (rlim_t)l->connections + DESCRIPTORS_ELSE;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur >= need)
		return;
	r.rlim_cur = r.rlim_max < need ? r.rlim_max : need;
	if (r.rlim_cur <= DESCRIPTORS_ELSE)
		log_die(EXIT_CONFIG, "only %llu descriptors are allowed; see "
		    "ulimit -n", (unsigned long long)r.rlim_cur);
	if (setrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur < need) {
		log_warn("only %llu descriptors are allowed, so there will "
		    "be at most %llu connections; see ulimit -n",
		    (unsigned long long)r.rlim_cur,
		    (unsigned long long)r.rlim_cur - DESCRIPTORS_ELSE);
		l->connections = (unsigned)(r.rlim_cur - DESCRIPTORS_ELSE);
	}
}

/* --check: whether the key file can be used. */
static void __attribute__((noreturn))
check_keys(const struct options *o)
{
	struct keys keys = { 0 };
	char why[WHY_MAX];

	if (keys_load(&keys, o->keys, why, sizeof(why)) == -1)
		log_die(EXIT_CONFIG, "%s", why);
	printf("%d %s\n", keys.n, keys.n == 1 ? "key" : "keys");
	keys_free(&keys);
	log_exit_flushed(EXIT_OK);
}

/* A directory that an option names; -1 if none was given. */
static int
open_directory(char option, const char *path)
{
	int fd;

	if (path == NULL)
		return -1;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		log_die(EXIT_CONFIG, "cannot open '%s' (-%c): %s", path,
		    option, strerror(errno));
	return fd;
}

static void
set_up_ingest(struct collector *c, const char *prefix)
{
	const struct options *o = &c->options;
	struct ingest *in = &c->ingest;
	char why[WHY_MAX];

	if (store_init(&in->store, STDIN_FILENO, STDOUT_FILENO, prefix,
	    o->sessions, o->units) == -1 ||
	    filters_init(&in->filters) == -1 ||
	    (in->limiter = limiter_new()) == NULL)
		log_die(EXIT_OTHER, "cannot start: %s", strerror(errno));
	in->filters.done = ingest_filtered;
	in->filters.arg = in;
	if (keys_load(&in->keys, o->keys, why, sizeof(why)) == -1)
		log_die(EXIT_CONFIG, "%s", why);
	if ((in->signer = signer_new(o->secret, why, sizeof(why))) == NULL)
		log_die(EXIT_CONFIG, "%s", why);
	if (o->keys == NULL)
		log_info("no key file: key 'dev' for pages of this machine");
	if (o->secret == NULL)
		log_warn("no secret file: tokens end with this process; "
		    "see -S");
	in->web = open_directory('w', o->web);
	in->watched = open_directory('W', o->watched);
	in->opens = (struct rate){ o->opens / 60000.0, o->opens };
	in->posts = (struct rate){ o->posts / 1000.0,
	    (double)o->posts * BURST_SECONDS };
	in->budget.max = o->memory;
	in->body_max = o->body;
	in->answer.max = INGEST_ANSWER_MAX;
}

static void
set_up_http(struct collector *c)
{
	const struct options *o = &c->options;
	struct http_program program = ingest_program;
	char name[LISTEN_NAME_MAX];
	const char *why;

	program.arg = &c->ingest;
	if ((c->http = http_new(&program, &o->limits)) == NULL)
		log_die(EXIT_OTHER, "cannot start: %s", strerror(errno));
	for (int i = 0; i < o->nproxies; i++)
		if (http_trust(c->http, o->proxies[i]) == -1)
			log_die(EXIT_USAGE, "-P %s: neither an address nor a "
			    "network nor 'unix'", o->proxies[i]);
	for (int i = 0; i < o->nlisten; i++) {
		c->listeners[i] = listen_open(o->listen[i], o->shared, &why);
		if (c->listeners[i] == -1 && errno == 0)
			log_die(listen_exit(0), "-l %s: %s", o->listen[i],
			    why);
		if (c->listeners[i] == -1)
			log_die(listen_exit(errno), "-l %s: %s: %s",
			    o->listen[i], why, strerror(errno));
		if (http_listen(c->http, c->listeners[i]) == -1)
			log_die(EXIT_OTHER, "-l %s: %s", o->listen[i],
			    strerror(errno));
		log_info("listening on %s", listen_name(c->listeners[i],
		    name));
	}
}

/* The figures that are as they are just now. */
static int
write_metrics(void *arg, struct buf *b)
{
	struct collector *c = arg;
	struct store *st = &c->ingest.store;

	store_ask(st);
	count_set(COUNT_KNOWN, st->sessions.n);
	count_set(COUNT_LIVE, store_live(st, st->now > LIVE_MS ?
	    st->now - LIVE_MS : 0));
	count_set(COUNT_CONNECTIONS, http_connections(c->http));
	count_set(COUNT_REQUESTS, http_requests(c->http));
	count_set(COUNT_UNITS, st->ring.waiting);
	count_set(COUNT_QUEUE, buf_size(&st->ring.queue));
	count_set(COUNT_BODIES, c->ingest.budget.used);
	count_set(COUNT_READY, store_trouble(st) == NULL);
	return counts_write(b);
}

static void
set_up_metrics(struct collector *c)
{
	const struct options *o = &c->options;
	const char *why;

	if (o->nmetrics == 0)
		return;
	if ((c->metrics = metrics_new(write_metrics, c)) == NULL)
		log_die(EXIT_OTHER, "cannot start: %s", strerror(errno));
	for (int i = 0; i < o->nmetrics; i++) {
		if (metrics_listen(c->metrics, o->metrics[i], &why) == 0)
			continue;
		if (errno == 0)
			log_die(listen_exit(0), "-M %s: %s", o->metrics[i],
			    why);
		log_die(listen_exit(errno), "-M %s: %s: %s", o->metrics[i],
		    why, strerror(errno));
	}
}

static void
watch(struct collector *c, int fd, uint32_t events, const char *what)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
		log_die(EXIT_USAGE, "%s: %s; it must be a pipe", what,
		    strerror(errno));
}

static void
set_up_loop(struct collector *c)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1 ||
	    (c->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) ==
	    -1 || (c->epoll = epoll_create1(EPOLL_CLOEXEC)) == -1)
		log_die(EXIT_OTHER, "cannot start: %s", strerror(errno));
	watch(c, STDIN_FILENO, EPOLLIN, "standard input");
	watch(c, STDOUT_FILENO, 0, "standard output");
	watch(c, c->signals, EPOLLIN, "signals");
	watch(c, http_fd(c->http), EPOLLIN, "HTTP");
	watch(c, c->ingest.filters.epoll, EPOLLIN, "programs of keys");
	if (c->metrics != NULL)
		watch(c, metrics_fd(c->metrics), EPOLLIN, "metrics");
}

/* ---- running ---- */

static void
close_listeners(struct collector *c)
{
	while (c->options.nlisten > 0) {
		c->options.nlisten--;
		listen_close(c->listeners[c->options.nlisten],
		    c->options.listen[c->options.nlisten]);
	}
}

static void
take_signal(struct collector *c)
{
	struct signalfd_siginfo info;
	char why[WHY_MAX];

	if (read(c->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		if (keys_load(&c->ingest.keys, c->options.keys, why,
		    sizeof(why)) == -1)
			log_err("%s; the keys stay as they were", why);
		else
			log_info("keys were read again");
		return;
	}
	if (c->stop != 0)
		return;
	notify("STOPPING=1");
	c->stop = c->ingest.store.now + STOP_MS;
	http_quiesce(c->http);
	close_listeners(c);
}

static void
take_acks(struct collector *c)
{
	switch (ring_read(&c->ingest.store.ring)) {
	case 0:
		log_die(EXIT_OTHER, "standard input ended: the ring is "
		    "broken");
	case -1:
		log_die(EXIT_OTHER, "standard input: %s",
		    errno == EPROTO ? "not an answer of s2-append" :
		    strerror(errno));
	}
}

static void
write_lines(struct collector *c)
{
	struct epoll_event ev = { .data.fd = STDOUT_FILENO };
	bool more;

	if (ring_write(&c->ingest.store.ring, &more) == -1)
		log_die(EXIT_OTHER, "standard output: %s: the ring is broken",
		    strerror(errno));
	if (more == c->waiting)
		return;
	ev.events = more ? EPOLLOUT : 0;
	epoll_ctl(c->epoll, EPOLL_CTL_MOD, STDOUT_FILENO, &ev);
	c->waiting = more;
}

/* That it lives, and what it does, for who asks systemctl. */
static void
tell_manager(struct collector *c)
{
	struct store *st = &c->ingest.store;
	const char *trouble = store_trouble(st);

	notify("WATCHDOG=1\nSTATUS=%s: %u sessions in the last minute, "
	    "%u connections", c->stop != 0 ? "Answering what was taken" :
	    trouble == NULL ? "Taking recordings" : trouble,
	    store_live(st, st->now < 60000 ? 0 : st->now - 60000),
	    http_connections(c->http));
	/* For the next time. */
	if (c->stop == 0)
		store_ask(st);
}

static void
take_time(struct collector *c)
{
	uint64_t now = c->ingest.store.now;

	if (now - c->tick >= STORE_TICK_MS) {
		c->tick = now;
		store_expire(&c->ingest.store);
	}
	if (c->watchdog != 0 && now - c->watchdog_last >= c->watchdog) {
		c->watchdog_last = now;
		tell_manager(c);
	}
}

static bool
is_finished(struct collector *c)
{
	if (c->stop == 0)
		return false;
	if (c->ingest.store.now >= c->stop && c->cut)
		return true;
	if (c->ingest.store.now >= c->stop) {
		log_warn("%u requests were not answered in time, and are "
		    "refused", http_requests(c->http));
		filters_refuse_all(&c->ingest.filters);
		store_refuse_all(&c->ingest.store);
		c->cut = true;
		c->stop += REFUSE_MS;
	}
	return http_connections(c->http) == 0 && !c->waiting &&
	    buf_size(&c->ingest.store.ring.queue) == 0;
}

static int
wait_ms(struct collector *c)
{
	int ms = http_timeout(c->http), m;

	if (c->metrics != NULL && (m = metrics_timeout(c->metrics)) != -1 &&
	    (ms == -1 || m < ms))
		ms = m;
	if ((m = filters_timeout(&c->ingest.filters)) != -1 &&
	    (ms == -1 || m < ms))
		ms = m;
	if ((c->stop != 0 || !TAILQ_EMPTY(&c->ingest.store.posts) ||
	    health_is_open(&c->ingest.store.health)) &&
	    (ms == -1 || ms > STORE_TICK_MS))
		ms = STORE_TICK_MS;
	if (c->watchdog != 0 && (ms == -1 || ms > (int)c->watchdog))
		ms = (int)c->watchdog;
	return ms;
}

static void
run(struct collector *c)
{
	struct epoll_event events[6];
	int n;

	while (!is_finished(c)) {
		n = epoll_wait(c->epoll, events, 6, wait_ms(c));
		keep_time(c);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == c->signals)
				take_signal(c);
			else if (events[i].data.fd == STDIN_FILENO)
				take_acks(c);
			else if (events[i].data.fd == STDOUT_FILENO &&
			    (events[i].events & (EPOLLERR | EPOLLHUP)) != 0)
				log_die(EXIT_OTHER, "standard output was "
				    "closed: the ring is broken");
		}
		filters_run(&c->ingest.filters);
		take_time(c);
		/* New requests, and the answers just given. */
		http_run(c->http);
		if (c->metrics != NULL)
			metrics_run(c->metrics);
		write_lines(c);
	}
}

int
main(int argc, char **argv)
{
	static struct collector c = {
		.options = {
			.sessions = SESSIONS_MAX,
			.units = UNITS_MAX,
			.memory = MEMORY_MAX,
			.body = INGEST_BODY_MAX,
			.opens = OPENS_MINUTE,
			.posts = POSTS_SECOND,
			.limits = HTTP_LIMITS_DEFAULT,
		},
	};
	static struct settings settings;

	log_init("rr-collect", LOG_LEVEL_INFO);
	parse_options(&c.options, argc, argv);
	if (c.options.check)
		check_keys(&c.options);
	if (settings_load(&settings) == -1)
		log_die(EXIT_CONFIG, "%s", settings.why);
	raise_limit(&c.options.limits);
	keep_time(&c);
	set_up_ingest(&c, settings_prefix(&settings));
	set_up_http(&c);
	set_up_metrics(&c);
	set_up_loop(&c);
	notify("READY=1\nSTATUS=Taking recordings");
	c.watchdog = notify_watchdog();
	run(&c);

	metrics_free(c.metrics);
	http_free(c.http);
	filters_free(&c.ingest.filters);
	store_release(&c.ingest.store);
	signer_free(c.ingest.signer);
	keys_free(&c.ingest.keys);
	limiter_free(c.ingest.limiter);
	buf_release(&c.ingest.answer);
	settings_release(&settings);
	log_exit_flushed(EXIT_OK);
}
