/* Where S2 is, and the names of its things. */
#include "s2.h"
#include "scan.h"

#define CLOUD_ACCOUNT	"https://a.s2.dev"
#define CLOUD_BASIN	"https://b.s2.dev"
#define BASIN_LABEL	"{basin}."

static bool
is_host(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~' || strchr("/?#@\"'\\{}", s[i]))
			return false;
	return n > 0;
}

/* Without a scheme a server on this machine is taken to speak plain HTTP. */
static bool
is_local(const char *host, size_t n)
{
	static const char *const names[] = { "localhost", "127.0.0.1",
	    "[::1]" };
	size_t i, len;

	for (i = 0; i < sizeof names / sizeof *names; i++) {
		len = strlen(names[i]);
		if (n >= len && strncmp(host, names[i], len) == 0 &&
		    (n == len || host[len] == ':'))
			return true;
	}
	return false;
}

/* Read one endpoint.  0, or -1 with s->why. */
static int
endpoint(struct settings *s, const char *name, const char *text,
    char origin[S2_ORIGIN_MAX], bool *label)
{
	const char *host = text, *sep, *scheme;
	size_t n;

	sep = strstr(text, "://");
	if (sep != NULL)
		host = sep + 3;
	if (label != NULL) {
		*label = strncmp(host, BASIN_LABEL, strlen(BASIN_LABEL)) == 0;
		if (*label)
			host += strlen(BASIN_LABEL);
	}
	n = strcspn(host, "/");
	if (sep == NULL)
		scheme = is_local(host, n) ? "http" : "https";
	else if (strncmp(text, "http://", 7) == 0)
		scheme = "http";
	else if (strncmp(text, "https://", 8) == 0)
		scheme = "https";
	else
		scheme = NULL;
	if (scheme == NULL || !is_host(host, n) ||
	    (strcmp(host + n, "") != 0 && strcmp(host + n, "/") != 0 &&
	    strcmp(host + n, "/v1") != 0 && strcmp(host + n, "/v1/") != 0) ||
	    (size_t)snprintf(origin, S2_ORIGIN_MAX, "%s://%.*s", scheme,
	    (int)n, host) >= S2_ORIGIN_MAX)
		return settings_wrong(s, name, "is '%.200s'; it must be "
		    "[http://|https://]HOST[:PORT], as in "
		    "http://127.0.0.1:8080", text);
	return 0;
}

int
s2_conf_load(struct s2_conf *conf, struct settings *s)
{
	const char *account = settings_get(s, "S2_ACCOUNT_ENDPOINT");
	const char *basin = settings_get(s, "S2_BASIN_ENDPOINT");
	const char *p;

	memset(conf, 0, sizeof *conf);
	if (settings_secret(s, "S2_ACCESS_TOKEN", &conf->token) == -1)
		return -1;
	for (p = conf->token; p != NULL && *p != '\0'; p++)
		if (*p < '!' || *p > '~')
			return settings_wrong(s, "S2_ACCESS_TOKEN", "holds a "
			    "character that no token has; paste it again");
	if (settings_bool(s, "S2_SSL_NO_VERIFY", false,
	    &conf->no_verify) == -1)
		return -1;
	if (account == NULL && basin == NULL) {
		if (conf->token == NULL) {
			snprintf(s->why, sizeof s->why, "it is not set where "
			    "S2 is; set S2_ACCOUNT_ENDPOINT and "
			    "S2_BASIN_ENDPOINT (for s2-lite both to "
			    "http://HOST:PORT), or S2_ACCESS_TOKEN for the "
			    "cloud");
			return -1;
		}
		strlcpy(conf->account, CLOUD_ACCOUNT, sizeof conf->account);
		strlcpy(conf->basin, CLOUD_BASIN, sizeof conf->basin);
		conf->subdomain = true;
		return 0;
	}
	if (account == NULL || basin == NULL) {
		snprintf(s->why, sizeof s->why, "only %s is set; set %s too",
		    account != NULL ? "S2_ACCOUNT_ENDPOINT" :
		    "S2_BASIN_ENDPOINT", account == NULL ?
		    "S2_ACCOUNT_ENDPOINT" : "S2_BASIN_ENDPOINT");
		return -1;
	}
	if (endpoint(s, "S2_ACCOUNT_ENDPOINT", account, conf->account,
	    NULL) == -1)
		return -1;
	return endpoint(s, "S2_BASIN_ENDPOINT", basin, conf->basin,
	    &conf->subdomain);
}

bool
s2_basin_is_valid(const char *s, size_t n)
{
	size_t i;

	if (n < S2_BASIN_MIN || n > S2_BASIN_MAX || s[0] == '-' ||
	    s[n - 1] == '-')
		return false;
	for (i = 0; i < n; i++)
		if ((s[i] < 'a' || s[i] > 'z') && (s[i] < '0' || s[i] > '9') &&
		    s[i] != '-')
			return false;
	return true;
}

bool
s2_stream_is_valid(const char *s, size_t n)
{
	if (n < 1 || n > S2_STREAM_MAX || memchr(s, '\0', n) != NULL)
		return false;
	if ((n == 1 && s[0] == '.') || (n == 2 && memcmp(s, "..", 2) == 0))
		return false;
	return scan_is_utf8(s, n);
}

int
s2_uri_parse(const char *text, struct s2_uri *uri, const char **why)
{
	const char *basin, *slash;
	size_t n;

	memset(uri, 0, sizeof *uri);
	if (strncmp(text, "s2://", 5) != 0) {
		*why = "it does not begin with s2://";
		return -1;
	}
	basin = text + 5;
	slash = strchr(basin, '/');
	n = slash == NULL ? strlen(basin) : (size_t)(slash - basin);
	if (!s2_basin_is_valid(basin, n)) {
		*why = "a basin has 8 to 48 of a-z, 0-9 and '-', not '-' at "
		    "an end";
		return -1;
	}
	memcpy(uri->basin, basin, n);
	if (slash == NULL || slash[1] == '\0')
		return 0;
	n = strlen(slash + 1);
	if (!s2_stream_is_valid(slash + 1, n)) {
		*why = "a stream has 1 to 512 bytes of UTF-8 and is not "
		    "'.' or '..'";
		return -1;
	}
	memcpy(uri->stream, slash + 1, n);
	return 0;
}

static bool
is_unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
	    c == '~';
}

/* Escapes n bytes at out, which has room for 3 * n; the place behind. */
static char *
escape(char *out, const char *s, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char c;
	size_t i;

	for (i = 0; i < n; i++) {
		c = (unsigned char)s[i];
		if (is_unreserved(c)) {
			*out++ = (char)c;
		} else {
			*out++ = '%';
			*out++ = hex[c >> 4];
			*out++ = hex[c & 15];
		}
	}
	return out;
}

int
s2_escape(struct buf *b, const char *s, size_t n)
{
	char *p = (char *)buf_reserve(b, 3 * n);

	if (p == NULL && n > 0)
		return -1;
	b->len += escape(p, s, n) - p;
	return 0;
}

void
s2_stream_path(char *out, const char *stream, const char *rest)
{
	size_t n = strnlen(stream, S2_STREAM_MAX);
	char *p;

	p = out + strlcpy(out, "/v1/streams/", S2_PATH_MAX);
	p = escape(p, stream, n);
	strlcpy(p, rest, S2_PATH_MAX - (p - out));
}
