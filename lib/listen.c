#include "listen.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exits.h"

static int
fail(int fd, const char **why, const char *text)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	*why = text;
	return -1;
}

/* It cannot be listened on there, by errno. */
static int
refused(int fd, const char **why)
{
	switch (errno) {
	case EACCES:
	case EPERM:
		return fail(fd, why, "this user may not listen there");
	case EADDRINUSE:
		return fail(fd, why, "another process listens there");
	case EADDRNOTAVAIL:
		return fail(fd, why, "this machine has no such address");
	case EEXIST:
		return fail(fd, why, "a file that is no socket is there, and "
		    "stays: remove it, or take another path");
	case ENOENT:
		return fail(fd, why, "the directory is missing");
	default:
		return fail(fd, why, "cannot listen there");
	}
}

static int
wrong(const char **why, const char *text)
{
	errno = 0;
	*why = text;
	return -1;
}

static int
open_fd(const char *word, const char **why)
{
	const char *errstr;
	int fd, on = 0;
	socklen_t len = sizeof(on);

	fd = (int)strtonum(word, 0, 65535, &errstr);
	if (errstr != NULL)
		return wrong(why, "fd: takes the number of a descriptor");
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == -1)
		return fail(-1, why, "the descriptor is no socket");
	if (!on)
		return wrong(why, "the descriptor is no listening socket");
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1)
		return fail(-1, why, "cannot set the descriptor up");
	return fd;
}

/* Somebody answers at this socket file. */
static bool
is_alive(const struct sockaddr_un *sun)
{
	int fd, r;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return true;
	r = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	if (r == -1 && errno == EAGAIN)
		r = 0;
	close(fd);
	return r == 0;
}

/* Take PATH[,MODE] apart. */
static int
unix_path(const char *word, struct sockaddr_un *sun, mode_t *mode)
{
	const char *comma = strrchr(word, ',');
	size_t n = strlen(word);
	char *end;

	*mode = 0600;
	if (comma != NULL && comma[1] == '0') {
		*mode = (mode_t)strtoul(comma + 1, &end, 8);
		if (*end != '\0' || *mode > 0777)
			return -1;
		n = (size_t)(comma - word);
	}
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (n == 0 || n >= sizeof(sun->sun_path))
		return -1;
	memcpy(sun->sun_path, word, n);
	return 0;
}

static int
open_unix(const char *word, const char **why)
{
	struct sockaddr_un sun;
	mode_t mode, mask;
	struct stat st;
	int fd, r;

	if (unix_path(word, &sun, &mode) == -1)
		return wrong(why, "unix: takes a path of at most 107 bytes, "
		    "and after a comma its permissions, as in 0660");
	if (lstat(sun.sun_path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode)) {
			errno = S_ISDIR(st.st_mode) ? EISDIR : EEXIST;
			return refused(-1, why);
		}
		if (is_alive(&sun)) {
			errno = EADDRINUSE;
			return refused(-1, why);
		}
		unlink(sun.sun_path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return fail(fd, why, "cannot make a socket");
	mask = umask(0777 & ~mode);
	r = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (r == -1 || listen(fd, LISTEN_BACKLOG) == -1)
		return refused(fd, why);
	return fd;
}

static int
open_addr(const struct addrinfo *ai, bool shared, const char **why)
{
	int on = 1, off = 0;
	int fd;

	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	if (fd == -1)
		return fail(fd, why, "cannot make a socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on,
	    sizeof(on)) == -1))
		return fail(fd, why, "cannot set the socket up");
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == -1 ||
	    listen(fd, LISTEN_BACKLOG) == -1)
		return refused(fd, why);
	return fd;
}

static int
open_tcp(const char *spec, bool shared, const char **why)
{
	struct addrinfo hints, *list, *ai;
	const char *colon, *errstr;
	char host[256];
	size_t n;
	int fd = -1, r;

	colon = strrchr(spec, ':');
	if (colon == NULL)
		return wrong(why, "expected HOST:PORT, unix:PATH or fd:N");
	strtonum(colon + 1, 0, 65535, &errstr);
	if (errstr != NULL)
		return wrong(why, "the port is not a number up to 65535");
	n = (size_t)(colon - spec);
	if (n >= 2 && spec[0] == '[' && spec[n - 1] == ']') {
		spec++;
		n -= 2;
	}
	if (n >= sizeof(host))
		return wrong(why, "the host's name is too long");
	memcpy(host, spec, n);
	host[n] = '\0';

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
	if (host[0] == '\0' || strcmp(host, "*") == 0)
		r = getaddrinfo(NULL, colon + 1, &hints, &list);
	else
		r = getaddrinfo(host, colon + 1, &hints, &list);
	if (r != 0) {
		if (r != EAI_SYSTEM)
			errno = 0;
		*why = gai_strerror(r);
		return -1;
	}
	/* For all addresses IPv6's takes IPv4 too, so it goes first. */
	if (host[0] == '\0' || strcmp(host, "*") == 0)
		for (ai = list; ai != NULL && fd == -1; ai = ai->ai_next)
			if (ai->ai_family == AF_INET6)
				fd = open_addr(ai, shared, why);
	for (ai = list; ai != NULL && fd == -1; ai = ai->ai_next)
		fd = open_addr(ai, shared, why);
	freeaddrinfo(list);
	return fd;
}

int
listen_open(const char *spec, bool shared, const char **why)
{
	if (strncmp(spec, "fd:", 3) == 0)
		return open_fd(spec + 3, why);
	if (strncmp(spec, "unix:", 5) == 0)
		return open_unix(spec + 5, why);
	return open_tcp(spec, shared, why);
}

int
listen_exit(int e)
{
	return e == 0 ? EXIT_USAGE : e == EADDRINUSE ? EXIT_TRYAGAIN :
	    EXIT_CONFIG;
}

const char *
listen_name(int fd, char name[LISTEN_NAME_MAX])
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char host[INET6_ADDRSTRLEN], port[8];

	memset(&ss, 0, sizeof(ss));
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1) {
		snprintf(name, LISTEN_NAME_MAX, "fd:%d", fd);
		return name;
	}
	if (ss.ss_family == AF_UNIX) {
		snprintf(name, LISTEN_NAME_MAX, "unix:%s",
		    ((struct sockaddr_un *)&ss)->sun_path);
		return name;
	}
	if (getnameinfo((struct sockaddr *)&ss, len, host, sizeof(host), port,
	    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(name, LISTEN_NAME_MAX, "fd:%d", fd);
	else
		snprintf(name, LISTEN_NAME_MAX,
		    strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host,
		    port);
	return name;
}

bool
listen_is_local(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	const struct sockaddr_in *sin = (const struct sockaddr_in *)&ss;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&ss;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return false;
	switch (ss.ss_family) {
	case AF_UNIX:
		return true;
	case AF_INET:
		return ntohl(sin->sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
	}
	return false;
}

void
listen_close(int fd, const char *spec)
{
	struct sockaddr_un sun;
	mode_t mode;

	close(fd);
	if (strncmp(spec, "unix:", 5) == 0 &&
	    unix_path(spec + 5, &sun, &mode) == 0)
		unlink(sun.sun_path);
}
