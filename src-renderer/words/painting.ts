import { quantity } from './common.ts'

/** The tools on the image. */
export const painting = {
  tools: 'Image tools',
  options: 'Tool options',
  paint: 'Paint',
  restore: 'Restore model label',
  noLabel: 'No label',
  newClass: 'New class',
  radius: 'Radius',
  radiusLabel: 'Brush radius in image pixels',
  pixels: (radius: number) => quantity(radius, 'px'),
  polygonHint: 'Click to add corners, or drag to draw. Double-click to finish, Esc cancels.',
  fillHint: 'Click to fill the connected area.'
}
