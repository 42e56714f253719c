/*
 * Listening sockets, from the words a user gives after -l.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#define LISTEN_MAX		16	/* sockets one program listens on */
#define LISTEN_NAME_MAX		160	/* bytes of a name, with NUL */
#define LISTEN_BACKLOG		1024

/*
 * Open what spec says:
 *
 *	fd:N		an inherited listening socket (socket activation)
 *	HOST:PORT	HOST a name or an address, empty or '*' for all;
 *	[V6]:PORT	PORT a number, 0 for a free one
 *	unix:PATH[,MODE] a socket file with these octal permissions (0600); one
 *			that nobody listens on any more is replaced
 *
 * With 'shared', other processes may listen on the same port and the kernel
 * spreads connections over them (SO_REUSEPORT).
 *
 * The socket (non-blocking, close-on-exec), or -1 with *why saying what failed
 * and errno its reason (0 if spec is wrong).
 */
int listen_open(const char *spec, bool shared, const char **why);

/*
 * The exit status of a program whose listen_open() failed with this errno: 64
 * it was not understood, 75 somebody else has the address, 78 it cannot be
 * used.
 */
int listen_exit(int e);

/*
 * Where a listening socket can be reached: "127.0.0.1:8080", "[::1]:8080",
 * "unix:/run/x".  Returns name.
 */
const char *listen_name(int fd, char name[LISTEN_NAME_MAX]);

/* True if only this machine can reach it: loopback or a socket file. */
bool listen_is_local(int fd);

/* Close it; a socket file that listen_open() made for spec is removed. */
void listen_close(int fd, const char *spec);

#endif
