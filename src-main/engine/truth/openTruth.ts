import type { Area } from '../../contract/imagery.ts'
import { readArea } from '../../imagery/area/areaFile.ts'
import type { LabelledImage } from '../../project/labelSets.ts'
import { openMask } from './maskTruth.ts'
import { isPolygons } from './pairing.ts'
import { openPolygons } from './polygonTruth.ts'
import type { TrueClasses } from './trueClasses.ts'
import type { Truth } from './truth.ts'

/**
 * Returns a function that opens the truth of one image after the other. A GeoJSON file that serves several images is
 * read once.
 * @throws TruthUnusable, UnreadableImage, InvalidSetting
 */
export function truthOpener(classes: TrueClasses): (path: string, image: LabelledImage) => Promise<Truth> {
  let last: { path: string; area: Area } | undefined
  return async (path, image) => {
    if (!isPolygons(path)) return openMask(path, image, classes)
    if (last?.path !== path) last = { path, area: await readArea(path, '--truth') }
    return openPolygons(last.area, path, image, classes)
  }
}
