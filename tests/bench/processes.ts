import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'

/** Returns the resident memory in bytes of a process and all its children. */
function residentOf(root: number): number {
  const parents = new Map<number, number>()
  const resident = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8')
      parents.set(Number(name), Number(/PPid:\s+(\d+)/.exec(status)?.[1]))
      resident.set(Number(name), 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0))
    } catch {
      // The process has ended in the meantime.
    }
  }
  const belongs = (pid: number): boolean =>
    pid === root || (parents.has(pid) && parents.get(pid) !== 0 && belongs(parents.get(pid)!))
  return [...resident].reduce((sum, [pid, bytes]) => (belongs(pid) ? sum + bytes : sum), 0)
}

export interface Measured {
  seconds: number
  /** Peak resident memory of all processes together, in bytes; 0 where the system does not report it. */
  peak: number
  code: number | null
  /** The object on the last line of standard output. */
  json: Record<string, unknown>
  stderr: string
}

export function startSmalti(args: readonly string[], env: NodeJS.ProcessEnv = {}, user?: number): ChildProcess {
  return spawn(process.execPath, ['out/main/smalti.js', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    uid: user,
    gid: user
  })
}

/**
 * Runs a command of the built program to its end.
 * @param user   runs it as another user
 * @param limit  seconds after which it is killed
 */
export async function runSmalti(
  args: readonly string[],
  { env, user, limit }: { env?: NodeJS.ProcessEnv; user?: number; limit?: number } = {}
): Promise<{ code: number | null; stderr: string }> {
  const child = startSmalti(args, env, user)
  let stderr = ''
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdout!.resume()
  const timer = limit === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), 1000 * limit)
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  clearTimeout(timer)
  return { code, stderr }
}

/** Kills a process after some milliseconds, unless it has ended by then, and waits until it is gone. */
export async function killAfter(child: ChildProcess, milliseconds: number): Promise<void> {
  const gone = new Promise((resolve) => child.on('close', resolve))
  await new Promise((resolve) => setTimeout(resolve, milliseconds))
  child.kill('SIGKILL')
  await gone
}

/** Runs a command of the built program with `--json` and measures its time and memory. */
export async function measured(args: readonly string[]): Promise<Measured> {
  const started = performance.now()
  const child = startSmalti([...args, '--json'])
  let [peak, stdout, stderr] = [0, '', '']
  child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const watch = setInterval(
    () => (peak = Math.max(peak, process.platform === 'linux' ? residentOf(child.pid!) : 0)),
    200
  )
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  clearInterval(watch)
  if (code !== 0) throw new Error(`smalti ${args.join(' ')} ended with ${code}: ${stderr}`)
  return {
    seconds: (performance.now() - started) / 1e3,
    peak,
    code,
    json: JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown>,
    stderr
  }
}

export const megabytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MB`
