/*
 * A wall clock that a test can move, for one server process: preloaded, it answers gettimeofday, which Redis measures
 * expiry by, with as many seconds more as the file says. The monotonic clock stays what it is. (libfaketime does the
 * same for other programs; under it redis-server never gets through the start of jemalloc.)
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
