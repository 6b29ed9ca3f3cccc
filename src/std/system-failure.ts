/** Remedies for failures that the operating system, or SQLite on its behalf, reports. */

/** Remedies by errno. Source: errno(3). */
const BY_ERRNO: Readonly<Record<string, string>> = {
  EROFS: 'the file system is mounted read-only: choose a folder on one that takes writes, or mount it read-write',
  EACCES: 'this user lacks the permission: change the owner or the mode of the file and its folders, or choose another',
  EPERM: 'the system does not permit this user to do it: change the owner or the mode, or choose another path',
  ENOSPC: 'the disk is full: free space on it, or choose another one',
  EDQUOT: "this user's quota of the disk is used up: free space, have the quota raised, or choose another disk",
  EFBIG: 'the file system does not support files of that size: choose another file system',
  EIO: "the disk or its driver reported an error: read the system's log, and back up that disk",
  EMFILE: 'this process has too many files open: raise its limit (ulimit -n)',
  ENFILE: 'the machine has too many files open: raise fs.file-max',
  ENOMEM: 'the machine has no memory left: end other programs, or raise the limit of this one',
  ENAMETOOLONG: 'choose a shorter path',
  ELOOP: 'the symbolic links of the path form a loop: correct them',
  ENOTDIR: 'a part of the path is a file where a folder is needed: choose another path',
  EISDIR: 'it is a folder where a file is needed: choose another path',
  EPIPE: 'the reader has gone: keep it running until the end',
}

/** Errnos by SQLite's primary result codes. Source: sqlite.org/rescode.html */
const BY_SQLITE: ReadonlyMap<number, string> = new Map([
  [3, 'EACCES'],
  [7, 'ENOMEM'],
  [8, 'EROFS'],
  [10, 'EIO'],
  [13, 'ENOSPC'],
])

/**
 * The same by SQLite's messages, because an error from another thread has only its message. Source: sqlite3_errstr().
 */
const BY_SQLITE_WORDS: Readonly<Record<string, string>> = {
  'database or disk is full': 'ENOSPC',
  'attempt to write a readonly database': 'EROFS',
  'disk I/O error': 'EIO',
}

/** Returns the remedy if the error, or one of its causes, is a failure of the system. Otherwise returns undefined. */
export function systemRemedy(thrown: unknown): string | undefined {
  let at = thrown
  for (let depth = 0; at instanceof Error && depth < 10; depth++) {
    const remedy = BY_ERRNO[errnoOf(at)]
    if (remedy !== undefined) return remedy
    at = at.cause
  }
  return undefined
}

function errnoOf(error: Error): string {
  if ('errcode' in error && typeof error.errcode === 'number') return BY_SQLITE.get(error.errcode & 0xff) ?? ''
  if ('code' in error && typeof error.code === 'string' && 'syscall' in error) return error.code
  return Object.entries(BY_SQLITE_WORDS).find(([words]) => error.message.endsWith(`: ${words}`))?.[1] ?? ''
}
