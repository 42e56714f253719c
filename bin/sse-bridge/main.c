/*
 * sse-bridge: lines to server-sent events, as a filter or as the server that
 * people watch sessions with.
 */
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <unistd.h>

#include "counts.h"
#include "exits.h"
#include "filter.h"
#include "listen.h"
#include "log.h"
#include "metrics.h"
#include "options.h"
#include "notify.h"
#include "server.h"

#define RING_DEFAULT	4096	/* KiB of messages kept of a session */
#define RING_MAX	(1 << 20)
#define TOTAL_BYTES	(64u << 20)	/* of messages of all sessions */
#define SESSIONS_MAX	100	/* watched at once */
#define VIEWERS_DEFAULT	2000
#define VIEWERS_MAX	100000
#define LINGER_DEFAULT	10	/* s */
#define LINGER_MAX	3600
#define OTHERS_MAX	500	/* connections beside those of viewers */
#define HEAD_MAX	16384	/* bytes of a request's head */
#define PROXIES_MAX	64
#define STOP_MS		5000	/* for commands to end when we do */

struct options {
	int nlisten;
	const char *listen[LISTEN_MAX];
	const char *metrics[METRICS_LISTEN_MAX];
	unsigned nmetrics;
	int nproxies;
	const char *proxies[PROXIES_MAX];
	const char *secret;
	const char *users;
	const char *user_header;
	const char *watched;
	const char *webdir;
	bool insecure;
	struct hub_limits limits;
	struct http_limits http;
	struct server server;
};

static const char usage_text[] =
    "usage: sse-bridge [-v]\n"
    "       sse-bridge -l SPEC [-v] [-a N] [-H NAME] [-k SECONDS] [-M SPEC]\n"
    "                  [-n VIEWERS] [-P PROXY] [-r KIB] [-S FILE]\n"
    "                  [-T SECONDS] [-t FILE] [-u HEADER] [-W DIR] [-w DIR]\n"
    "                  [-x DIR] [--insecure]\n"
    "Turn rr-lines into server-sent events; with -l, serve pages, read routes\n"
    "and live sessions over HTTP.\n"
    "  -a N        connections, or a proxy's requests, of one address (256)\n"
    "  -H NAME     a host name that this server goes by\n"
    "  -k SECONDS  keep a session's pipeline after its last viewer (10)\n"
    "  -l SPEC     listen on HOST:PORT, unix:PATH or fd:N\n"
    "  -M SPEC     serve GET /metrics there\n"
    "  -n VIEWERS  at most so many (2000)\n"
    "  -P PROXY    believe X-Forwarded-For that comes from there\n"
    "  -r KIB      of a session's messages kept for viewers (4096)\n"
    "  -S FILE     the secret that signs logins and links\n"
    "  -T SECONDS  for a request to come and an answer to be taken (120)\n"
    "  -t FILE     the users who may watch, and their tokens\n"
    "  -u HEADER   a proxy's header that names the user\n"
    "  -v          say on standard error what happens\n"
    "  -W DIR      keep a file here for each session that is watched\n"
    "  -w DIR      serve the files of this directory\n"
    "  -x DIR      serve the API by the commands of this directory\n"
    "  --insecure  without login, listen where other machines can reach it\n";

static void
parse_options(int argc, char **argv, struct options *o)
{
	enum { INSECURE = 256 };
	static const struct option longopts[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "insecure", no_argument, NULL, INSECURE },
		{ NULL, 0, NULL, 0 },
	};
	bool server_only = false, verbose = false;
	int c;

	while ((c = getopt_long(argc, argv, "+a:H:k:l:M:n:P:r:S:T:t:u:vW:w:x:",
	    longopts, NULL)) != -1) {
		server_only |= strchr("aHkMnPrSTtuWwx", c) != NULL || c == INSECURE;
		switch (c) {
		case 'a':
			o->http.per_address = (unsigned)option_number("-a",
			    optarg, 0, UINT16_MAX);
			break;
		case 'H':
			if (o->server.nhosts == SERVER_HOSTS_MAX)
				option_wrong("too many -H");
			o->server.hosts[o->server.nhosts++] = optarg;
			break;
		case 'k':
			o->limits.linger = 1000 * (unsigned)option_number("-k",
			    optarg, 0, LINGER_MAX);
			break;
		case 'l':
			if (o->nlisten == LISTEN_MAX)
				option_wrong("too many -l");
			o->listen[o->nlisten++] = optarg;
			break;
		case 'M':
			if (o->nmetrics == METRICS_LISTEN_MAX)
				option_wrong("too many -M");
			o->metrics[o->nmetrics++] = optarg;
			break;
		case 'n':
			o->limits.viewers = (unsigned)option_number("-n",
			    optarg, 1, VIEWERS_MAX);
			break;
		case 'P':
			if (o->nproxies == PROXIES_MAX)
				option_wrong("too many -P");
			o->proxies[o->nproxies++] = optarg;
			break;
		case 'r':
			o->limits.ring = 1024 * (size_t)option_number("-r",
			    optarg, 1, RING_MAX);
			break;
		case 'S':
			o->secret = optarg;
			break;
		case 'T':
			o->http.receive = (unsigned)option_number("-T",
			    optarg, 1, 86400);
			break;
		case 't':
			o->users = optarg;
			break;
		case 'u':
			o->user_header = optarg;
			break;
		case 'v':
			verbose = true;
			break;
		case 'W':
			o->watched = optarg;
			break;
		case 'w':
			o->webdir = optarg;
			break;
		case 'x':
			o->server.routes = optarg;
			break;
		case INSECURE:
			o->insecure = true;
			break;
		case 'h':
			fputs(usage_text, stdout);
			log_exit_flushed(EXIT_OK);
		case 'V':
			puts("sse-bridge " RR_VERSION);
			log_exit_flushed(EXIT_OK);
		default:
			exit(EXIT_USAGE);	/* getopt has said it */
		}
	}
	/* Who did what is said in any case. */
	log_set_level(verbose ? LOG_LEVEL_INFO :
	    o->users != NULL ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARN);
	if (optind < argc)
		option_wrong("it takes no operands");
	if (o->nlisten == 0 && server_only)
		option_wrong("these options need -l");
	if (o->users == NULL && (o->secret != NULL || o->user_header != NULL))
		option_wrong("-S and -u need -t");
	if (o->user_header != NULL && o->nproxies == 0)
		option_wrong("-u needs -P: whose word is taken?");
}

/* ---- the server ---- */

static void
listen_on(struct http *http, struct server *s, const struct options *o,
    const char *spec)
{
	char name[LISTEN_NAME_MAX];
	const char *why;
	int fd;

	if ((fd = listen_open(spec, false, &why)) == -1)
		log_die(listen_exit(errno),
		    "cannot listen on '%s': %s%s%s", spec, why,
		    errno == 0 ? "" : ": ", errno == 0 ? "" : strerror(errno));
	listen_name(fd, name);
	if (!listen_is_local(fd) && !o->insecure && o->users == NULL)
		log_die(EXIT_CONFIG, "will not listen on %s: other machines "
		    "reach it and there is no login; use -t, a loopback address "
		    "or a socket file behind a proxy, or --insecure", name);
	if (strncmp(name, "unix:", strlen("unix:")) != 0)
		s->check_host = true;
	if (http_listen(http, fd) == -1)
		log_die(EXIT_OTHER, "cannot serve '%s': %s", spec,
		    strerror(errno));
	log_info("listening on %s", name);
}

/* What metrics are made of. */
struct figures {
	const struct server *server;
	const struct http *http;
};

static int
write_metrics(void *arg, struct buf *b)
{
	const struct figures *f = arg;
	struct hub_figures hub;
	unsigned running, waiting;

	health_ask(f->server->health);
	hub_figures(f->server->hub, &hub);
	queue_figures(f->server->queue, &running, &waiting);
	count_set(COUNT_VIEWERS, hub.viewers);
	count_set(COUNT_WATCHED, hub.watched);
	count_set(COUNT_PIPELINES, hub.pipelines);
	count_set(COUNT_RING, hub.bytes);
	count_set(COUNT_CONNECTIONS, http_connections(f->http));
	count_set(COUNT_RUNNING, running);
	count_set(COUNT_WAITING, waiting);
	count_set(COUNT_READY, health_is_good(f->server->health));
	return counts_write(b);
}

static struct metrics_server *
listen_for_metrics(const struct options *o, struct figures *f)
{
	struct metrics_server *m;
	const char *why;

	if (o->nmetrics == 0)
		return NULL;
	if ((m = metrics_new(write_metrics, f)) == NULL)
		log_die(EXIT_OTHER, "cannot start: %s", strerror(errno));
	for (unsigned i = 0; i < o->nmetrics; i++)
		if (metrics_listen(m, o->metrics[i], &why) == -1)
			log_die(listen_exit(errno),
			    "cannot listen on '%s' (-M): %s%s%s",
			    o->metrics[i], why, errno == 0 ? "" : ": ",
			    errno == 0 ? "" : strerror(errno));
	return m;
}

static int
open_directory(char option, const char *name)
{
	int fd;

	if (name == NULL)
		return -1;
	fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		log_die(EXIT_CONFIG, "cannot open '%s' (-%c): %s", name,
		    option, strerror(errno));
	return fd;
}

static void
raise_descriptor_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
}

static void
http_ready(void *arg, uint32_t events)
{
	/* http_run() comes in every round. */
	(void)arg;
	(void)events;
}

struct stop {
	struct watch signals;
	struct login *login;
	bool asked;
};

/* SIGHUP is to read the users again, where there are any. */
static void
signal_ready(void *arg, uint32_t events)
{
	struct stop *stop = arg;
	struct signalfd_siginfo got;

	(void)events;
	while (read(stop->signals.fd, &got, sizeof got) == sizeof got) {
		if (got.ssi_signo == SIGHUP && login_is_needed(stop->login))
			login_reload(stop->login);
		else
			stop->asked = true;
	}
}

static void
watch_signals(struct loop *loop, struct stop *stop)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	stop->signals = (struct watch)WATCH_INIT(signal_ready, stop);
	stop->asked = false;
	if (fd == -1 || loop_watch(loop, &stop->signals, fd, EPOLLIN) == -1)
		log_die(EXIT_OTHER, "cannot watch signals: %s",
		    strerror(errno));
}

static int
sooner(int a, int b)
{
	return a == -1 ? b : b == -1 || a < b ? a : b;
}

/* That it lives, and what it does, for who asks systemctl. */
static void
tell_manager(struct server *s)
{
	struct hub_figures f;

	hub_figures(s->hub, &f);
	notify("WATCHDOG=1\nSTATUS=%u viewers of %u sessions, %u pipelines",
	    f.viewers, f.watched, f.pipelines);
}

static void
serve(struct server *s, struct http *http, struct metrics_server *metrics)
{
	struct watch ready = WATCH_INIT(http_ready, NULL);
	struct watch asked = WATCH_INIT(http_ready, NULL);
	struct stop stop;
	uint64_t now, watchdog = notify_watchdog(), alive = 0;
	int ms;

	stop.login = s->login;
	watch_signals(s->loop, &stop);
	if (loop_watch(s->loop, &ready, http_fd(http), EPOLLIN) == -1)
		log_die(EXIT_OTHER, "cannot watch sockets: %s",
		    strerror(errno));
	if (metrics != NULL && loop_watch(s->loop, &asked,
	    metrics_fd(metrics), EPOLLIN) == -1)
		log_die(EXIT_OTHER, "cannot watch sockets: %s",
		    strerror(errno));
	notify("READY=1\nSTATUS=Nobody watches");
	while (!stop.asked) {
		now = loop_now();
		ms = sooner(http_timeout(http), sooner(hub_timeout(s->hub,
		    now), reaper_timeout(s->reaper, now)));
		if (metrics != NULL)
			ms = sooner(ms, metrics_timeout(metrics));
		if (watchdog != 0 && now >= alive + watchdog) {
			tell_manager(s);
			alive = now;
		}
		if (watchdog != 0)
			ms = sooner(ms, (int)watchdog);
		if (loop_run(s->loop, ms) == -1)
			log_die(EXIT_OTHER, "cannot wait for events: %s",
			    strerror(errno));
		now = loop_now();
		hub_tick(s->hub, now);
		reaper_tick(s->reaper, now);
		http_run(http);
		if (metrics != NULL)
			metrics_run(metrics);
	}
	notify("STOPPING=1");
	loop_unwatch(s->loop, &ready);
	loop_unwatch(s->loop, &asked);
	loop_unwatch(s->loop, &stop.signals);
}

/* Let the commands end, so that nothing of ours is left. */
static void
wait_for_commands(struct server *s)
{
	uint64_t now, end = loop_now() + STOP_MS;

	while (!reaper_is_idle(s->reaper) && (now = loop_now()) < end) {
		if (loop_run(s->loop, reaper_timeout(s->reaper, now)) == -1)
			break;
		reaper_tick(s->reaper, loop_now());
	}
}

static int
serve_on(struct options *o)
{
	static const struct http_program program = {
		.begin = server_begin, .body = server_body,
		.end = server_end, .done = server_done,
	};
	struct http_program p = program;
	struct server *s = &o->server;
	struct loop loop;
	struct reaper reaper;
	struct http *http;
	struct figures figures;
	struct metrics_server *metrics;
	char why[512];
	int watched, i;

	o->http.connections = o->limits.viewers + OTHERS_MAX;
	o->http.head = HEAD_MAX;
	p.arg = s;
	raise_descriptor_limit();
	s->webdir = open_directory('w', o->webdir);
	if (s->routes != NULL)
		close(open_directory('x', s->routes));
	watched = open_directory('W', o->watched);
	if (s->webdir != -1 && server_read_csp(s) == -1)
		log_die(EXIT_CONFIG, "cannot read '%s/csp.txt': %s", o->webdir,
		    strerror(errno));
	if (loop_init(&loop) == -1)
		log_die(EXIT_OTHER, "cannot start: %s", strerror(errno));
	reaper_init(&reaper, &loop);
	s->loop = &loop;
	s->reaper = &reaper;
	s->hub = hub_new(&loop, &reaper, s->routes, watched, &o->limits);
	s->queue = queue_new(s);
	s->health = health_new(s);
	s->login = login_new(o->users, o->secret, o->user_header, why,
	    sizeof why);
	if (s->login == NULL)
		log_die(EXIT_CONFIG, "%s", why);
	http = http_new(&p, &o->http);
	if (s->hub == NULL || s->queue == NULL || s->health == NULL ||
	    http == NULL)
		log_die(EXIT_OTHER, "cannot start: %s", strerror(errno));
	for (i = 0; i < o->nproxies; i++)
		if (http_trust(http, o->proxies[i]) == -1)
			log_die(EXIT_USAGE, "-P: '%s' is no address, no "
			    "network and not unix", o->proxies[i]);
	for (i = 0; i < o->nlisten; i++)
		listen_on(http, s, o, o->listen[i]);
	figures = (struct figures){ s, http };
	metrics = listen_for_metrics(o, &figures);
	serve(s, http, metrics);
	metrics_free(metrics);
	http_free(http);
	hub_free(s->hub);
	health_free(s->health);
	wait_for_commands(s);
	queue_free(s->queue);
	login_free(s->login);
	return EXIT_OK;
}

int
main(int argc, char **argv)
{
	struct options o = {
		.limits = {
			.ring = RING_DEFAULT * 1024,
			.total = TOTAL_BYTES,
			.channels = SESSIONS_MAX,
			.viewers = VIEWERS_DEFAULT,
			.linger = LINGER_DEFAULT * 1000,
		},
		.http = HTTP_LIMITS_DEFAULT,
		.server = { .webdir = -1 },
	};

	log_init("sse-bridge", LOG_LEVEL_WARN);
	parse_options(argc, argv, &o);
	return o.nlisten > 0 ? serve_on(&o) : filter_run();
}
