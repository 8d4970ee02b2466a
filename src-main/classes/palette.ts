import type { ClusterClass } from '../contract/labels.ts'

/** Colours in the order in which clusters take them, far apart in hue and lightness (the first of Kelly 1965). */
const DISTINCT = [
  '#f3c300',
  '#875692',
  '#f38400',
  '#a1caf1',
  '#be0032',
  '#c2b280',
  '#848482',
  '#008856',
  '#e68fac',
  '#0067a5',
  '#f99379',
  '#604e97',
  '#f6a600',
  '#b3446c',
  '#dcd300',
  '#882d17',
  '#8db600',
  '#654522',
  '#e25822',
  '#2b3d26'
]

/** Returns a colour `#rrggbb` for each of `count` clusters; beyond the first twenty, hues a golden angle apart. */
export function clusterColours(count: number): string[] {
  return Array.from({ length: count }, (_, i) => DISTINCT[i] ?? hsl((i * 137.508) % 360, 0.65, i % 2 ? 0.42 : 0.62))
}

/** Returns the default names and colours of clusters. */
export function clusterNames(count: number): ClusterClass[] {
  return clusterColours(count).map((colour, cluster) => ({ name: `Cluster ${cluster + 1}`, colour }))
}

function hsl(hue: number, saturation: number, lightness: number): string {
  const amplitude = saturation * Math.min(lightness, 1 - lightness)
  const channel = (offset: number): string => {
    const k = (offset + hue / 30) % 12
    const value = lightness - amplitude * Math.max(-1, Math.min(k - 3, 9 - k, 1))
    return Math.round(255 * value)
      .toString(16)
      .padStart(2, '0')
  }
  return `#${channel(0)}${channel(8)}${channel(4)}`
}

export function rgbOf(colour: string): [red: number, green: number, blue: number] {
  const value = Number.parseInt(colour.slice(1), 16)
  return [value >> 16, (value >> 8) & 255, value & 255]
}
