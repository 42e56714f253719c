/*
 * loopback.so: preloaded into a server that would listen on every address of
 * the machine, it makes it listen on 127.0.0.1.
 *
 * s2-lite has no option for the address it binds, and no authentication. This
 * way costs its traffic nothing, needs no right, and works wherever the
 * dynamic linker does.
 */
#include <sys/socket.h>
#include <netinet/in.h>
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

int
bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in	in;
	int			(*next)(int, const struct sockaddr *, socklen_t);

	*(void **)&next = dlsym(RTLD_NEXT, "bind");
	if (next == NULL) {
		errno = ENOSYS;
		return -1;
	}
	if (len != sizeof(in) || addr->sa_family != AF_INET)
		return next(fd, addr, len);
	memcpy(&in, addr, sizeof(in));
	if (in.sin_addr.s_addr == htonl(INADDR_ANY))
		in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return next(fd, (struct sockaddr *)&in, sizeof(in));
}
