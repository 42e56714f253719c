#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <unistd.h>

#include "settings.h"

#define CONF_NAME	"rrpipe/rrpipe.conf"

static const char *
getenv_set(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

/* Open the file that counts.  -1 with path empty if there is none. */
static int
open_conf(char *path, size_t size)
{
	const char *dir;
	int fd;

	if ((dir = getenv_set("RR_CONF")) != NULL) {
		strlcpy(path, dir, size);
		return open(path, O_RDONLY | O_CLOEXEC);
	}
	path[0] = '\0';
	if ((dir = getenv_set("XDG_CONFIG_HOME")) != NULL)
		snprintf(path, size, "%s/" CONF_NAME, dir);
	else if ((dir = getenv_set("HOME")) != NULL)
		snprintf(path, size, "%s/.config/" CONF_NAME, dir);
	if (path[0] != '\0') {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd != -1 || (errno != ENOENT && errno != ENOTDIR))
			return fd;
	}
	snprintf(path, size, "/etc/" CONF_NAME);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1 && (errno == ENOENT || errno == ENOTDIR))
		path[0] = '\0';
	return fd;
}

static int
is_name(const char *p, const char *end)
{
	if (p == end || (*p >= '0' && *p <= '9'))
		return 0;
	for (; p < end; p++)
		if ((*p < 'A' || *p > 'Z') && (*p < '0' || *p > '9') &&
		    *p != '_')
			return 0;
	return 1;
}

/* Take one line, NUL-terminated in place, apart.  A reason, or NULL. */
static const char *
take_line(struct settings *s, char *line, int number)
{
	char *eq, *value, *end;

	if (line[0] == '\0' || line[0] == '#')
		return NULL;
	eq = strchr(line, '=');
	if (eq == NULL || !is_name(line, eq))
		return "is not NAME=value";
	if (s->n == SETTINGS_MAX)
		return "is one setting too many";
	*eq = '\0';
	value = eq + 1;
	end = value + strlen(value);
	while (end > value &&
	    (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	if (*value == '"' || *value == '\'') {
		if (end - value < 2 || end[-1] != *value)
			return "has a quote that does not end the value";
		value++;
		end--;
	}
	*end = '\0';
	s->set[s->n].name = line;
	s->set[s->n].value = value;
	s->set[s->n].line = number;
	s->n++;
	return NULL;
}

static int
take_file(struct settings *s, const char *path)
{
	char *p = (char *)buf_bytes(&s->text), *end = p + buf_size(&s->text);
	char *lf;
	const char *why;
	int line;

	if (memchr(p, '\0', end - p - 1) != NULL) {
		snprintf(s->why, sizeof s->why,
		    "%s holds a NUL byte; it must be lines of NAME=value",
		    path);
		return -1;
	}
	for (line = 1; p < end; p = lf + 1, line++) {
		lf = memchr(p, '\n', end - p);
		if (lf == NULL)
			lf = end - 1;	/* the NUL behind the file */
		*lf = '\0';
		why = take_line(s, p, line);
		if (why != NULL) {
			snprintf(s->why, sizeof s->why, "%s:%d: the line %s",
			    path, line, why);
			return -1;
		}
	}
	return 0;
}

/*
 * Read all of fd, add a NUL, and close fd.  0, or -1 with errno: also if fd is
 * -1, or if the file is longer than the buf may hold beside the NUL.
 */
static int
read_whole(struct buf *b, int fd)
{
	ssize_t got = 1;
	size_t room;
	int saved;

	while (fd != -1 && got > 0) {
		room = b->max - 1 - buf_size(b);
		got = buf_read(b, fd, room == 0 ? 1 : room);
		if (room == 0 && got > 0) {
			errno = EFBIG;
			got = -1;
		}
	}
	saved = errno;
	if (fd != -1)
		close(fd);
	errno = saved;
	return fd == -1 || got == -1 ? -1 : buf_add(b, "", 1);
}

int
settings_load(struct settings *s)
{
	char *path = s->path;
	int fd;

	memset(s, 0, sizeof *s);
	s->text.max = SETTINGS_FILE_MAX + 1;
	s->secret.max = SETTINGS_SECRET_MAX + 1;
	fd = open_conf(path, sizeof s->path);
	if (fd == -1 && path[0] == '\0')
		return 0;
	if (read_whole(&s->text, fd) == -1) {
		snprintf(s->why, sizeof s->why,
		    "cannot read the settings in %s: %s", path,
		    strerror(errno));
		return -1;
	}
	return take_file(s, path);
}

void
settings_release(struct settings *s)
{
	buf_release(&s->text);
	if (buf_size(&s->secret) > 0)
		explicit_bzero(buf_bytes(&s->secret), buf_size(&s->secret));
	buf_release(&s->secret);
	s->n = 0;
}

/* The place of a name in the file, -1 if the environment has it or nobody. */
static int
find_in_file(const struct settings *s, const char *name)
{
	int i = s->n - 1;

	if (getenv_set(name) != NULL)
		return -1;
	while (i >= 0 && strcmp(s->set[i].name, name) != 0)
		i--;
	return i;
}

const char *
settings_get(const struct settings *s, const char *name)
{
	int i = find_in_file(s, name);

	if (i == -1)
		return getenv_set(name);
	return s->set[i].value[0] != '\0' ? s->set[i].value : NULL;
}

int
settings_wrong(struct settings *s, const char *name, const char *fmt, ...)
{
	int i = find_in_file(s, name);
	size_t n = 0;
	va_list ap;

	s->why[0] = '\0';
	if (i != -1)
		n = (size_t)snprintf(s->why, sizeof s->why, "%s:%d: ",
		    s->path, s->set[i].line);
	n += (size_t)snprintf(s->why + n, sizeof s->why - n,
	    "the setting %.64s ", name);
	va_start(ap, fmt);
	vsnprintf(s->why + n, sizeof s->why - n, fmt, ap);
	va_end(ap);
	return -1;
}

int
settings_secret(struct settings *s, const char *name, const char **value)
{
	char name_file[64];
	const char *path;
	char *text;

	*value = settings_get(s, name);
	if (*value != NULL)
		return 0;
	snprintf(name_file, sizeof name_file, "%s_FILE", name);
	path = settings_get(s, name_file);
	if (path == NULL)
		return 0;
	buf_clear(&s->secret);
	if (read_whole(&s->secret, open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return settings_wrong(s, name_file, "names '%.512s', which "
		    "cannot be read: %s", path, strerror(errno));
	text = (char *)buf_bytes(&s->secret);
	text[strcspn(text, "\r\n")] = '\0';
	if (text[0] == '\0')
		return settings_wrong(s, name_file, "names '%.512s', which is "
		    "empty", path);
	*value = text;
	return 0;
}

int
settings_bool(struct settings *s, const char *name, bool fallback, bool *out)
{
	const char *v = settings_get(s, name);

	if (v == NULL) {
		*out = fallback;
		return 0;
	}
	*out = strcmp(v, "1") == 0 || strcmp(v, "true") == 0 ||
	    strcmp(v, "yes") == 0;
	if (*out || strcmp(v, "0") == 0 || strcmp(v, "false") == 0 ||
	    strcmp(v, "no") == 0)
		return 0;
	return settings_wrong(s, name,
	    "is '%.64s'; it must be 1, true, 0 or false", v);
}

const char *
settings_basin(const struct settings *s)
{
	const char *v = settings_get(s, "RR_BASIN");

	return v != NULL ? v : RR_BASIN_DEFAULT;
}

const char *
settings_prefix(const struct settings *s)
{
	const char *v = settings_get(s, "RR_PREFIX");

	return v != NULL ? v : RR_PREFIX_DEFAULT;
}
