/* checksum: prints that of the stored body on standard input, in hex. */
#include <err.h>
#include <unistd.h>

#include "buf.h"
#include "record.h"

int
main(void)
{
	struct buf in = BUF_INIT(SIZE_MAX);
	ssize_t n;

	while ((n = buf_read(&in, STDIN_FILENO, 1 << 20)) > 0)
		continue;
	if (n == -1)
		err(1, "read");
	printf("%08x\n", record_checksum(buf_bytes(&in), buf_size(&in)));
	buf_release(&in);
	return 0;
}
