import type { Progress } from '../contract/commands.ts'

const BAR = 24

/** `4:05`, or `1:02:03` from an hour on. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const two = (value: number): string => String(value).padStart(2, '0')
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

export function describe({ stage, share, remaining, report }: Progress): string {
  const filled = Math.round(BAR * (share ?? 0))
  const bar = share === undefined ? '' : ` ${'█'.repeat(filled)}${'░'.repeat(BAR - filled)} ${String(Math.floor(100 * share)).padStart(3)} %`
  const left = remaining === undefined ? '' : `  ${duration(remaining)} left`
  const heads = report?.heads.map(({ name, information, ceiling }) => `  ${name} ${information.toFixed(2)}/${ceiling.toFixed(2)} nats`).join('') ?? ''
  return `${stage}${bar}${left}${heads}`
}

/** One line that rewrites itself on a terminal; elsewhere a line for each stage. */
export function progressPrinter(stream: NodeJS.WriteStream): { show(progress: Progress): void; end(): void } {
  let lastStage = ''
  return {
    show(progress) {
      if (progress.skipped) {
        stream.write(`${stream.isTTY ? '\r\u001b[K' : ''}Skipped ${progress.skipped.path}: ${progress.skipped.reason}\n`)
        return
      }
      if (stream.isTTY) stream.write(`\r\u001b[K${describe(progress).slice(0, (stream.columns || 80) - 1)}`)
      else if (progress.stage.split(' ')[0] !== lastStage) stream.write(`${progress.stage}\n`)
      lastStage = progress.stage.split(' ')[0]
    },
    end() {
      if (stream.isTTY) stream.write('\r\u001b[K')
    }
  }
}
