import { clipboard } from 'electron'
import type { EngineClient } from '../contract/client.ts'
import { asSmaltiError } from '../contract/errors.ts'

const MOST = 50
/** When, which command, and the name of what went wrong: no paths and nothing of images. */
const faults: string[] = []

export function noteFault(command: string, name: string): void {
  faults.push(`${new Date().toISOString()} ${command}: ${name}`)
  if (faults.length > MOST) faults.shift()
}

/** Puts into the clipboard what developers ask for first. Nothing is sent anywhere. */
export async function copyReport(engine: Pick<EngineClient, 'call'>): Promise<void> {
  const about = await engine.call('info', {}).then(
    ({ smalti, platform, processors, memoryGiB, electron, node, backends, libraries }) => [
      `Smalti ${smalti} on ${platform}, Electron ${electron ?? '–'}, Node ${node}`,
      `${processors}, ${memoryGiB} GiB`,
      ...backends.map(({ name, used, device, reason }) => `${name}: ${used ? device : `not used, ${reason}`}`),
      ...Object.entries(libraries).map(([name, version]) => `${name} ${version}`)
    ],
    (fault: unknown) => [asSmaltiError(fault).message]
  )
  clipboard.writeText(
    [
      ...about,
      '',
      faults.length > 0 ? 'What went wrong since the start:' : 'Nothing went wrong since the start.',
      ...faults
    ].join('\n')
  )
}
