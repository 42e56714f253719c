/*
 * s2-stream: the control plane of S2 for the shell: basins and streams, made,
 * configured, listed, fenced, trimmed and deleted; and names of sessions.
 */
#include <getopt.h>

#include "config.h"
#include "log.h"
#include "options.h"
#include "s2.h"
#include "session.h"

#define PATIENCE	15000	/* ms, tries and pauses together */
#define TRY_MAX		5000	/* ms, one try */
#define PAGE_MAX	1000	/* S2's */
#define BODY_MAX	4096	/* of a request */

struct program {
	struct settings settings;
	struct s2_conf conf;
	struct s2 *s2;
	struct s2_call *call;
	struct s2_uri uri;
	char what[S2_TEXT_MAX];	/* verb and URI, for errors */
	int argc;		/* what is behind the verb and the URI */
	char **argv;
	bool json;		/* -j */
	const char *after;	/* -a */
	const char *expected;	/* -e */
	uint64_t count;		/* -n */
	const char *prefix;	/* -p */
};

/* ---- Requests ---- */

/* One request and its answer, in call->body.  0, or -1 with call->error. */
static int
request(struct program *p, struct s2_request *req)
{
	if (p->s2 == NULL) {
		p->s2 = s2_new(&p->conf, 1);
		p->call = p->s2 == NULL ? NULL : s2_call_new(p->s2, 0);
		if (p->call == NULL)
			log_die(EXIT_OTHER, "cannot start: out of memory");
	}
	req->timeout = TRY_MAX;
	req->what = p->what;
	return s2_call_wait(p->call, req, PATIENCE);
}

static void __attribute__((noreturn))
die(const struct program *p)
{
	log_die(p->call->error.exit, "%s", p->call->error.text);
}

/* The path of the basin or stream that the URI names, with 'rest'. */
static void
uri_path(const struct program *p, char path[S2_PATH_MAX], const char *rest)
{
	if (p->uri.stream[0] != '\0')
		s2_stream_path(path, p->uri.stream, rest);
	else
		snprintf(path, S2_PATH_MAX, "/v1/basins/%s%s", p->uri.basin,
		    rest);
}

/* Whom to ask about what the URI names: the basin, or the account. */
static const char *
uri_basin(const struct program *p)
{
	return p->uri.stream[0] != '\0' ? p->uri.basin : NULL;
}

static void
put_answer(const struct program *p)
{
	fwrite(buf_bytes(&p->call->body), 1, buf_size(&p->call->body), stdout);
	putchar('\n');
}

static jv
parse_answer(const struct program *p)
{
	jv v = jv_parse_sized((char *)buf_bytes(&p->call->body),
	    (int)buf_size(&p->call->body));

	if (jv_get_kind(v) != JV_KIND_OBJECT)
		log_die(EXIT_OTHER, "S2's answer is no JSON object");
	return v;
}

/* ---- Basins and streams ---- */

static bool
is_basin(const struct program *p)
{
	return p->uri.stream[0] == '\0';
}

static jv
settings_config(const struct program *p)
{
	jv config = jv_object();
	const char *why;
	int i;

	for (i = 0; i < p->argc; i++)
		if (config_set(&config, is_basin(p), p->argv[i], &why) == -1)
			log_die(EXIT_USAGE, "'%s': %s", p->argv[i], why);
	return config;
}

/* Send a JSON body, which is consumed.  As request(). */
static int
send_json(struct program *p, struct s2_request *req, jv body)
{
	jv text = jv_dump_string(body, 0);
	int rc;

	req->type = S2_JSON;
	req->body = jv_string_value(text);
	req->size = jv_string_length_bytes(jv_copy(text));
	rc = request(p, req);
	jv_free(text);
	return rc;
}

/* Make it, with a config, which is consumed.  As request(). */
static int
create(struct program *p, jv config)
{
	struct s2_request req = { .method = "POST", .repeatable = true };
	char token[SESSION_ID_LEN + 1];
	jv body = jv_object();

	/* With a token of its own the request can be sent twice. */
	session_id_make((uint64_t)time(NULL), token);
	req.token = token;
	req.basin = uri_basin(p);
	req.path = is_basin(p) ? "/v1/basins" : "/v1/streams";
	body = jv_object_set(body, jv_string(is_basin(p) ? "basin" : "stream"),
	    jv_string(is_basin(p) ? p->uri.basin : p->uri.stream));
	if (jv_object_length(jv_copy(config)) > 0)
		body = jv_object_set(body, jv_string("config"), config);
	else
		jv_free(config);
	return send_json(p, &req, body);
}

/* Change what 'config' says, and nothing else. */
static int
reconfigure(struct program *p, jv config)
{
	struct s2_request req = { .method = "PATCH" };
	char path[S2_PATH_MAX];

	uri_path(p, path, "");
	req.basin = uri_basin(p);
	req.path = path;
	return send_json(p, &req, config);
}

static void
put_outcome(const struct program *p, const char *word)
{
	if (p->json)
		put_answer(p);
	else
		puts(word);
}

static void
verb_create(struct program *p)
{
	if (create(p, settings_config(p)) == -1)
		die(p);
	put_outcome(p, "created");
}

/*
 * S2's own "ensure", PUT, would reset all settings that are not given, so it
 * is not used.
 */
static void
verb_ensure(struct program *p)
{
	jv config = settings_config(p);

	if (create(p, jv_copy(config)) == 0) {
		jv_free(config);
		put_outcome(p, "created");
		return;
	}
	if (strcmp(p->call->error.code, "resource_already_exists") != 0)
		die(p);
	if (p->argc > 0 && reconfigure(p, jv_copy(config)) == -1)
		die(p);
	jv_free(config);
	if (p->argc > 0 || !p->json)
		put_outcome(p, p->argc > 0 ? "configured" : "exists");
}

static void
verb_config(struct program *p)
{
	struct s2_request req = { .method = "GET" };
	char path[S2_PATH_MAX];

	if (p->argc > 0) {
		if (reconfigure(p, settings_config(p)) == -1)
			die(p);
	} else {
		uri_path(p, path, "");
		req.basin = uri_basin(p);
		req.path = path;
		if (request(p, &req) == -1)
			die(p);
	}
	if (p->json)
		put_answer(p);
	else
		config_print(parse_answer(p), is_basin(p), stdout);
}

/* One basin or stream of a list.  False once there have been enough. */
static bool
put_listed(struct program *p, jv item, uint64_t *left)
{
	jv name = jv_object_get(jv_copy(item), jv_string("name"));
	jv deleted = jv_object_get(jv_copy(item), jv_string("deleted_at"));
	bool alive = jv_get_kind(deleted) == JV_KIND_NULL;

	jv_free(deleted);
	if (p->json) {
		jv_dumpf(item, stdout, 0);
		putchar('\n');
	} else {
		jv_free(item);
		if (alive && jv_get_kind(name) == JV_KIND_STRING)
			puts(jv_string_value(name));
	}
	jv_free(name);
	if (p->json || alive)
		--*left;
	return *left > 0;
}

static void
add_parameter(struct buf *path, const char *name, const char *value)
{
	if (buf_addf(path, "%s=", name) == -1 ||
	    s2_escape(path, value, strlen(value)) == -1 ||
	    buf_add(path, "&", 1) == -1)
		option_wrong("a prefix or a name to start after is too long");
}

/* Get the page behind 'after'.  The array of what is on it. */
static jv
get_page(struct program *p, const char *after, bool *more)
{
	struct buf path = BUF_INIT(S2_PATH_MAX);
	struct s2_request req = { .method = "GET" };
	const char *kind = p->uri.basin[0] != '\0' ? "streams" : "basins";
	jv answer, items, has_more;

	buf_addf(&path, "/v1/%s?", kind);
	if (p->prefix != NULL)
		add_parameter(&path, "prefix", p->prefix);
	if (after != NULL)
		add_parameter(&path, "start_after", after);
	if (buf_addf(&path, "limit=%u", p->count < PAGE_MAX ?
	    (unsigned)p->count : PAGE_MAX) == -1 ||
	    buf_add(&path, "", 1) == -1)
		option_wrong("a prefix or a name to start after is too long");
	if (p->uri.basin[0] != '\0')
		req.basin = p->uri.basin;
	req.path = (char *)buf_bytes(&path);
	if (request(p, &req) == -1)
		die(p);
	buf_release(&path);
	answer = parse_answer(p);
	has_more = jv_object_get(jv_copy(answer), jv_string("has_more"));
	*more = jv_get_kind(has_more) == JV_KIND_TRUE;
	jv_free(has_more);
	items = jv_object_get(answer, jv_string(kind));
	if (jv_get_kind(items) != JV_KIND_ARRAY)
		log_die(EXIT_OTHER, "S2's answer holds no list of %s", kind);
	return items;
}

static void
verb_list(struct program *p)
{
	uint64_t left = p->count;
	jv after = jv_null(), page;
	bool more = true;
	int i, n;

	if (p->uri.stream[0] != '\0')
		option_wrong("list takes a basin or nothing");
	if (p->after != NULL)
		after = jv_string(p->after);
	while (more && left > 0) {
		page = get_page(p, jv_get_kind(after) == JV_KIND_STRING ?
		    jv_string_value(after) : NULL, &more);
		n = jv_array_length(jv_copy(page));
		if (n == 0)
			more = false;
		if (n == 0 && jv_get_kind(after) == JV_KIND_NULL &&
		    p->uri.basin[0] != '\0' && s2_basin_is_missing(p->call,
		    p->uri.basin, p->what, TRY_MAX))
			die(p);
		for (i = 0; i < n; i++)
			if (!put_listed(p, jv_array_get(jv_copy(page), i),
			    &left))
				break;
		jv_free(after);
		after = n == 0 ? jv_null() : jv_object_get(
		    jv_array_get(jv_copy(page), n - 1), jv_string("name"));
		jv_free(page);
	}
	jv_free(after);
}

/* ---- Records ---- */

/* Append the command in b, and print the number of its record. */
static void
append_command(struct program *p, struct buf *b, bool repeatable)
{
	struct s2_request req = { .method = "POST", .type = S2_PROTO,
	    .accept = S2_JSON, .repeatable = repeatable };
	char path[S2_PATH_MAX];
	uint64_t seq;

	uri_path(p, path, "/records");
	req.basin = p->uri.basin;
	req.path = path;
	req.body = buf_bytes(b);
	req.size = buf_size(b);
	if (request(p, &req) == -1)
		die(p);
	buf_release(b);
	/* The first position in the answer is where the append started. */
	if (p->json)
		put_answer(p);
	else if (s2_json_number(buf_bytes(&p->call->body),
	    buf_size(&p->call->body), "seq_num", &seq))
		printf("%llu\n", (unsigned long long)seq);
	else
		log_die(EXIT_OTHER, "S2's answer has no seq_num");
}

static void
verb_fence(struct program *p)
{
	const char *token = p->argv[0];
	struct buf b = BUF_INIT(BODY_MAX);

	if (strlen(token) > S2_FENCE_MAX || (p->expected != NULL &&
	    strlen(p->expected) > S2_FENCE_MAX))
		option_wrong("a fencing token has at most %d bytes",
		    S2_FENCE_MAX);
	if (record_add_fence(&b, token, strlen(token)) == -1 ||
	    (p->expected != NULL && pb_add_bytes(&b, PIPE_FENCE, p->expected,
	    strlen(p->expected)) == -1))
		log_die(EXIT_OTHER, "out of memory");
	/* What was expected may be gone by its own first try. */
	append_command(p, &b, p->expected == NULL);
}

static void
verb_trim(struct program *p)
{
	/* An AppendInput of one record, but for the 8 bytes of its body. */
	static const unsigned char head[] = { 0x0a, 18, 0x12, 6, 0x12, 4,
	    't', 'r', 'i', 'm', 0x1a, 8 };
	unsigned char body[8];
	struct buf b = BUF_INIT(BODY_MAX);
	const char *why;
	long long seq;
	int i;

	seq = strtonum(p->argv[0], 0, INT64_MAX, &why);
	if (why != NULL)
		option_wrong("'%s' is no sequence number", p->argv[0]);
	for (i = 0; i < 8; i++)
		body[i] = (unsigned char)((uint64_t)seq >> (56 - 8 * i));
	if (buf_add(&b, head, sizeof head) == -1 ||
	    buf_add(&b, body, sizeof body) == -1)
		log_die(EXIT_OTHER, "out of memory");
	append_command(p, &b, true);
}

static int
get_tail(struct program *p)
{
	struct s2_request req = { .method = "GET" };
	char path[S2_PATH_MAX];

	uri_path(p, path, "/records/tail");
	req.basin = p->uri.basin;
	req.path = path;
	return request(p, &req);
}

static void
verb_tail(struct program *p)
{
	const struct buf *body;
	uint64_t seq, time;

	if (get_tail(p) == -1)
		die(p);
	body = &p->call->body;
	if (p->json)
		put_answer(p);
	else if (s2_json_number(buf_bytes(body), buf_size(body), "seq_num",
	    &seq) && s2_json_number(buf_bytes(body), buf_size(body),
	    "timestamp", &time))
		printf("%llu %llu\n", (unsigned long long)seq,
		    (unsigned long long)time);
	else
		log_die(EXIT_OTHER, "S2's answer has no tail");
}

/*
 * S2 may answer that a stream is not there when it has just deleted it, so
 * whether it is there is asked first.
 */
static void
verb_delete(struct program *p)
{
	struct s2_request req = { .method = "DELETE" };
	char path[S2_PATH_MAX];

	if (get_tail(p) == -1 &&
	    strcmp(p->call->error.code, "stream_deletion_pending") != 0)
		die(p);
	uri_path(p, path, "");
	req.basin = p->uri.basin;
	req.path = path;
	if (request(p, &req) == -1 && p->call->error.status != 404)
		die(p);
}

/* ---- Sessions ---- */

static void
verb_new(struct program *p)
{
	char id[SESSION_ID_LEN + 1];
	struct timespec now;

	(void)p;
	clock_gettime(CLOCK_REALTIME, &now);
	session_id_make((uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000,
	    id);
	puts(id);
}

static void
verb_name(struct program *p)
{
	const char *id = p->argv[0];
	char stream[SESSION_STREAM_MAX + 1];

	if (!session_id_is_valid(id, strlen(id)))
		option_wrong("'%s' is no session id", id);
	if (session_stream(settings_prefix(&p->settings), id, stream,
	    sizeof stream) == -1)
		log_die(EXIT_CONFIG, "RR_PREFIX is longer than %d bytes",
		    SESSION_PREFIX_MAX);
	printf("s2://%s/%s\n", settings_basin(&p->settings), stream);
}

/* ---- The command line ---- */

enum verb_uri {
	NO_URI,
	ANY_URI,		/* of a basin or a stream */
	STREAM_URI,
	OPTIONAL_URI,
};

static const struct verb {
	const char *name;
	void (*run)(struct program *p);
	enum verb_uri uri;
	int least, most;	/* arguments behind it */
	const char *options;
} verbs[] = {
	{ "config", verb_config, ANY_URI, 0, INT32_MAX, "j" },
	{ "create", verb_create, ANY_URI, 0, INT32_MAX, "j" },
	{ "delete", verb_delete, STREAM_URI, 0, 0, "" },
	{ "ensure", verb_ensure, ANY_URI, 0, INT32_MAX, "j" },
	{ "fence", verb_fence, STREAM_URI, 1, 1, "ej" },
	{ "list", verb_list, OPTIONAL_URI, 0, 0, "ajnp" },
	{ "name", verb_name, NO_URI, 1, 1, "" },
	{ "new", verb_new, NO_URI, 0, 0, "" },
	{ "tail", verb_tail, STREAM_URI, 0, 0, "j" },
	{ "trim", verb_trim, STREAM_URI, 1, 1, "j" },
};

#define VERBS	(sizeof verbs / sizeof *verbs)

static const char usage_text[] =
    "usage: s2-stream ensure [-j] s2://BASIN[/STREAM] [KEY=VALUE ...]\n"
    "       s2-stream create [-j] s2://BASIN[/STREAM] [KEY=VALUE ...]\n"
    "       s2-stream config [-j] s2://BASIN[/STREAM] [KEY=VALUE ...]\n"
    "       s2-stream list [-j] [-a AFTER] [-n COUNT] [-p PREFIX] [s2://BASIN]\n"
    "       s2-stream tail [-j] s2://BASIN/STREAM\n"
    "       s2-stream fence [-j] [-e EXPECTED] s2://BASIN/STREAM TOKEN\n"
    "       s2-stream trim [-j] s2://BASIN/STREAM SEQ\n"
    "       s2-stream delete s2://BASIN/STREAM\n"
    "       s2-stream name ID\n"
    "       s2-stream new\n"
    "Make, configure, list, fence, trim and delete streams of S2.\n"
    "  -a AFTER     only names after this one\n"
    "  -e EXPECTED  fail unless this is the stream's fencing token\n"
    "  -j           print S2's answer, in JSON\n"
    "  -n COUNT     at most so many\n"
    "  -p PREFIX    only names that begin so\n"
    "KEY: create-on-append, create-on-read (basins), delete-on-empty,\n"
    "     retention, storage-class, timestamping, uncapped\n";

static const struct verb *
find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	option_wrong("there is no command '%s'", name);
}

/* Take the URI, if the verb wants one, off the arguments. */
static void
take_uri(struct program *p, const struct verb *verb)
{
	const char *why;

	snprintf(p->what, sizeof p->what, "%s %.400s", verb->name,
	    p->argc > 0 ? p->argv[0] : "basins");
	if (verb->uri == NO_URI || (verb->uri == OPTIONAL_URI && p->argc == 0))
		return;
	if (p->argc == 0)
		option_wrong("%s needs an s2:// URI", verb->name);
	if (s2_uri_parse(p->argv[0], &p->uri, &why) == -1)
		log_die(EXIT_USAGE, "'%s': %s", p->argv[0], why);
	if (verb->uri == STREAM_URI && p->uri.stream[0] == '\0')
		option_wrong("%s needs a stream, as s2://BASIN/STREAM",
		    verb->name);
	p->argc--;
	p->argv++;
}

int
main(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	static struct program p = { .count = INT64_MAX };
	const struct verb *verb;
	char given[256] = "";
	size_t n = 0, i;
	int c;

	log_init("s2-stream", LOG_LEVEL_WARN);
	while ((c = getopt_long(argc, argv, "a:e:jn:p:", longopts,
	    NULL)) != -1) {
		switch (c) {
		case 'a':
			p.after = optarg;
			break;
		case 'e':
			p.expected = optarg;
			break;
		case 'j':
			p.json = true;
			break;
		case 'n':
			p.count = (uint64_t)option_number("-n", optarg,
			    1, INT64_MAX);
			break;
		case 'p':
			p.prefix = optarg;
			break;
		case 'h':
			fputs(usage_text, stdout);
			log_exit_flushed(EXIT_OK);
		case 'V':
			puts("s2-stream " RR_VERSION);
			log_exit_flushed(EXIT_OK);
		default:
			exit(EXIT_USAGE);
		}
		if (n < sizeof given - 1)
			given[n++] = (char)c;
	}
	if (optind == argc)
		option_wrong("a command is needed");
	verb = find_verb(argv[optind]);
	for (i = 0; i < n; i++)
		if (strchr(verb->options, given[i]) == NULL)
			option_wrong("%s takes no -%c", verb->name, given[i]);
	p.argc = argc - optind - 1;
	p.argv = argv + optind + 1;
	take_uri(&p, verb);
	if (p.argc < verb->least || p.argc > verb->most)
		option_wrong("%s takes %s arguments", verb->name,
		    p.argc < verb->least ? "more" : "fewer");
	if (settings_load(&p.settings) == -1 || (verb->uri != NO_URI &&
	    s2_conf_load(&p.conf, &p.settings) == -1))
		log_die(EXIT_CONFIG, "%s", p.settings.why);
	verb->run(&p);
	s2_free(p.s2);
	settings_release(&p.settings);
	log_exit_flushed(EXIT_OK);
}
