/*
 * A preloaded library with a wall clock that a test can move, for one server process. It adds the number of seconds in a
 * file to gettimeofday, which Redis uses for expiry. It does not change the monotonic clock. (libfaketime does the same
 * for other programs, but redis-server hangs in the start of jemalloc under it.)
 */
struct timeval {
  long sec;
  long usec;
};
int clock_gettime(int clock, long *time);
int open(const char *path, int flags);
long read(int file, char *buffer, unsigned long size);
int close(int file);
int atoi(const char *text);

int gettimeofday(struct timeval *now, void *zone) {
  long time[2];
  char text[16] = {0};
  int file = open("/tmp/clock-offset", 0);
  if (file >= 0) {
    read(file, text, 15);
    close(file);
  }
  clock_gettime(0, time);
  now->sec = time[0] + atoi(text);
  now->usec = time[1] / 1000;
  return 0;
}
