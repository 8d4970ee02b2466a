import type { Progress } from '../contract/engine/progress.ts'
import { duration } from '../contract/words/duration.ts'

const BAR = 24

/** Formats progress as one line of text. */
function describe({ stage, share, remaining, report }: Progress): string {
  const filled = Math.round(BAR * (share ?? 0))
  const bar =
    share === undefined
      ? ''
      : ` ${'█'.repeat(filled)}${'░'.repeat(BAR - filled)} ${String(Math.floor(100 * share)).padStart(3)} %`
  const left = remaining === undefined ? '' : `  ${duration(remaining)} left`
  const heads =
    report?.heads
      .map(({ name, information, ceiling }) => `  ${name} ${information.toFixed(2)}/${ceiling.toFixed(2)} nats`)
      .join('') ?? ''
  return `${stage}${bar}${left}${heads}`
}

/** Prints progress: on a terminal as one line that is rewritten, elsewhere as one line per stage. */
export function progressPrinter(stream: NodeJS.WriteStream): { show(progress: Progress): void; end(): void } {
  let lastStage = ''
  return {
    show(progress) {
      if (progress.skipped) {
        stream.write(
          `${stream.isTTY ? '\r\u001b[K' : ''}Skipped ${progress.skipped.path}: ${progress.skipped.reason}\n`
        )
        return
      }
      if (stream.isTTY) stream.write(`\r\u001b[K${describe(progress).slice(0, (stream.columns || 80) - 1)}`)
      else if (progress.stage.split(' ')[0] !== lastStage) stream.write(`${progress.stage}…\n`)
      lastStage = progress.stage.split(' ')[0]
    },
    end() {
      if (stream.isTTY) stream.write('\r\u001b[K')
    }
  }
}
