const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
const LAST_CHARACTER = 0x10ffff

/** Resolves the entities in XML text. Entities that XML doesn't define stay unchanged. */
export function unescapedXml(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal: string, hex: string, name: string) => {
    if (name) return ENTITIES[name] ?? whole
    const code = decimal ? Number(decimal) : parseInt(hex, 16)
    return code <= LAST_CHARACTER ? String.fromCodePoint(code) : whole
  })
}
