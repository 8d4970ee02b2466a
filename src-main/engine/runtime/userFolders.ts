import { homedir } from 'node:os'
import { join } from 'node:path'

/** The user's folder for files that can be made again. */
export function cacheFolder(): string {
  if (process.platform === 'win32')
    return join(process.env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'Smalti')
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'Smalti')
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'smalti')
}

/** The user's folder for files that the program was asked to keep. */
export function dataFolder(): string {
  if (process.platform === 'win32')
    return join(process.env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'Smalti', 'Data')
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'Smalti', 'Data')
  return join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'smalti')
}
