import { clipboard } from 'electron'
import type { EngineClient } from '../contract/engine/client.ts'
import { asSmaltiError } from '../contract/errors.ts'

const MOST = 50
/** Time, command and name of each error, without paths or anything about the images. */
const faults: string[] = []

/** Notes an error for the report. */
export function noteFault(command: string, name: string): void {
  faults.push(`${new Date().toISOString()} ${command}: ${name}`)
  if (faults.length > MOST) faults.shift()
}

/** Copies to the clipboard what developers ask for first. Nothing is sent anywhere. */
export async function copyReport(engine: Pick<EngineClient, 'call'>): Promise<void> {
  const about = await engine.call('info', {}).then(
    ({ smalti, platform, processors, memoryGiB, electron, node, backends, libraries }) => [
      `Smalti ${smalti} on ${platform}, Electron ${electron ?? '–'}, Node ${node}`,
      `${processors}, ${memoryGiB} GiB`,
      ...backends.map(({ name, used, device, reason }) => `${name}: ${used ? device : `not available (${reason})`}`),
      ...Object.entries(libraries).map(([name, version]) => `${name} ${version}`)
    ],
    (fault: unknown) => [asSmaltiError(fault).message]
  )
  clipboard.writeText(
    [...about, '', faults.length > 0 ? 'Errors since start:' : 'No errors since start.', ...faults].join('\n')
  )
}
