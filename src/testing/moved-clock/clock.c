/*
 * A preloaded library with a wall clock that a test can move, for one server. It adds the number of seconds in a file to
 * CLOCK_REALTIME, time and gettimeofday, and changes no other clock. (libfaketime also moves the clocks of processor time:
 * a JVM ends when these go back. And redis-server hangs in the start of jemalloc under it.)
 */
struct timeval {
  long sec;
  long usec;
};
long syscall(long number, ...);
int open(const char *path, int flags);
long read(int file, char *buffer, unsigned long size);
int close(int file);
int atoi(const char *text);

#ifdef __x86_64__
#define CLOCK_GETTIME 228
#else
#define CLOCK_GETTIME 113
#endif
#define REALTIME 0

static long offset(void) {
  char text[16] = {0};
  int file = open("/tmp/clock-offset", 0);
  if (file < 0) return 0;
  read(file, text, 15);
  close(file);
  return atoi(text);
}

int clock_gettime(int clock, long *time) {
  long result = syscall(CLOCK_GETTIME, (long)clock, time);
  if (clock == REALTIME && result == 0) time[0] += offset();
  return (int)result;
}

int gettimeofday(struct timeval *now, void *zone) {
  long time[2];
  clock_gettime(REALTIME, time);
  now->sec = time[0];
  now->usec = time[1] / 1000;
  return 0;
}

long time(long *seconds) {
  long time[2];
  clock_gettime(REALTIME, time);
  if (seconds) *seconds = time[0];
  return time[0];
}
