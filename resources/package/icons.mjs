/** Makes the icons of all platforms from `icon.svg`. Run `node resources/package/icons.mjs` after changing it. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const png = (side) =>
  sharp(at('icon.svg'), { density: (72 * side) / 96 })
    .resize(side, side)
    .png({ compressionLevel: 9, palette: side > 256 })
    .toBuffer()

for (const side of [16, 32, 48, 64, 128, 256, 512]) writeFileSync(at(`icons/${side}x${side}.png`), await png(side))

/** Windows: a table of PNG images (ICO). */
const small = await Promise.all([16, 32, 48, 256].map(async (side) => ({ side, bytes: await png(side) })))
const table = Buffer.alloc(6 + 16 * small.length)
table.writeUInt16LE(1, 2)
table.writeUInt16LE(small.length, 4)
let offset = table.length
small.forEach(({ side, bytes }, i) => {
  const entry = 6 + 16 * i
  table.writeUInt8(side % 256, entry)
  table.writeUInt8(side % 256, entry + 1)
  table.writeUInt16LE(1, entry + 4)
  table.writeUInt16LE(32, entry + 6)
  table.writeUInt32LE(bytes.length, entry + 8)
  table.writeUInt32LE(offset, entry + 12)
  offset += bytes.length
})
writeFileSync(at('icons/icon.ico'), Buffer.concat([table, ...small.map(({ bytes }) => bytes)]))

/** macOS: PNG images, each under a four-letter type (ICNS). */
const parts = await Promise.all(
  Object.entries({ ic07: 128, ic08: 256, ic09: 512, ic10: 1024 }).map(async ([type, side]) => {
    const bytes = await png(side)
    const head = Buffer.alloc(8)
    head.write(type, 'latin1')
    head.writeUInt32BE(bytes.length + 8, 4)
    return Buffer.concat([head, bytes])
  })
)
const head = Buffer.alloc(8)
head.write('icns', 'latin1')
head.writeUInt32BE(8 + parts.reduce((sum, part) => sum + part.length, 0), 4)
writeFileSync(at('icons/icon.icns'), Buffer.concat([head, ...parts]))
