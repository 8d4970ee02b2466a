import { percent, plural, quantity } from './common.ts'

/** The viewer: the image, how it is shown, and what is under the pointer. */
export const viewer = {
  allImages: '← All images',
  size: (width: number, height: number) => `${width} × ${height}`,
  previous: 'Previous image',
  previousHint: 'Previous image (←)',
  next: 'Next image',
  nextHint: 'Next image (→)',
  fit: 'Fit',
  fitHint: 'Zoom to fit (F)',
  actualSize: '1:1',
  actualSizeHint: 'Actual size (1)',
  details: 'Details',
  detailsHint: 'Size, bands, coordinate system and sidecar files',
  adjust: 'Adjust',
  adjustHint: 'Bands, stretch, brightness and grid',
  zoom: (scale: number) => percent(scale, scale >= 0.1 ? 0 : 1),
  image: (path: string, classes: number | undefined, drawing: boolean) =>
    path +
    (classes === undefined ? '' : `, coloured by ${plural(classes, 'class', 'classes')}`) +
    (drawing ? '. Arrow keys move the tool, Enter applies it, Shift+Enter closes an outline.' : ''),
  unavailable: (reason: string) => `Smalti can't draw images on this computer: ${reason}.`,
  noWebGl: 'WebGL 2 is not available',
  shaderFailed: 'a shader could not be compiled',
  programFailed: 'the graphics driver rejected a program',
  failedTiles: (count: number) => `${plural(count, 'tile')} of this image could not be loaded. Retrying…`,
  loading: 'Loading image',
  scaleUnknown: 'Scale unknown',
  pixel: (x: number, y: number) => `${x}, ${y}`,
  hint: 'Hold Space to hide labels. Click to select a class, Ctrl+click to add another, M to merge.',
  notSegmented: 'This image is not segmented.',
  confidence: 'Confidence',
  heatRamp: (name: string) => `${name}: dark means unlikely, bright means certain`,
  heatRampEnds: [percent(0), percent(1)],
  scale: (length: string) => `Scale: ${length}`,
  length: (metres: number) =>
    metres >= 1000
      ? quantity(metres / 1000, 'km')
      : metres >= 1
        ? quantity(metres, 'm')
        : quantity(Math.round(metres * 100), 'cm'),
  degrees: ([longitude, latitude]: readonly number[]) =>
    `${Math.abs(latitude).toFixed(5)}° ${latitude < 0 ? 'S' : 'N'} ` +
    `${Math.abs(longitude).toFixed(5)}° ${longitude < 0 ? 'W' : 'E'}`,
  noData: 'no data',
  noCoordinates: 'the image has no map coordinates'
}

/** How images are shown: bands, stretch, brightness. */
export const appearance = {
  panel: 'Image display',
  channels: ['Red', 'Green', 'Blue'],
  channelBand: (channel: string) => `${channel} band`,
  band: (number: number, role: string) => (role === 'other' ? `${number}` : `${number} ${role}`),
  falseColour: 'False colour',
  falseColourHint: 'Show infrared as red, red as green and green as blue. Vegetation appears red.',
  stretch: 'Stretch',
  stretchDefault: 'Default',
  stretchFull: 'Min–max',
  stretchBetween: (low: string, high: string) => quantity(`${low}–${high}`, '%'),
  looks: { brightness: 'Brightness', contrast: 'Contrast', gamma: 'Gamma' },
  grid: 'Grid',
  locationUnknown: 'The location of this image is unknown.',
  reset: 'Reset',
  details: 'Image details',
  bandValue: (role: string, value: number) => `${role} ${value}`
}
