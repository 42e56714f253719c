/**
 * Milliseconds since 1970 by a clock that goes on as it began with the page:
 * Date.now() jumps when somebody sets the machine's.
 */
export const now = () => performance.timeOrigin + performance.now();
