import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GEOTIFFS } from './hardship/hostile.ts'
import { measured } from './processes.ts'

/** Returns the position of a raster according to GDAL. */
function placeOf(path: string): string {
  const { stdout, stderr, status } = spawnSync('gdalinfo', ['-json', path], { encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (status !== 0) throw new Error(stderr)
  const { size, geoTransform, coordinateSystem, gcps } = JSON.parse(stdout) as Record<string, object | undefined>
  return JSON.stringify({
    size,
    geoTransform,
    wkt: (coordinateSystem as { wkt?: string } | undefined)?.wkt ?? '',
    gcps
  })
}

/**
 * Segments each shared GeoTIFF separately and compares the position of the exported labels with GDAL's of the image.
 */
export async function measureOverlay(): Promise<void> {
  if (!existsSync(GEOTIFFS)) {
    console.log('labels on the shared GeoTIFFs: SKIPPED, they are not here')
    return
  }
  const base = await mkdtemp(join(tmpdir(), 'smalti-overlay-'))
  try {
    let [lie, read] = [0, 0]
    const lines: string[] = []
    for (const name of (await readdir(GEOTIFFS)).sort()) {
      const [images, project, out] = ['images', 'p', 'out'].map((part) => join(base, name, part))
      await mkdir(images, { recursive: true })
      await cp(join(GEOTIFFS, name), join(images, name))
      const command = async (...args: string[]): Promise<boolean> => {
        try {
          await measured(args)
          return true
        } catch (fault) {
          lines.push(`  ${name}, ${args[0]}: ${(fault as Error).message.trim().split('\n').at(-1)}`)
          return false
        }
      }
      if (!(await command('train', images, '--project', project, '--preset', 'preview', '--backend', 'onnxruntime')))
        continue
      read++
      if (
        !(await command('segment', project)) ||
        !(await command('export', project, '--format', 'geotiff', '--out', out))
      )
        continue
      const [there, here] = [placeOf(join(images, name)), placeOf(join(out, name.replace(/\.tiff?$/, '.tif')))]
      if (there === here) lie++
      else lines.push(`  ${name}: ${there}\n    labels: ${here}`)
    }
    console.log(
      `labels on the shared GeoTIFFs: ${lie} of ${read} that can be learnt from lie where GDAL says that their image lies\n${lines.join('\n')}`
    )
  } finally {
    await rm(base, { recursive: true })
  }
}
